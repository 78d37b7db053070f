"""A real browser (Debian's chromium), and a page served to it with sections that a test has prepared."""

import contextlib
import json
import shutil
import socket
from collections.abc import Iterator, Mapping
from typing import Any, Self

from parts import PATIENCE, wait_until
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from apimon_node import wire
from apimon_node.view.address import Address, Names
from apimon_node.view.feed import Feed
from apimon_node.view.server import Server, Tour, application, listen, port_of

ARGUMENTS = [
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start a browser, which knows nobody but this machine."""
    path = shutil.which("chromium")
    assert path, "chromium is missing: make test installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page of a browser, and what it has complained of."""

    def __init__(self, browser: Browser, **options: Any) -> None:
        """`options` are those of a context: viewport, color_scheme, reduced_motion, forced_colors."""
        self._context = browser.new_context(**options)
        self._context.set_default_timeout(PATIENCE * 1000)
        self.page: Page = self._context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.close()


class Served:
    """The page on a free port, with what `publish` is given."""

    def __init__(
        self, tour: Tour | None = None, host: str = "127.0.0.1", port: int = 0, names: tuple[str, ...] = ()
    ) -> None:
        address = Address(host, port)
        self.feed = Feed()
        self._tickets: dict[str, dict[str, Any]] = {}
        sock = listen(address)
        self.port = port_of(sock)
        self.url = f"http://127.0.0.1:{self.port}"
        self.server = Server(application(self.feed, Names(address, names), tour), sock, self.feed.close)

    def publish(self, sections: Mapping[str, object]) -> None:
        """Let sections have a new content; None is gone. Strips are given with each pixel and its tickets in full."""
        written = {
            name: self._strip(section) if name.startswith("strip/") else section for name, section in sections.items()
        }
        written |= {f"tickets/{board}": tickets for board, tickets in self._tickets.items()}
        texts = {name: None if section is None else wire.dump(section) for name, section in written.items()}
        self.server.call(self.feed.publish, texts)

    def _strip(self, strip: Any) -> Any:
        """Write a strip as the feed has it: runs of one pixel each, and its tickets by name."""
        return strip and strip | {
            "pixels": [[1, {name: pixel[name] for name in pixel if name != "first"}] for pixel in strip["pixels"]],
            "first": [[self._name(ticket) for ticket in pixel["first"]] for pixel in strip["pixels"]],
        }

    def _name(self, ticket: dict[str, Any]) -> str:
        board = ticket["board"].partition("/")[0]  # no board has a slash in its name
        self._tickets.setdefault(board, {})[ticket["key"]] = ticket
        return f"{board}/{ticket['key']}"

    def ask(self, request: str, *, whole: bool = True) -> tuple[int, dict[str, str], str]:
        """Send a request as it stands; give status, headers by their lower names, and body. Unless whole, its begin."""
        head, body = self.raw(request, whole=whole).split("\r\n\r\n", 1)
        status, *lines = head.split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        return int(status.split()[1]), {name.lower(): value for name, value in headers.items()}, body

    def raw(self, request: str, *, whole: bool = True) -> str:
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as sock:
            sock.sendall(request.replace("\n", "\r\n").encode())
            data = b""
            while (whole or b"\r\n\r\n" not in data) and (chunk := sock.recv(65536)):
                data += chunk
        return data.decode()

    def get(self, path: str, more: str = "", method: str = "GET") -> tuple[int, dict[str, str], str]:
        return self.ask(f"{method} {path} HTTP/1.1\nHost: 127.0.0.1:{self.port}\nConnection: close\n{more}\n")

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.__exit__()


class Listener:
    """A reader of the feed over real HTTP; it reads only when it is asked to."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.sock.sendall(f"GET /feed HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        self._file = self.sock.makefile("rb")
        self.status = self._file.readline().decode()
        self._text = ""
        while self._file.readline() != b"\r\n":
            pass

    def block(self) -> str:
        """Give the next lines up to an empty one, or nothing at the end."""
        while "\n\n" not in self._text:
            size = int(self._file.readline() or b"0", 16)
            if size == 0:
                return ""
            self._text += self._file.read(size).decode()
            self._file.readline()
        block, self._text = self._text.split("\n\n", 1)
        return block

    def event(self) -> dict[str, Any]:
        """Give the next event of sections."""
        while True:
            block = self.block()
            assert block, "the feed has ended"
            if block.startswith("data: "):
                event: dict[str, Any] = json.loads(block.removeprefix("data: "))
                return event

    def close(self) -> None:
        self._file.close()
        self.sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def browsers(served: Served, number: int) -> None:
    """Wait until so many browsers take part in the feed."""
    wait_until(lambda: len(served.feed._browsers) == number, f"{number} browsers")
