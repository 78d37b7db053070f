"""A strip as lines of a terminal: its pixels in its direction, what they mean, and in words what their colours tell."""

from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from rich.color import Color as RichColor
from rich.console import RenderableType
from rich.padding import Padding
from rich.style import Style
from rich.text import Text

from apimon_node.clock import Instant
from apimon_node.dashboard.overview import LegendEntry, Pixel, Shows, Strip
from apimon_node.picture.effects import Effect, level
from apimon_node.picture.looks import Color
from apimon_node.strip.terminal import BLOCK, letter

SOCKET = "··"
"""What a dark pixel looks like: as wide as a lit one."""

GOOD, BAD, ODD, QUIET = "green", "bold red", "yellow", "dim"
"""Styles; the words beside them say the same."""

NAME = 20
"""Characters of a strip's name that stand before its pixels, which need the room."""


class Canvas(NamedTuple):
    """What it is drawn on: its columns, and whether it has colours. Without them each pixel is a letter.

    `scarce` is how many lines there are, where they are too few for all: what is wrong then comes first, in short.
    """

    width: int
    colors: bool = True
    scarce: int | None = None

    @property
    def pixel(self) -> int:
        """How many columns a pixel takes."""
        return len(BLOCK) if self.colors and self.scarce is None else 1


def draw_strip(strip: Strip, canvas: Canvas, now: Instant) -> Iterator[RenderableType]:
    """Draw a strip in as many lines as it takes, and what its colours mean."""
    name = strip.name if len(strip.name) <= NAME else f"{strip.name[: NAME - 1]}…"
    label = f"  {name} "
    row = strip.pixels[::-1] if strip.reverse else strip.pixels
    a_line = max(1, (canvas.width - len(label) - 1) // canvas.pixel)
    for at in range(0, len(row), a_line):
        line = Text(" " * len(label) if at else label)
        for pixel, number in _runs(row[at : at + a_line]):
            _append(line, pixel, number, strip, canvas, now)
        yield line
    legend = Text()
    for entry in strip.legend:
        if entry.tickets:
            _explain(legend, entry, canvas)
    if legend:
        yield Padding.indent(legend, len(label))
    if remark := ", ".join(_remarks(strip)):
        yield Padding.indent(Text(remark, ODD), len(label))


def _runs(row: tuple[Pixel, ...]) -> Iterator[tuple[Pixel, int]]:
    """Yield each run of pixels that look alike: one of them, and how many there are."""
    for _, run in groupby(row, key=lambda pixel: pixel[:2]):  # its colour and its effect
        first, *others = run
        yield first, 1 + len(others)


def _append(line: Text, pixel: Pixel, number: int, strip: Strip, canvas: Canvas, now: Instant) -> None:
    """Draw like pixels at a moment; without colours, those that move are capital letters."""
    lit = any(pixel.color) and not strip.dark
    if not canvas.colors:
        mark = letter(*pixel.color) if lit else "."
        line.append((mark if pixel.effect is Effect.STEADY else mark.upper()) * number)
    elif not lit:
        line.append(SOCKET[: canvas.pixel] * number, QUIET)
    else:
        style = _style(pixel.color, level(pixel.effect, now.monotonic, strip.period))
        line.append(BLOCK[: canvas.pixel] * number, style)


def _style(color: Color, share: float = 1.0) -> Style:
    red, green, blue = (round(value * share) for value in color)
    return Style(color=RichColor.from_rgb(red, green, blue))


def _explain(legend: Text, entry: LegendEntry, canvas: Canvas) -> None:
    """Append which colour has how many tickets of which kind."""
    late = f" ({entry.overdue} overdue)" if entry.overdue else ""
    legend.append("  " if legend else "")
    legend.append("■ " if canvas.colors else f"{letter(*entry.color)} ", _style(entry.color))
    legend.append(f"{entry.name} {entry.tickets}{late}")


def _remarks(strip: Strip) -> Iterator[str]:
    """Yield in words what the pixels tell by colour."""
    if not strip.live:
        yield "as it was when its node was last heard"
    if strip.dark:
        yield "dark: the light is off"
    if strip.status != "ok":
        yield _status(strip)
    if strip.overflow:
        yield "more tickets than pixels"
    if strip.limited:
        yield "dimmed to its limit of current"


def _status(strip: Strip) -> str:
    """Return what the status pixel tells, or would, if there were one and it shone."""
    color, text = {"connection": ("orange", "tickets may be old"), "error": ("red", "something is broken")}.get(
        strip.status, ("", strip.status)
    )
    seen = any(pixel.shows is Shows.STATUS for pixel in strip.pixels)
    return f"{color}: {text}" if seen and color else text
