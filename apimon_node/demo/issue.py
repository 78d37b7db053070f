"""A ticket of the demo's Jira, and the words that it is made of. Pure."""

from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from apimon_node.demo import times
from apimon_node.demo.history import Entry, Recorded
from apimon_node.demo.sla import Sla, SlaField


class Status(NamedTuple):
    """A status of a workflow. `category` is a key of CATEGORIES."""

    id: str
    category: str


CATEGORIES = {"new": "To Do", "indeterminate": "In Progress", "done": "Done"}  # by key, as Jira names them
WORKFLOW = {
    "Open": Status("1", "new"),
    "In Progress": Status("3", "indeterminate"),
    "Review": Status("10001", "indeterminate"),
    "Done": Status("10002", "done"),
}
PRIORITIES = ("Highest", "High", "Medium", "Low", "Lowest")
PEOPLE = ("Ada", "Grace", "Linus", "Margaret")


@dataclass(frozen=True, slots=True)
class Issue:
    """A ticket. `category` is a key of CATEGORIES, times are epoch seconds, `history` has the oldest entry first."""

    id: str
    key: str
    summary: str
    status: str
    status_id: str
    category: str
    created: float
    updated: float
    priority: str | None = None
    assignee: str | None = None
    labels: tuple[str, ...] = ()
    duedate: date | None = None
    slas: tuple[tuple[SlaField, Sla | None], ...] = ()
    history: tuple[Entry, ...] = ()

    def fields(self, now: float) -> dict[str, Any]:
        """Return all fields as Jira's JSON. An SLA's clock stands at `now`."""
        return {
            "summary": self.summary,
            "status": status_content(self.status, Status(self.status_id, self.category)),
            "priority": self.priority and {"id": _priority_id(self.priority), "name": self.priority},
            "created": times.jira(self.created),
            "updated": times.jira(self.updated),
            "assignee": self.assignee and {"displayName": self.assignee},
            "labels": list(self.labels),
            "duedate": self.duedate and self.duedate.isoformat(),
            **{field.id: sla and sla.content(field.name, now) for field, sla in self.slas},
        }

    def recorded(self) -> Recorded:
        """Return what the history is kept of."""
        duedate = self.duedate.isoformat() if self.duedate else None
        return {
            "status": (self.status_id, self.status),
            "priority": (self.priority and _priority_id(self.priority), self.priority),
            "assignee": (self.assignee, self.assignee),
            "duedate": (duedate, duedate and f"{duedate} 00:00:00.0"),
        }


def status_content(name: str, status: Status) -> dict[str, Any]:
    """Return a status as Jira's JSON."""
    category = {"key": status.category, "name": CATEGORIES[status.category]}
    return {"id": status.id, "name": name, "statusCategory": category}


def _priority_id(priority: str) -> str:
    return str(PRIORITIES.index(priority) + 1)
