"""How to read Jira's JSON: what lies at a path in it, or a ValueError that says what does not. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apimon_node import wire
from apimon_node.tickets.snapshot import CATEGORIES

END_OF_TIME = wire.parse_time("9999-12-31T23:59:59Z")
"""The last moment that a snapshot can hold."""

FINE = 2.0**33
"""Seconds since 1970 (in the year 2242) from which on a float is too coarse to tell milliseconds apart for certain."""


def at(value: object, *path: str) -> Any:
    """Return what lies at the end of a path, None where the path ends before. Raises ValueError where it is none."""
    for depth, step in enumerate(path):
        if value is None:
            break
        if not isinstance(value, Mapping):
            raise _missing("object", *path[:depth])
        value = value.get(step)
    return value


def text(value: object, *path: str) -> str:
    """Return the text at a path, which is not empty. Raises ValueError."""
    found = word(value, *path)
    if found is None:
        raise _missing("text", *path)
    return found


def word(value: object, *path: str) -> str | None:
    """Return the text at a path, None where there is none or something else. Halves of characters become `?`."""
    found = at(value, *path)
    return found.encode(errors="replace").decode() if isinstance(found, str) and found else None


def entries(value: object, *path: str) -> list[Any]:
    """Return the list at a path. Raises ValueError."""
    found = at(value, *path)
    if not isinstance(found, list):
        raise _missing("list", *path)
    return found


def time(value: object, *path: str) -> float:
    """Return the time at a path, written `2026-11-23T08:00:00.000+0000`, in seconds since 1970. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(at(value, *path))
    except (TypeError, ValueError):
        raise _missing("time", *path) from None
    if moment.tzinfo is None:
        raise _missing("time with its offset", *path)
    return publishable(moment.timestamp())


def category(issue: object) -> str | None:
    """Return the category of an issue's status, None for one that the contract does not know."""
    found = word(issue, "fields", "status", "statusCategory", "key")
    return found if found in CATEGORIES else None


def publishable(seconds: float) -> float:
    """Return a moment as a snapshot can hold it without loss: from 1970 to 9999, in whole milliseconds."""
    seconds = min(max(seconds, 0.0), END_OF_TIME)
    return round(seconds, 3 if seconds < FINE else 0)


def _missing(what: str, *path: str) -> ValueError:
    """Return what is not there. Not what is instead: that may be what shall not leave Jira."""
    return ValueError(f"no {what} in {'.'.join(path) or 'it'}")
