"""The driver `ws281x`: strips that the C library rpi_ws281x drives, in a process of its own at the end of a socket.

The process is a child of the node, or belongs to a strip service; what is said on the socket is the same (child.py).
Nothing here waits: frames go out, answers come in, and one that does not come in time ends the process.
"""

import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, NoReturn, Protocol

from apimon_node.errors import Failure, StripError
from apimon_node.strip import child
from apimon_node.strip.codes import error
from apimon_node.strip.driver import Shown, check_size


class Wait(NamedTuple):
    """What is waited for, and how many seconds it may take."""

    what: str
    seconds: float


OPENING, FRAME = Wait("open", 10.0), Wait("show a frame", 2.0)

CLOSE_TIMEOUT = 0.7
"""Seconds that a process may take to let go of the hardware: a node is gone within 2 s of SIGTERM, broker or not."""

REAP_TIMEOUT = 0.05
"""Seconds that a process which has hung up, or was killed, may take to be gone."""

PYTHON: tuple[str, ...] = (sys.executable, "-I", "-S")
"""Without the user's environment, and without site-packages: 2 MB of its own instead of 6."""


def command(library: str) -> list[str]:
    """Return the command of a child; `library` is the path of the extension."""
    return [*PYTHON, child.__file__, library]


class Peer(Protocol):
    """A process that has the library loaded, at the other end of a socket."""

    socket: socket.socket

    def last_words(self) -> str:
        """Return how it ended, after it has hung up."""
        ...

    def end(self, patience: float) -> bool:
        """Hang up, and see to it that it ends: politely at first. Return whether it has, within about `patience` s."""
        ...


class Ws281x:
    """The strips of a node that are on pins of ws281x. `connect` makes a fresh peer, and raises StripError."""

    def __init__(self, opening: child.Opening, connect: Callable[[], Peer], *, root: bool) -> None:
        """`root`: the peer has all rights, which matters for what its failures mean."""
        self._opening = opening
        self._connect = connect
        self._root = root
        self._peer: Peer | None = None
        self._old: Peer | None = None
        self._received = b""
        self._awaited: deque[Wait] = deque()  # the time of the first one runs already
        self._due_at = math.inf

    def show(self, frame: bytes) -> None:
        """Send a frame; answer() tells what became of it. Raises StripError, ValueError for one that does not fit."""
        check_size(frame, self._opening.size)
        if self._peer is None:
            self._open()
        self._send(child.framed(frame), FRAME)

    def answer(self) -> Shown | None:
        """Take in what the peer has answered. Raises StripError where that is a failure, or nothing in time."""
        shown = None
        while self._peer is not None and (answer := self._next_answer(self._peer)) is not None:
            if not self._awaited:
                self._fail("it answers without being asked", Failure.CRASH)
            wait = self._awaited.popleft()
            self._await()
            status, rss = answer
            if status:
                self._let_go()
                raise error(status, root=self._root)
            if wait is FRAME:
                shown = Shown(rss)
        if time.monotonic() >= self._due_at:
            what, seconds = self._awaited[0]
            self._fail(f"it did not {what} within {seconds:g} s, and was stopped", Failure.HANG)
        return shown

    def fileno(self) -> int:
        """Return the socket, or -1."""
        return -1 if self._peer is None else self._peer.socket.fileno()

    def deadline(self) -> float:
        """When the next answer is due, in monotonic seconds."""
        return self._due_at

    def close(self) -> None:
        """End the peer, after the frame on its way."""
        self._let_go()
        self._end_old(CLOSE_TIMEOUT)

    def _open(self) -> None:
        """Get a fresh peer. The old one must be gone: two on the same pins disturb each other."""
        if not self._end_old(0):
            raise StripError("ws281x: the process that failed does not end", Failure.HANG)
        self._peer = self._connect()
        self._received = b""
        self._send(self._opening.message(), OPENING)

    def _send(self, message: bytes, wait: Wait) -> None:
        assert self._peer is not None
        try:
            sent = self._peer.socket.send(message)
        except BlockingIOError:
            sent = 0
        except OSError:  # it has hung up: what it said before counts
            sent = len(message)
        if sent < len(message):
            self._fail("it takes no more frames", Failure.HANG)
        self._awaited.append(wait)
        if len(self._awaited) == 1:
            self._await()

    def _await(self) -> None:
        """Start the time of the first answer to come."""
        self._due_at = time.monotonic() + self._awaited[0].seconds if self._awaited else math.inf

    def _next_answer(self, peer: Peer) -> tuple[int, int] | None:
        """Read an answer that is complete. Raises StripError where the peer has ended."""
        while len(self._received) < child.ANSWER.size:
            try:
                data = peer.socket.recv(child.ANSWER.size - len(self._received))
            except BlockingIOError:
                return None
            except OSError:
                data = b""
            if not data:
                self._fail(peer.last_words(), Failure.CRASH)
            self._received += data
        answer, self._received = self._received, b""
        status, rss = child.ANSWER.unpack(answer)
        return status, rss

    def _fail(self, text: str, failure: Failure) -> NoReturn:
        """End a peer that has gone wrong, at once."""
        self._let_go()
        self._end_old(0)
        raise StripError(f"ws281x: {text}", failure)

    def _let_go(self) -> None:
        """Part with the peer: it has until the next start to end by itself."""
        if self._peer is not None:
            self._old, self._peer = self._peer, None
            with suppress(OSError):
                self._old.socket.shutdown(socket.SHUT_WR)
        self._awaited.clear()
        self._due_at = math.inf

    def _end_old(self, patience: float) -> bool:
        if self._old is not None and self._old.end(patience):
            self._old = None
        return self._old is None


