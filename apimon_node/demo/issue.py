"""A ticket of the demo's Jira, and the words that it is made of. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

CATEGORIES = {"new": "To Do", "indeterminate": "In Progress", "done": "Done"}  # by key, as Jira names them
WORKFLOW = {"Open": "new", "In Progress": "indeterminate", "Review": "indeterminate", "Done": "done"}
PRIORITIES = ("Highest", "High", "Medium", "Low", "Lowest")


@dataclass(frozen=True, slots=True)
class Issue:
    """A ticket. `category` is a key of CATEGORIES, times are epoch seconds."""

    id: str
    key: str
    summary: str
    status: str
    category: str
    created: float
    updated: float
    priority: str | None = None
    assignee: str | None = None
    labels: tuple[str, ...] = ()

    def fields(self) -> dict[str, Any]:
        """Give all fields as Jira's JSON."""
        return {
            "summary": self.summary,
            "status": {
                "name": self.status,
                "statusCategory": {"key": self.category, "name": CATEGORIES[self.category]},
            },
            "priority": self.priority and {"name": self.priority},
            "created": _jira_time(self.created),
            "updated": _jira_time(self.updated),
            "assignee": self.assignee and {"displayName": self.assignee},
            "labels": list(self.labels),
        }


def _jira_time(epoch: float) -> str:
    """Write a time as Jira does: 2026-11-23T08:00:00.000+0000."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
