"""The demo with its page: its buttons are pressed over HTTP, as the page does it."""

import json
import urllib.request
from pathlib import Path

from parts import PATIENCE, Program, wait_until


class TouredDemo(Program):
    """The demo as a process, with its buttons."""

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        super().__init__(folder, "demo", environment=environment)

    @property
    def url(self) -> str:
        found: str = wait_until(lambda: [line for line in self.out.splitlines() if "http://" in line], "the page")[0]
        return found.strip()

    @property
    def port(self) -> int:
        return int(self.out.partition(" -p ")[2].split()[0])

    def press(self, name: str) -> None:
        ours = {"Sec-Fetch-Site": "same-origin"}
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/tour/{name}", method="POST", headers=ours)).close()

    def broken(self) -> set[str]:
        with urllib.request.urlopen(f"{self.url}/feed", timeout=PATIENCE) as feed:
            first = next(line for line in feed if line.startswith(b"data: "))
        tour = json.loads(first.removeprefix(b"data: "))["sections"]["tour"]
        return {button["name"] for button in tour if button["broken"]}

    @property
    def strip(self) -> str:
        """What is on the strip, a letter for each pixel."""
        drawn = [line.partition(" ops ")[2] for line in self.out.splitlines() if " ops " in line]
        return drawn[-1] if drawn else ""
