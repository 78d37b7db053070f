"""A day on which Jira is down for five hours, in simulated time: the poller, two nodes, and what people see of it."""

from itertools import pairwise

from world import NOON, World

from apimon_node.clock import Instant
from apimon_node.config.schema import parse as parse_config
from apimon_node.demo.site import Site
from apimon_node.errors import JiraError, JiraState
from apimon_node.mqtt.messages import Message, Publish, Up
from apimon_node.poller.jira.issues import tickets
from apimon_node.poller.jira.question import question
from apimon_node.poller.poller import Poller

HOUR = 3600
DOWN, UP = 8 * HOUR + 17, 13 * HOUR + 17
VALID = 2 * HOUR
OFFLINE = JiraError(JiraState.OFFLINE, "Jira's machine refuses the connection", everywhere=True)

CONFIG = """
node: {id: hall}
strips: [{name: ops, driver: memory, pixels: 10, boards: [ops]}]
looks: [{match: {status: Open}, color: red}, {color: blue}]
poller: {interval: 1m, valid_for: 2h, jira: {url: https://jira.example.com, auth: {type: none}}}
boards: [{name: ops, jql: project = OPS AND statusCategory != Done, overdue_after: {Open: 3h}}]
"""


class Day:
    """Jira, a poller and two nodes at a broker that never fails. Times are seconds from the beginning of the day."""

    def __init__(self) -> None:
        self.settings, _ = parse_config(CONFIG)
        assert self.settings.poller
        self.site = Site()
        self.now = 0.0
        self.poller = Poller(self.settings, self.instant, lambda: 0.5)
        self.nodes = [World(CONFIG) for _ in range(2)]
        self.asked: list[float] = []
        self.events: list[bytes] = []
        self.poller.receive(Up("broker", "5"), self.instant)
        for node in self.nodes:
            node.up()

    @property
    def instant(self) -> Instant:
        return Instant(self.now, NOON + self.now)

    def until(self, end: float) -> "Day":
        """Let time pass up to a moment, from one deadline to the next."""
        while self.now < end:
            self.turn()
            deadlines = (self.poller.deadline(), *(node.node.deadline() for node in self.nodes))
            self.now = min(end, max(min(deadlines), self.now + 0.001))
            for node in self.nodes:
                node.now = self.now
        self.turn()
        return self

    def turn(self) -> None:
        for board in self.poller.due(self.instant):
            self.asked.append(self.now)
            if DOWN <= self.now < UP:
                self.poller.failed(board, OFFLINE, self.instant)
            else:
                self.answer()
        for message in self.poller.outbox(self.instant):
            self.deliver(message)
        for node in self.nodes:
            node.turn()

    def answer(self) -> None:
        (board,), poller, time = self.settings.boards, self.settings.poller, NOON + self.now
        assert poller
        found = self.site.search(question(board, poller.fields).jql)
        issues = [{"key": issue.key, "fields": issue.fields(time)} for issue in found]
        made = tickets(issues, board, fields=poller.fields, now=time, zone=None)
        self.poller.answered(board, made, time, self.instant)

    def deliver(self, message: Publish) -> None:
        if message.topic.endswith("/event"):
            self.events.append(message.payload)
        for node in self.nodes:
            node.receive(Message(message.topic, message.payload))

    def seen(self) -> tuple[str, list[str | None], str]:
        """Give what both nodes say that they show: letters of the pixels, effects, and what the status pixel tells."""
        first, second = (node.shown() for node in self.nodes)
        assert first == second
        letters = "".join({"ff0000": "r", "0000ff": "b"}.get(pixel, ".") for pixel in first["pixels"])
        return letters.rstrip("."), [effect for effect in first["effects"] if effect], first["status"]


def test_a_day_on_which_jira_is_down_for_five_hours() -> None:
    day = Day()
    day.site.create("old", NOON - HOUR)
    day.site.create("fresh", NOON + DOWN - 2.5 * HOUR)  # it turns overdue while Jira is away
    day.until(DOWN - 1)
    assert day.seen() == ("rr", ["pulse"], "ok")

    # Jira goes. The last tickets stay; the status pixel tells.
    day.until(DOWN + 120)
    assert day.seen() == ("rr", ["pulse"], "connection")
    assert {node.faults["jira"] for node in day.nodes} == {"board ops: Jira's machine refuses the connection"}
    assert "stale" not in day.nodes[0].faults

    # A ticket turns overdue at its very moment.
    turns = DOWN + 0.5 * HOUR
    told = len(day.events)
    day.until(turns - 0.1)
    assert day.seen()[:2] == ("rr", ["pulse"])
    day.until(turns + 1)
    assert day.seen()[:2] == ("rr", ["pulse", "pulse"])
    assert [event for event in day.events[told:] if b'"overdue"' in event and b"OPS-2" in event] != []

    # After `valid_until` the board is stale, and dimmed, and the tickets are still there.
    last = day.nodes[0].node._boards["ops"].snapshot
    assert last
    assert last.valid_until
    assert DOWN + VALID / 2 - 60 <= last.valid_until - NOON <= DOWN + VALID
    day.until(last.valid_until - NOON - 0.1)
    assert "stale" not in day.nodes[0].faults
    day.until(last.valid_until - NOON + 1)
    assert all("stale" in node.faults for node in day.nodes)
    assert day.seen()[0] == "rr"

    # Jira comes back, and all is well within one interval: that of the back-off.
    day.site.create("new", NOON + UP - 60)
    day.until(UP + 900 + 6)
    assert day.seen() == ("rrr", ["pulse", "pulse"], "ok")
    assert all(node.faults == {} for node in day.nodes)

    outage = [moment for moment in day.asked if DOWN <= moment < UP]
    gaps = [later - earlier for earlier, later in pairwise(outage)]
    assert [round(gap) for gap in gaps[:5]] == [60, 120, 240, 480, 900]
    assert set(map(round, gaps[4:])) == {900}

    day.until(24 * HOUR)
    assert day.seen()[2] == "ok"
    after = [moment for moment in day.asked if moment > UP + 900]
    assert {round(later - earlier) for earlier, later in pairwise(after)} == {60}
