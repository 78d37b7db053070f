"""The web server: the page, its parts and its feed over HTTP. The only importer of Starlette and uvicorn.

It runs in a thread of its own, with a loop of its own; `call` is the way in. Nothing of ours is read from there.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, Self

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from apimon_node.errors import ApimonError
from apimon_node.process.background import Background
from apimon_node.view.address import Address, Names
from apimon_node.view.feed import Feed

STATIC = Path(__file__).parent / "static"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"  # the browser itself refuses to make markup of text
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",  # a page of one version with the parts of another would not work
}
"""Headers of every answer that does not name its own."""

MAX_CONNECTIONS = 128
"""Connections at a time; who comes then is told that we are busy."""

STUCK = 30.0
"""Seconds after which the system cuts a connection whose other end takes nothing."""

TICK = 1.0
"""Seconds between two looks of uvicorn at its clock, which it writes into answers; by itself it takes 0.1."""

LEAVE = 1
"""Seconds that answers under way have when we stop."""


class Tour(Protocol):
    """What the demo lets be broken. The server calls it from other threads than the program's."""

    def buttons(self) -> list[dict[str, object]]:
        """Return the buttons, as the section `tour` shows them; each has a `name`."""
        ...

    def press(self, name: str, /) -> None:
        """Break or mend what a button is for. Raises ApimonError where that cannot be."""
        ...


def listen(address: Address) -> socket.socket:
    """Open the socket that browsers connect to. Raises ApimonError."""
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, where = found[0]
        sock = socket.create_server(where[:2], family=family)
    except OSError as err:
        hint = "name another with --listen HOST:PORT; port 0 takes one that is free"
        reason = str(err.strerror).partition(" (")[0]  # Python adds the address, which we have said
        raise ApimonError(f"cannot listen on {address}: {reason}; {hint}") from None
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(STUCK * 1000))  # the connections inherit it
    return sock


def application(feed: Feed, names: Names, tour: Tour | None = None) -> ASGIApp:
    """Make the web application. Without a tour there is nothing that could be pressed."""
    routes: list[BaseRoute] = [
        Route("/", _page, methods=["GET"]),
        Route("/feed", _Stream(feed), methods=["GET"]),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    if tour is not None:
        routes.append(Route("/tour/{name}", _Press(tour), methods=["POST"]))
    return _guarded(Starlette(routes=routes), names)


def _guarded(app: ASGIApp, names: Names) -> ASGIApp:
    """Put the headers on every answer, and answer only who calls us by one of our names."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        ours = names.has(Headers(scope=scope).get("host", ""))
        await (app if ours else UNKNOWN_NAME)(scope, receive, send_guarded)

    return guarded


UNKNOWN_NAME = PlainTextResponse(
    "This is not a name of this page. Use the address that apimon-node view prints, or start it with --name NAME.\n",
    status_code=400,
)

BUSY = PlainTextResponse("Too many browsers watch this page.\n", status_code=503, headers={"Retry-After": "10"})


async def _page(_request: Request) -> Response:
    return FileResponse(STATIC / "index.html")


class _Stream:
    """Answers with the feed."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._feed.full:
            await BUSY(scope, receive, send)
            return
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] == "GET":
            await self._stream(receive, send)
        await send({"type": "http.response.body", "body": b""})

    async def _stream(self, receive: Receive, send: Send) -> None:
        with self._feed.browser() as browser:
            watch = asyncio.create_task(_leave_when_gone(receive, browser.leave))
            try:
                async for chunk in browser.chunks():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            finally:
                watch.cancel()


async def _leave_when_gone(receive: Receive, leave: Callable[[], None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    leave()


class _Press:
    """Presses a button of the tour, for nobody but our own page."""

    def __init__(self, tour: Tour) -> None:
        self._tour = tour

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(scope["path_params"]["name"], Headers(scope=scope))
        await response(scope, receive, send)

    async def _answer(self, name: str, headers: Headers) -> Response:
        if not _same_origin(headers):
            return PlainTextResponse("Only the page itself may do this.\n", status_code=403)
        if name not in [button["name"] for button in self._tour.buttons()]:
            return PlainTextResponse("There is no such button.\n", status_code=404)
        try:
            await run_in_threadpool(self._tour.press, name)
        except ApimonError as err:
            return PlainTextResponse(f"{err}\n", status_code=409)
        return Response(status_code=204)


def _same_origin(headers: Headers) -> bool:
    """Return whether a page of ours asks: by Sec-Fetch-Site, and by Origin, of which browsers send one at the least."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is None and origin is None:
        return False
    return site in (None, "same-origin") and origin in (None, f"http://{headers['host']}")


class _Uvicorn(uvicorn.Server):
    """Uvicorn with less haste: at rest, almost all of what we did was to look whether we should end."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ending = asyncio.Event()

    def end(self) -> None:
        """Stop the server; to be called in its loop."""
        self.should_exit = True
        self._ending.set()

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), TICK)


class Server:
    """Serves an application on a socket, beside the program, until its end."""

    def __init__(self, app: ASGIApp, sock: socket.socket, before_end: Callable[[], None]) -> None:
        """`before_end` is called in the server's loop when it is to end."""
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=LEAVE,
        )
        self._server = _Uvicorn(config)
        self._sock = sock
        self._before_end = before_end
        self._loop = asyncio.new_event_loop()
        self._thread: Background[None] = Background("view")

    def __enter__(self) -> Self:
        self._thread.start(self._run)
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.busy and not self._thread.over:
            self.call(self._before_end)
            self.call(self._server.end)
            self._thread.outcome()
        self._thread.close()
        self._sock.close()

    def fileno(self) -> int:
        """Return what becomes readable if it ends by itself (for select)."""
        return self._thread.fileno()

    def check(self) -> None:
        """Raise RuntimeError if it has ended by itself, which is a bug: the program would go on without its page."""
        if self._thread.over:
            self._thread.outcome()
            raise RuntimeError("the server of the page has ended by itself")

    def call(self, function: Callable[..., object], *values: object) -> None:
        """Have a function called in its loop."""
        self._loop.call_soon_threadsafe(function, *values)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._server.serve(sockets=[self._sock]))


def port_of(sock: socket.socket) -> int:
    """Return the port that it really has."""
    port: int = sock.getsockname()[1]
    return port
