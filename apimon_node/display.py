"""The display: one strip's part of a node, from the picture to the frame that is due, with its counters. Pure."""

import math

from apimon_node.instant import Instant
from apimon_node.picture.effects import period
from apimon_node.picture.layout import Picture, Pixel
from apimon_node.picture.painting import CHANNELS, HEARTBEAT, IDENTIFY, STATUS, Output, Painting, Status, compose
from apimon_node.settings import NodeSettings, StatusPixel, StripSettings
from apimon_node.strip.screen import Screen


class Display:
    """What a strip shows and when it is written. The node says what; this says when."""

    def __init__(self, strip: StripSettings, node: NodeSettings) -> None:
        self.settings = strip
        self.screen = Screen(node.render_interval, node.refresh_interval)
        self._interval = node.render_interval
        self._output = Output(strip.order, strip.gamma, strip.brightness, strip.reverse, strip.max_milliamps)
        self._row: tuple[Pixel, ...] = ()
        self._painting = Painting((), self._output)
        self._repaint_at = 0.0
        self.picture: Picture | None = None
        self.status = Status.OK
        self.unmatched = 0
        self.frames = 0
        self.failures = 0
        self.recoveries = 0
        self.last_error: str | None = None
        self._failing = False

    def show(self, picture: Picture, *, status: Status, dimmed: bool, identify: bool, unmatched: int) -> None:
        """Set what should be seen from now on."""
        self.picture, self.status, self.unmatched = picture, status, unmatched
        last = len(picture.pixels) - 1
        row = compose(
            picture,
            dimmed=dimmed,
            status=self._status_pixel(status),
            status_at=last if self.settings.status_pixel is StatusPixel.LAST else 0,
        )
        if identify:
            row = (IDENTIFY,) * len(row)
        if row != self._row:
            self._row = row
            self._painting = Painting(row, self._output, period(self._interval))
            self._repaint_at = 0.0

    def due(self, now: Instant) -> bytes | None:
        """Give the frame to write now, if any. Effects move only as fast as the strip may be written."""
        if self._row and now.monotonic >= self._paint_at:
            self.screen.want(self._painting.frame(now.monotonic))
            self._repaint_at = now.monotonic + self._interval if self._painting.animated else math.inf
        return self.screen.due(now.monotonic)

    @property
    def _paint_at(self) -> float:
        """When there is something to paint, and it may be written."""
        return max(self._repaint_at, self.screen.not_before)

    def deadline(self) -> float:
        """When due() has work next, in monotonic seconds."""
        if not self._row:
            return math.inf
        return min(self.screen.deadline(), self._paint_at)

    def shown(self, frame: bytes, now: Instant) -> None:
        """Note that the driver took the frame."""
        self.screen.shown(frame, now.monotonic)
        self.frames += 1
        self.recoveries += self._failing
        self._failing = False

    def failed(self, text: str, now: Instant) -> float:
        """Note that the driver failed; answer when (monotonic seconds) it is tried again."""
        self.failures += 1
        self.last_error, self._failing = text, True
        return self.screen.failed(now.monotonic)

    def dark(self) -> bytes:
        """Give the frame of a strip that is off."""
        return bytes(self.settings.pixels * CHANNELS)

    @property
    def limited(self) -> bool:
        """Tell whether the strip is dimmed to its limit of current."""
        return self._painting.limited

    def report(self) -> dict[str, object]:
        """Give the strip's part of the status topic."""
        return {
            "driver": self.settings.driver,
            "pixels": self.settings.pixels,
            "frames": self.frames,
            "failures": self.failures,
            "recoveries": self.recoveries,
            "last_error": self.last_error,
            "unmatched": self.unmatched,
            "limited": self.limited,
            "milliamps": round(self._painting.milliamps),
        }

    def content(self) -> dict[str, object] | None:
        """Give the message of the strips topic: the tickets on the strip before anything is laid over them."""
        if self.picture is None:
            return None
        return {
            "pixels": [bytes(pixel.color).hex() for pixel in self.picture.pixels],
            "effects": [None if pixel.effect == "steady" else pixel.effect for pixel in self.picture.pixels],
            "overflow": self.picture.overflow,
            "status": self.status.value,
            "limited": self.limited,
        }

    def _status_pixel(self, status: Status) -> Pixel | None:
        if self.settings.status_pixel is StatusPixel.NONE:
            return None
        return STATUS.get(status) or (HEARTBEAT if self.settings.heartbeat else None)
