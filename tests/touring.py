"""The demo with its buttons on HTTP: they are pressed from a web server's threads, as the page does it."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from parts import Program, wait_until

from apimon_node.demo import demo
from apimon_node.demo.tour import Tour
from apimon_node.settings import Settings


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, tour: Tour, *args: Any) -> None:
        self._tour = tour
        super().__init__(*args)

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(self._tour.buttons()).encode())

    def do_POST(self) -> None:
        self._tour.press(self.path.removeprefix("/"))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
        """Say nothing."""


class _View(demo.NoView):
    def __init__(self, url: str) -> None:
        self.url = url


@contextmanager
def _open_view(_settings: Settings, tour: Tour) -> Iterator[demo.View]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, tour)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield _View(f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()


def offer() -> None:
    """Let the command `demo` of this process have the buttons."""
    real = demo.run
    demo.run = lambda seconds=None, _=None: real(seconds, _open_view)  # type: ignore[assignment]  # the second is ours


class TouredDemo(Program):
    """The demo as a process, with its buttons."""

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        before = f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\nimport touring\ntouring.offer()"
        super().__init__(folder, "demo", before=before, environment=environment)

    @property
    def url(self) -> str:
        found: str = wait_until(lambda: [line for line in self.out.splitlines() if "http://" in line], "the page")[0]
        return found.strip()

    @property
    def port(self) -> int:
        return int(self.out.partition(" -p ")[2].split()[0])

    def press(self, name: str) -> None:
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/{name}", method="POST")).close()

    def broken(self) -> set[str]:
        with urllib.request.urlopen(self.url) as answer:
            return {button["name"] for button in json.load(answer) if button["broken"]}

    @property
    def strip(self) -> str:
        """What is on the strip, a letter for each pixel."""
        drawn = [line.partition(" ops ")[2] for line in self.out.splitlines() if " ops " in line]
        return drawn[-1] if drawn else ""
