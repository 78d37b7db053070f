"""The client of a Jira site: finds the tickets of a query, for as many threads as ask at once."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from apimon_node.config.settings import JiraSettings
from apimon_node.errors import JiraError, JiraState
from apimon_node.poller.jira import paging
from apimon_node.poller.jira.shared import Shared
from apimon_node.poller.jira.sign_in import SignIn

if TYPE_CHECKING:
    from apimon_node.poller.jira.session import Session

DAY = 86400.0
"""Seconds that the catalogue of fields is kept: an administrator makes a new one now and then, and it is large."""

# After these failures it is the same Jira still; after all others the next search finds out anew which it is.
KIND_SURVIVES = frozenset({JiraState.QUERY, JiraState.RATE_LIMITED})

NO_CATALOGUE = "Jira's answer is no list of fields: is the URL right, does something between change it?"


class Found(NamedTuple):
    """What a search found: issues as Jira's JSON, each once, and Jira's clock in epoch seconds, if it told."""

    issues: list[paging.Issue]
    server_time: float | None


class JiraClient:
    """A Jira site. Each search is a conversation of its own; the threads share what they know of the site.

    `secret` gives the token or password. It is called at each sign-in, so that a new one in a file is noticed; with
    OAuth2 it gives the client secret, and is called for each token. `now` is a monotonic clock.
    """

    def __init__(
        self, settings: JiraSettings, secret: Callable[[], str], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._sign_in = SignIn(settings, secret, now)
        self._is_cloud = Shared(self._find_kind, now)
        self._catalogue = Shared(self._find_fields, now)

    def search(self, jql: str, fields: Sequence[str], expand: str = "", most: int = paging.CONTRACT) -> Found:
        """Find all issues, with these fields (ids, not names), if they are not too many. Blocks; raises JiraError."""
        with self._doubting():
            cloud = self._is_cloud.get()
            with closing(self._session(cloud=cloud)) as session:
                if cloud:
                    issues = paging.cloud(partial(session.cloud_page, jql, fields, expand), most)
                else:
                    issues = paging.data_center(partial(session.data_center_page, jql, fields, expand), most)
                return Found(issues, session.server_time)

    def catalogue(self) -> list[dict[str, Any]]:
        """Return all fields that Jira has, as its JSON; to be read only. Blocks; raises JiraError."""
        with self._doubting():
            return self._catalogue.get()

    def close(self) -> None:
        """Forget what is known of the site. Searches that run go on."""
        self._is_cloud.forget()
        self._catalogue.forget()
        self._sign_in.forget()

    @contextmanager
    def _doubting(self) -> Iterator[None]:
        """Forget which Jira it is when something fails."""
        try:
            yield
        except JiraError as error:
            if error.state not in KIND_SURVIVES:
                self._is_cloud.forget()
            raise

    def _find_kind(self) -> tuple[bool, float]:
        with closing(self._session()) as session:
            return session.is_cloud(), math.inf

    def _find_fields(self) -> tuple[list[dict[str, Any]], float]:
        with closing(self._session()) as session:
            fields = session.fields()
        if not isinstance(fields, list) or not all(isinstance(field, dict) for field in fields):
            raise JiraError(JiraState.ERROR, NO_CATALOGUE)
        return fields, DAY

    def _session(self, *, cloud: bool = False) -> "Session":
        """Begin a conversation; no request yet. The import costs 10 MB of RSS, and needs the extra jira."""
        from apimon_node.poller.jira.session import Session  # noqa: PLC0415

        return Session(self._settings.url, self._sign_in.sign(), self._settings.timeout, cloud=cloud)
