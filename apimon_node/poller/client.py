"""Owns the conversation with Jira: the only module that knows python-jira and requests.

Of python-jira 3.10.5 this uses what is safe to use, and takes the rest into its own hands: it does its own paging
(python-jira's loops forever on a repeated token), no retries (python-jira's sleep for minutes, in the middle of a
time that Jira forbade), and it looks at each answer before python-jira does, because python-jira's exceptions and
log lines hold cookies, headers and bodies.

Each request has its own connection: a poll a minute gains nothing from an idle one, which a router on the way may
have forgotten, and then each poll would begin with a time-out.
"""

import json
import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from apimon_node.errors import ApimonError, JiraError, JiraState
from apimon_node.settings import AuthType, JiraSettings

if TYPE_CHECKING:
    from jira import JIRA
    from requests import Response

CONNECT_TIMEOUT = 5.0  # seconds; a name and a handshake take less, or the network is down
PAGE_SIZE = 100  # what Jira Cloud gives at most when fields are asked for
MAX_PAGES = 100
MAX_RETRY_AFTER = 3600.0  # seconds: no Jira keeps us away for longer than an hour, whatever it says
MAX_REASON = 200  # characters of Jira's own words that go into a text
LAST_SENSIBLE = 4102444800.0  # 2100-01-01: no clock that is right shows more
FIRST_REFUSAL = 400  # the HTTP status from which on an answer is none (RFC 9110, section 15)
FIRST_TROUBLE = 500  # and from which on it is the server's fault

WEB_PAGE = (
    "Jira answered with a web page instead of JSON: is the URL right (a context path such as /jira?), "
    "and does a login page stand before Jira?"
)
STRANGE = "Jira's answer is not what a search answers: is the URL right, does something between change it?"
BAD_URL = "poller.jira.url is not a valid URL: it should look like https://jira.example.com"
TOO_MANY = f"the query finds more than {MAX_PAGES * PAGE_SIZE:,} tickets: narrow the JQL"

# The session is good, and the next search may use it, after these; after all others the next search signs in anew.
SESSION_SURVIVES = frozenset({JiraState.QUERY, JiraState.RATE_LIMITED})

# By HTTP status; {reason} is what Jira said. What is not here is a JiraState.ERROR that names the status.
REFUSALS = {
    400: (JiraState.QUERY, "Jira does not take the query: {reason}"),
    401: (JiraState.AUTH, "Jira refused the sign-in (401): is the token or password right, and not expired?"),
    403: (
        JiraState.AUTH,
        "Jira denies access (403): may this user see the project, does it owe Jira a CAPTCHA (sign in with a browser)?",
    ),
    404: (JiraState.ERROR, "no Jira at this URL (404): is it right, does it need a context path such as /jira?"),
    410: (
        JiraState.ERROR,
        "this Jira has dropped the search that was asked (410): the next poll finds out which it has",
    ),
    429: (JiraState.RATE_LIMITED, "Jira wants fewer requests (429): poll less often, or query fewer boards"),
}
SERVER_TROUBLE = "Jira is in trouble ({status}): nothing to do here, polling goes on"
OTHER_REFUSAL = "Jira answered with status {status}: is the URL right?"

