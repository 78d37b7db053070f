"""The poller: what a poll of a large board costs, and forty boards from one poller, against the demo's Jira.

The fake answers on the same machine, in this process: of the seconds of a poll most are its own, the CPU is not.
"""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from apimon_node.demo.jira import JiraServer
from apimon_node.demo.site import Site
from bench.process import cpu, resident, settle, spent
from bench.rig import HOST, Process, Rig, rig
from bench.table import Goal, Row

CONFIG = """\
mqtt: {{host: {host}, port: {port}}}
poller: {{id: bench, interval: {interval}, valid_for: 3h, jira: {{url: '{url}', timeout: 50s, auth: {{type: none}}}}}}
boards:
"""
BOARD = "  - {{name: board{number}, jql: project = OPS AND statusCategory != Done, overdue_after: {{Open: 3h}}}}\n"
STATUS = "apimon/pollers/bench/status"
SEARCH = "/rest/api/3/search/jql"
TIMEOUT = 120.0
"""Seconds that a poll may take."""
GAP = 10.5
"""Seconds between two polls that are asked for, after which the status tells of each at once."""
LARGE = 10_000
"""Tickets on one board: the contract's limit."""
BOARDS, EACH = 40, 25
PREDECESSOR = 540
"""Requests that the predecessor made in an hour for each board: 8 searches a minute and 60 tokens."""


def polling(*, quick: bool) -> list[Row]:
    """Measure both."""
    return [*_one_board(10, 2), *_one_board(LARGE, 2 if quick else 5), *_many_boards()]


class Running(NamedTuple):
    """A poller at work, its Jira, and a file with the topic and the length of each message."""

    run: Rig
    jira: JiraServer
    process: Process
    heard: Path

    def polls(self) -> int:
        """Count the polls that have begun: each has one first page."""
        return sum(request.path == SEARCH and "nextPageToken" not in request.query for request in self.jira.requests)

    def told(self) -> int:
        """Count the status messages."""
        return self.heard.read_text(encoding="utf-8").count(f"{STATUS} ")

    def wait(self, done: Callable[[], bool]) -> None:
        """Wait for something that the poller does."""
        until = time.monotonic() + TIMEOUT
        while not done():
            if time.monotonic() > until or self.process.poll() is not None:
                raise TimeoutError((self.run.folder / "poller.log").read_text(encoding="utf-8"))
            time.sleep(0.005)

    def sent(self) -> Counter[str]:
        """Count the bytes published so far, by the last part of the topic."""
        lines = self.heard.read_text(encoding="utf-8").split("\n")[:-1]
        sent: Counter[str] = Counter()
        for topic, length in (line.rsplit(" ", 1) for line in lines):
            sent["tickets" if "/tickets/" in topic else topic.rpartition("/")[2]] += int(length)
        return sent


@contextmanager
def _poller(boards: int, tickets: int, interval: str) -> Iterator[Running]:
    site = Site()
    for number in range(tickets):
        site.create(f"Lamp {number}", time.time() - number)
    with rig() as run, JiraServer(site, cloud=True) as jira:
        config = run.folder / "poller.yaml"
        text = CONFIG.format(host=HOST, port=run.port, url=jira.url, interval=interval)
        config.write_text(text + "".join(BOARD.format(number=number) for number in range(boards)), encoding="utf-8")
        heard = run.folder / "heard"
        with heard.open("wb") as file:
            run.sub("apimon/#", "-F", "%t %l", stdout=file.fileno())
        time.sleep(0.5)
        with (run.folder / "poller.log").open("wb") as log:
            command = (sys.executable, "-m", "apimon_node", "poll", "--config", str(config))
            process = run.start(command, subprocess.DEVNULL, log)
        yield Running(run, jira, process, heard)


def _one_board(tickets: int, polls: int) -> Iterator[Row]:
    with _poller(1, tickets, "1h") as at_work:
        at_work.wait(lambda: "tickets" in at_work.sent())
        time.sleep(GAP)
        settle([at_work.process.pid])
        before, bytes_before, asked = cpu(at_work.process.pid), at_work.sent(), len(at_work.jira.requests)
        seconds = []
        for _ in range(polls):
            begun, told = time.monotonic(), at_work.told()
            at_work.run.publish(b"", "apimon/pollers/bench/request/poll")
            at_work.run.flush()
            at_work.wait(lambda told=told: at_work.told() > told)  # type: ignore[misc]
            seconds.append(time.monotonic() - begun)
            time.sleep(max(0.0, GAP - seconds[-1]))
        settle([at_work.process.pid])
        used = (cpu(at_work.process.pid) - before) / 1e6 / polls
        sent = at_work.sent() - bytes_before
        yield Row(f"poll of {tickets} tickets: CPU ms", used)
        yield Row(f"poll of {tickets} tickets: seconds, least", min(seconds))
        yield Row(f"poll of {tickets} tickets: requests", (len(at_work.jira.requests) - asked) / polls)
        yield Row(f"poll of {tickets} tickets: RSS MB", resident(at_work.process.pid) / 1024)
        told = sum(sent[kind] for kind in ("tickets", "summary", "event"))
        yield Row(f"nothing changed, {tickets} tickets: bytes a poll", told / polls, goal=Goal(0))
        yield Row(f"nothing changed, {tickets} tickets: bytes of status", sent["status"] / polls)


def _many_boards() -> Iterator[Row]:
    seconds = 60.0  # the interval: each board is asked once
    with _poller(BOARDS, EACH, f"{seconds:g}s") as at_work:
        at_work.wait(lambda: at_work.polls() >= BOARDS)
        time.sleep(GAP)
        settle([at_work.process.pid])
        before, asked, told = spent(at_work.process.pid), len(at_work.jira.requests), at_work.sent()
        time.sleep(seconds)
        after = spent(at_work.process.pid)
        hourly = (len(at_work.jira.requests) - asked) * 3600 / seconds / BOARDS
        sent = at_work.sent() - told
        name = f"{BOARDS} boards of {EACH}"
        yield Row(f"{name}: requests an hour and board", hourly, goal=Goal(PREDECESSOR))
        yield Row(f"{name}: CPU ms/min", (after.cpu - before.cpu) / 1e6 * 60 / seconds)
        yield Row(f"{name}: wake-ups/s", (after.wakes - before.wakes) / seconds)
        yield Row(f"{name}: bytes/min, all but status", (sent.total() - sent["status"]) * 60 / seconds, goal=Goal(0))
        yield Row(f"{name}: bytes/min of status", sent["status"] * 60 / seconds)
        yield Row(f"{name}: RSS MB", resident(at_work.process.pid) / 1024)
