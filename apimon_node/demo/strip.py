"""The demo's strip: what hangs at the stand-in for the C library. It takes the frames, and can be unplugged."""

import os
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from apimon_node.demo.library import _rpi_ws281x as library
from apimon_node.picture.painting import COLORS

READ = 65536
"""Bytes that a pipe of Linux holds."""


class Strip:
    """A strip of so many pixels at the end of a named pipe in `folder`: the device of the stand-in.

    Plugged in from `with` to its end. `fileno` is readable when there are frames.
    """

    def __init__(self, folder: Path, pixels: int) -> None:
        self._folder = folder
        self._dark = bytes(COLORS * pixels)
        self._record = library.OWNER.size + len(self._dark)
        self._pipe: int | None = None
        self._frames: deque[bytes] = deque()
        self._owner = 0
        self._crashed: int | None = None

    def __enter__(self) -> Self:
        self.plug()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()

    @property
    def environment(self) -> Mapping[str, str]:
        """Return what makes a process take the stand-in for the C library."""
        search = [str(Path(library.__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {"PYTHONPATH": os.pathsep.join(search), library.FOLDER: str(self._folder)}

    @property
    def plugged(self) -> bool:
        """Return whether there is a strip."""
        return self._pipe is not None

    def plug(self) -> None:
        """Plug it in: the device is there."""
        path = self._folder / library.PIPE
        os.mkfifo(path, 0o600)
        # Who reads and writes a pipe never comes to its end, however often those at the other end are replaced.
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def unplug(self) -> None:
        """Unplug it: it goes dark, and the device is gone."""
        if self._pipe is not None:
            (self._folder / library.PIPE).unlink()
            os.close(self._pipe)
            self._pipe = None
            self._frames.append(self._dark)

    def crash(self) -> None:
        """Make the library's next call end its process by SIGSEGV."""
        self._crashed = self._owner
        (self._folder / library.CRASH).touch()

    @property
    def crashing(self) -> bool:
        """Return whether no other process has written a frame since the crash was ordered."""
        return self._crashed == self._owner

    def fileno(self) -> int:
        """Return what is readable when there are frames, or -1 (for select)."""
        return -1 if self._pipe is None else self._pipe

    def frames(self) -> list[bytes]:
        """Take the frames that have come: red, green and blue of each pixel."""
        if self._pipe is not None:
            with suppress(BlockingIOError):
                self._take(os.read(self._pipe, READ // self._record * self._record))
        frames = list(self._frames)
        self._frames.clear()
        return frames

    def _take(self, records: bytes) -> None:
        """Take records apart: each was written at once, and all are of one size."""
        for at in range(0, len(records), self._record):
            self._owner = library.OWNER.unpack_from(records, at)[0]
            self._frames.append(records[at + library.OWNER.size : at + self._record])
