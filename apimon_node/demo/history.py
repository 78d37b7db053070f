"""What has changed in a ticket, and when: Jira's changelog. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from apimon_node.demo import times

CLOUD_PAGE = 40
"""Entries of a ticket that a search on Cloud gives with it, the newest ones; Data Center gives all."""

Recorded = Mapping[str, tuple[str | None, str | None]]
"""The fields whose changes are kept: by name, the id and the text of what they hold."""


class Item(NamedTuple):
    """One field that changed; each side as id and text, None where the field was empty."""

    field: str
    before: tuple[str | None, str | None]
    after: tuple[str | None, str | None]

    def content(self) -> dict[str, Any]:
        """Return Jira's JSON. An empty side is left out: Atlassian's document allows it no null."""
        names = ("from", "fromString", "to", "toString")
        sides = {name: text for name, text in zip(names, self.before + self.after, strict=True) if text is not None}
        return {"field": self.field, "fieldtype": "jira", **sides}


@dataclass(frozen=True, slots=True)
class Entry:
    """What changed at one time, in epoch seconds."""

    id: str
    at: float
    items: tuple[Item, ...]

    def content(self) -> dict[str, Any]:
        """Return Jira's JSON."""
        return {"id": self.id, "created": times.jira(self.at), "items": [item.content() for item in self.items]}


def compare(before: Recorded, after: Recorded) -> tuple[Item, ...]:
    """Return the fields that differ."""
    return tuple(Item(name, before[name], after[name]) for name in after if before[name] != after[name])


def changelog(history: Sequence[Entry], *, cloud: bool) -> dict[str, Any]:
    """Return what `expand=changelog` adds to an issue. `history` has the oldest entry first."""
    shown = history[::-1][:CLOUD_PAGE] if cloud else history
    return {
        "startAt": 0,
        "maxResults": CLOUD_PAGE if cloud else len(history),
        "total": len(history),
        "histories": [entry.content() for entry in shown],
    }
