"""The drawing: an overview as lines for a terminal, by rich. It reads no clock: its arguments say all."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from rich.color import Color as RichColor
from rich.console import Group, RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text

from apimon_node.dashboard.overview import Board, BoardState, BrokerState, Event, Node, Overview, Pixel, Poller, Strip
from apimon_node.instant import Instant
from apimon_node.picture.effects import Effect, level
from apimon_node.picture.looks import Color
from apimon_node.strip.terminal import BLOCK, letter

SOCKET = "··"
"""What a dark pixel looks like: two columns, as a lit one."""

GOOD, BAD, ODD, QUIET = "green", "bold red", "yellow", "dim"
"""Styles; the words beside them say the same."""

EVENTS = 8
"""Of the last events, how many are shown."""


class Canvas(NamedTuple):
    """What it is drawn on: its columns, and whether it has colours. Without them each pixel is a letter."""

    width: int
    colors: bool = True


def draw(overview: Overview, canvas: Canvas, now: Instant, node: str | None = None) -> RenderableType:
    """Draw all nodes, or the one named, with what belongs to them."""
    nodes = [each for each in overview.nodes.values() if node in (None, each.id)]
    boards = {name for each in nodes for name in each.boards}
    seen = [board for board in overview.boards.values() if node is None or board.name in boards]
    pollers = [poller for poller in overview.pollers.values() if node is None or _feeds(poller, boards)]
    events = [event for event in overview.events if node is None or event.board in boards]
    parts: list[RenderableType] = [*_broker(overview)]
    if not nodes:
        parts.append(_nobody(overview, node))
    for each in nodes:
        parts += [Text(), *_node(each, overview, canvas, now)]
    if seen:
        parts += [Text(), _boards(seen, now)]
    if pollers:
        parts += [Text(), *(line for poller in pollers for line in _poller(poller))]
    if events:
        parts += [Text(), *(_event(event) for event in events[:EVENTS])]
    parts += [Text(trouble, ODD) for trouble in overview.troubles]
    return Group(*parts)


def moves(overview: Overview, node: str | None = None) -> bool:
    """Tell whether anything that is drawn differs over time."""
    strips = (strip for strip in overview.strips.values() if node in (None, strip.node))
    return any(pixel.effect is not Effect.STEADY for strip in strips if not strip.dark for pixel in strip.pixels)


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
            yield Text(f"no connection to the broker, this is what was heard last: {broker.text}", BAD)
    for topic in broker.denied:
        yield Text(f"the broker does not let us read {topic}", ODD)


def _nobody(overview: Overview, node: str | None) -> Text:
    """Say what to do where nothing is to be seen."""
    if overview.broker.state is not BrokerState.CONNECTED:
        return Text()
    if node is None:
        return Text("no node has said anything here yet: start one with apimon-node run")
    known = ", ".join(overview.nodes) or "no other either"
    return Text(f"nothing is heard of node {node}; there is: {known}", ODD)


def _node(node: Node, overview: Overview, canvas: Canvas, now: Instant) -> Iterator[Text]:
    """Draw a node: how it is, its strips, and what is wrong with it."""
    head = Text(f"{node.id}  ", "bold").append(*_how(node))
    if node.light is not None:
        head.append(f"  light {_light(node)}", QUIET)
    if node.version:
        head.append(f"  {node.version}", QUIET)
    yield head
    for strip in overview.strips.values():
        if strip.node == node.id:
            yield from _strip(strip, canvas, now)
    for fault in node.faults:
        yield Text("  ! ", BAD, overflow="fold").append(fault.text, "default")
        if fault.advice:
            yield Text(f"    {fault.advice}", QUIET)


def _how(node: Node) -> tuple[str, str]:
    """Say how a node is, and how that is printed."""
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


def _strip(strip: Strip, canvas: Canvas, now: Instant) -> Iterator[Text]:
    """Draw a strip in its direction, in as many lines as it takes, and what its colours mean."""
    label = f"  {strip.name} "
    row = strip.pixels[::-1] if strip.reverse else strip.pixels
    line = Text(label)
    a_line = max(1, (canvas.width - len(label) - 1) // (len(BLOCK) if canvas.colors else 1))
    for at, pixel in enumerate(row):
        if at and at % a_line == 0:
            yield line
            line = Text(" " * len(label))
        _append(line, pixel, strip, canvas, now)
    yield line
    legend = Text(" " * len(label))
    for entry in strip.legend:
        if entry.tickets:
            late = f" ({entry.overdue} overdue)" if entry.overdue else ""
            legend.append("■ " if canvas.colors else f"{letter(*entry.color)} ", _style(entry.color))
            legend.append(f"{entry.name} {entry.tickets}{late}  ")
    if legend.plain.strip():
        yield legend
    if remark := ", ".join(_remarks(strip)):
        yield Text(" " * len(label) + remark, ODD)


def _remarks(strip: Strip) -> Iterator[str]:
    """Say in words what the pixels tell by colour."""
    if not strip.live:
        yield "as it was when its node was last heard"
    if strip.dark:
        yield "dark: the light is off"
    if strip.status != "ok":
        yield {"connection": "orange: tickets may be old", "error": "red: something is broken"}.get(
            strip.status, strip.status
        )
    if strip.overflow:
        yield "more tickets than pixels"
    if strip.limited:
        yield "dimmed to its limit of current"


def _append(line: Text, pixel: Pixel, strip: Strip, canvas: Canvas, now: Instant) -> None:
    """Draw a pixel at a moment; without colours, one that moves is a capital letter."""
    lit = any(pixel.color) and not strip.dark
    if not canvas.colors:
        mark = letter(*pixel.color) if lit else "."
        line.append(mark if pixel.effect is Effect.STEADY else mark.upper())
    elif not lit:
        line.append(SOCKET, QUIET)
    else:
        line.append(BLOCK, _style(pixel.color, level(pixel.effect, now.monotonic, strip.period)))


def _style(color: Color, share: float = 1.0) -> Style:
    red, green, blue = (round(value * share) for value in color)
    return Style(color=RichColor.from_rgb(red, green, blue))


def _boards(boards: Iterable[Board], now: Instant) -> Table:
    """Draw a row for each board: its numbers, and whether they still hold."""
    table = Table(box=None, pad_edge=False, header_style=QUIET, padding=(0, 2, 0, 0))
    for name in ("board", "tickets", "overdue"):
        table.add_column(name, justify="left" if name == "board" else "right", no_wrap=True)
    table.add_column("of them")
    for board in boards:
        late = Text(str(board.overdue), BAD if board.overdue else "default")
        table.add_row(Text(board.name, "bold"), Text(str(board.total)), late, _statuses(board, now))
    return table


def _statuses(board: Board, now: Instant) -> Text:
    if board.state is BoardState.UNKNOWN:
        return Text("nothing is known of it", ODD)
    counts = Text(", ".join(f"{status.name} {status.total}" for status in board.statuses))
    if board.state is BoardState.STALE:
        since = "" if board.at is None else f", told {_ago(now.wall - board.at)}"
        counts.append(f"  stale{since}", ODD)
    return counts


def _poller(poller: Poller) -> Iterator[Text]:
    """Draw a line for a poller, and one for each board that it could not ask for."""
    how, style = {True: ("online", GOOD), False: ("offline", BAD), None: ("has not said how it is", ODD)}[poller.online]
    yield Text("poller ", QUIET).append(f"{poller.id}  ", "bold").append(how, style)
    for board in poller.boards:
        if board.state != "ok":
            yield Text("  ! ", BAD).append(f"{board.name}: {board.detail or board.state}", "default")
            if board.advice:
                yield Text(f"    {board.advice}", QUIET)


def _event(event: Event) -> Text:
    """Draw a line for what happened to a ticket."""
    at = "--:--:--" if event.at is None else f"{datetime.fromtimestamp(event.at).astimezone():%H:%M:%S}"
    what = {
        "created": f"created: {event.status}",
        "status_changed": f"{event.before} → {event.status}",
        "overdue": f"overdue: {event.status}",
        "closed": "gone from the board",
    }.get(event.type, event.type)
    line = Text(f"{at}  ", QUIET, no_wrap=True, overflow="ellipsis")
    return line.append(f"{event.key}  ", "bold").append(what, "default").append(f"  {event.summary or ''}", QUIET)


def _ago(seconds: float) -> str:
    """Say how long ago something was, in one unit."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} ago"
    return "just now"
