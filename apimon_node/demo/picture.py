"""The demo's picture: in a terminal the strip and a line below it that changes, else a line for each change."""

import time
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from apimon_node.strip.terminal import Terminal


class Picture:
    """What the demo draws on standard output, as the driver `terminal` would."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._terminal = Terminal()
        self._live = Live(console=self._console, auto_refresh=False) if self._terminal.alive else None
        self._strip = Text()
        self._news = Text()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def head(self, text: str) -> None:
        """Print the heading."""
        self._console.print(text)
        self._console.file.flush()
        if self._live is not None:
            self._live.start()

    def strip(self, name: str, frame: bytes) -> None:
        """Draw a strip, if it looks different now."""
        line = self._terminal.line(name, frame)
        if line != self._strip:
            self._strip = line
            self._draw(line)

    def tell(self, news: str) -> None:
        """Print an event."""
        self._news = Text(news)
        self._draw(self._news)

    def _draw(self, new: Text) -> None:
        if self._live is not None:
            self._live.update(Group(self._strip, self._news), refresh=True)
        else:
            self._console.print(f"{time.strftime('%H:%M:%S')} ", new, end="\n", sep="")
            self._console.file.flush()
