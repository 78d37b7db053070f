"""The driver `memory`: a strip that is only remembered. It enforces a strip's rules, and fails when told to."""

from collections import deque
from collections.abc import Iterable

from apimon_node.errors import StripError
from apimon_node.strip.driver import PromptDriver, Shown, check_size

HISTORY = 10_000
"""Frames that are kept at the most; `written` counts on."""


class MemoryStrip(PromptDriver):
    """Keeps the frames that it was shown.

    >>> strip = MemoryStrip(1)
    >>> strip.show(bytes([255, 0, 0]))
    >>> strip.frames[-1].hex()
    'ff0000'
    """

    def __init__(self, pixels: int, failures: Iterable[str | StripError | None] = (), *, channels: int = 3) -> None:
        """`failures` has an entry for each coming frame: an error or its text, or None for success."""
        self._bytes = pixels * channels
        self._failures = deque(failures)
        self.frames: deque[bytes] = deque(maxlen=HISTORY)
        self.written = 0
        self.closed = False

    def fail(self, *errors: str | StripError) -> None:
        """Refuse the next frames, one with each error or text of one."""
        self._failures.extend(errors)

    def show(self, frame: bytes) -> Shown:
        """Remember a frame. Raises StripError when told to, ValueError for a frame that does not fit."""
        if self.closed:
            raise ValueError("the strip is closed")
        check_size(frame, self._bytes)
        failure = self._failures.popleft() if self._failures else None
        if failure is not None:
            raise failure if isinstance(failure, StripError) else StripError(failure)
        self.frames.append(frame)
        self.written += 1
        return Shown()

    def close(self) -> None:
        """End it; the frames stay to be looked at."""
        self.closed = True
