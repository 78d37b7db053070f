"""A small, strict Jira over HTTP on 127.0.0.1: the answers of Cloud and of Data Center, with faults on demand.

It refuses what Jira refuses, and what it does not implement, rather than answer something else: the tests of the
poller stand on it. Its manners are those that were read in Atlassian's documents and in issue threads; nobody has
held it against a real Jira.
"""

import base64
import json
import re
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from apimon_node.demo.issue import Issue
from apimon_node.demo.jql import QueryRefused, parse
from apimon_node.demo.site import Site

REMEMBERED = 1000  # requests; a demo may run for weeks
PAGE_SIZE = 50  # where the request does not say
MAX_PAGE_SIZE = {True: 100, False: 1000}  # Cloud: as seen with fields; Data Center: jira.search.views.default.max
ALL_FIELDS = frozenset({"*all", "*navigable"})
CATALOGUE = [
    {"id": name, "name": name.title(), "custom": False, "clauseNames": [name]}
    for name in ("summary", "status", "priority", "created", "updated", "assignee", "labels", "duedate")
]
POLL_INTERVAL = 0.05  # seconds that stopping the server may take
JSON = {"Content-Type": "application/json;charset=UTF-8"}
REMOVED = (
    "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. "
    "A full migration guideline is available at https://developer.atlassian.com/changelog/#CHANGE-2046"
)
UNBOUNDED = "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."


@dataclass(frozen=True, slots=True)
class Account:
    """Who may ask. On Cloud the secret is an API token, on Data Center a password and a PAT at once."""

    user: str
    secret: str

    def admits(self, authorization: str, *, cloud: bool) -> bool:
        """Tell whether an Authorization header is ours. Cloud takes no bearer."""
        basic = base64.b64encode(f"{self.user}:{self.secret}".encode()).decode()
        return authorization == f"Basic {basic}" or (not cloud and authorization == f"Bearer {self.secret}")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. As a fault it is sent as it stands: with no Date that it does not name itself."""

    code: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Hang:
    """A fault: the request is taken, and no answer comes for so many seconds; then the connection ends."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Drop:
    """A fault: the connection ends without an answer."""


@dataclass(frozen=True, slots=True)
class RepeatedToken:
    """A fault of Cloud: every page is the first page, and names itself as the next one."""