# What the operating system said, somewhere in the chain of causes below an exception of requests; first match wins.
BROKEN_LINE = "the connection to Jira failed or broke off: is there a network, is poller.jira.url right?"
CAUSES = (
    (socket.gaierror, "the host name in poller.jira.url is not known: is it right, does name resolution work here?"),
    (
        ssl.SSLCertVerificationError,
        "Jira's certificate is not trusted: is the clock right, does REQUESTS_CA_BUNDLE name your organisation's CA?",
    ),
    (ssl.SSLError, "no TLS with Jira: is poller.jira.url right about https and the port?"),
    (ConnectionRefusedError, "Jira's machine refuses the connection: is the port right, does Jira run?"),
    (TimeoutError, "Jira did not answer in time: is the URL right? If it is only slow, raise poller.jira.timeout"),
)


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found: issues as Jira's JSON, each once, and Jira's clock in epoch seconds, if it told."""

    issues: list[dict[str, Any]]
    server_time: float | None


class JiraClient:
    """A Jira site. Connects at the first search; after a failure the next search starts afresh.

    `secret` gives the token or password. It is called at each sign-in, so that a new one in a file is noticed.
    """

    def __init__(self, settings: JiraSettings, secret: Callable[[], str]) -> None:
        self._settings = settings
        self._secret = secret
        self._jira: JIRA | None = None
        self._server_time: float | None = None

    def search(self, jql: str, fields: Sequence[str]) -> Found:
        """Find all issues, with these fields (ids, not names). Blocks; raises JiraError."""
        try:
            if self._jira is None:
                self._jira = self._connect()
            pages = _cloud_pages if self._jira.deploymentType == "Cloud" else _data_center_pages
            # Tickets that move while pages are turned show up twice: the last word counts.
            issues = {_identity(issue): issue for issue in pages(self._jira, jql, fields)}
        except JiraError as error:
            if error.state not in SESSION_SURVIVES:
                self.close()
            raise
        return Found(list(issues.values()), self._server_time)

    def close(self) -> None:
        """Forget the session. The next search makes a new one."""
        if self._jira is not None:
            self._jira.close()  # type: ignore[no-untyped-call]
        self._jira = None

    def _connect(self) -> "JIRA":
        """Find out which Jira this is. Data Center has API version 2 only; Cloud gets the one it documents."""
        credentials = self._credentials()
        with closing(self._open("2", credentials)) as probe, _translated():
            info = probe.server_info()
        if not isinstance(info, dict):
            raise JiraError(JiraState.ERROR, STRANGE)
        deployment = info.get("deploymentType")
        jira = self._open("3" if deployment == "Cloud" else "2", credentials)
        jira.deploymentType = deployment
        return jira

    def _credentials(self) -> dict[str, Any]:
        """Give the argument with which python-jira signs in."""
        auth = self._settings.auth
        if auth.type is AuthType.NONE:
            return {}
        try:
            secret = self._secret()
        except ApimonError as error:
            raise JiraError(JiraState.AUTH, str(error)) from error
        user = auth.user or ""
        if not secret or not _sendable(user + secret):
            raise JiraError(
                JiraState.AUTH, "the token, password or user is empty or has characters that HTTP cannot send"
            )
        return {"token_auth": secret} if auth.type is AuthType.PAT else {"basic_auth": (user, secret)}

    def _open(self, version: str, credentials: dict[str, Any]) -> "JIRA":
        """Make a python-jira client; no request yet. The one place that imports it: the import costs 10 MB of RSS."""
        from jira import JIRA  # noqa: PLC0415

        # urllib3 logs addresses with the JQL, and headers it cannot read. `logging=False` silences python-jira.
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        with _translated():
            jira = JIRA(
                # A server named here is taken as it is; the argument `server` becomes localhost where it is empty.
                options={
                    "server": self._settings.url,
                    "rest_api_version": version,
                    "headers": {"Connection": "close"},
                },
                **credentials,
                validate=False,  # asks for a cookie session, which Data Center 11 refuses, and shows the password
                get_server_info=False,  # _connect does, after the hook below is in place
                logging=False,
                max_retries=0,
                timeout=(CONNECT_TIMEOUT, self._settings.timeout),
            )
        # Without a catalogue python-jira does not translate names of fields: spares one large GET /field a session.
        jira.fields = list  # type: ignore[method-assign]
        jira._session.hooks["response"].append(self._receive)  # noqa: SLF001 - python-jira has no public way in
        return jira

    def _receive(self, answer: "Response", **_: object) -> None:
        """Look at an answer before python-jira does. Raises JiraError for a refusal."""
        self._server_time = _epoch(answer.headers.get("Date", ""))
        if answer.status_code >= FIRST_REFUSAL:
            with closing(answer):
                raise _refusal(answer, _retry_after(answer.headers.get("Retry-After", ""), self._server_time))


def _cloud_pages(jira: "JIRA", jql: str, fields: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Turn the pages of Jira Cloud, each of which but the last names the token of the next. Gives issues."""
    tokens: list[str | None] = [None]
    while len(tokens) <= MAX_PAGES:
        with _translated():
            page: Any = jira.enhanced_search_issues(
                jql, nextPageToken=tokens[-1], maxResults=PAGE_SIZE, fields=list(fields), json_result=True
            )
        yield from _issues(page)
        token = page.get("nextPageToken")
        if not token or page.get("isLast") is True:
            return
        if token in tokens:
            raise JiraError(JiraState.ERROR, "Jira gave the same page token twice: the next poll tries again")
        tokens.append(token)
    raise JiraError(JiraState.QUERY, TOO_MANY)


