"""From Jira's issues to tickets: what is taken over of them. Pure."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import tzinfo
from operator import attrgetter
from typing import Any

from apimon_node import wire
from apimon_node.config.settings import BoardSettings
from apimon_node.errors import JiraError, JiraState
from apimon_node.poller.jira.answer import at, category, text, time, word
from apimon_node.poller.jira.overdue import due
from apimon_node.text import one_line
from apimon_node.tickets.snapshot import Ticket

MAX_TEXT = 255
"""Characters of a summary or a name that are published: as long as a summary may be in Jira."""


def tickets(
    issues: Iterable[Mapping[str, Any]],
    board: BoardSettings,
    *,
    fields: Collection[str],
    sla: Sequence[str] = (),
    now: float,
    zone: tzinfo | None,
) -> tuple[Ticket, ...]:
    """Make tickets of issues as Jira's search gives them, in the order of their keys: equal answers, equal tickets.

    A ticket has its key, its status and those of `fields`. `sla` has the ids of the SLA fields that count, `now` is
    Jira's clock, `zone` is where due dates end (None: where the machine is). All times survive a snapshot unchanged.
    Raises JiraError where an issue lacks what was asked for.
    """

    def when(issue: Mapping[str, Any]) -> float | None:
        return due(issue, board, sla, now, zone)

    readers = {name: read for name, read in (READERS | {"due": when}).items() if name in fields}
    return tuple(sorted((_ticket(issue, readers) for issue in issues), key=attrgetter("key")))


def _ticket(issue: Mapping[str, Any], readers: Mapping[str, Callable[[Mapping[str, Any]], Any]]) -> Ticket:
    try:
        key, status = text(issue, "key"), text(issue, "fields", "status", "name")
        return Ticket(key, status, **{name: read(issue) for name, read in readers.items()})
    except ValueError as err:
        name = wire.step(str(issue.get("key") or "an issue"))
        raise JiraError(JiraState.ERROR, f"Jira's answer on {name} lacks what was asked for: {err}") from None


def _priority(issue: Mapping[str, Any]) -> str | None:
    return word(issue, "fields", "priority", "name")


def _created(issue: Mapping[str, Any]) -> float:
    return time(issue, "fields", "created")


def _summary(issue: Mapping[str, Any]) -> str | None:
    return _line(word(issue, "fields", "summary"))


def _assignee(issue: Mapping[str, Any]) -> str | None:
    return _line(word(issue, "fields", "assignee", "displayName"))


def _labels(issue: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the labels in alphabetical order, so that the same ones are equal."""
    found = at(issue, "fields", "labels")
    return tuple(sorted({label for label in map(word, found) if label})) if isinstance(found, list) else ()


def _line(found: str | None) -> str | None:
    """Make one line of a text that people wrote, for displays: printable, and not too long."""
    return one_line(found or "")[:MAX_TEXT].strip() or None


READERS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "category": category,
    "priority": _priority,
    "created": _created,
    "summary": _summary,
    "assignee": _assignee,
    "labels": _labels,
}
"""What makes each field of a ticket of an issue, but for its key, its status and `due`."""
