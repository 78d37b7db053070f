"""The screen: the frame that is wanted, the one that is shown, and when the next write is due. Pure."""

import math

from apimon_node.backoff import Backoff

RETRY_FIRST, RETRY_LIMIT, RETRY_RESET = 1.0, 60.0, 60.0
"""Seconds: the first wait after a failed write, the longest, and the health after which it starts anew."""


class Screen:
    """Decides when a strip is written: at most once per `interval`, the first change at once, the last never lost.

    A frame is owed while *wanted* differs from *shown*. Shown is what the driver accepted, and unknown after a failure.
    All times are monotonic seconds.
    """

    def __init__(self, interval: float, refresh: float) -> None:
        self._interval = interval
        self._refresh = refresh
        self._wanted: bytes | None = None
        self._shown: bytes | None = None
        self._not_before = -math.inf
        self._refresh_at = -math.inf
        self._backoff = Backoff(RETRY_FIRST, RETRY_LIMIT, RETRY_RESET)

    def want(self, frame: bytes) -> None:
        """Set the frame that should be on the strip."""
        self._wanted = frame

    def due(self, now: float) -> bytes | None:
        """Give the frame to write now, if any."""
        return self._wanted if now >= self.deadline() else None

    def shown(self, frame: bytes, now: float) -> None:
        """Note that the driver took `frame` at `now`."""
        self._shown = frame
        self._not_before = now + self._interval
        self._refresh_at = now + self._refresh
        self._backoff.succeeded(now)

    def failed(self, now: float) -> float:
        """Note that the driver failed; answer when it is tried again. The frame stays owed."""
        self._shown = None
        self._not_before = self._backoff.failed(now)
        return self._not_before

    def forget(self) -> None:
        """Whatever is on the strip, it has to be written again."""
        self._shown = None

    @property
    def not_before(self) -> float:
        """The earliest moment for the next write."""
        return self._not_before

    @property
    def attempts(self) -> int:
        """Failures since the strip was last well for a while."""
        return self._backoff.attempts

    def deadline(self) -> float:
        """When the next write is due; infinity where nothing is wanted."""
        if self._wanted is None:
            return math.inf
        if self._wanted != self._shown:
            return self._not_before
        return max(self._refresh_at, self._not_before)