def _data_center_pages(jira: "JIRA", jql: str, fields: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Turn the pages of Data Center, which are numbered by their first issue. Gives issues."""
    start = 0
    for _ in range(MAX_PAGES):
        with _translated():
            page: Any = jira.search_issues(
                jql, startAt=start, maxResults=PAGE_SIZE, fields=list(fields), json_result=True
            )
        issues, total = _issues(page), page.get("total")
        if not isinstance(total, int):
            raise JiraError(JiraState.ERROR, STRANGE)
        if total > MAX_PAGES * PAGE_SIZE:
            break
        yield from issues
        start += len(issues)
        if not issues or start >= total:
            return
    raise JiraError(JiraState.QUERY, TOO_MANY)


def _issues(page: object) -> list[dict[str, Any]]:
    """Give the issues of a page of either kind."""
    issues = page.get("issues") if isinstance(page, dict) else None
    if not isinstance(issues, list) or not all(isinstance(issue, dict) for issue in issues):
        raise JiraError(JiraState.ERROR, STRANGE)
    return issues


def _identity(issue: dict[str, Any]) -> str:
    """Give what tells issues apart: the id, which stays when a ticket moves to another project; else the key."""
    identity = issue.get("id") or issue.get("key")
    if not isinstance(identity, str):
        raise JiraError(JiraState.ERROR, STRANGE)
    return identity


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what requests and urllib3 raise into JiraError, without their texts: these hold addresses and headers."""
    from requests import exceptions  # noqa: PLC0415 - python-jira has imported it by now

    try:
        yield
    except RecursionError:
        raise JiraError(JiraState.ERROR, STRANGE) from None
    except (exceptions.JSONDecodeError, exceptions.TooManyRedirects):  # the first is an OSError and a ValueError too
        raise JiraError(JiraState.ERROR, WEB_PAGE) from None
    except exceptions.ProxyError:
        text = "the proxy does not let us through to Jira: are HTTPS_PROXY and NO_PROXY right in the environment?"
        raise JiraError(JiraState.OFFLINE, text) from None
    except ValueError:  # InvalidURL, MissingSchema, and LocationParseError of urllib3, which requests lets through
        raise JiraError(JiraState.OFFLINE, BAD_URL) from None
    except OSError as error:  # the root of all other exceptions of requests
        raise JiraError(JiraState.OFFLINE, _cause(error)) from None


def _cause(error: OSError) -> str:
    """Say what lies at the bottom of a network error."""
    for link in _chain(error):
        for kind, text in CAUSES:
            if isinstance(link, kind):
                return text
    return BROKEN_LINE


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Walk from an exception to the one that it arose from, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _refusal(answer: "Response", retry_after: float) -> JiraError:
    """Put an HTTP status from 400 up into words. Only the body that tells what is wrong with a query is read."""
    status = answer.status_code
    other = SERVER_TROUBLE if status >= FIRST_TROUBLE else OTHER_REFUSAL
    state, text = REFUSALS.get(status, (JiraState.ERROR, other))
    reason = _reason(answer.content) if state is JiraState.QUERY else ""
    return JiraError(state, text.format(status=status, reason=reason), retry_after)


def _reason(body: bytes) -> str:
    """Give Jira's own messages on one line: the values of `errorMessages` (a list) and of `errors` (by field)."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    lists = (said.get("errorMessages"), said.get("errors")) if isinstance(said, dict) else ()
    words = " ".join(str(message) for messages in lists for message in _values(messages)).split()
    text = "".join(filter(str.isprintable, " ".join(words)))
    return text[:MAX_REASON] or "it gave no reason"


def _values(messages: object) -> Iterable[object]:
    """Give the values of a JSON list or object, none of anything else."""
    if isinstance(messages, dict):
        return messages.values()
    return messages if isinstance(messages, list) else ()


def _sendable(text: str) -> bool:
    """Tell whether HTTP can carry a text in a header: one line of Latin-1 (RFC 9110, section 5.5)."""
    return text.isprintable() and max(text) <= "\xff"


def _epoch(date: str) -> float | None:
    """Read a date of HTTP as epoch seconds; None if it is none, or nonsense."""
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):  # no date, the 99th of November, a zone a million hours away
        return None
    epoch = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    return epoch if 0 <= epoch <= LAST_SENSIBLE else None


def _retry_after(value: str, server_time: float | None) -> float:
    """Read Retry-After, seconds or an HTTP date (RFC 9110, section 10.2.3), as seconds from 0 to MAX_RETRY_AFTER."""
    if value.isdecimal():
        return min(float(value), MAX_RETRY_AFTER)
    until = _epoch(value)
    if until is None:
        return 0.0
    now = time.time() if server_time is None else server_time
    return min(max(until - now, 0.0), MAX_RETRY_AFTER)
