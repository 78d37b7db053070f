"""What every driver does: `show` a whole frame, at once or by and by, and `close`.

A driver opens its device at its first frame, and anew at the first after a failure: a constructor only stores.
"""

import math
from typing import NamedTuple, Protocol


class Shown(NamedTuple):
    """A frame is on the strip. `rss` is the memory (kB) of the process that wrote it, where that is not ours."""

    rss: int | None = None


class Driver(Protocol):
    """Puts frames onto a device: one strip, or several that are written at once.

    A driver whose answer takes time says so with None, gives a socket to wait on, and tells by `answer`; it never holds
    up the loop. All its times are monotonic seconds.
    """

    def show(self, frame: bytes) -> Shown | None:
        """Put a whole frame onto the device: all pixels of all its strips, as they go out on the wire.

        None says that it is on its way. Raises StripError, and may be called again after that. A frame of the wrong
        length is a bug of the caller: ValueError.
        """
        ...

    def answer(self) -> Shown | None:
        """Return what became of the frame on its way; None while there is nothing to tell.

        Raises StripError, also where a device that was not being written has failed. Asked in each turn of the loop.
        """
        ...

    def fileno(self) -> int:
        """Return what becomes readable when there is something to tell, or -1 (for select)."""
        ...

    def deadline(self) -> float:
        """When answer() has to be asked though nothing became readable."""
        ...

    def close(self) -> None:
        """Close the device, after the frame on its way. What is on the strip stays there."""
        ...


class PromptDriver:
    """The part of a driver that knows what became of a frame when `show` returns."""

    def answer(self) -> Shown | None:
        """Return None: show() has returned the outcome."""
        return None

    def fileno(self) -> int:
        """Return no socket."""
        return -1

    def deadline(self) -> float:
        """Never ask to be asked."""
        return math.inf


def check_size(frame: bytes, size: int) -> None:
    """Raise ValueError for a frame that does not fit: a bug of the caller."""
    if len(frame) != size:
        raise ValueError(f"expected a frame of {size} bytes, got {len(frame)}")
