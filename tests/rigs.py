"""A rig for each driver: the driver as the node makes it, with a strip to look at and to break."""

import io
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import _rpi_ws281x
from hosted import Hosted
from parts import PATIENCE, wait_until
from shim import FakePi, Fault

from apimon_node.errors import StripError
from apimon_node.strip import ws281x
from apimon_node.strip.child import Line, Opening
from apimon_node.strip.driver import Driver, Shown
from apimon_node.strip.memory import MemoryStrip
from apimon_node.strip.spi import SpiStrip
from apimon_node.strip.terminal import Terminal

LIBRARY: str = _rpi_ws281x.__file__
PIXELS = 8
RED, GREEN, BLUE, DARK = b"\xff\x00\x00", b"\x00\xff\x00", b"\x00\x00\xff", bytes(3)
LETTERS = {RED: "r", GREEN: "g", BLUE: "b", DARK: "."}


if "COVERAGE_PROCESS_CONFIG" in os.environ:
    ws281x.PYTHON = (sys.executable, "-P")  # with site-packages, where coverage is


class Rig:
    """A driver of eight pixels, red first; what its strip shows; and how to break and mend it."""

    def __init__(
        self,
        driver: Driver,
        seen: Callable[[], str],
        break_: Callable[[], object],
        mend: Callable[[], object] = lambda: None,
    ) -> None:
        self.driver = driver
        self.seen = seen
        self.break_ = break_
        self.mend = mend

    def show(self, frame: bytes) -> Shown:
        """Show a frame, and wait until it is there, as the loop does. Raises StripError."""
        return self.driver.show(frame) or self.answer()

    def answer(self) -> Shown:
        return answer(self.driver)


def answer(driver: Driver) -> Shown:
    """Wait for what became of the frame on its way."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        select.select([driver], [], [], max(0.0, min(until, driver.deadline()) - time.monotonic()))
        if (shown := driver.answer()) is not None:
            return shown
    raise AssertionError("the driver never said what became of the frame")


def letters(frame: bytes) -> str:
    return "".join(LETTERS[frame[at : at + 3]] for at in range(0, len(frame), 3))


def memory(_folder: Path, _stack: ExitStack) -> Rig:
    strip = MemoryStrip(PIXELS)
    return Rig(strip, lambda: letters(strip.frames[-1]) if strip.frames else "", lambda: strip.fail("no power"))


class Gone(io.StringIO):
    """A terminal that can hang up."""

    gone = False

    def write(self, text: str) -> int:
        if self.gone:
            raise OSError(5, os.strerror(5))
        return super().write(text)


def terminal(_folder: Path, _stack: ExitStack) -> Rig:
    file = Gone()

    def hang_up(*, gone: bool) -> None:
        file.gone = gone

    def seen() -> str:
        lines = file.getvalue().splitlines()
        return lines[-1].removeprefix("ops ") if lines else ""

    strip = Terminal(file).strip("ops", PIXELS)
    return Rig(strip, seen, partial(hang_up, gone=True), partial(hang_up, gone=False))


def spi(folder: Path, stack: ExitStack) -> Rig:
    pi = FakePi(folder)
    hosted = Hosted(partial(SpiStrip, Path("/dev/spidev0.0"), PIXELS), pi.environment)
    stack.callback(hosted.end)
    return Rig(hosted, lambda: letters(pi.wire()), lambda: pi.fault(Fault.SPI_TRANSFER, 1))


def pipe(folder: Path, stack: ExitStack, pi: FakePi | None = None) -> Rig:
    pi = pi or FakePi(folder)
    for name, value in pi.environment.items():
        stack.enter_context(environment(name, value))
    opening = Opening(10, (Line(18, 3, PIXELS),))
    driver = ws281x.Ws281x(opening, partial(ws281x.ChildProcess, LIBRARY), root=True)
    return Rig(driver, lambda: letters(pi.wire()), lambda: pi.fault(Fault.DMA_ERROR, 1))


def served(folder: Path, stack: ExitStack) -> Rig:
    pi = FakePi(folder)
    path = stack.enter_context(strip_service(folder, pi))
    opening = Opening(10, (Line(18, 3, PIXELS),))
    driver = ws281x.Ws281x(opening, partial(ws281x.ServiceConnection, path), root=True)
    return Rig(driver, lambda: letters(pi.wire()), lambda: pi.fault(Fault.DMA_ERROR, 1))


RIGS = {"memory": memory, "terminal": terminal, "spi": spi, "ws281x by pipe": pipe, "ws281x by socket": served}


@contextmanager
def environment(name: str, value: str) -> Iterator[None]:
    """Set a variable for processes that are started meanwhile."""
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]


@contextmanager
def strip_service(folder: Path, pi: FakePi, *options: str) -> Iterator[Path]:
    """Run `apimon-node strip` on a Pi; give its socket."""
    path = folder / "strip.sock"
    command: Sequence[str] = (sys.executable, "-m", "apimon_node", "strip", "--socket", str(path), *options)
    with (folder / "strip.err").open("wb") as err:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=err, env=os.environ | pi.environment)
    try:
        wait_until(lambda: listens(path), "the socket of the strip service")
        yield path
    finally:
        process.terminate()
        process.wait(PATIENCE)


def listens(path: Path) -> bool:
    """Tell whether somebody listens on a socket, without connecting to it."""
    sockets = Path("/proc/net/unix").read_text(encoding="utf-8").splitlines()
    accepting = "00010000"  # __SO_ACCEPTCON of linux/net.h
    return any(line.endswith(f" {path}") and line.split()[3] == accepting for line in sockets)


def fails(rig: Rig, frame: bytes) -> StripError:
    """Show a frame that must fail, and be told of as that frame."""
    try:
        rig.show(frame)
    except StripError as err:
        return err
    raise AssertionError("the driver took the frame")
