"""A server on 127.0.0.1 that says what it is told to, byte by byte, whatever it is asked."""

import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Self

from parts import PATIENCE


class RawServer:
    """Answers each connection with the pieces that `answer` gives, `pause` seconds apart, until the client has gone.

    `answer` gets what was asked. With a `context` it speaks TLS; `deaf` it answers before it has heard anything.
    It closes a connection after its answer, or waits for the client to do so where it is `patient`.
    """

    def __init__(
        self,
        answer: Callable[[bytes], Iterable[bytes]],
        *,
        pause: float = 0,
        context: ssl.SSLContext | None = None,
        deaf: bool = False,
        patient: bool = False,
    ) -> None:
        self._answer = answer
        self._pause = pause
        self._context = context
        self._deaf = deaf
        self._patient = patient
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, name="raw")]
        self.port: int = self._listener.getsockname()[1]
        self.asked: list[bytes] = []
        self.abandoned = 0
        """Connections that the client ended, rather than the server."""

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def url(self, scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}"

    def _accept(self) -> None:
        with suppress(OSError):  # the end
            while True:
                connection = self._listener.accept()[0]
                connection.settimeout(PATIENCE)
                self._threads.append(threading.Thread(target=self._serve, args=(connection,), name="raw"))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(ssl.SSLError, ConnectionError):
            if self._context is None:
                self._talk(connection)
            else:
                with self._context.wrap_socket(connection, server_side=True) as encrypted:
                    self._talk(encrypted)

    def _talk(self, connection: socket.socket) -> None:
        question = b"" if self._deaf else read(connection)
        self.asked.append(question)
        try:
            for piece in self._answer(question):
                connection.sendall(piece)
                if self._over.wait(self._pause):
                    return
            while self._patient and not self._over.is_set():
                if select.select([connection], [], [], 0.05)[0] and not connection.recv(1):
                    raise BrokenPipeError
        except ConnectionError:
            self.abandoned += 1


def read(connection: socket.socket) -> bytes:
    """Read a request, with its body."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += connection.recv(65536) or b"\r\n\r\n"
    head, _, body = request.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while len(body) < int((lengths or [b"0"])[0]):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body
