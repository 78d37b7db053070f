"""The display: one strip's part of a node, from the picture to its frame at a moment. Pure."""

import math

from apimon_node.config.settings import NodeSettings, StripSettings
from apimon_node.picture.effects import period
from apimon_node.picture.image import png
from apimon_node.picture.layout import Picture, Pixel
from apimon_node.picture.painting import Output, Painting, Status, compose
from apimon_node.picture.scene import LightState, render, status_pixel

IMAGE_EVERY = 5.0
"""Seconds between two images of a strip: people look at them, and to draw one takes as long as hundreds of frames."""


class Display:
    """What a strip shows. The node says what; this says how."""

    def __init__(self, strip: StripSettings, node: NodeSettings) -> None:
        self.settings = strip
        self._period = period(node.render_interval)
        self._output = Output(strip.order, strip.gamma, strip.brightness, strip.reverse, strip.max_milliamps)
        self._seen: tuple[tuple[Pixel, ...], Output] = ((), self._output)
        self._painting = Painting((), self._output)
        self._imaged: tuple[Pixel, ...] = ()
        self._image_at = -math.inf  # when the next image may be drawn
        self.picture: Picture | None = None
        self.status = Status.OK
        self.unmatched = 0

    def show(
        self,
        picture: Picture,
        *,
        status: Status,
        dimmed: bool,
        over: tuple[Pixel, ...] | None,
        unmatched: int,
        light: LightState,
    ) -> bool:
        """Set what should be seen from now on; return whether that differs from before.

        What lies over all of it was asked for: it is as bright as the strip is configured, even where the light is off.
        """
        self.picture, self.status, self.unmatched = picture, status, unmatched
        seen = (over, self._output) if over else self._lit(picture, status, light, dimmed=dimmed)
        if seen == self._seen:
            return False
        self._seen = seen
        self._painting = Painting(*seen, self._period)
        return True

    def _lit(
        self, picture: Picture, status: Status, light: LightState, *, dimmed: bool
    ) -> tuple[tuple[Pixel, ...], Output]:
        """Return the tickets and the status pixel in the light that there is."""
        strip, pixels = self.settings, len(picture.pixels)
        over, at = status_pixel(strip.status_pixel, status, light, heartbeat=strip.heartbeat, pixels=pixels)
        row = compose(picture, dimmed=dimmed, status=over, status_at=at)
        output = self._output._replace(brightness=self._output.brightness * light.share)
        return render(row, light, output.gamma), output

    @property
    def drawn(self) -> bool:
        """Return whether there is anything to be seen yet."""
        return bool(self._seen[0])

    @property
    def row(self) -> tuple[Pixel, ...]:
        """What is to be seen, pixel 0 first: all but gamma, brightness, the limit and the direction is done to it."""
        return self._seen[0]

    @property
    def animated(self) -> bool:
        """Return whether frames differ over time."""
        return self._painting.animated

    def frame(self, now: float) -> bytes:
        """Return the frame at a moment (monotonic seconds), as it goes out on the wire."""
        return self._painting.frame(now)

    def dark(self) -> bytes:
        """Return the frame of a strip that is off."""
        return bytes(self.settings.pixels * self.settings.channels)

    @property
    def limited(self) -> bool:
        """Return whether the strip is dimmed to its limit of current."""
        return self._painting.limited

    def report(self) -> dict[str, object]:
        """Return the strip's part of the status topic."""
        return {
            "driver": self.settings.driver,
            "pixels": self.settings.pixels,
            "unmatched": self.unmatched,
            "limited": self.limited,
            "milliamps": round(self._painting.milliamps),
        }

    def content(self) -> dict[str, object] | None:
        """Return the message of the strips topic: the tickets on the strip before anything is laid over them."""
        if self.picture is None:
            return None
        return {
            "pixels": [bytes(pixel.color).hex() for pixel in self.picture.pixels],
            "effects": [None if pixel.effect == "steady" else pixel.effect for pixel in self.picture.pixels],
            "overflow": self.picture.overflow,
            "status": self.status.value,
            "limited": self.limited,
        }

    def image(self, now: float) -> bytes | None:
        """Draw the message of the image topic, where the tickets on the strip have changed and that is due."""
        if self.picture is None or now < self.image_at:
            return None
        self._imaged, self._image_at = self.picture.pixels, now + IMAGE_EVERY
        return png(self.picture.pixels)

    @property
    def image_at(self) -> float:
        """When (monotonic seconds) image() has something next."""
        news = self.picture is not None and self.picture.pixels != self._imaged
        return self._image_at if news else math.inf

    def forget_image(self) -> None:
        """Schedule the image again: the broker may have lost it."""
        self._imaged, self._image_at = (), -math.inf