Fault = Answer | Hang | Drop | RepeatedToken
HTML = Answer(200, {"Content-Type": "text/html"}, b"<!DOCTYPE html><html><body>Please sign in</body></html>")
NOT_JSON = Answer(200, JSON, b'{"issues": [')


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked. Each parameter has a list of values, whether it came in the query or as JSON."""

    method: str
    path: str
    query: Mapping[str, list[str]]

    def first(self, name: str) -> str | None:
        """Give the first value of a parameter."""
        return next(iter(self.query.get(name, ())), None)

    def number(self, name: str, default: int) -> int:
        """Give a parameter that is a number from 0 up. Raises QueryRefused for any other."""
        text = self.first(name)
        if text is None:
            return default
        if not text.isdecimal():
            raise QueryRefused(f"{name} must be a number that is not negative, not '{text}'.")
        return int(text)

    def fields(self, default: str) -> set[str]:
        """Give the fields asked for, which come repeated, or joined by commas, or both."""
        return {name for names in self.query.get("fields", [default]) for name in names.split(",")}


class JiraServer:
    """A Jira on 127.0.0.1, of either kind, from `with` to its end. `account` None lets anyone in.

    It runs in threads of its own; `fail` and `heal` may be called from any thread.
    `requests` grows by one a request, also by those that a fault answers.
    """

    def __init__(
        self, site: Site, *, cloud: bool, account: Account | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.site = site
        self.cloud = cloud
        self.account = account
        self.requests: deque[Request] = deque(maxlen=REMEMBERED)
        self._clock = clock
        self._fault: Fault | None = None
        self._healed = threading.Event()
        self._http = _Http(("127.0.0.1", 0), partial(_Handler, self))
        self._thread = threading.Thread(target=self._http.serve_forever, args=(POLL_INTERVAL,), name="demo-jira")

    @property
    def url(self) -> str:
        """What goes into poller.jira.url."""
        return f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.heal()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def fail(self, fault: Fault) -> None:
        """Answer every request with this fault from now on."""
        self._healed.clear()
        self._fault = fault

    def heal(self) -> None:
        """End the fault; whoever hangs is let go."""
        self._fault = None
        self._healed.set()

    def answer(self, request: Request, authorization: str) -> Answer | None:
        """Answer a request, or give None: no answer, end the connection."""
        self.requests.append(request)
        match self._fault:
            case Answer() as answer:
                return answer
            case Hang(seconds):
                self._healed.wait(seconds)
                return None
            case Drop():
                return None
        answer = self._admit(request, authorization)
        return replace(answer, headers={"Date": formatdate(self._clock(), usegmt=True), **answer.headers})

    def _admit(self, request: Request, authorization: str) -> Answer:
        """Check the sign-in, then see what is asked."""
        if self.account is None or self.account.admits(authorization, cloud=self.cloud):
            return self._route(request)
        if self.cloud:
            return _error(HTTPStatus.UNAUTHORIZED, "Client must be authenticated to access this resource.")
        headers = {"Content-Type": "text/html", "X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
        return Answer(HTTPStatus.UNAUTHORIZED, headers, b"<html><h1>Basic Authentication Failure</h1></html>")

    def _route(self, request: Request) -> Answer:
        """Find the endpoint. Cloud has API versions 2 and 3, Data Center has 2."""
        versions = "2|3|latest" if self.cloud else "2|latest"
        found = re.fullmatch(rf"/rest/api/(?:{versions})/(.+)", request.path)
        answers = self._cloud if self.cloud else self._data_center
        try:
            return answers(request.method, found[1] if found else "", request)
        except QueryRefused as refused:
            return _error(HTTPStatus.BAD_REQUEST, str(refused))

    def _cloud(self, method: str, endpoint: str, request: Request) -> Answer:
        match method, endpoint:
            case "GET", "search/jql":
                return self._cloud_page(request)
            case _, "search":
                return _error(HTTPStatus.GONE, REMOVED)
        return self._common(method, endpoint)

    def _data_center(self, method: str, endpoint: str, request: Request) -> Answer:
        match method, endpoint:
            case (("GET" | "POST"), "search"):
                return self._data_center_page(request)
        return self._common(method, endpoint)

    def _common(self, method: str, endpoint: str) -> Answer:
        match method, endpoint:
            case "GET", "serverInfo":
                kind = "Cloud" if self.cloud else "Server"
                return _json({"baseUrl": self.url, "deploymentType": kind, "versionNumbers": [10, 3, 0]})
            case "GET", "field":
                return _json(CATALOGUE)
        return _error(HTTPStatus.NOT_FOUND, "null for uri: there is nothing here")

    def _cloud_page(self, request: Request) -> Answer:
        """Give a page of Cloud. Its token tells where the next one begins, and for which query."""
        jql = request.first("jql") or ""
        if parse(jql, self.site.filters).where is None:
            raise QueryRefused(UNBOUNDED)
        found, size, start = self.site.search(jql), self._page_size(request), self._start(request, jql)
        end, fields = start + size, request.fields("id")
        page: dict[str, Any] = {"issues": [_issue(issue, fields, self._clock()) for issue in found[start:end]]}
        if isinstance(self._fault, RepeatedToken):
            end = 0
        page["isLast"] = end >= len(found)
        return _json(page if page["isLast"] else {**page, "nextPageToken": _token(jql, end)})

    def _start(self, request: Request, jql: str) -> int:
        """Read a token: the index of the first issue of its page."""
        token = request.first("nextPageToken")
        if token is None:
            return 0
        start = token.rpartition("-")[2]
        if not start.isdecimal() or token != _token(jql, int(start)):
            raise QueryRefused("The provided next page token is invalid.")
        return int(start)

    def _data_center_page(self, request: Request) -> Answer:
        """Give a page of Data Center, from `startAt` on. A page of size 0 is a way to ask for the total."""
        found, size = self.site.search(request.first("jql") or ""), self._page_size(request)
        start, fields = request.number("startAt", 0), request.fields("*navigable")
        issues = [_issue(issue, fields, self._clock()) for issue in found[start : start + size]]
        return _json({"startAt": start, "maxResults": size, "total": len(found), "issues": issues})

    def _page_size(self, request: Request) -> int:
        size = request.number("maxResults", PAGE_SIZE)
        if self.cloud and not size:
            raise QueryRefused("maxResults must be at least 1.")
        return min(size, MAX_PAGE_SIZE[self.cloud])


def _issue(issue: Issue, fields: set[str], now: float) -> dict[str, Any]:
    """Give an issue as Jira's JSON, with these fields; names that there are not are passed over."""
    if fields == {"id"}:
        return {"id": issue.id}
    values = issue.fields(now)
    if not fields & ALL_FIELDS:
        values = {name: value for name, value in values.items() if name in fields}
    return {"id": issue.id, "key": issue.key, "fields": values}


def _token(jql: str, start: int) -> str:
    return f"{zlib.crc32(jql.encode()):08x}-{start}"


def _json(content: object) -> Answer:
    return Answer(HTTPStatus.OK, JSON, json.dumps(content).encode())


def _error(status: HTTPStatus, text: str) -> Answer:
    return Answer(status, JSON, json.dumps({"errorMessages": [text], "errors": {}}).encode())


class _Http(ThreadingHTTPServer):
    """Closing it waits for the answers under way."""

    daemon_threads = False


class _Handler(BaseHTTPRequestHandler):
    """Carries requests to a JiraServer and answers back. HTTP/1.0: each connection ends after its answer."""

    def __init__(self, jira: JiraServer, *args: Any) -> None:
        self._jira = jira
        super().__init__(*args)

    def do_GET(self) -> None:
        """Answer a GET, whose parameters are in the query."""
        self._serve(parse_qs(urlsplit(self.path).query))

    def do_POST(self) -> None:
        """Answer a POST, whose parameters are JSON."""
        try:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            parameters = {name: _texts(value) for name, value in content.items()}
        except (ValueError, TypeError, AttributeError):
            self._send(_error(HTTPStatus.BAD_REQUEST, "The body is not a JSON object."))
        else:
            self._serve(parameters)

    def _serve(self, parameters: dict[str, list[str]]) -> None:
        request = Request(self.command, urlsplit(self.path).path, parameters)
        answer = self._jira.answer(request, self.headers.get("Authorization", ""))
        if answer is not None:
            self._send(answer)

    def _send(self, answer: Answer) -> None:
        with suppress(ConnectionError):  # who asked has gone
            self.send_response_only(answer.code)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
        """Say nothing on stderr."""


def _texts(value: object) -> list[str]:
    """Give a parameter's values as a query would have them; null is as good as absent."""
    return [str(each) for each in (value if isinstance(value, list) else [value]) if each is not None]
