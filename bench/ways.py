"""How far one thing travels through the code: `python bench/ways.py [TREE]`, for this tree or a checkout of another.

For five ways it counts the functions of the package that are called, the files that they lie in, the calls, and how
often a call goes from one file into another. Counts, not times: they are the same on every machine.
"""

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

TREE = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1]).resolve()
PACKAGE = f"{TREE}{os.sep}apimon_node{os.sep}"
sys.path[:1] = [str(TREE)]

NOON = 1_795_435_200.0
"""2026-11-23T12:00:00Z"""

NODE = """
mqtt: {host: broker, port: 1883}
node: {id: hall, render_interval: 0.5s}
strips: [{name: ops, driver: memory, pixels: 40, boards: [ops], brightness: 50%}]
looks:
  - {match: {status: Open}, color: red}
  - {match: {status: [In Progress, Review]}, color: magenta, effect: steady}
  - {color: blue}
home_assistant: {enabled: false}
"""
POLLER = """
poller: {id: main, interval: 60s, jira: {url: https://jira.example.com, auth: {type: none}}}
boards: [{name: ops, jql: project = OPS, overdue_after: {Open: 3h}}]
home_assistant: {enabled: false}
"""
SNAPSHOT = b"""{"tickets": [
 {"key": "OPS-1", "status": "Open", "due": "2026-11-23T11:00:00Z"}, {"key": "OPS-2", "status": "Review"}],
 "at": "2026-11-23T12:00:00Z", "valid_until": "2026-11-23T13:00:00Z", "source": "main"}"""
ISSUE = {
    "key": "OPS-1",
    "fields": {
        "status": {"name": "Open", "statusCategory": {"key": "new"}},
        "created": "2026-11-23T08:00:00.000+0000",
        "priority": {"name": "High"},
        "summary": "Printer",
        "assignee": {"displayName": "Ann"},
    },
}


def find(*modules: str) -> Any:
    """Return the first of these modules that the tree has: their names differ from one tree to the other."""
    for name in modules:
        try:
            return importlib.import_module(f"apimon_node.{name}")
        except ImportError as error:
            if not str(error.name).startswith("apimon_node"):
                raise
    raise SystemExit(f"{TREE} has none of {', '.join(modules)}")


config = find("config.schema", "config")
Instant = find("clock", "instant").Instant
messages = find("mqtt.messages")


class Count(NamedTuple):
    """What came of one way."""

    functions: int
    files: int
    calls: int
    changes: int


def count(way: Callable[[], object]) -> Count:
    """Walk a way, and count."""
    functions: set[tuple[str, str]] = set()
    calls = changes = 0

    def see(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls, changes
        file = frame.f_code.co_filename
        if event != "call" or not file.startswith(PACKAGE) or frame.f_code.co_name.startswith("<"):
            return
        functions.add((file, frame.f_code.co_qualname))
        calls += 1
        caller = frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(PACKAGE):
            caller = caller.f_back
        changes += caller is not None and caller.f_code.co_filename != file

    sys.setprofile(see)
    try:
        way()
    finally:
        sys.setprofile(None)
    return Count(len(functions), len({file for file, _ in functions}), calls, changes)


class ShownNode:
    """A node that is connected and shows a board."""

    def __init__(self) -> None:
        self.node = find("node.node", "node").Node(config.parse(NODE)[0], at(0), lambda: 0.5)
        self._shown = find("strip.driver").Shown()
        self.node.receive(messages.Up("broker:1883", "5"), at(0))
        self.node.receive(messages.Message("apimon/tickets/ops", SNAPSHOT, retained=True), at(0))
        for second in range(3):
            self.turn(second)

    def turn(self, second: float) -> list[Any]:
        """Take a turn; return what it publishes."""
        for name in self.node.frames(at(second)):
            self.node.frame_shown(name, self._shown, at(second))
        published: list[Any] = self.node.outbox(at(second))
        self.node.remarks()
        return published


def at(second: float) -> Any:
    """Return a moment."""
    return Instant(float(second), NOON + second)


def snapshot_to_frame() -> Callable[[], object]:
    """Prepare: a snapshot comes, and its frame is handed out."""
    node = ShownNode().node
    changed = SNAPSHOT.replace(b"Review", b"Open")

    def way() -> None:
        node.receive(messages.Message("apimon/tickets/ops", changed, retained=True), at(10))
        assert node.frames(at(10))

    return way


def fault_to_status() -> Callable[[], object]:
    """Prepare: a strip fails, and the status tells."""
    shown = ShownNode()
    error = find("errors").StripError("no answer")

    def way() -> None:
        shown.node.frame_failed("ops", error, at(10))
        assert any(b"no answer" in message.payload for message in shown.turn(10))

    return way


def jira_to_snapshot() -> Callable[[], object]:
    """Prepare: an issue of Jira's JSON becomes a snapshot on the board's topic."""
    settings, _ = config.parse(POLLER)
    issues = find("poller.jira.issues", "poller.issues")
    topics = find("contract.topics", "mqtt.topics").Topics("apimon")
    publication = find("poller.publication").Publication(settings.boards[0], settings.poller, topics)

    def way() -> None:
        board, poller = settings.boards[0], settings.poller
        tickets = issues.tickets([ISSUE], board, fields=poller.fields, now=NOON, zone=None)
        publication.polled(tickets, NOON, at(0))
        assert publication.settle(60.0, at(0))

    return way


def configuration() -> Callable[[], object]:
    """Prepare: a configuration of a dozen keys is read."""
    return lambda: config.parse(NODE)


def message_to_feed() -> Callable[[], object]:
    """Prepare: a snapshot comes to the page's server, and the section that it changes is made."""
    fleet = find("dashboard.fleet").Fleet("apimon")
    sections = find("dashboard.sections").Sections()
    differences = find("view.app").differences
    node = ShownNode()
    fleet.receive(messages.Up("broker:1883", "5"), at(0))
    node.node.receive(messages.Up("broker:1883", "5"), at(20))
    for message in node.turn(20):
        fleet.receive(messages.Message(message.topic, message.payload, retained=True), at(0))
    fleet.receive(messages.Message("apimon/tickets/ops", SNAPSHOT, retained=True), at(0))
    told = sections.of(fleet.overview(at(5)))
    changed = SNAPSHOT.replace(b"Review", b"Open")

    def way() -> None:
        fleet.receive(messages.Message("apimon/tickets/ops", changed, retained=True), at(10))
        assert differences(told, sections.of(fleet.overview(at(10))))

    return way


WAYS = {
    "snapshot to frame": snapshot_to_frame,
    "strip fault to status": fault_to_status,
    "Jira's JSON to snapshot": jira_to_snapshot,
    "a configuration of a dozen keys": configuration,
    "fleet message to the page's feed": message_to_feed,
}

print(f"{'way':34}{'functions':>10}{'files':>7}{'calls':>7}{'changes of file':>17}")
for title, prepare in WAYS.items():
    functions, files, calls, changes = count(prepare())
    print(f"{title:34}{functions:10}{files:7}{calls:7}{changes:17}")
