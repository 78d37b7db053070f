"""Lenient readers: what a payload has wrong is left out, so that whoever shows it shows the rest. Pure."""

from collections.abc import Iterator, Mapping

from apimon_node import wire
from apimon_node.contract.topics import ID

MOST = 200
"""Nodes, strips, pollers, boards, and looks of a strip; more of them are left out."""

LARGEST = 1_000_000_000
"""The largest number that is taken: JSON may hold one of thousands of digits."""

Fields = Mapping[str, object]


def objects(value: object) -> list[Fields]:
    """Return the objects of a list; none where it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def named(value: object) -> Iterator[tuple[str, Fields]]:
    """Yield the objects of an object that have an id, in the order of the ids, at most 200."""
    pairs = sorted(value.items()) if isinstance(value, dict) else []
    fit = [(name, item) for name, item in pairs if ID.fullmatch(name) and isinstance(item, dict)]
    yield from fit[:MOST]


def text(raw: Fields, key: str) -> str:
    """Return a text; an empty one where it is none."""
    value = raw.get(key)
    return value if isinstance(value, str) else ""


def moment(raw: Fields, key: str) -> float | None:
    """Return a time as seconds since 1970; None where it is none."""
    value = raw.get(key)
    try:
        return wire.parse_time(value) if isinstance(value, str) else None
    except ValueError:
        return None


def whole(raw: Fields, key: str) -> int | None:
    """Return a whole number from 0 upwards; None where it is none."""
    value = raw.get(key)
    return value if type(value) is int and 0 <= value <= LARGEST else None


def dump_moment(seconds: float | None) -> str | None:
    """Return a time as payloads have it, in whole seconds; None for none."""
    return None if seconds is None else wire.format_time(int(seconds))
