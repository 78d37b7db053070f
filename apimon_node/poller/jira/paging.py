"""How the pages of a search are turned, on Jira Cloud and on Data Center, until all is there or too much. Pure.

python-jira's own paging loops for ever on a repeated token, and takes a first page for all.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from apimon_node.errors import JiraError, JiraState
from apimon_node.poller.jira.refusals import strange

PAGE_SIZE = 100
"""Tickets of a page: what Jira Cloud gives at most when fields are asked for."""

CONTRACT = 10_000
"""Tickets of a board, by the MQTT contract."""

MAX_PAGES = 200
"""Pages of a search: those of the largest board, half full. More come of a server that knows no end."""

Issue: TypeAlias = dict[str, Any]

REPEATED = "Jira gave the same page token twice: the next poll tries again"
REFUSED = "Jira does not take back the page token that it gave itself: the next poll begins anew"
ENDLESS = f"Jira gives page after page, {MAX_PAGES} and no end: does something between it and the poller repeat them?"


def cloud(ask: Callable[[str | None], Any], most: int) -> list[Issue]:
    """Return all issues of Jira Cloud, each of whose pages but the last names the token of the next."""
    found: dict[str, Issue] = {}
    token: str | None = None
    tokens: set[str] = set()
    for _ in range(MAX_PAGES):
        page = ask(token) if token is None else _resume(ask, token)
        _take(found, _issues(page), most)
        token = page.get("nextPageToken")
        if not token or page.get("isLast") is True:
            return list(found.values())
        if not isinstance(token, str):
            raise strange()
        if token in tokens:
            raise JiraError(JiraState.ERROR, REPEATED)
        tokens.add(token)
    raise JiraError(JiraState.ERROR, ENDLESS)


def data_center(ask: Callable[[int], Any], most: int) -> list[Issue]:
    """Return all issues of a Data Center, whose pages are numbered by their first issue, and tell the total."""
    found: dict[str, Issue] = {}
    start = 0
    for _ in range(MAX_PAGES):
        page = ask(start)
        issues, total = _issues(page), page.get("total")
        if not isinstance(total, int):
            raise strange()
        if total > most:
            raise _too_many(most)
        _take(found, issues, most)
        start += len(issues)
        if not issues or start >= total:
            return list(found.values())
    raise JiraError(JiraState.ERROR, ENDLESS)


def _resume(ask: Callable[[str | None], Any], token: str) -> Any:
    """Ask for a further page. The query was good for the first: a refusal is one of the token."""
    try:
        return ask(token)
    except JiraError as error:
        if error.state is JiraState.QUERY:
            raise JiraError(JiraState.ERROR, REFUSED) from None
        raise


def _take(found: dict[str, Issue], issues: list[Issue], most: int) -> None:
    """Add the issues of a page. Tickets that move while pages are turned show up twice: the last word counts."""
    found.update((_identity(issue), issue) for issue in issues)
    if len(found) > most:
        raise _too_many(most)


def _too_many(most: int) -> JiraError:
    raised = ", or raise max_tickets of this board" if most < CONTRACT else ""
    return JiraError(JiraState.QUERY, f"the query finds more than {most:,} tickets: narrow the JQL{raised}")


def _issues(page: object) -> list[Issue]:
    """Return the issues of a page of either kind."""
    issues = page.get("issues") if isinstance(page, dict) else None
    if not isinstance(issues, list) or not all(isinstance(issue, dict) for issue in issues):
        raise strange()
    return issues


def _identity(issue: Issue) -> str:
    """Return what tells issues apart: the id, which stays when a ticket moves to another project; else the key."""
    identity = issue.get("id") or issue.get("key")
    if not isinstance(identity, str):
        raise strange()
    return identity
