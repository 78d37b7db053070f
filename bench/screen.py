"""The terminal: what `watch` uses to draw twenty strips into one of 200 by 60."""

import os
import pty
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from statistics import median

from bench.fleet import NODES, PIXELS, FleetSaid
from bench.process import cpu, resident
from bench.rig import HOST, rig
from bench.table import Row

COLUMNS, LINES = 200, 60
REST = 3.0
"""Seconds after which nothing of the start is left."""


def watch(*, quick: bool) -> Iterator[Row]:
    """Measure `watch` while nothing changes but what pulses, and while a ticket a second changes."""
    seconds, rounds = (5, 1) if quick else (10, 3)
    with ExitStack() as stack:
        run = stack.enter_context(rig())
        fleet = FleetSaid(run)
        config = run.folder / "watch.yaml"
        config.write_text(f"mqtt: {{host: {HOST}, port: {run.port}}}\n", encoding="utf-8")
        terminal = Terminal(stack)
        command = (sys.executable, "-m", "apimon_node", "watch", "--config", str(config))
        colors = ("env", "TERM=xterm-256color", "COLORTERM=truecolor")
        pid = run.start((*colors, *command), terminal.fileno(), subprocess.DEVNULL).pid
        time.sleep(REST)
        rest, busy, written = [], [], []
        for _ in range(rounds):
            before, bytes_before = cpu(pid), terminal.taken
            time.sleep(seconds)
            rest.append((cpu(pid) - before) / 1e6 / seconds)
            written.append((terminal.taken - bytes_before) / 1e3 / seconds)
            before, begun = cpu(pid), time.monotonic()
            for number in range(seconds):
                fleet.change()
                time.sleep(max(0.0, begun + number + 1 - time.monotonic()))
            busy.append((cpu(pid) - before) / 1e6 / seconds)
        name = f"watch of {NODES}x{PIXELS} LEDs"
        yield Row(f"{name}, pulsing: CPU ms/min", median(rest) * 60)
        yield Row(f"{name}, a change/s: CPU ms/min", median(busy) * 60)
        yield Row(f"{name}: kB/s to the terminal", median(written))
        yield Row(f"{name}: RSS MB", resident(pid) / 1024)


class Terminal:
    """A pseudo terminal, and somebody who takes all that is written to it."""

    def __init__(self, stack: ExitStack) -> None:
        self.taken = 0
        """Bytes."""
        self._ours, self._theirs = pty.openpty()
        termios.tcsetwinsize(self._theirs, (LINES, COLUMNS))
        stack.callback(os.close, self._theirs)
        threading.Thread(target=self._take, daemon=True).start()

    def fileno(self) -> int:
        """Give the program's end."""
        return self._theirs

    def _take(self) -> None:
        with suppress(OSError):  # nobody writes any more
            while data := os.read(self._ours, 65_536):
                self.taken += len(data)
        os.close(self._ours)
