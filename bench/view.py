"""The page: how smoothly Debian's chromium draws twenty strips, and what `view` uses for that.

There is no GPU here: chromium draws in software, on the processors that all others need too. It is the worst case.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, NamedTuple

from browser import Listener, Watched, chromium

from bench.fleet import NODES, PIXELS, FleetSaid
from bench.process import children, cpu, resident, spent
from bench.rig import HOST, TIMEOUT, Process, Rig, rig
from bench.table import Goal, Row

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page

SCREEN = {"width": 1280, "height": 900}

FRAME = 1000 / 60
SMOOTH, LATE = Goal(round(1.1 * FRAME, 1)), Goal(round(2.1 * FRAME, 1))
"""Milliseconds: a frame whenever a screen of 60 Hz takes one, and of twenty frames one that comes a turn late."""

PROMPT = Goal(1000)
"""Milliseconds until the page shows a change."""

REST = 3.0
"""Seconds after which nothing of the start is left."""

RECORD = """() => {
  const frames = [], long = [];
  const observer = new PerformanceObserver((list) => long.push(...list.getEntries().map((entry) => entry.duration)));
  observer.observe({ type: "longtask" });
  let before = null, going = true;
  requestAnimationFrame(function frame(now) {
    if (before !== null) frames.push(now - before);
    before = now;
    if (going) requestAnimationFrame(frame);
  });
  window.recorded = () => { going = false; observer.disconnect(); return { frames, long }; };
}"""
"""What takes down when each frame was, and the tasks that took longer than 50 ms."""

LISTEN = """() => {
  window.changedAt = 0;
  const changed = () => requestAnimationFrame(() => { window.changedAt = Date.now(); });
  new MutationObserver(changed).observe(document.body, { subtree: true, attributeFilter: ["data-color"] });
}"""


def view(*, quick: bool) -> Iterator[Row]:
    """Measure the page and its server, at rest and while a ticket a second changes."""
    seconds, rounds = (5, 1) if quick else (5, 5)
    with ExitStack() as stack:
        page = Viewed(stack)
        name = f"{NODES}x{PIXELS} LEDs, no GPU"
        yield from _smooth(f"{name}, at rest", [page.recorded(seconds, page.sleep) for _ in range(rounds)])
        yield from _smooth(f"{name}, changing", [page.recorded(seconds, page.changes) for _ in range(rounds)])
        rest = [page.used(seconds, page.sleep) for _ in range(rounds)]
        busy = [page.used(seconds, page.changes) for _ in range(rounds)]
        yield from _work("page, no GPU, at rest", "s", rest)
        yield from _work("page, no GPU, changing", "change", busy)
        yield Row("page: DOM nodes", page.metrics()["Nodes"])
        yield Row("page: JS heap MB", page.metrics()["JSHeapUsedSize"] / 1e6)
        yield Row("page, no GPU: ms until it shows a change, median", median(page.lag() for _ in range(5)), goal=PROMPT)
        yield Row("view at rest: CPU ms/min", median(used.server for used in rest) * 60)
        yield Row("view at rest: wake-ups/s", median(used.wakes for used in rest))
        yield Row("view: CPU ms/change", median(used.server for used in busy))
        yield Row("view: RSS MB", resident(page.server.pid) / 1024)
    yield from _feed(seconds)


class Used(NamedTuple):
    """What was used in a second: of the page counts and ms, of chromium's processes and the server's ms of CPU."""

    layouts: float
    styles: float
    script: float
    task: float
    chromium: float
    server: float
    wakes: float


class Served:
    """A fleet, and `apimon-node view` of it."""

    def __init__(self, stack: ExitStack) -> None:
        self.run: Rig = stack.enter_context(rig())
        self.fleet = FleetSaid(self.run)
        config = self.run.folder / "view.yaml"
        config.write_text(f"mqtt: {{host: {HOST}, port: {self.run.port}}}\n", encoding="utf-8")
        command = (sys.executable, "-m", "apimon_node", "view", "--config", str(config), "--listen", f"{HOST}:0")
        self.server: Process = self.run.start(command, subprocess.PIPE, subprocess.DEVNULL)
        assert self.server.stdout is not None
        self.url = self.server.stdout.readline().decode().strip()

    def changes(self, seconds: float, sleep: Callable[[float], None] = time.sleep) -> None:
        """Let a ticket change each second."""
        begun = time.monotonic()
        for number in range(round(seconds)):
            self.fleet.change()
            sleep(max(0.0, begun + number + 1 - time.monotonic()))


class Viewed(Served):
    """The same with a browser that shows some of the strips."""

    def __init__(self, stack: ExitStack) -> None:
        super().__init__(stack)
        self.page: Page = stack.enter_context(Watched(stack.enter_context(chromium()), viewport=SCREEN)).page
        self._cdp: CDPSession = self.page.context.new_cdp_session(self.page)
        self._cdp.send("Performance.enable")
        self.page.goto(self.url)
        self.page.locator(".strip").nth(NODES - 1).wait_for(state="attached")
        self.page.locator(".strip").nth(1).scroll_into_view_if_needed()
        self.page.evaluate(LISTEN)
        self.sleep(REST)

    def sleep(self, seconds: float) -> None:
        """Let nothing change."""
        self.page.wait_for_timeout(seconds * 1000)

    def changes(self, seconds: float, sleep: Callable[[float], None] | None = None) -> None:
        super().changes(seconds, sleep or self.sleep)

    def recorded(self, seconds: float, happen: Callable[[float], None]) -> dict[str, list[float]]:
        """Give the ms of all frames and of all long tasks meanwhile."""
        self.page.evaluate(RECORD)
        happen(seconds)
        taken: dict[str, list[float]] = self.page.evaluate("window.recorded()")
        return taken

    def metrics(self) -> dict[str, float]:
        """Give what chromium has counted of the page."""
        answer = self._cdp.send("Performance.getMetrics")
        return {metric["name"]: metric["value"] for metric in answer["metrics"]}

    def used(self, seconds: float, happen: Callable[[float], None]) -> Used:
        """Give what a window has used, with nobody who asks for frames."""
        before, begun = self._spent(), time.monotonic()
        happen(seconds)
        after, took = self._spent(), time.monotonic() - begun
        return Used(*((new - old) / took for old, new in zip(before, after, strict=True)))

    def _spent(self) -> Used:
        counted, server = self.metrics(), spent(self.server.pid)
        return Used(
            counted["LayoutCount"],
            counted["RecalcStyleCount"],
            counted["ScriptDuration"] * 1e3,
            counted["TaskDuration"] * 1e3,
            sum(map(cpu, _chromium())) / 1e6,
            server.cpu / 1e6,
            server.wakes,
        )

    def lag(self) -> float:
        """Give the ms from a change to the last frame that it led to."""
        begun = time.time()
        self.fleet.change()
        self.sleep(1.0)
        return float(self.page.evaluate("window.changedAt")) - begun * 1000


def _smooth(name: str, rounds: list[dict[str, list[float]]]) -> Iterator[Row]:
    """Give the medians of some rounds."""
    frames = [taken["frames"] for taken in rounds]
    minutes = sum(map(sum, frames)) / 60_000
    yield Row(f"{name}: frame ms, median", median(map(median, frames)), goal=SMOOTH)
    yield Row(f"{name}: frame ms, p95", median(quantiles(taken, n=20)[-1] for taken in frames), goal=LATE)
    yield Row(f"{name}: frame ms, worst", median(map(max, frames)))
    yield Row(f"{name}: long tasks/min", sum(len(taken["long"]) for taken in rounds) / minutes)
    yield Row(f"{name}: long task ms, worst", max((ms for taken in rounds for ms in taken["long"]), default=0))


def _work(name: str, per: str, rounds: list[Used]) -> Iterator[Row]:
    names = ("layouts", "style recalcs", "script ms", "main thread ms", "chromium's CPU ms")
    for what, figures in zip(names, zip(*rounds, strict=True), strict=False):
        yield Row(f"{name}: {what}/{per}", median(figures))


def _feed(seconds: float) -> Iterator[Row]:
    """Measure what a browser is sent."""
    with ExitStack() as stack:
        served = Served(stack)
        time.sleep(REST)
        listener = stack.enter_context(Listener(int(served.url.rpartition(":")[2])))
        blocks: list[str] = []
        threading.Thread(target=_read, args=(listener, blocks), daemon=True).start()
        until = time.monotonic() + TIMEOUT
        while not any(block.startswith("data: ") for block in blocks) and time.monotonic() < until:
            time.sleep(0.05)
        whole = sum(map(_size, blocks))
        blocks.clear()
        served.changes(seconds)
        time.sleep(1.0)
        told = [block for block in blocks if "event: beat" not in block]
        yield Row("feed: kB at the connection", whole / 1e3)
        yield Row("feed: kB/change", sum(map(_size, told)) / 1e3 / seconds)
        yield Row("feed: events/change", len(told) / seconds)


def _read(listener: Listener, blocks: list[str]) -> None:
    with suppress(OSError, ValueError):  # it is closed
        while block := listener.block():
            blocks.append(block)


def _size(block: str) -> int:
    return len(block.encode()) + len("\n\n")


def _chromium(parent: int | None = None) -> Iterator[int]:
    """Give the processes of the browser: below playwright's, which is below ours."""
    for child in children(os.getpid() if parent is None else parent):
        with suppress(FileNotFoundError):
            if Path(f"/proc/{child}/comm").read_text(encoding="ascii").startswith("chrom"):
                yield child
            yield from _chromium(child)
