"""The driver `terminal`: a line of blocks for each strip, drawn by rich.

In a terminal the lines stand still and change colour. Where the output is a file, a pipe or a dumb terminal, there is a
line whenever the colours changed, with a letter for each pixel, the same however brightly it shines.
"""

import select
import sys
from contextlib import suppress
from typing import TextIO

from rich.color import Color as RichColor
from rich.console import Console, Group
from rich.live import Live
from rich.style import Style
from rich.text import Text

from apimon_node.errors import StripError
from apimon_node.picture.painting import COLORS
from apimon_node.strip.driver import PromptDriver, Shown, check_size

BLOCK = "██"
LETTERS = "kbgcrmyw"
"""The letter of a pixel whose red (4), green (2) and blue (1) are at least half of its strongest."""


class _Console(Console):
    """A console that leaves it to its user what a broken pipe means: rich's own ends the process."""

    def on_broken_pipe(self) -> None:
        raise  # noqa: PLE0704 - rich calls this where it has caught the error


class Terminal:
    """The terminal that the strips of a node share."""

    def __init__(self, file: TextIO | None = None) -> None:
        file = file or sys.stdout
        if file is None:
            raise StripError("the driver terminal needs a standard output, and it is closed")
        # A terminal stays one when it hangs up: rich would draw nothing any more, and say nothing.
        self._console = _Console(file=file, highlight=False, soft_wrap=True, force_terminal=file.isatty() or None)
        self._live: Live | None = None
        self._lines: dict[str, Text] = {}
        self._letters = self._console.color_system is None or self._console.no_color or not has_blocks(file.encoding)
        self.alive = file.isatty() and not self._console.is_dumb_terminal
        """Whether lines can be drawn anew in place."""

    def strip(self, name: str, pixels: int) -> "TerminalStrip":
        """Make the driver of one strip, on a line of its own."""
        return TerminalStrip(self, name, pixels)

    def draw(self, name: str, frame: bytes) -> None:
        """Draw the line of a strip."""
        line = self.line(name, frame)
        if self._lines.get(name) == line:
            return
        lines = self._lines | {name: line}
        if not self._takes_more():
            raise StripError("the terminal takes no more: it is stopped, or nobody reads it")
        try:
            if not self.alive:
                self._console.print(line)
                self._console.file.flush()
            else:
                if self._live is None:
                    self._live = Live(console=self._console, auto_refresh=False)
                    self._live.start()
                self._live.update(Group(*lines.values()), refresh=True)
        except OSError as err:
            self._lines.pop(name, None)
            raise StripError(f"the terminal takes no more: {err.strerror}") from None
        self._lines = lines

    def close(self) -> None:
        """Leave the last lines where they are, and the cursor below them."""
        live, self._live = self._live, None
        if live is not None and self._takes_more():
            with suppress(OSError):  # the terminal is gone
                live.stop()

    def _takes_more(self) -> bool:
        """Return whether writing would not block: Ctrl-S stops a terminal, and must not stop a node."""
        try:
            return bool(select.select([], [self._console.file], [], 0)[1])
        except (OSError, ValueError):  # no file of the system's: a StringIO, or one that is closed
            return True

    def line(self, name: str, frame: bytes) -> Text:
        """Return the line of a strip, for whoever draws it among others."""
        line = Text(f"{name} ", no_wrap=True, overflow="crop")
        fits = len(line) + len(frame) // COLORS * len(BLOCK) <= self._console.width
        block = BLOCK if fits else BLOCK[0]  # the last pixel may have something to tell
        for at in range(0, len(frame), COLORS):
            red, green, blue = frame[at : at + COLORS]
            if self._letters:
                line.append(letter(red, green, blue))
            else:
                line.append(block, Style(color=RichColor.from_rgb(red, green, blue)))
        return line


class TerminalStrip(PromptDriver):
    """One strip in a terminal."""

    def __init__(self, terminal: Terminal, name: str, pixels: int) -> None:
        self._terminal = terminal
        self._name = name
        self._bytes = pixels * COLORS

    def show(self, frame: bytes) -> Shown:
        """Draw a frame. Raises StripError where the terminal is gone, ValueError for a frame that does not fit."""
        check_size(frame, self._bytes)
        self._terminal.draw(self._name, frame)
        return Shown()

    def close(self) -> None:
        """End the drawing."""
        self._terminal.close()


def has_blocks(encoding: str | None) -> bool:
    """Return whether an encoding has the block: one from before UTF-8 has none."""
    try:
        BLOCK.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def letter(red: int, green: int, blue: int) -> str:
    """Return the letter of the nearest plain colour, whatever the brightness: one of roygcbmw, or a dot when dark."""
    strongest = max(red, green, blue)
    if not strongest:
        return "."
    if red == strongest > 2 * blue and strongest < 4 * green < 3 * strongest:
        return "o"
    bits = (4 * (2 * red >= strongest)) | (2 * (2 * green >= strongest)) | (2 * blue >= strongest)
    return LETTERS[bits]
