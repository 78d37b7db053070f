"""The screen: the frame that is wanted, the one that is shown, and when the next write is due. Pure."""

import math

from apimon_node.errors import Failure
from apimon_node.strip.recovery import Recovery, Retry


class Screen:
    """Decides when a strip is written: at most once per `interval`, the first change at once, the last never lost.

    A frame is owed while *wanted* differs from *shown*. Shown is what the driver accepted, and unknown after a failure.
    While a frame is on its way no other is due. All times are monotonic seconds.
    """

    def __init__(self, interval: float, refresh: float) -> None:
        self._interval = interval
        self._refresh = refresh
        self._wanted: bytes | None = None
        self._shown: bytes | None = None
        self._on_its_way: bytes | None = None
        self._not_before = -math.inf
        self._refresh_at = -math.inf
        self._recovery = Recovery()
        self.skipped = 0
        """Frames that were replaced before the strip could be written."""

    def want(self, frame: bytes) -> None:
        """Set the frame that should be on the strip."""
        if frame != self._wanted:
            self.skipped += self._wanted not in (None, self._shown, self._on_its_way)
            self._wanted = frame

    def due(self, now: float) -> bytes | None:
        """Hand out the frame to write now, if any. shown() or failed() must tell what became of it."""
        if now < self.deadline():
            return None
        self._on_its_way = self._wanted
        return self._wanted

    def shown(self, now: float) -> None:
        """Note that the driver took the frame that was handed out, at `now`."""
        self._shown, self._on_its_way = self._on_its_way, None
        self._not_before = now + self._interval
        self._refresh_at = now + self._refresh
        self._recovery.succeeded(now)

    def failed(self, failure: Failure, now: float) -> Retry:
        """Note that the driver failed; return when it is tried again. The frame stays owed."""
        self._shown = self._on_its_way = None
        retry = self._recovery.failed(failure, now)
        self._not_before = max(retry.at, now + self._interval)
        return retry._replace(at=self._not_before)

    def forget(self) -> None:
        """Whatever is on the strip, it has to be written again."""
        self._shown = None

    @property
    def not_before(self) -> float:
        """The earliest moment for the next write, as far as it is known."""
        return math.inf if self._on_its_way is not None else self._not_before

    @property
    def attempts(self) -> int:
        """Failures since the strip was last well for a while."""
        return self._recovery.attempts

    def deadline(self) -> float:
        """When the next write is due; infinity where nothing is wanted, or the last write is not over."""
        if self._wanted is None:
            return math.inf
        if self._wanted != self._shown:
            return self.not_before
        return max(self._refresh_at, self.not_before)
