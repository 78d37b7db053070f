"""The driver `memory`: a strip that is only remembered. It enforces a strip's rules, and fails when told to."""

from collections import deque
from collections.abc import Iterable

from apimon_node.errors import StripError
from apimon_node.picture.painting import CHANNELS

HISTORY = 10_000
"""Frames that are kept at the most; `written` counts on."""


class MemoryStrip:
    """Keeps the frames that it was shown.

    >>> strip = MemoryStrip(1)
    >>> strip.show(bytes([255, 0, 0]))
    >>> strip.frames[-1].hex()
    'ff0000'
    """

    def __init__(self, pixels: int, failures: Iterable[str | None] = ()) -> None:
        """`failures` has an entry for each coming frame: the text of an error, or None for success."""
        self._bytes = pixels * CHANNELS
        self._failures = deque(failures)
        self.frames: deque[bytes] = deque(maxlen=HISTORY)
        self.written = 0
        self.closed = False

    def fail(self, *texts: str) -> None:
        """Refuse the next frames, one with each text."""
        self._failures.extend(texts)

    def show(self, frame: bytes) -> None:
        """Remember a frame. Raises StripError when told to, ValueError for a frame that does not fit."""
        if self.closed:
            raise ValueError("the strip is closed")
        if len(frame) != self._bytes:
            raise ValueError(f"expected a frame of {self._bytes} bytes, got {len(frame)}")
        failure = self._failures.popleft() if self._failures else None
        if failure is not None:
            raise StripError(failure)
        self.frames.append(frame)
        self.written += 1

    def close(self) -> None:
        """End it; the frames stay to be looked at."""
        self.closed = True
