"""The payloads of nodes and pollers, read leniently: one that says too little is refused, else what is wrong left out.

What makes no sense without its other half (pixels, looks) is read strictly: half a strip would be a wrong one. Pure.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from apimon_node import wire
from apimon_node.contract import faults, lenient
from apimon_node.contract.events import EventType
from apimon_node.contract.lenient import MOST, Fields
from apimon_node.contract.topics import OFFLINE, ONLINE
from apimon_node.dashboard import advice, fields, words
from apimon_node.dashboard.overview import Event, Fault
from apimon_node.errors import PayloadError
from apimon_node.picture.effects import PERIOD, Effect
from apimon_node.picture.layout import Picture, Pixel
from apimon_node.picture.looks import Look, Match
from apimon_node.picture.painting import Status, StatusPixel
from apimon_node.picture.scene import Scene

MAX_PIXELS = 2000
"""Pixels of a strip: as many as a configuration may have."""

MAX_EVENT = 65_536
"""Bytes of an event, which is read at once; a ticket with all its words has a few thousand."""

OLDEST = 1e10
"""Seconds of an age, 300 years of them: nothing real comes near."""

SLOWEST = 3600.0
"""Seconds that an effect may take: nothing real comes near."""

_BOARD = re.compile(r"\bboard ([a-z0-9_-]{1,100})")


class StripReport(NamedTuple):
    """What a node's status tells of a strip."""

    driver: str | None = None
    milliamps: int | None = None


class NodeStatus(NamedTuple):
    """How a node says that it is."""

    state: str
    quiet: bool = False
    faults: tuple[Fault, ...] = ()
    version: str | None = None
    started_at: float | None = None
    strips: tuple[tuple[str, StripReport], ...] = ()
    boards: tuple[str, ...] = ()


class StripSaid(NamedTuple):
    """The tickets on a strip, as its node says."""

    picture: Picture
    status: Status = Status.OK
    limited: bool = False


class StripConfig(NamedTuple):
    """How a strip is configured; by default, where its node does not say. `names` are those of the looks."""

    boards: tuple[str, ...] = ()
    pixels: int = 1
    reverse: bool = False
    status_pixel: StatusPixel = StatusPixel.FIRST
    heartbeat: bool = False
    brightness: float = 1.0
    period: float = PERIOD
    overdue_effect: Effect = Effect.PULSE
    quiet_effect: Scene | None = None
    looks: tuple[Look, ...] = ()
    names: tuple[str, ...] = ()


def online(payload: bytes) -> bool:
    """Read an availability."""
    if payload not in (ONLINE, OFFLINE):
        raise PayloadError("expected online or offline")
    return payload == ONLINE


def node_status(payload: bytes) -> NodeStatus:
    """Read the status of a node."""
    raw = fields.load(payload)
    return NodeStatus(
        fields.required(raw, "state"),
        raw.get("quiet") is True,
        tuple(map(fault, faults.parse_all(raw.get("faults")))),
        fields.text(raw, "version"),
        lenient.moment(raw, "started_at"),
        tuple((name, _strip_report(report)) for name, report in lenient.named(raw.get("strips"))),
        tuple(name for name, _ in lenient.named(raw.get("boards"))),
    )


def strip_said(payload: bytes) -> StripSaid:
    """Read what a strip shows. Raises PayloadError unless all pixels can be read."""
    raw = fields.load(payload)
    colors, effects = fields.items(raw, "pixels", MAX_PIXELS), fields.items(raw, "effects", MAX_PIXELS)
    if not colors or len(colors) != len(effects):
        raise PayloadError(f"expected as many effects as pixels, got {len(effects)} and {len(colors)}")
    row = tuple(
        Pixel(fields.color(color), Effect.STEADY if effect is None else fields.one_of(Effect, "effects", effect))
        for color, effect in zip(colors, effects, strict=True)
    )
    picture = Picture(row, overflow=raw.get("overflow") is True)
    return StripSaid(picture, fields.one_of(Status, "status", raw.get("status")), raw.get("limited") is True)


def strip_config(payload: bytes) -> StripConfig:
    """Read how a strip is configured. Raises PayloadError unless all that tells what is behind a pixel can be read."""
    raw = fields.load(payload)
    quiet = raw.get("quiet_effect")
    looks = fields.items(raw, "looks", MOST)
    return StripConfig(
        tuple(fields.identifier("boards", name) for name in fields.items(raw, "boards", MOST)),
        int(fields.number(raw, "pixels", 1, MAX_PIXELS)),
        raw.get("reverse") is True,
        fields.one_of(StatusPixel, "status_pixel", raw.get("status_pixel")),
        raw.get("heartbeat") is True,
        fields.number(raw, "brightness", 0, 1),
        fields.number(raw, "period", PERIOD, SLOWEST),
        fields.one_of(Effect, "overdue_effect", raw.get("overdue_effect")),
        None if quiet is None else fields.one_of(Scene, "quiet_effect", quiet),
        tuple(_look(fields.an_object("looks", look)) for look in looks),
        tuple(fields.required(fields.an_object("looks", look), "name", words.SUMMARY) for look in looks),
    )


def event(board: str, payload: bytes) -> Event:
    """Read what happened to a ticket of a board."""
    if len(payload) > MAX_EVENT:
        raise PayloadError(f"expected at most {MAX_EVENT} bytes, got {len(payload)}")
    raw = fields.load(payload)
    return Event(
        lenient.moment(raw, "at"),
        board,
        fields.one_of(EventType, "event_type", raw.get("event_type")).value,
        fields.required(raw, "key"),
        fields.text(raw, "status"),
        fields.text(raw, "from"),
        fields.text(raw, "summary", words.SUMMARY),
        fields.link(raw, "url"),
    )


def fault(found: faults.Fault) -> Fault:
    """Make a fault fit to be shown. Older nodes send no subject: they name the board in the text alone."""
    return Fault(
        words.line(found.name),
        words.line(found.text, words.SUMMARY),
        advice.about_fault(found.name, found.code),
        found.since,
        found.attempts,
        found.retry_at,
        words.line(found.subject, words.SUMMARY) or "".join(_BOARD.findall(found.text)[:1]),
    )


def _strip_report(raw: Fields) -> StripReport:
    return StripReport(fields.text(raw, "driver"), lenient.whole(raw, "milliamps"))


def _look(raw: Fields) -> Look:
    effect = raw.get("effect")
    return Look(
        _match(fields.an_object("looks.match", raw.get("match"))),
        fields.color(raw.get("color")),
        None if effect is None else fields.one_of(Effect, "looks.effect", effect),
        raw.get("always") is True,
    )


def _match(raw: Fields) -> Match:
    """Read what a look asks for. What we do not know of might ask for more: it is refused."""
    if strange := raw.keys() - set(Match._fields):
        raise wire.unexpected("looks.match", " ".join(Match._fields), min(strange))
    return Match(**{key: MATCHES[key](value) for key, value in raw.items()})  # type: ignore[arg-type]


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise wire.unexpected("looks.match", "a list of texts", value)
    return tuple(value)


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise wire.unexpected("looks.match.overdue", "true or false", value)
    return value


def _age(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= OLDEST:
        raise wire.unexpected("looks.match", "an age in seconds", value)
    return float(value)


MATCHES: Mapping[str, Callable[[object], object]] = {
    **dict.fromkeys(("status", "category", "priority", "assignee", "label"), _words),
    "overdue": _truth,
    "younger_than": _age,
    "older_than": _age,
}
