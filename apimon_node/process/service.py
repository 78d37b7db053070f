"""The process as a service: signals that wake the loop, and word to systemd. Silent where there is no systemd.

The protocol is sd_notify(3): datagrams of `NAME=value` lines to the socket that NOTIFY_SOCKET names.
"""

import contextlib
import math
import os
import signal
import socket
import sys
import time
from types import FrameType
from typing import NoReturn, Self

from apimon_node.errors import InstallError
from apimon_node.text import one_line

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Those that say to stop. SIGHUP comes when the terminal of a node by hand is closed."""


class Service:
    """Whether to stop, and a socket that becomes readable when that changes.

    A handler that only sets a flag would not end select(): Python goes on waiting (PEP 475). Python itself writes to
    the wake-up socket instead, before any handler runs.
    """

    def __init__(self, *, patient: bool = False) -> None:
        """`patient`: a second signal changes nothing. Else it ends us the hard way."""
        self._second = signal.SIG_IGN if patient else signal.SIG_DFL
        self.stopping = False
        self._watchdog_at = math.inf
        self._watchdog_every = math.inf
        self._status = ""

    def __enter__(self) -> Self:
        self._ours, self._theirs = socket.socketpair()
        self._theirs.setblocking(False)  # noqa: FBT003 - Python asks for it
        signal.set_wakeup_fd(self._theirs.fileno(), warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, self._stop)
        self._notify_to = os.environ.pop("NOTIFY_SOCKET", "")  # not for our children
        if self._notify_to and "WATCHDOG_USEC" in os.environ:
            self._watchdog_every = int(os.environ["WATCHDOG_USEC"]) / 1e6 / 2
            self._watchdog_at = -math.inf
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        self._ours.close()
        self._theirs.close()
        if self._notify_to:
            os.environ["NOTIFY_SOCKET"] = self._notify_to  # for whoever we may become

    def fileno(self) -> int:
        """Return what becomes readable at a signal (for select)."""
        return self._ours.fileno()

    @property
    def managed(self) -> bool:
        """Return whether anybody is told how it is."""
        return bool(self._notify_to)

    def ready(self) -> None:
        """Notify systemd that start-up is over."""
        self._notify("READY=1")

    def status(self, text: str) -> None:
        """Notify systemd of the status in one line, where that is news."""
        text = one_line(text)  # a line break would begin another message; parts of it come from the network
        if text != self._status:
            self._status = text
            self._notify(f"STATUS={text}")

    def alive(self) -> None:
        """Pat the watchdog: called by each turn of the loop, and by nothing else."""
        if time.monotonic() >= self._watchdog_at:
            self._watchdog_at = time.monotonic() + self._watchdog_every
            self._notify("WATCHDOG=1")

    def deadline(self) -> float:
        """When alive() must be called next, in monotonic seconds."""
        return self._watchdog_at

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self.stopping = True
        signal.signal(number, self._second)
        self._notify("STOPPING=1")

    def _notify(self, message: str) -> None:
        if not self._notify_to:
            return
        address = "\0" + self._notify_to[1:] if self._notify_to.startswith("@") else self._notify_to
        # A service manager that does not listen is no reason to fail.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(message.encode(), address)


def start_anew() -> NoReturn:
    """Replace this process by a new one with the same arguments, under the same id: systemd sees no end of it.

    Python marks its sockets and files as not to be inherited, so nothing of ours is left open. Raises InstallError.
    """
    try:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - no shell is wanted
    except OSError as err:
        raise InstallError(f"cannot start {sys.executable} anew: {err.strerror}") from None
