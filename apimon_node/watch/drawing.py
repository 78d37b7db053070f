"""The drawing: an overview as lines for a terminal, by rich. It reads no clock: its arguments say all."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from apimon_node.clock import Instant
from apimon_node.dashboard.overview import Board, BoardState, BrokerState, Event, Node, Overview, Poller
from apimon_node.picture.effects import Effect
from apimon_node.watch.strips import BAD, GOOD, ODD, QUIET, Canvas, draw_strip

EVENTS, EVENTS_IN_SHORT = 8, 3
"""Of the last events, how many are shown."""

UNKNOWN_TIME = "--:--:--"

WRONG_SHARE = 3
"""Where lines are scarce, what is wrong takes at most one of so many."""


def draw(overview: Overview, canvas: Canvas, now: Instant, node: str | None = None) -> Iterator[RenderableType]:
    """Draw all nodes, or the one named, with what belongs to them; whoever has no more room need not ask for all."""
    seen = overview if node is None else _narrowed(overview, node)
    yield from _broker(overview)
    if canvas.scarce is not None:
        yield from _in_short(seen, canvas.scarce // WRONG_SHARE)
    if not seen.nodes:
        yield _nobody(overview, node)
    for each in seen.nodes.values():
        yield Text()
        yield from _node(each, seen, canvas, now)
    if seen.boards:
        yield Text()
        yield _boards(seen.boards.values(), now)
    if seen.pollers:
        yield Text()
    for poller in seen.pollers.values():
        yield from _poller(poller, canvas)
    yield from _news(seen, canvas)


def moves(overview: Overview, node: str | None = None) -> bool:
    """Return whether anything that is drawn differs over time."""
    strips = (strip for strip in overview.strips.values() if node in (None, strip.node))
    return any(pixel.effect is not Effect.STEADY for strip in strips if not strip.dark for pixel in strip.pixels)


def _narrowed(overview: Overview, name: str) -> Overview:
    """Leave of an overview what belongs to one node."""
    nodes = {each: node for each, node in overview.nodes.items() if each == name}
    boards = {board for node in nodes.values() for board in node.boards}
    return overview._replace(
        nodes=nodes,
        boards={each: board for each, board in overview.boards.items() if each in boards},
        pollers={each: poller for each, poller in overview.pollers.items() if _feeds(poller, boards)},
        events=tuple(event for event in overview.events if event.board in boards),
    )


def _feeds(poller: Poller, boards: set[str]) -> bool:
    return any(board.name in boards for board in poller.boards)


def _broker(overview: Overview) -> Iterator[Text]:
    broker = overview.broker
    match broker.state:
        case BrokerState.CONNECTED:
            yield Text(f"connected to {broker.text}", QUIET)
        case BrokerState.CONNECTING:
            yield Text(f"connecting to the broker{broker.text and ': '}{broker.text}", ODD)
        case BrokerState.LOST:
            yield Text(f"no connection to the broker: {broker.text}", BAD)
            yield Text("below is what was heard last", ODD)
    for topic in broker.denied:
        yield Text(f"the broker does not let us read {topic}", ODD)


def _nobody(overview: Overview, node: str | None) -> Text:
    """Return what to do where nothing is to be seen."""
    if overview.broker.state is not BrokerState.CONNECTED:
        return Text()
    if node is None:
        return Text("no node has said anything here yet: start one with apimon-node run")
    known = ", ".join(overview.nodes) or "no other either"
    return Text(f"nothing is heard of node {node}; there is: {known}", ODD)


def _in_short(overview: Overview, most: int) -> Iterator[Text]:
    """Yield what is wrong, a line each and so many at the most: who is away before who has something to tell."""
    wrong = _wrong(overview)
    for text in islice(wrong, most):
        yield Text("! ", BAD, no_wrap=True, overflow="ellipsis").append(text, "default")
    if more := sum(1 for _ in wrong):
        yield Text(f"! and {more} more", BAD)


def _wrong(overview: Overview) -> Iterator[str]:
    nodes, pollers = overview.nodes.values(), overview.pollers.values()
    yield from (f"node {node.id}: offline" for node in nodes if node.online is False)
    yield from (f"poller {poller.id}: offline" for poller in pollers if poller.online is False)
    yield from (f"node {node.id}: {fault.text}" for node in nodes for fault in node.faults)
    for poller in pollers:
        yield from (f"poller {poller.id}: {text}" for text, _ in _failed(poller))
    yield from overview.troubles


def _node(node: Node, overview: Overview, canvas: Canvas, now: Instant) -> Iterator[RenderableType]:
    """Draw a node: how it is, its strips, and what is wrong with it."""
    head = Text(f"{node.id}  ", "bold").append(*_how(node))
    if node.light is not None:
        head.append(f"  light {_light(node)}", QUIET)
    if node.version:
        head.append(f"  {node.version}", QUIET)
    yield head
    for strip in overview.strips.values():
        if strip.node == node.id:
            yield from draw_strip(strip, canvas, now)
    if canvas.scarce is None:
        for fault in node.faults:
            yield from _fault(fault.text, fault.advice)


def _how(node: Node) -> tuple[str, str]:
    """Return how a node is, and how that is printed."""
    if node.online is False:
        return "offline", BAD
    if node.online is None:
        return "has not said how it is", ODD
    return node.state or "online", {"ok": GOOD, "error": BAD}.get(node.state or "", ODD)


def _light(node: Node) -> str:
    assert node.light is not None
    if not node.light.on:
        return "off"
    effect = "" if node.light.effect == "tickets" else f", {node.light.effect.value}"
    return f"{node.light.share:.0%}{effect}{', quiet hours' if node.quiet else ''}"


def _fault(text: str, advice: str) -> Iterator[RenderableType]:
    """Draw what is wrong, and what to do about it."""
    yield Padding.indent(Text("! ", BAD, overflow="fold").append(text, "default"), 2)
    if advice:
        yield Padding.indent(Text(advice, QUIET), 4)


def _boards(boards: Iterable[Board], now: Instant) -> Table:
    """Draw a row for each board: its numbers, and whether they still hold."""
    table = Table(box=None, pad_edge=False, header_style=QUIET, padding=(0, 2, 0, 0))
    for name in ("board", "tickets", "overdue"):
        table.add_column(name, justify="left" if name == "board" else "right", no_wrap=True)
    table.add_column("of them")
    for board in boards:
        table.add_row(Text(board.name, "bold"), *_numbers(board), _statuses(board, now))
    return table


def _numbers(board: Board) -> tuple[Text, Text]:
    if board.state is BoardState.UNKNOWN:
        return Text("?", ODD), Text("?", ODD)
    return Text(str(board.total)), Text(str(board.overdue), BAD if board.overdue else "default")


def _statuses(board: Board, now: Instant) -> Text:
    if board.state is BoardState.UNKNOWN:
        return Text("nothing is known of it", ODD)
    counts = Text(", ".join(f"{status.name} {status.total}" for status in board.statuses))
    if board.state is BoardState.STALE:
        since = "" if board.at is None else f", told {_ago(now.wall - board.at)}"
        counts.append(f"  stale{since}", ODD)
    return counts


def _poller(poller: Poller, canvas: Canvas) -> Iterator[RenderableType]:
    """Draw a line for a poller, and what is wrong with it."""
    how, style = {True: ("online", GOOD), False: ("offline", BAD), None: ("has not said how it is", ODD)}[poller.online]
    yield Text("poller ", QUIET).append(f"{poller.id}  ", "bold").append(how, style)
    if canvas.scarce is None:
        for text, advice in _failed(poller):
            yield from _fault(text, advice)


def _failed(poller: Poller) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a poller, and the boards that it could not ask for: why not, and what to do about it."""
    for fault in poller.faults:
        yield fault.text, fault.advice
    for board in poller.boards:
        if board.report.state != "ok":
            yield f"{board.name}: {board.report.detail or board.report.state}", board.advice


