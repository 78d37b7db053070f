"""The overview: all that can be seen of broker, nodes, strips, pollers and boards at a moment, as plain values.

Times are seconds since 1970 (UTC), None where nothing is known. All texts are fit for a line: cut, and without control
characters. A part that has not changed since the last overview is the same object as there.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from apimon_node.contract.poller_status import BoardReport
from apimon_node.picture.effects import Effect
from apimon_node.picture.looks import Color
from apimon_node.picture.scene import LightState

FIRST = 8
"""Tickets behind a pixel that are shown with it; of the others it has the number."""


class BrokerState(StrEnum):
    """How far we have come with the broker."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    LOST = "lost"


class Broker(NamedTuple):
    """The broker as this program sees it: where it is, or why it is not; and the topics that we may not read."""

    state: BrokerState = BrokerState.CONNECTING
    text: str = ""
    since: float | None = None
    denied: tuple[str, ...] = ()


class Fault(NamedTuple):
    """A fault, and what to do about it. `subject` is what it is of, such as a board; empty where nobody said."""

    name: str
    text: str
    advice: str
    since: float | None = None
    attempts: int = 0
    retry_at: float | None = None
    subject: str = ""


class Node(NamedTuple):
    """A node. `online` is None where it has not said; `strips` and `boards` are names."""

    id: str
    online: bool | None = None
    state: str | None = None
    light: LightState | None = None
    quiet: bool = False
    faults: tuple[Fault, ...] = ()
    version: str | None = None
    started_at: float | None = None
    strips: tuple[str, ...] = ()
    boards: tuple[str, ...] = ()


class Ticket(NamedTuple):
    """A ticket as people read it. `key` is None for one that is only counted, `url` for one that leads nowhere."""

    key: str | None
    status: str
    priority: str | None
    assignee: str | None
    summary: str | None
    created: float | None
    due: float | None
    overdue: bool
    url: str | None
    board: str


class Shows(StrEnum):
    """What a pixel is lit for."""

    TICKET = "ticket"
    STATUS = "status"
    OVERFLOW = "overflow"
    DARK = "dark"


class Pixel(NamedTuple):
    """A pixel as it is seen, but for the strip's brightness. `look` is a place in the strip's legend.

    `tickets` is how many stand behind it, `first` has FIRST of them at the most.
    """

    color: Color
    effect: Effect
    shows: Shows
    look: int | None = None
    overdue: bool = False
    tickets: int = 0
    first: tuple[Ticket, ...] = ()


class LegendEntry(NamedTuple):
    """A look of a strip in words, and how many tickets have it."""

    name: str
    color: Color
    effect: Effect
    tickets: int = 0
    overdue: int = 0


class Strip(NamedTuple):
    """A strip of a node. Pixel 0 has the first ticket; `reverse` tells that it lies at the far end.

    `matched` tells that what we have worked out of tickets and looks is what the node says in `said`; if not, there are
    no tickets behind its pixels. `live` tells that the node is there. `brightness` goes from 0 to 1. `driver` and
    `milliamps` are None where the node has not said.
    """

    node: str
    name: str
    boards: tuple[str, ...]
    driver: str | None
    reverse: bool
    period: float
    brightness: float
    dark: bool
    status: str
    overflow: bool
    limited: bool
    milliamps: int | None
    matched: bool
    live: bool
    legend: tuple[LegendEntry, ...]
    pixels: tuple[Pixel, ...]
    said: tuple[Color, ...]


class PollerBoard(NamedTuple):
    """How the last poll of a board went, and what to do about it."""

    name: str
    report: BoardReport
    advice: str = ""


class Poller(NamedTuple):
    """A poller. `online` is None where it has not said; `faults` are its own, and not its Jira's."""

    id: str
    online: bool | None = None
    boards: tuple[PollerBoard, ...] = ()
    version: str | None = None
    started_at: float | None = None
    faults: tuple[Fault, ...] = ()


class StatusCount(NamedTuple):
    """How many tickets of a board have a status."""

    name: str
    total: int
    overdue: int


class BoardState(StrEnum):
    """Whether what is known of a board still holds."""

    OK = "ok"
    STALE = "stale"
    UNKNOWN = "unknown"


class Board(NamedTuple):
    """The numbers of a board. `counts_only` tells that its tickets have no keys."""

    name: str
    state: BoardState = BoardState.UNKNOWN
    total: int = 0
    overdue: int = 0
    statuses: tuple[StatusCount, ...] = ()
    at: float | None = None
    valid_until: float | None = None
    source: str | None = None
    counts_only: bool = False


class History(NamedTuple):
    """The last hour of a board as this program has heard it: equally long rows, the oldest first."""

    at: tuple[float, ...] = ()
    statuses: Mapping[str, tuple[int, ...]] = MappingProxyType({})
    overdue: tuple[int, ...] = ()


class Event(NamedTuple):
    """What happened to a ticket. `before` is its status before, where that changed."""

    at: float | None
    board: str
    type: str
    key: str
    status: str | None = None
    before: str | None = None
    summary: str | None = None
    url: str | None = None


class Overview(NamedTuple):
    """All of it, in the order of the names. `strips` goes by node and name; of `events` the newest comes first."""

    broker: Broker = Broker()
    nodes: Mapping[str, Node] = MappingProxyType({})
    strips: Mapping[tuple[str, str], Strip] = MappingProxyType({})
    pollers: Mapping[str, Poller] = MappingProxyType({})
    boards: Mapping[str, Board] = MappingProxyType({})
    history: Mapping[str, History] = MappingProxyType({})
    events: tuple[Event, ...] = ()
    troubles: tuple[str, ...] = ()
