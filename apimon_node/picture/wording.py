"""The wording of looks: what they match, in words that people read. Pure."""

from collections.abc import Callable, Iterator

from apimon_node.picture.looks import Match

REST = "all others"
"""The name of a look that asks for nothing, which comes last."""

UNITS = {604800: "week", 86400: "day", 3600: "hour", 60: "minute"}


def name(match: Match) -> str:
    """Name a look as a legend does: `In Progress or Review, overdue`."""
    wants = clauses(match, _duration)
    return ", ".join(words if kind in {"", "status"} else f"{kind} {words}" for kind, words in wants) or REST


def clauses(match: Match, duration: Callable[[float], str]) -> Iterator[tuple[str, str]]:
    """Yield all that is asked for: which of a ticket's words, or nothing, and the words. `duration` writes one."""
    for kind in ("status", "category", "priority", "assignee", "label"):
        if words := getattr(match, kind):
            yield kind, " or ".join(words)
    if match.overdue is not None:
        yield "", "overdue" if match.overdue else "not overdue"
    for age, words in ((match.older_than, "older than"), (match.younger_than, "younger than")):
        if age is not None:
            yield "", f"{words} {duration(age)}"


def in_units(seconds: float) -> tuple[float, str]:
    """Return a duration in the largest unit of which it is a whole number, and that unit."""
    for size, unit in UNITS.items():
        if seconds >= size and seconds % size == 0:
            return seconds / size, unit
    return seconds, "second"


def _duration(seconds: float) -> str:
    return quantity(*in_units(seconds))


def quantity(value: float, of: str) -> str:
    """Count things: `1 pixel`, `2 pixels`."""
    return f"{value:.10g} {of}{'' if value == 1 else 's'}"
