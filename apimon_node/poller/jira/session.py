"""Owns python-jira: the only module that knows it.

Of python-jira 3.10.5 this uses what is safe to use, and takes the rest into its own hands: no paging (see paging),
no retries (python-jira's sleep for minutes, in the middle of a time that Jira forbade), and it looks at each answer
before python-jira does, because python-jira's exceptions and log lines hold cookies, headers and bodies.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from jira import JIRA

from apimon_node.errors import JiraError, JiraState
from apimon_node.poller.jira import masking, refusals
from apimon_node.poller.jira.paging import PAGE_SIZE
from apimon_node.poller.jira.sign_in import Signing
from apimon_node.poller.jira.transport import FIRST_REFUSAL, Response, bound, translated

T = TypeVar("T")

CLOUD = "Cloud"
"""What a Jira of Atlassian's own calls its deployment; others say Server or Data Center."""


class Session:
    """A conversation of one thread with a Jira. Each of its questions blocks, and raises JiraError."""

    def __init__(self, url: str, signing: Signing, timeout: float, *, cloud: bool = False) -> None:
        self._signing = signing
        self._sent: frozenset[str] = frozenset()  # secrets, of redirects too
        self.server_time: float | None = None
        """Jira's clock at its last answer, in seconds since 1970, if it told."""
        with translated(refusals.JIRA):
            self._jira = JIRA(
                # A server named here is taken as it is; the argument `server` becomes localhost where it is empty.
                # Data Center has version 2 of the API only; Cloud gets the one that it documents.
                options={"server": url, "rest_api_version": "3" if cloud else "2"},
                validate=False,  # asks for a cookie session, which Data Center 11 refuses, and shows the password
                get_server_info=False,  # what is below must be in place before anything is asked
                logging=False,
                max_retries=0,
            )
        self._jira.deploymentType = CLOUD if cloud else None
        session = self._jira._session  # noqa: SLF001 - python-jira has no public way in
        session.auth = signing.sign
        bound(session, timeout, refusals.JIRA)
        session.hooks["response"].append(self._receive)

    def close(self) -> None:
        """End it."""
        self._jira.close()  # type: ignore[no-untyped-call]

    def is_cloud(self) -> bool:
        """Ask whether this is Jira Cloud. Version 2 of the API knows that everywhere."""
        info: object = self._ask(lambda jira: jira.server_info())
        if not isinstance(info, dict):
            raise JiraError(JiraState.ERROR, refusals.STRANGE, everywhere=True)
        return info.get("deploymentType") == CLOUD

    def fields(self) -> Any:
        """Ask which fields there are."""
        return self._ask(JIRA.fields)

    def cloud_page(self, jql: str, fields: Sequence[str], expand: str, token: str | None) -> Any:
        """Ask a Jira Cloud for a page of issues."""
        return self._search(
            lambda jira: jira.enhanced_search_issues(
                jql,
                nextPageToken=token,
                maxResults=PAGE_SIZE,
                fields=list(fields),  # python-jira writes into the one that it gets
                expand=expand or None,
                json_result=True,
            )
        )

    def data_center_page(self, jql: str, fields: Sequence[str], expand: str, start: int) -> Any:
        """Ask a Data Center for the issues from `start` on."""
        return self._search(
            lambda jira: jira.search_issues(
                jql,
                startAt=start,
                maxResults=PAGE_SIZE,
                fields=list(fields),
                expand=expand or None,
                json_result=True,
            )
        )

    def _search(self, question: Callable[[JIRA], T]) -> T:
        # Without a catalogue python-jira does not translate names of fields: spares one large GET /field a session.
        self._jira.fields = list  # type: ignore[method-assign]
        return self._ask(question, proves=True)

    def _ask(self, question: Callable[[JIRA], T], *, proves: bool = False) -> T:
        """Ask. Answers that prove that the sign-in was taken are those of a search: others may be had without one."""
        with self._signing.trying(proves), translated(refusals.JIRA):
            return question(self._jira)

    def _receive(self, answer: Response, **_: object) -> None:
        """Look at an answer before python-jira does. Raises JiraError for a refusal."""
        self.server_time = refusals.server_time(answer.headers)
        asked = answer.request.headers
        self._sent |= masking.sent(str(asked.get("Authorization", "")), str(asked.get("Cookie", "")))
        status, headers = answer.status_code, answer.headers
        if self._signing.signed and (error := refusals.sign_in_refusal(status, headers)):
            raise error
        if status >= FIRST_REFUSAL:
            raise refusals.refusal(status, headers, answer.content, time.time(), self._sent)
