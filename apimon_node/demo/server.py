"""HTTP on 127.0.0.1: carries requests to whoever answers them, each in a thread of its own."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from apimon_node.demo.exchange import Request

POLL_INTERVAL = 0.05  # seconds that stopping the server may take
SILENCE = 10.0  # seconds after which a client that neither sends nor takes anything has gone

Exchange = Callable[[Request, str], Iterator[bytes]]
"""Takes a request and its Authorization header; gives what is sent, piece by piece, until the connection ends."""


class HttpServer:
    """Serves from start() to stop(), which waits for the answers under way; and again after that, on the same port."""

    def __init__(self, exchange: Exchange) -> None:
        self._handler = partial(_Handler, exchange)
        self._http: _Http | None = _Http(("127.0.0.1", 0), self._handler)
        self._port = self._http.server_port

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def running(self) -> bool:
        """Return whether there is a server."""
        return self._http is not None

    def start(self) -> None:
        """Take requests from now on. Raises OSError where somebody else has taken the port meanwhile."""
        self._http = self._http or _Http(("127.0.0.1", self._port), self._handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(POLL_INTERVAL,), name="demo-jira")
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests, if any are taken."""
        if self._http is not None:
            self._http.shutdown()
            self._http.hurry()
            self._http.server_close()
            self._thread.join()
            self._http = None


class _Http(ThreadingHTTPServer):
    """Closing it waits for the answers under way, but not for whoever may still ask something."""

    daemon_threads = False

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection, in a thread of its own."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        self._open.discard(request)
        super().shutdown_request(request)

    def hurry(self) -> None:
        """Read no more: browsers keep a connection at hand that they say nothing on."""
        for connection in tuple(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)


class _Handler(BaseHTTPRequestHandler):
    """Reads one request and sends the answer. HTTP/1.0: each connection ends after its answer."""

    timeout = SILENCE
    disable_nagle_algorithm = True  # what drips is to drip

    def __init__(self, exchange: Exchange, *args: Any) -> None:
        self._exchange = exchange
        super().__init__(*args)

    def handle(self) -> None:
        """Serve the connection; whoever goes away in the middle of it may."""
        with suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        """Answer a GET."""
        self._serve(b"")

    def do_POST(self) -> None:
        """Answer a POST."""
        length = self.headers.get("Content-Length", "")
        self._serve(self.rfile.read(int(length)) if length.isdecimal() else b"")

    def _serve(self, body: bytes) -> None:
        request = Request.read(self.command, self.path, self.headers.get("Content-Type", ""), body)
        for piece in self._exchange(request, self.headers.get("Authorization", "")):
            self.wfile.write(piece)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
        """Discard log lines."""
