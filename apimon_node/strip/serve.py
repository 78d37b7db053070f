"""The strip service: gives a node that may not load the C library itself a process that has it.

Each client on the socket gets a child of its own (child.py), which speaks with it directly; only one is served at a
time. The service reads nothing of what clients say: it checks who they are, and sees to it that a child ends.
"""

import logging
import math
import os
import select
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from apimon_node.errors import StripError
from apimon_node.process.service import Service
from apimon_node.strip import child
from apimon_node.strip.users import names
from apimon_node.strip.ws281x import command

log = logging.getLogger("apimon_node")

PATIENCE = 2.0
"""Seconds that a child may take to let go of the hardware after its client has hung up."""

FIRST_PASSED = 3
"""File descriptor of the socket that systemd passes (sd_listen_fds(3))."""


def serve(path: Path | None, users: Collection[str], library: str) -> None:
    """Serve until a signal says to stop, on `path` or the socket that systemd passes. Raises StripError."""
    with Service() as service, listen(path) as listener:
        strips = StripService(listener, users, library)
        try:
            service.ready()
            while not service.stopping:
                strips.turn(service)
                service.alive()
        finally:
            strips.close()
            if path is not None:
                path.unlink(missing_ok=True)


def listen(path: Path | None) -> socket.socket:
    """Open the socket, or take the one that systemd passes where there is no path. Raises StripError."""
    if path is None:
        if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
            raise StripError("no socket: expected --socket PATH, or one that systemd passes")
        return socket.socket(fileno=FIRST_PASSED)
    listener = socket.socket(socket.AF_UNIX)
    try:
        if path.is_socket() and not _answers(path):
            path.unlink()  # of one that was killed
        listener.bind(os.fspath(path))
        path.chmod(0o666)  # who may is decided by who they are, at each connection
        listener.listen()
    except OSError as err:
        listener.close()
        raise StripError(f"cannot listen on {path}: {err.strerror or err}") from None
    return listener


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(os.fspath(path)) == 0


class Client:
    """A client, and the child that serves it."""

    def __init__(self, connection: socket.socket, library: str) -> None:
        """Start the child. Raises OSError where there can be none."""
        self.connection = connection
        self.process = subprocess.Popen(command(library), stdin=connection.fileno(), stdout=subprocess.PIPE)  # noqa: S603 - ours
        assert self.process.stdout is not None
        self.life = self.process.stdout  # the child writes nothing: it becomes readable when that ends
        self.kill_at = math.inf
        """When its child is killed: it has hung up."""

    def ended(self) -> int:
        """Clean up after the child; return its exit code."""
        self.connection.close()
        self.life.close()
        return self.process.wait()


class StripService:
    """Whom it serves."""

    def __init__(self, listener: socket.socket, users: Collection[str], library: str) -> None:
        """`users` may connect, by name or number, as may root and the user that this runs as."""
        self._listener = listener
        self._users = users
        self._library = library
        self._client: Client | None = None
        self._strangers: set[int] = set()

    def turn(self, service: Service) -> None:
        """Sleep until something happens, and do what it asks for."""
        client = self._client
        poll = select.poll()
        poll.register(service, select.POLLIN)
        until = service.deadline()
        if not self._leaving:
            poll.register(self._listener, select.POLLIN)  # else the next one waits in its queue
        if client is not None:
            poll.register(client.life, select.POLLIN)
            until = min(until, client.kill_at)
            if not self._leaving:
                poll.register(client.connection, select.POLLRDHUP)
        timeout = None if until == math.inf else math.ceil(1000 * max(0.0, until - time.monotonic()))
        ready = {file for file, _ in poll.poll(timeout)}
        if client is not None:
            self._attend(client, ready)
        if self._listener.fileno() in ready and not self._leaving:
            self._take_client()

    def close(self) -> None:
        """End the child: politely, then not."""
        if self._client is not None:
            self._client.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._client.process.wait(PATIENCE)
            self._client.process.kill()
            self._client.ended()

    @property
    def _leaving(self) -> bool:
        """Return whether the client has hung up, and its child is still there."""
        return self._client is not None and self._client.kill_at < math.inf

    def _attend(self, client: Client, ready: Collection[int]) -> None:
        if client.life.fileno() in ready:
            code = client.ended()
            log.debug("the strip's process ended")
            self._client = None
            if code:
                how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
                log.warning("the strip's process %s", how)
        elif client.connection.fileno() in ready:
            client.kill_at = time.monotonic() + PATIENCE
        elif time.monotonic() >= client.kill_at:
            client.process.kill()
            client.kill_at = time.monotonic() + PATIENCE

    def _take_client(self) -> None:
        connection, _ = self._listener.accept()
        uid = _uid(connection)
        if not self._allowed(uid):
            if uid not in self._strangers:
                log.warning("refused user %d: allow it with --user", uid)
            self._strangers.add(uid)
            _refuse(connection, child.FORBIDDEN)
        elif self._client is not None:
            _refuse(connection, child.BUSY)
        else:
            log.debug("serve user %d", uid)
            try:
                self._client = Client(connection, self._library)
            except OSError as err:
                connection.close()
                log.warning("no process for the strip: %s", err.strerror)

    def _allowed(self, uid: int) -> bool:
        # Asked each time: systemd gives out users as it starts services.
        return uid in (0, os.geteuid()) or not names(uid).isdisjoint(self._users)


def _uid(connection: socket.socket) -> int:
    """Return the user at the other end, as the kernel knows it (unix(7), SO_PEERCRED)."""
    credentials = struct.Struct("3i")
    _, uid, _ = credentials.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, credentials.size))
    return int(uid)


def _refuse(connection: socket.socket, status: int) -> None:
    with connection, suppress(OSError):
        connection.setblocking(False)  # noqa: FBT003 - Python asks for it
        connection.send(child.ANSWER.pack(status, 0))
