"""The driver `terminal`: in place in a real (pseudo) terminal, a line for each change elsewhere."""

import io
import os
import pty
import re
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from apimon_node.errors import StripError
from apimon_node.strip.terminal import Terminal, letter

RED, GREEN, BLUE, DARK = b"\xff\x00\x00", b"\x00\xff\x00", b"\x00\x00\xff", bytes(3)


@pytest.fixture(autouse=True)
def _colourful_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "JPY_PARENT_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": "80", "LINES": "24"}.items():
        monkeypatch.setenv(name, value)


class Pty:
    """A terminal to write to, and all that was written to it once it is closed."""

    def __init__(self) -> None:
        self._ours, theirs = pty.openpty()
        self.file = os.fdopen(theirs, "w", encoding="utf-8", buffering=1)

    def hang_up(self) -> None:
        os.close(self._ours)

    def written(self) -> str:
        """End it, and give everything that came."""
        self.file.close()
        found = b""
        while chunk := self._read():
            found += chunk
        os.close(self._ours)
        return found.decode()

    def _read(self) -> bytes:
        try:
            return os.read(self._ours, 65_536)
        except OSError:  # Linux's way to tell that the other end is closed
            return b""


@pytest.fixture
def tty() -> Iterator[Pty]:
    tty = Pty()
    yield tty
    with suppress(OSError):  # it may have hung up
        tty.file.close()


def visible(output: str) -> list[str]:
    """Give the lines that a terminal has on it after this output, without colours."""
    lines, row, column = [""], 0, 0
    for token in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", output):
        if token == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif token == "\r":
            column = 0
        elif token == "\x1b[2K":
            lines[row] = ""
        elif token.endswith("A"):
            row -= int(re.sub(r"\D", "", token) or 1)
        elif not token.startswith("\x1b"):
            lines[row] = lines[row][:column].ljust(column) + token + lines[row][column + len(token) :]
            column += len(token)
    return lines


def colours(output: str) -> list[str]:
    return re.findall(r"38;2;(\d+;\d+;\d+)m", output)


def test_a_file_gets_a_line_with_a_letter_for_each_pixel() -> None:
    file = io.StringIO()
    strip = Terminal(file).strip("ops", 4)
    strip.show(RED + GREEN + BLUE + DARK)
    strip.close()

    assert file.getvalue() == "ops rgb.\n"


def test_a_file_gets_a_line_only_when_a_letter_changed() -> None:
    file = io.StringIO()
    strip = Terminal(file).strip("ops", 2)
    for level in (255, 200, 30, 128, 255):
        strip.show(bytes([level, 0, 0]) + BLUE)
    strip.show(BLUE + BLUE)
    strip.show(RED + BLUE)

    assert file.getvalue().splitlines() == ["ops rb", "ops bb", "ops rb"]


def test_strips_in_a_file_are_told_apart_by_their_names() -> None:
    file = io.StringIO()
    terminal = Terminal(file)
    ops, net = terminal.strip("ops", 1), terminal.strip("net", 1)
    for _ in range(2):
        ops.show(RED)
        net.show(RED)

    assert file.getvalue().splitlines() == ["ops r", "net r"]


def test_a_strip_longer_than_a_line_is_one_line_in_a_file() -> None:
    file = io.StringIO()
    Terminal(file).strip("ops", 300).show(RED * 300)

    assert file.getvalue() == "ops " + "r" * 300 + "\n"


def test_a_frame_of_the_wrong_length_is_a_bug_of_the_caller() -> None:
    strip = Terminal(io.StringIO()).strip("ops", 2)
    with pytest.raises(ValueError, match="expected a frame of 6 bytes, got 3"):
        strip.show(RED)


def test_standard_output_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().strip("ops", 1).show(RED)

    assert capsys.readouterr().out == "ops r\n"