def _news(overview: Overview, canvas: Canvas) -> Iterator[Text]:
    """Draw what happened to tickets, and, where that does not stand further up, what could not be read."""
    if overview.events:
        yield Text()
    yield from map(_event, overview.events[: EVENTS if canvas.scarce is None else EVENTS_IN_SHORT])
    if canvas.scarce is None:
        yield from (Text(trouble, ODD) for trouble in overview.troubles)


def _event(event: Event) -> Text:
    """Draw a line for what happened to a ticket."""
    what = {
        "created": f"created: {event.status or '?'}",
        "status_changed": f"{event.before or '?'} → {event.status or '?'}",
        "overdue": f"overdue: {event.status or '?'}",
        "closed": "gone from the board",
    }.get(event.type, event.type)
    line = Text(f"{_time_of_day(event.at)}  ", QUIET, no_wrap=True, overflow="ellipsis")
    return line.append(f"{event.key}  ", "bold").append(what, "default").append(f"  {event.summary or ''}", QUIET)


def _time_of_day(at: float | None) -> str:
    """Return HH:MM:SS here of seconds since 1970, dashes where there are none: not all zones reach the year 9999."""
    if at is None:
        return UNKNOWN_TIME
    try:
        return f"{datetime.fromtimestamp(at).astimezone():%H:%M:%S}"
    except (ValueError, OverflowError):
        return UNKNOWN_TIME


def _ago(seconds: float) -> str:
    """Return how long ago something was, in one unit."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} ago"
    return "just now"
