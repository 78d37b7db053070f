"""The pace: how often something may happen. Pure; all times are monotonic seconds."""

import math


class Pace:
    """Lets something happen once per `interval`, but for a few times (`burst`) that may follow another at once.

    Those few are saved up while nothing happens.
    """

    def __init__(self, interval: float, burst: int) -> None:
        self._interval = interval
        self._burst = burst
        self.not_before = -math.inf
        """The earliest moment for the next time."""

    def spend(self, now: float) -> None:
        """Note that it happens now."""
        self.not_before = max(self.not_before, now - self._burst * self._interval) + self._interval
