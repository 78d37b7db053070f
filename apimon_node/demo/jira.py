"""A small, strict Jira over HTTP on 127.0.0.1: the answers of Cloud and of Data Center, with faults on demand.

It refuses what Jira refuses, and what it does not implement, rather than answer something else: the tests of the
poller stand on it. Its manners are those that were read in Atlassian's documents and in issue threads; nobody has
held it against a real Jira.
"""

import copy
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from types import TracebackType
from typing import Self

from apimon_node.demo import cloud, data_center, signin
from apimon_node.demo.api import NOTHING_HERE, Call
from apimon_node.demo.browse import PATH, browse
from apimon_node.demo.exchange import JSON, Answer, Request, as_error
from apimon_node.demo.faults import (
    HTML,
    NOT_JSON,
    Drip,
    Drop,
    Echo,
    Fault,
    Hang,
    RepeatedToken,
    StaleToken,
    Trouble,
    every_request,
)
from apimon_node.demo.jql import QueryRefused
from apimon_node.demo.limit import RateLimit
from apimon_node.demo.oauth import TOKEN_PATH, OAuthApp
from apimon_node.demo.server import HttpServer
from apimon_node.demo.signin import Account
from apimon_node.demo.site import Site

__all__ = [
    "HTML",
    "JSON",
    "NOT_JSON",
    "Account",
    "Answer",
    "Drip",
    "Drop",
    "Echo",
    "Fault",
    "Hang",
    "JiraServer",
    "OAuthApp",
    "RateLimit",
    "RepeatedToken",
    "Request",
    "StaleToken",
]

VERSIONS = {True: "2|3|latest", False: "2|latest"}  # of the API: those of Cloud, those of Data Center
ANSWERS = {True: cloud.answer, False: data_center.answer}
REMEMBERED = 1000  # requests; a demo may run for weeks


class JiraServer:
    """A Jira on 127.0.0.1, of either kind, from `with` to its end.

    Without `account` and `oauth` anyone may come in; see signin for the rest. Whoever is not admitted is refused or,
    with `strangers`, answered as a stranger, who sees no ticket. `prefix` is the path below which the API stands: a
    context path of Data Center, or on Cloud that of the gateway for service accounts (`/ex/jira/<cloud id>`). `limit`,
    and all else that has a name here, may be changed at any time.
    It runs in threads of its own; `fail` and `heal` may be called from any thread.
    `requests` grows by one a request, also by those that a fault answers.
    """

    def __init__(
        self,
        site: Site,
        *,
        cloud: bool,
        account: Account | None = None,
        clock: Callable[[], float] = time.time,
        prefix: str = "",
        oauth: OAuthApp | None = None,
        limit: RateLimit | None = None,
    ) -> None:
        self.site = site
        self.cloud = cloud
        self.account = account
        self.prefix = prefix
        self.oauth = oauth
        self.limit = limit
        self.strangers = False
        self.lockout = signin.Lockout()
        self.requests: deque[Request] = deque(maxlen=REMEMBERED)
        self._clock = clock
        self._trouble: Trouble | None = None
        self._http = HttpServer(self._exchange)

    @property
    def url(self) -> str:
        """What goes into poller.jira.url."""
        return self._http.url + self.prefix

    @property
    def token_url(self) -> str:
        """Where tokens of the OAuth application are given: on Cloud beside the gateway, not below it."""
        return self._http.url + self._token_path

    @property
    def _token_path(self) -> str:
        return TOKEN_PATH if self.cloud else self.prefix + TOKEN_PATH

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Return whether it is there."""
        return self._http.running

    def start(self) -> None:
        """Be there, after stop() on the same port. Raises OSError where somebody else has taken that meanwhile."""
        self._http.start()

    def stop(self) -> None:
        """Go away, with all that waits for an answer: connections are refused."""
        self.heal()
        self._http.stop()

    def fail(self, fault: Fault, when: Callable[[Request], bool] = every_request) -> None:
        """Answer the requests for which `when` is true with this fault from now on. It ends the fault before it."""
        self._replace(Trouble(fault, when))

    def heal(self) -> None:
        """End the fault; whoever waits for an answer is let go."""
        self._replace(None)

    def _replace(self, trouble: Trouble | None) -> None:
        before, self._trouble = self._trouble, trouble
        if before is not None:
            before.end()

    def witness(self, request: Request, answer: Answer) -> None:
        """See every exchange that Jira itself answers, before the answer is sent. The tests put a check here."""

    def answer(self, request: Request, authorization: str, fault: Fault | None = None) -> Answer:
        """Answer a request; `fault` is one of those that Jira itself has."""
        now = self._clock()
        answer = (
            fault.answer(authorization) if isinstance(fault, Echo) else self._admit(request, authorization, now, fault)
        )
        answer = replace(answer, headers={"Date": formatdate(now, usegmt=True), **answer.headers})
        self.witness(request, answer)
        return answer

    def _exchange(self, request: Request, authorization: str) -> Iterator[bytes]:
        """Yield what is sent for a request, piece by piece."""
        self.requests.append(request)
        trouble = self._trouble
        if trouble is None or not trouble.meets(request):
            yield self.answer(request, authorization).wire()
        else:
            yield from trouble.deliver(partial(self.answer, request, authorization, trouble.fault))

    def _admit(self, request: Request, authorization: str, now: float, fault: Fault | None) -> Answer:
        """See whether there is anything at all."""
        if self.oauth is not None and request.path == self._token_path:
            return self.oauth.answer(request, authorization, now)
        if not request.path.startswith(f"{self.prefix}/"):
            return NOTHING_HERE
        if request.path.startswith(page := self.prefix + PATH):
            return browse(self.site, request.path.removeprefix(page))
        return self._sign_in(request, authorization, now, fault)

    def _sign_in(self, request: Request, authorization: str, now: float, fault: Fault | None) -> Answer:
        """See who asks, and how often; then what is asked."""
        cloud, gateway, name = self.cloud, self.cloud and bool(self.prefix), signin.user(authorization)
        if not cloud and name in self.lockout:
            return self.lockout.refusal(self.url)
        admitted = signin.admits(authorization, self.account, self.oauth, now, cloud=cloud, gateway=gateway)
        self.lockout.note(name, good=admitted)
        if not admitted and not self.strangers:
            return signin.refusal(cloud=cloud)
        if self.limit is not None and (wait := self.limit.take(now)):
            return self.limit.refusal(wait, now, cloud=cloud)
        site, whom = self.site, signin.signed(authorization, cloud=cloud)
        if not admitted:
            site = copy.copy(site)
            site.hidden = {issue.key for issue in site.issues}
        if not admitted or not authorization:
            whom = signin.stranger(cloud=cloud, tried=bool(authorization))
        answer = self._route(request, site, now, fault)
        return replace(answer, headers={**answer.headers, **whom})

    def _route(self, request: Request, site: Site, now: float, fault: Fault | None) -> Answer:
        """Find the API of the kind and version that is asked for. Cloud has versions 2 and 3, Data Center has 2."""
        found = re.fullmatch(rf"{re.escape(self.prefix)}/rest/api/({VERSIONS[self.cloud]})/(.+)", request.path)
        if not found:
            return NOTHING_HERE
        base_url = self._http.url if self.cloud else self.url  # Cloud names its site, not the gateway
        try:
            return ANSWERS[self.cloud](Call(site, request, found[2], self.cloud, base_url, now, fault))
        except QueryRefused as refused:
            return as_error(HTTPStatus.BAD_REQUEST, str(refused))
