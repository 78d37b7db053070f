"""From Jira's issues to tickets: what is taken over, and when a ticket becomes overdue. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any

from apimon_node import wire
from apimon_node.errors import JiraError, JiraState
from apimon_node.tickets.snapshot import CATEGORIES, Ticket

FIELDS = ("status", "priority", "created")
"""What is asked of Jira: no summaries and no names leave it."""


def tickets(issues: Iterable[Mapping[str, Any]], overdue_after: Mapping[str, float]) -> tuple[Ticket, ...]:
    """Make tickets of issues as Jira's search gives them, in the order of their keys.

    `overdue_after` has for a status the seconds after which a ticket in it, counted from its creation, is overdue.
    Raises JiraError where an issue lacks what was asked for.
    """
    return tuple(sorted((_ticket(issue, overdue_after) for issue in issues), key=attrgetter("key")))


def _ticket(issue: Mapping[str, Any], overdue_after: Mapping[str, float]) -> Ticket:
    try:
        fields = issue["fields"]
        key, status = _text(issue["key"]), _text(fields["status"]["name"])
        category = (fields["status"].get("statusCategory") or {}).get("key")
        created = _time(fields["created"])
        priority = (fields.get("priority") or {}).get("name")
    except (KeyError, TypeError, AttributeError, ValueError):
        name = wire.step(str(issue.get("key") or "an issue"))
        raise JiraError(JiraState.ERROR, f"Jira's answer on {name} lacks its key, status or creation") from None
    due = created + overdue_after[status] if status in overdue_after else None
    return Ticket(
        key,
        status,
        category if category in CATEGORIES else None,
        priority if isinstance(priority, str) else None,
        created,
        due,
    )


def _time(value: str) -> float:
    """Seconds since 1970 of a time as Jira writes it, `2026-11-23T08:00:00.000+0000`. Raises ValueError."""
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("no offset")
    return moment.timestamp()


def _text(value: object) -> str:
    """Give text that is not empty, or ValueError."""
    if isinstance(value, str) and value:
        return value
    raise ValueError("no text")