class Pipe(io.StringIO):
    """Takes nothing while it is broken."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = False

    def write(self, text: str) -> int:
        if self.broken:
            raise BrokenPipeError(32, "Broken pipe")
        return super().write(text)


def test_a_broken_pipe_is_a_fault_of_the_strip_for_each_frame_until_it_is_well() -> None:
    file = Pipe()
    strip = Terminal(file).strip("ops", 1)
    strip.show(RED)
    file.broken = True
    for _ in range(2):
        with pytest.raises(StripError, match=r"^the terminal takes no more: Broken pipe$"):
            strip.show(BLUE)
    file.broken = False
    strip.show(BLUE)

    assert file.getvalue().splitlines()[-1] == "ops b"


def test_what_was_drawn_before_a_failure_is_drawn_again_after_it() -> None:
    file = Pipe()
    strip = Terminal(file).strip("ops", 1)
    strip.show(RED)
    file.broken = True
    with pytest.raises(StripError):
        strip.show(BLUE)
    file.broken = False
    strip.show(RED)

    assert file.getvalue().splitlines()[-1] == "ops r"


def test_a_terminal_shows_each_pixel_as_a_block_in_its_colour(tty: Pty) -> None:
    strip = Terminal(tty.file).strip("ops", 2)
    strip.show(bytes([1, 2, 3]) + RED)
    strip.close()
    output = tty.written()

    assert colours(output)[:2] == ["1;2;3", "255;0;0"]
    assert visible(output)[0] == "ops ████"


def test_a_strip_too_long_for_a_line_has_narrower_pixels_so_that_its_last_one_is_seen(tty: Pty) -> None:
    terminal = Terminal(tty.file)
    terminal.strip("wide", 37).show(RED * 37)
    terminal.strip("slim", 38).show(RED * 37 + BLUE)
    terminal.close()
    output = tty.written()

    assert visible(output) == ["wide " + "██" * 37, "slim " + "█" * 38, ""]
    assert colours(output)[-1] == "0;0;255"


def test_in_a_terminal_the_lines_stand_still_and_the_cursor_ends_below_them(tty: Pty) -> None:
    terminal = Terminal(tty.file)
    ops, net = terminal.strip("ops", 1), terminal.strip("net", 2)
    for number in range(50):
        ops.show(bytes([number, 0, 0]))
        net.show(bytes([0, number, 0]) * 2)
    ops.close()
    net.close()
    output = tty.written()

    assert visible(output) == ["ops ██", "net ████", ""]
    assert output.count("\x1b[?25l") == 1
    assert output.rindex("\x1b[?25h") > output.rindex("█")


def test_log_lines_go_above_the_strip_and_output_is_given_back_at_the_end(
    tty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", before := io.StringIO())
    strip = Terminal(tty.file).strip("ops", 1)
    strip.show(RED)
    print("WARNING broker: refused", file=sys.stderr)  # noqa: T201 - what a log line does
    strip.show(BLUE)
    print("INFO connected", file=sys.stderr)  # noqa: T201 - as above
    strip.close()

    assert sys.stderr is before
    assert visible(tty.written()) == ["WARNING broker: refused", "INFO connected", "ops ██", ""]


def test_the_same_frame_again_writes_nothing_to_the_terminal(tty: Pty) -> None:
    strip = Terminal(tty.file).strip("ops", 1)
    for _ in range(3):
        strip.show(RED)
    strip.close()

    assert len(colours(tty.written())) == 2  # once for the frame, once for its last stand


def test_a_terminal_that_was_closed_can_be_drawn_on_again(tty: Pty) -> None:
    strip = Terminal(tty.file).strip("ops", 1)
    strip.show(RED)
    strip.close()
    strip.show(BLUE)
    strip.close()

    assert visible(tty.written())[:2] == ["ops ██", "ops ██"]


def test_without_colours_a_terminal_gets_letters_in_place(tty: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    strip = Terminal(tty.file).strip("ops", 2)
    strip.show(RED + BLUE)
    strip.show(RED + DARK)
    strip.close()
    output = tty.written()

    assert visible(output) == ["ops r.", ""]
    assert colours(output) == []


def test_a_dumb_terminal_gets_lines_like_a_file(tty: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    strip = Terminal(tty.file).strip("ops", 2)
    strip.show(RED + BLUE)
    strip.show(RED + DARK)
    strip.close()

    assert tty.written() == "ops rb\r\nops r.\r\n"


def test_a_terminal_that_hung_up_is_a_fault_of_the_strip_and_can_still_be_closed(tty: Pty) -> None:
    strip = Terminal(tty.file).strip("ops", 1)
    strip.show(RED)
    tty.hang_up()
    with pytest.raises(StripError, match=r"^the terminal takes no more: Input/output error$"):
        strip.show(BLUE)
    strip.close()


@pytest.mark.parametrize(
    ("color", "expected"),
    [
        ((0, 0, 0), "."),
        ((255, 0, 0), "r"),
        ((1, 0, 0), "r"),
        ((0, 200, 0), "g"),
        ((0, 0, 9), "b"),
        ((255, 0, 255), "m"),
        ((255, 255, 0), "y"),
        ((0, 255, 255), "c"),
        ((255, 255, 255), "w"),
        ((30, 30, 30), "w"),
        ((255, 110, 0), "o"),
        ((255, 165, 0), "o"),
        ((255, 210, 0), "y"),
        ((255, 255, 127), "y"),
        ((255, 255, 128), "w"),
    ],
)
def test_a_letter_is_the_nearest_plain_colour_whatever_the_brightness(
    color: tuple[int, int, int], expected: str
) -> None:
    assert letter(*color) == expected


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_blocks_in_its_encoding_gets_letters(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding=encoding) as file:
        Terminal(file).strip("ops", 2).show(bytes([255, 0, 0, 0, 0, 255]))
        file.flush()
        assert b"rb" in raw.getvalue()


def test_without_any_output_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)

    with pytest.raises(StripError, match="needs a standard output"):
        Terminal()
