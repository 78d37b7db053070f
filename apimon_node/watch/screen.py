"""The screen: the terminal, or whatever the output is, and when there is something new to put on it."""

import math
import sys
from contextlib import suppress
from typing import Self, TextIO

from rich.console import Console
from rich.live import Live
from rich.segment import Segment, SegmentLines
from rich.text import Text

from apimon_node.clock import Instant
from apimon_node.dashboard.overview import Overview
from apimon_node.errors import ApimonError
from apimon_node.strip.terminal import has_blocks
from apimon_node.watch.drawing import draw, moves
from apimon_node.watch.strips import ODD, Canvas

FRAME_EVERY = 0.25
"""Seconds between two drawings: a pulse looks alive, and a Pi Zero has most of its time for its strip."""

AT_REST_EVERY = 60.0
"""Seconds between two drawings where nothing moves: they say how long ago things were."""

Lines = list[list[Segment]]


class Screen:
    """What it is drawn on: a whole terminal, drawn anew in place; elsewhere all of it whenever it reads differently."""

    def __init__(self, node: str | None, console: Console | None = None) -> None:
        self._console = console or Console(file=_output(), highlight=False)
        self._node = node
        alive = self._console.is_terminal and not self._console.is_dumb_terminal
        self._live = Live(console=self._console, screen=True, auto_refresh=False) if alive else None
        plain = self._console.color_system is None or self._console.no_color
        self._colors = not plain and has_blocks(self._console.encoding)
        self._shown: Overview | None = None
        self._shown_at = -math.inf
        self._size = self._console.size
        self._printed = ""

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            with suppress(OSError):  # the terminal is gone
                self._live.stop()

    def due_at(self, changes_at: float) -> float:
        """When (monotonic seconds) to draw next, where there is something new at `changes_at`."""
        moving = self._live is not None and self._shown is not None and moves(self._shown, self._node)
        at_once = moving or self._console.size != self._size
        wanted = -math.inf if at_once else min(changes_at, self._shown_at + AT_REST_EVERY)
        return max(wanted, self._shown_at + FRAME_EVERY)

    def show(self, overview: Overview, now: Instant) -> None:
        """Draw an overview. Raises ApimonError where the output takes no more."""
        self._size = self._console.size
        try:
            if self._live is not None:
                self._live.update(SegmentLines(self._fitted(overview, now), new_lines=True), refresh=True)
            elif overview != self._shown:
                self._print(overview, now)
        except BrokenPipeError:  # whoever read it has enough
            raise
        except OSError as err:
            raise ApimonError(f"the output takes no more: {err.strerror}") from None
        self._shown, self._shown_at = overview, now.monotonic

    def _print(self, overview: Overview, now: Instant) -> None:
        with self._console.capture() as capture:
            for part in draw(overview, Canvas(self._size.width, self._colors), now, self._node):
                self._console.print(part)
        if capture.get() != self._printed:
            self._printed = capture.get()
            self._console.file.write(f"{self._printed}\n")
            self._console.file.flush()

    def _fitted(self, overview: Overview, now: Instant) -> Lines:
        """Draw as much as there is room for: all of it, or what is wrong first and then what fits."""
        width, height = self._size
        canvas = Canvas(width, self._colors)
        for each in (canvas, canvas._replace(scarce=height)):
            lines = self._lines(overview, each, now)
            if len(lines) <= height:
                return lines
        one = self._node is not None or len(overview.nodes) < 2  # noqa: PLR2004 - there is no other
        hint = "" if one else ", or watch one node"
        more = Text(f"… there is more: enlarge the window{hint}", ODD, no_wrap=True, overflow="ellipsis")
        return [*lines[: height - 1], *self._console.render_lines(more, pad=False)]

    def _lines(self, overview: Overview, canvas: Canvas, now: Instant) -> Lines:
        """Draw until there is one line too many: anybody may have said much more than that."""
        lines: Lines = []
        for part in draw(overview, canvas, now, self._node):
            lines += self._console.render_lines(part, pad=False)
            if len(lines) > self._size.height:
                break
        return lines


def _output() -> TextIO:
    """Return the standard output, where what its encoding does not have is a question mark."""
    if sys.stdout is None:
        raise ApimonError("watch needs a standard output, and it is closed")
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    return sys.stdout
