"""The moment that every decision is given: both clocks of the machine, read once."""

from typing import NamedTuple

CLOCK_SET = 1.0
"""Seconds by which the wall clock must jump to be taken as set anew rather than drifting."""


class Instant(NamedTuple):
    """`monotonic` (seconds since some start) measures waits, `wall` (seconds since 1970, UTC) is compared with times.

    They are kept apart because a Pi has no clock at boot: its wall clock jumps, by years, when time arrives.
    """

    monotonic: float
    wall: float


class WallClock:
    """Notices when the wall clock is set, so that what was noted by the old time can be put right."""

    def __init__(self, now: Instant) -> None:
        self._lead = now.wall - now.monotonic

    def jump(self, now: Instant) -> float:
        """Return the seconds by which the clock was set since the last call, 0 where it only went on."""
        jump = now.wall - now.monotonic - self._lead
        if abs(jump) <= CLOCK_SET:
            return 0.0
        self._lead += jump
        return jump
