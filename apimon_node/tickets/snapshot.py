"""The snapshot: all that is true of one board, in one message, and its two forms on the wire.

`{"tickets": […]}` is what a poller sends; `{"counts": {"Open": 3}}` is for people with `mosquitto_pub`.
Both become tickets, so that nothing further on needs to know which it was.
"""

from collections import Counter
from typing import NamedTuple

from apimon_node import wire
from apimon_node.errors import PayloadError

MAX_TICKETS = 10_000
"""Tickets on one board, however they are written (MQTT contract)."""

CATEGORIES = ("new", "indeterminate", "done")
"""The keys of Jira's status categories."""

ALWAYS = 0.0
"""The `due` of a ticket that is only known to be overdue, not since when."""


class Ticket(NamedTuple):
    """One ticket. `key` is empty for a counted one; `created` and `due` are seconds since 1970.

    `due` is the moment at which the ticket becomes overdue, worked out by whoever published it.
    """

    key: str
    status: str
    category: str | None = None
    priority: str | None = None
    created: float | None = None
    due: float | None = None
    summary: str | None = None
    assignee: str | None = None
    labels: tuple[str, ...] = ()


class Snapshot(NamedTuple):
    """All tickets of a board, when that was (`at`), how long it holds, and which poller says so (`source`)."""

    tickets: tuple[Ticket, ...]
    at: float | None = None
    valid_until: float | None = None
    source: str | None = None


def parse(payload: bytes) -> Snapshot:
    """Read a snapshot in either form. Raises PayloadError that names the place; nothing is taken in part."""
    document = wire.load(payload)
    if not isinstance(document, dict):
        raise wire.unexpected("snapshot", "an object with tickets or counts", document)
    tickets, counts = document.get("tickets"), document.get("counts")
    if (tickets is None) == (counts is None):
        found = "neither" if tickets is None else "both"
        raise PayloadError(f"snapshot: expected either tickets or counts, got {found}")
    return Snapshot(
        _tickets(tickets) if counts is None else _counts(counts),
        at=_time(document, "at"),
        valid_until=_time(document, "valid_until"),
        source=_text(document, "source"),
    )


def dump(snapshot: Snapshot) -> bytes:
    """Write a snapshot as parse() reads it; keys without a value are left out.

    It is held against the contract before anybody else does: raises PayloadError for what parse() would refuse.
    """
    try:
        payload = wire.dump(_body(snapshot))
    except (ValueError, OverflowError) as err:  # a time that there is not, half of a character
        raise PayloadError(str(err)) from None
    parse(payload)
    return payload


def body_of(ticket: Ticket) -> dict[str, object]:
    """Return a ticket as it stands in a snapshot; keys without a value are left out."""
    raw = ticket._asdict() | {
        "created": _optional_time(ticket.created),
        "due": _optional_time(ticket.due),
        "labels": list(ticket.labels) or None,
    }
    return {key: value for key, value in raw.items() if value is not None}


def _body(snapshot: Snapshot) -> dict[str, object]:
    body: dict[str, object] = {}
    if snapshot.tickets and not snapshot.tickets[0].key:
        body["counts"] = _count(snapshot.tickets)
    else:
        body["tickets"] = [body_of(ticket) for ticket in snapshot.tickets]
    body |= {
        "at": _optional_time(snapshot.at),
        "valid_until": _optional_time(snapshot.valid_until),
        "source": snapshot.source,
    }
    return {key: value for key, value in body.items() if value is not None}


def _tickets(raw: object) -> tuple[Ticket, ...]:
    if not isinstance(raw, list):
        raise wire.unexpected("tickets", "a list", raw)
    if len(raw) > MAX_TICKETS:
        raise PayloadError(f"tickets: expected at most {MAX_TICKETS}, got {len(raw)}")
    words: dict[str, str] = {}
    tickets = []
    for index, item in enumerate(raw):
        try:
            tickets.append(_ticket(item, words))
        except PayloadError as err:
            raise PayloadError(f"tickets[{index}]{err}") from None
    keys = Counter(ticket.key for ticket in tickets)
    if len(keys) != len(tickets):
        key, times = keys.most_common(1)[0]
        raise PayloadError(f"tickets: expected each ticket once, got {wire.describe(key)} {times} times")
    return tuple(tickets)


