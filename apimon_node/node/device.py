"""A device: the strips that are written at once, when that is due, and its counters. Pure."""

import math
from collections.abc import Sequence

from apimon_node.clock import Instant
from apimon_node.config.settings import NodeSettings, StripSettings
from apimon_node.errors import StripError
from apimon_node.node.display import Display
from apimon_node.strip.driver import Shown
from apimon_node.strip.recovery import Retry
from apimon_node.strip.screen import Screen


def devices(strips: Sequence[StripSettings]) -> list[tuple[StripSettings, ...]]:
    """Return which strips are written at once: all those of ws281x, which has one object for them, and others alone."""
    together = tuple(strip for strip in strips if strip.driver == "ws281x")
    alone: list[tuple[StripSettings, ...]] = [(strip,) for strip in strips if strip not in together]
    return [*alone, together] if together else alone


class Device:
    """Paints its strips when they may be written, and keeps count of what became of it."""

    def __init__(self, displays: Sequence[Display], node: NodeSettings) -> None:
        self.displays = tuple(displays)
        self._screen = Screen(node.render_interval, node.refresh_interval)
        self._interval = node.render_interval
        self._repaint_at = 0.0
        self._failing = False
        self._frames = self._failures = self._recoveries = self._restarts = 0
        self._last_error: str | None = None
        self._rss: int | None = None

    @property
    def name(self) -> str:
        """The name of its strip, or those of its strips."""
        return "+".join(display.settings.name for display in self.displays)

    def repaint(self) -> None:
        """Paint anew: what should be seen has changed."""
        self._repaint_at = 0.0

    def forget(self) -> None:
        """Whatever is on the strips, they have to be written again."""
        self._screen.forget()

    def due(self, now: Instant) -> bytes | None:
        """Hand out the frame to write now, if any. Effects move only as fast as the strips may be written."""
        if now.monotonic >= self._paint_at:
            self._screen.want(b"".join(display.frame(now.monotonic) for display in self.displays))
            animated = any(display.animated for display in self.displays)
            self._repaint_at = now.monotonic + self._interval if animated else math.inf
        frame = self._screen.due(now.monotonic)
        if frame is not None:
            self._restarts += self._failing
        return frame

    def deadline(self) -> float:
        """When due() has work next, in monotonic seconds."""
        return min(self._screen.deadline(), self._paint_at)

    @property
    def _paint_at(self) -> float:
        """When there is something to paint, and it may be written."""
        drawn = all(display.drawn for display in self.displays)
        return max(self._repaint_at, self._screen.not_before) if drawn else math.inf

    def shown(self, shown: Shown, now: Instant) -> None:
        """Note that the driver took the frame."""
        self._screen.shown(now.monotonic)
        self._frames += 1
        self._recoveries += self._failing
        self._failing = False
        self._rss = shown.rss

    def failed(self, error: StripError, now: Instant) -> Retry:
        """Note that the driver failed; return what is done about it."""
        self._failures += 1
        self._last_error, self._failing, self._rss = str(error), True, None
        return self._screen.failed(error.failure, now.monotonic)

    @property
    def attempts(self) -> int:
        """Failures since it was last well for a while."""
        return self._screen.attempts

    def dark(self) -> bytes:
        """Return the frame of strips that are off."""
        return b"".join(display.dark() for display in self.displays)

    def report(self) -> dict[str, object]:
        """Return the counters, the same for all its strips, for the status topic."""
        return {
            "frames": self._frames,
            "skipped": self._screen.skipped,
            "failures": self._failures,
            "recoveries": self._recoveries,
            "restarts": self._restarts,
            "last_error": self._last_error,
            "child_rss_kb": self._rss,
        }
