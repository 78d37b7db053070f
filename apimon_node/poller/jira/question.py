"""What to ask Jira for a board: no more than what is published of it, and what its rules need. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from apimon_node import wire
from apimon_node.config.jql import bounded
from apimon_node.config.settings import ALL_SLA, BoardSettings, OverdueSince
from apimon_node.errors import JiraError, JiraState
from apimon_node.poller.jira.answer import word

SLA = "com.atlassian.servicedesk:sd-sla-field"
"""The type of the fields that hold an SLA of Jira Service Management; their ids differ from site to site."""

SAME = ("priority", "created", "summary", "assignee", "labels")
"""What a ticket and an issue of Jira call by the same name."""


class Question(NamedTuple):
    """A search: its JQL, the fields (ids) and what else to give of each issue, and how many issues at the most."""

    jql: str
    fields: tuple[str, ...]
    expand: str
    most: int


def question(board: BoardSettings, leaving: Collection[str], sla: Sequence[str] = ()) -> Question:
    """Return what to ask for a board.

    `leaving` has the fields of a ticket that are published, `sla` is as of sla_fields().
    """
    return Question(bounded(board.jql), fields(board, leaving, sla), _expand(board, leaving), board.max_tickets)


def fields(board: BoardSettings, leaving: Collection[str], sla: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the fields of Jira that are needed. The key comes by itself, the category with the status."""
    wanted = set(leaving) | ({"created"} if _aged(board, leaving) else set())
    same = (name for name in SAME if name in wanted)
    if "due" not in leaving:
        return ("status", *same)
    return ("status", *same, *(["duedate"] if board.due_date else []), *sla)


def _aged(board: BoardSettings, leaving: Collection[str]) -> bool:
    return "due" in leaving and bool(board.overdue_after)


def _expand(board: BoardSettings, leaving: Collection[str]) -> str:
    return "changelog" if _aged(board, leaving) and board.overdue_since is OverdueSince.STATUS else ""


def sla_fields(catalogue: object, wanted: Collection[str]) -> tuple[str, ...]:
    """Return the ids of SLA fields, wanted by name or id, or all of them, from Jira's field catalogue (GET /field).

    Two fields of one name both count. Raises JiraError where there is none of that name, and says which there are.
    """
    if not wanted:
        return ()
    known = dict(_known(catalogue))
    if not known:
        text = "this Jira shows no SLA fields: is it a Jira Service Management, and may this user see its SLAs?"
        raise JiraError(JiraState.QUERY, f"{text} Else leave out sla")
    for name in wanted:
        if name not in (*ALL_SLA, *known, *known.values()):
            there = ", ".join(f"{wire.step(label)} ({field})" for field, label in known.items())
            raise JiraError(JiraState.QUERY, f"this Jira has no SLA {wire.step(name)}: expected one of {there}")
    return tuple(field for field, name in known.items() if {*ALL_SLA, field, name} & set(wanted))


def _known(catalogue: object) -> Iterator[tuple[str, str]]:
    """Yield id and name of each SLA field."""
    if not isinstance(catalogue, list):
        raise JiraError(JiraState.ERROR, "Jira's answer on its fields is no list")
    for field in catalogue:
        schema = field.get("schema") if isinstance(field, Mapping) else None
        if isinstance(schema, Mapping) and schema.get("custom") == SLA:
            id_, name = word(field, "id"), word(field, "name")
            if id_ and name:
                yield id_, name