def _ticket(raw: object, words: dict[str, str]) -> Ticket:
    """Read one ticket; its errors begin after `tickets[3]`. `words` holds each status, priority, … once for a board."""
    if not isinstance(raw, dict):
        raise wire.unexpected("", "an object with key and status", raw)
    category = _word(raw, "category", words)
    if category is not None and category not in CATEGORIES:
        raise wire.unexpected(".category", "new, indeterminate or done", category)
    return Ticket(
        _required(raw, "key"),
        words.setdefault(status := _required(raw, "status"), status),
        category,
        _word(raw, "priority", words),
        _time(raw, "created", "."),
        _time(raw, "due", "."),
        _text(raw, "summary", "."),
        _word(raw, "assignee", words),
        _labels(raw, words),
    )


def _required(raw: dict[str, object], name: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not value:
        raise wire.unexpected(f".{name}", "text", value)
    return value


def _text(raw: dict[str, object], name: str, prefix: str = "") -> str | None:
    value = raw.get(name)
    if value is None or isinstance(value, str):
        return value
    raise wire.unexpected(prefix + name, "text", value)


def _word(raw: dict[str, object], name: str, words: dict[str, str]) -> str | None:
    value = _text(raw, name, ".")
    return None if value is None else words.setdefault(value, value)


def _time(raw: dict[str, object], name: str, prefix: str = "") -> float | None:
    value = raw.get(name)
    if value is None:
        return None
    try:
        if isinstance(value, str):
            return wire.parse_time(value)
    except ValueError:
        pass
    raise wire.unexpected(prefix + name, "a time with its offset such as 2026-11-23T10:00:00Z", value)


def _labels(raw: dict[str, object], words: dict[str, str]) -> tuple[str, ...]:
    value = raw.get("labels")
    if value is None:
        return ()
    if not isinstance(value, list):
        raise wire.unexpected(".labels", "a list of texts", value)
    for index, label in enumerate(value):
        if not isinstance(label, str):
            raise wire.unexpected(f".labels[{index}]", "text", label)
    return tuple(words.setdefault(label, label) for label in value)


def _counts(raw: object) -> tuple[Ticket, ...]:
    if not isinstance(raw, dict):
        raise wire.unexpected("counts", 'an object such as {"Open": 3}', raw)
    counts = [(status, *_totals(status, value)) for status, value in raw.items()]
    if (number := sum(total for _, total, _ in counts)) > MAX_TICKETS:
        raise PayloadError(f"counts: expected at most {MAX_TICKETS} tickets, got {number}")
    return tuple(
        ticket
        for status, total, overdue in counts
        for ticket in (Ticket("", status),) * (total - overdue) + (Ticket("", status, due=ALWAYS),) * overdue
    )


def _totals(status: str, raw: object) -> tuple[int, int]:
    """How many tickets are in a status, and how many of them are overdue."""
    if not status:
        raise PayloadError("counts: expected a status as the key, got an empty text")
    path = f"counts.{wire.step(status)}"
    if not isinstance(raw, dict):
        return _whole(raw, path), 0
    total, overdue = _whole(raw.get("total"), f"{path}.total"), raw.get("overdue")
    if overdue is None:
        return total, 0
    if (late := _whole(overdue, f"{path}.overdue")) > total:
        raise wire.unexpected(f"{path}.overdue", f"at most its total of {total}", late)
    return total, late


def _whole(value: object, path: str) -> int:
    if type(value) is int and 0 <= value <= MAX_TICKETS:
        return value
    raise wire.unexpected(path, f"0 to {MAX_TICKETS} tickets", value)


def _count(tickets: tuple[Ticket, ...]) -> dict[str, dict[str, int]]:
    total = Counter(ticket.status for ticket in tickets)
    overdue = Counter(ticket.status for ticket in tickets if ticket.due is not None)
    return {status: {"total": number, "overdue": overdue[status]} for status, number in total.items()}


def _optional_time(seconds: float | None) -> str | None:
    return None if seconds is None else wire.format_time(seconds)
