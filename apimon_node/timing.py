"""Back-off and rate limit. Pure; all times are monotonic seconds."""

import math
from collections.abc import Callable


class Backoff:
    """Waits of `first` seconds, doubling to `limit`; from `first` again after `reset_after` seconds of health.

    A single success does not reset it: what breaks again at once would be tried at the shortest wait for ever.
    `spread` gives a factor for each wait, so that a fleet does not come back as one.
    """

    def __init__(
        self, first: float, limit: float, reset_after: float, spread: Callable[[], float] = lambda: 1.0
    ) -> None:
        self._first = first
        self._limit = limit
        self._reset_after = reset_after
        self._spread = spread
        self._healthy_since: float | None = None
        self.attempts = 0
        """Failures since the last time that things held."""

    def failed(self, now: float) -> float:
        """Note a failure at `now`; return when to try again."""
        if self._healthy_since is not None and now - self._healthy_since >= self._reset_after:
            self.attempts = 0
        self._healthy_since = None
        # Capped before the power: 2.0 ** attempts overflows after a year of failures.
        wait = self._limit if self.attempts > 32 else min(self._first * 2.0**self.attempts, self._limit)  # noqa: PLR2004
        self.attempts += 1
        return now + wait * self._spread()

    def succeeded(self, now: float) -> None:
        """Note that it worked at `now`; only the first success since a failure counts."""
        if self._healthy_since is None:
            self._healthy_since = now


class TokenBucket:
    """Token bucket: one event per `interval` seconds, bursts of up to `burst` extra."""

    def __init__(self, interval: float, burst: int) -> None:
        self._interval = interval
        self._burst = burst
        self.not_before = -math.inf
        """The earliest time of the next event."""

    def spend(self, now: float) -> None:
        """Take a token: the event happens now."""
        self.not_before = max(self.not_before, now - self._burst * self._interval) + self._interval
