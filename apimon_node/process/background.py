"""One blocking call at a time, beside the loop: names, connections and HTTP can take as long as they like.

The loop stays one thread that owns everything; the call shares nothing with it but its outcome, which it leaves
behind before it wakes the loop through a socket. A thread of the standard pool would hold up the end of the process
until the call returns; this one does not.
"""

import select
import socket
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Background(Generic[T]):
    """Runs calls that return a T. Expected errors are part of T; any other exception is a bug, and told as one."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._ours, self._theirs = socket.socketpair()
        self._outcome: list[T] = []
        self.busy = False

    def fileno(self) -> int:
        """Return what becomes readable when the call is over (for select)."""
        return self._ours.fileno()

    def start(self, call: Callable[[], T]) -> None:
        """Run `call`. Its outcome must have been taken before the next one starts."""
        if self.busy:
            raise RuntimeError(f"{self._name}: the last call is not over")
        self.busy = True
        self._thread = threading.Thread(target=self._run, args=(call,), name=self._name, daemon=True)
        self._thread.start()

    @property
    def over(self) -> bool:
        """Return whether there is an outcome to take."""
        return self.busy and bool(select.select([self._ours], [], [], 0)[0])

    def outcome(self) -> T:
        """Take what the call returned; it waits for that."""
        self._ours.recv(1)
        self.busy = False
        if not self._outcome:
            self._thread.join()  # it prints its traceback last of all
            raise RuntimeError(f"{self._name}: the call failed; its traceback is above")
        return self._outcome.pop()

    def close(self) -> None:
        """Abandon a call that may still run; its outcome is lost."""
        running = self.busy and not self.over
        self._ours.close()
        if not running:
            self._theirs.close()

    def _run(self, call: Callable[[], T]) -> None:
        try:
            self._outcome.append(call())
        finally:
            try:
                self._theirs.send(b".")
            except OSError:  # the loop has let go meanwhile
                self._theirs.close()
