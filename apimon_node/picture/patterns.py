"""Patterns: what lies over the tickets for a while, because somebody asked for it. Pure."""

import math

from apimon_node.picture.effects import Effect, period
from apimon_node.picture.layout import Pixel
from apimon_node.picture.looks import Color

IDENTIFY_SECONDS = 5.0
SELF_TEST_SECONDS = 3.0

STEP = 0.25
"""Seconds between two steps of the self test, at the least."""

IDENTIFY = Pixel((255, 255, 255), Effect.BLINK)

WALK: tuple[Color, ...] = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255))
"""The colours of the self test: each channel alone, and all together."""


class Patterns:
    """Which pattern is asked for, and until when. `interval` is that of the strips; all times are monotonic seconds."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._step = max(interval, STEP)
        self._since = self._until = -math.inf
        self._walks = False

    def identify(self, now: float) -> None:
        """Start to blink all pixels, so that people find the strip."""
        self._begin(now, max(IDENTIFY_SECONDS, 2 * period(self._interval)), walks=False)

    def self_test(self, now: float) -> None:
        """Start a walk of colours over the strip, each over each pixel."""
        self._begin(now, max(SELF_TEST_SECONDS, len(WALK) * self._step), walks=True)

    def row(self, now: float, pixels: int) -> tuple[Pixel, ...] | None:
        """Return the pattern at `now`; None where the tickets are to be seen."""
        if now >= self._until:
            return None
        if not self._walks:
            return (IDENTIFY,) * pixels
        step = self._steps(now)
        return tuple(Pixel(WALK[(at - step) % len(WALK)], Effect.STEADY) for at in range(pixels))

    def next_change(self, now: float) -> float:
        """When row() has something new; infinity where it has not."""
        if now >= self._until:
            return math.inf
        return min(self._until, self._since + (self._steps(now) + 1) * self._step) if self._walks else self._until

    def _begin(self, now: float, seconds: float, *, walks: bool) -> None:
        self._since, self._until, self._walks = now, now + seconds, walks

    def _steps(self, now: float) -> int:
        """Count the steps so far. A moment that next_change() named is one, whatever its last bit is."""
        return int((now - self._since) / self._step + 1e-6)