class ChildProcess:
    """A child of this process."""

    def __init__(self, library: str) -> None:
        """`library` is the path of the extension. Raises StripError where there can be no process."""
        try:
            ours, theirs = socket.socketpair()
            with ours, theirs:
                self._process = subprocess.Popen(command(library), stdin=theirs.fileno())  # noqa: S603 - ours
                self.socket = ours.dup()
        except OSError as err:
            raise StripError(f"ws281x: no process for it: {err.strerror}", Failure.OPEN, err.errno) from None
        self.socket.setblocking(False)  # noqa: FBT003 - Python asks for it

    def last_words(self) -> str:
        """Return how it ended, after it has hung up."""
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(REAP_TIMEOUT)
            if code < 0:
                return f"its process was ended by {signal.Signals(-code).name}"
            return f"its process ended with exit code {code}"
        return "its process hung up"

    def end(self, patience: float) -> bool:
        """Hang up; kill it if it does not end within `patience` seconds."""
        self.socket.close()
        for seconds, kill in ((patience, self._process.kill), (REAP_TIMEOUT, None)):
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
                return True
            if kill:
                kill()
        return False


class ServiceConnection:
    """A connection to a strip service, which has the library loaded in a process of its own for each."""

    def __init__(self, path: Path) -> None:
        """Connect to a socket. Raises StripError where nobody listens."""
        self._path = path
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.setblocking(False)  # noqa: FBT003 - Python asks for it
        try:
            self.socket.connect(os.fspath(path))
        except OSError as err:
            self.socket.close()
            failure = Failure.PERMANENT if isinstance(err, PermissionError) else Failure.OPEN
            text = f"ws281x: no strip service at {path}: {err.strerror or err}: is apimon-node strip running?"
            raise StripError(text, failure, err.errno) from None

    def last_words(self) -> str:
        """Return how it ended, after it has hung up."""
        return f"the strip service at {self._path} hung up; its log says why"

    def end(self, patience: float) -> bool:
        """Hang up; wait up to `patience` seconds for it to do so too. A process that hangs is the service's to kill."""
        self.socket.settimeout(patience)
        with suppress(OSError):
            while patience and self.socket.recv(64):
                pass
        self.socket.close()
        return True
