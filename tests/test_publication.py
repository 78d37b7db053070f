"""One board on its topics: what is published when, for one poller and for several that do not know of each other."""

import json
from typing import Any

import pytest

from apimon_node.clock import Instant
from apimon_node.config.schema import parse as parse_config
from apimon_node.contract.topics import Topics
from apimon_node.errors import PayloadError
from apimon_node.mqtt.messages import Publish
from apimon_node.poller.publication import Publication
from apimon_node.tickets import snapshot
from apimon_node.tickets.snapshot import Snapshot, Ticket

NOON = 1_795_435_200.0  # 2026-11-23T12:00:00Z
TICKETS = (Ticket("OPS-1", "Open", due=NOON + 3600), Ticket("OPS-2", "Open", due=NOON - 60), Ticket("OPS-3", "Review"))
OTHER = (*TICKETS, Ticket("OPS-4", "Open"))
TOPIC, SUMMARY, EVENT = "apimon/tickets/ops", "apimon/boards/ops/summary", "apimon/boards/ops/event"
INTERVAL = 60


def at(seconds: float) -> Instant:
    """Give a moment whose wall clock is an hour wrong: Jira's counts."""
    return Instant(1000 + seconds, NOON + seconds - 3600)


class Broker:
    """A topic with pollers at it: what one of them publishes stands there, and is heard by all."""

    def __init__(self, *ids: str) -> None:
        self.pollers = {name: publication(name) for name in ids}
        self.said: list[tuple[str, Publish]] = []

    def poll(self, name: str, tickets: tuple[Ticket, ...], second: float, time: float | None = None) -> None:
        poller = self.pollers[name]
        now = at(second)
        self._send(name, poller.polled(tickets, NOON + second if time is None else time, now))
        self._send(name, poller.settle(now.monotonic + INTERVAL, now))
        self.tell(name, second)

    def tell(self, name: str, second: float) -> None:
        self._send(name, self.pollers[name].tell(at(second)))

    def put(self, payload: bytes) -> None:
        for poller in self.pollers.values():
            poller.stands(snapshot.parse(payload) if payload else None)

    def heard(self, *topics: str) -> list[str]:
        """Give who has published on these topics since the last call, in order."""
        names = [name for name, message in self.said if message.topic in topics]
        self.said.clear()
        return names

    def events(self) -> list[str]:
        """Give the events since the last call, in short."""
        events = [json.loads(message.payload) for _, message in self.said if message.topic == EVENT]
        self.said.clear()
        return [f"{event['key']} {event['event_type']}" for event in events]

    def _send(self, name: str, messages: list[Publish]) -> None:
        for message in messages:
            self.said.append((name, message))
            if message.topic == TOPIC:
                self.put(message.payload)


def publication(name: str = "main", valid_for: str = "1h") -> Publication:
    settings, _ = parse_config(
        f"""
poller:
  {{id: {name}, valid_for: {valid_for}, jira: {{url: https://jira.example.com, auth: {{type: none}}}}}}
boards: [{{name: ops, jql: project = OPS}}]
"""
    )
    assert settings.poller
    return Publication(settings.boards[0], settings.poller, Topics("apimon"))


def content(messages: list[Publish], topic: str) -> Any:
    (payload,) = [message.payload for message in messages if message.topic == topic]
    return json.loads(payload)


@pytest.fixture
def one() -> Broker:
    broker = Broker("main")
    broker.poll("main", TICKETS, 0)
    return broker


# --- the snapshot ---


def test_a_snapshot_holds_the_tickets_when_that_was_how_long_it_holds_and_who_says_so() -> None:
    board = publication()
    board.polled(TICKETS, NOON + 5, at(7))
    (message,) = board.settle(at(67).monotonic, at(7))

    assert snapshot.parse(message.payload) == Snapshot(TICKETS, NOON + 5, NOON + 3605, "main")
    assert message.topic == TOPIC
    assert message.retain


def test_nothing_is_published_before_the_first_answer() -> None:
    board = publication()
    board.renew()

    assert board.settle(at(60).monotonic, at(0)) == board.tell(at(0)) == []
    assert board.deadline() == float("inf")


def test_what_stays_the_same_is_published_again_before_half_of_its_validity_is_over(one: Broker) -> None:
    one.said.clear()
    times = []
    for second in range(60, 2 * 3600, 60):
        one.poll("main", TICKETS, second)
        times += [second] * len(one.heard(TOPIC))

    assert times == [1740, 3480, 5220, 6960]


@pytest.mark.parametrize("changed", [TICKETS[:2], (), (TICKETS[0]._replace(status="Done"), *TICKETS[1:])])
def test_what_changed_is_published_at_once(one: Broker, changed: tuple[Ticket, ...]) -> None:
    one.said.clear()
    one.poll("main", changed, 60)

    (message,) = [message for _, message in one.said if message.topic == TOPIC]
    assert snapshot.parse(message.payload).tickets == changed


@pytest.mark.parametrize(
    "broken",
    [Ticket("OPS-1", "Open", created=-1.0), Ticket("OPS-1", "Open", due=9e11), Ticket("OPS-1", "Op\ud800en")],
)
def test_what_nodes_would_refuse_is_not_published_and_the_last_tickets_stay(one: Broker, broken: Ticket) -> None:
    one.said.clear()
    with pytest.raises(PayloadError):
        one.pollers["main"].polled((broken,), NOON + 60, at(60))

    assert one.pollers["main"].settle(at(120).monotonic, at(60)) == []
    assert one.pollers["main"].overdue(at(60)) == 1


def test_a_broker_that_lost_everything_gets_the_tickets_again_once(one: Broker) -> None:
    board = one.pollers["main"]
    board.renew()

    assert [message.topic for message in board.settle(at(90).monotonic, at(30))] == [TOPIC]
    assert [message.topic for message in board.tell(at(30))] == [SUMMARY]
    assert board.settle(at(90).monotonic, at(31)) == board.tell(at(31)) == []


def test_a_broker_that_kept_them_does_not(one: Broker) -> None:
    board = one.pollers["main"]
    kept = one.said[0][1]
    board.renew()
    board.stands(snapshot.parse(kept.payload))

    assert board.settle(at(90).monotonic, at(30)) == []
    assert [message.topic for message in board.tell(at(30))] == [SUMMARY]


def test_after_a_restart_what_still_holds_is_not_published_again_but_goes_on_in_our_name(one: Broker) -> None:
    kept = one.said[0][1]
    again = Broker("main")
    again.put(kept.payload)
    again.poll("main", TICKETS, 60)

    assert [message.topic for _, message in again.said] == [SUMMARY]


# --- numbers ---


def test_the_summary_counts_tickets_and_overdue_ones_by_status() -> None:
    board = publication()
    board.polled(TICKETS, NOON, at(0))
    messages = board.settle(at(60).monotonic, at(0)) + board.tell(at(0))

    assert content(messages, SUMMARY) == {
        "total": 3,
        "overdue": 1,
        "statuses": {"Open": {"total": 2, "overdue": 1}, "Review": {"total": 1, "overdue": 0}},
        "at": "2026-11-23T12:00:00Z",
    }


def test_the_summary_is_told_only_when_a_number_changed(one: Broker) -> None:
    one.said.clear()
    one.poll("main", TICKETS, 60)
    one.poll("main", (TICKETS[0]._replace(priority="High"), *TICKETS[1:]), 120)
    assert one.heard(SUMMARY) == []
    one.poll("main", OTHER, 180)
    assert one.heard(SUMMARY) == ["main"]


# --- events ---


def test_an_event_tells_what_happened_and_to_what(one: Broker) -> None:
    one.said.clear()
    one.poll("main", (TICKETS[0]._replace(status="Review"), *TICKETS[1:]), 60)

    (message,) = [message for _, message in one.said if message.topic == EVENT]
    assert not message.retain
    assert json.loads(message.payload) == {
        "event_type": "status_changed",
        "board": "ops",
        "at": "2026-11-23T12:01:00Z",
        "key": "OPS-1",
        "status": "Review",
        "due": "2026-11-23T13:00:00Z",
        "url": "https://jira.example.com/browse/OPS-1",
        "from": "Open",
    }


def test_a_ticket_turns_overdue_at_its_very_moment_by_jiras_clock_though_nobody_asks(one: Broker) -> None:
    board = one.pollers["main"]
    one.said.clear()
    assert board.deadline() == at(3600).monotonic

    one.tell("main", 3599.9)
    assert one.said == []
    one.tell("main", 3600)

    assert [message.topic for _, message in one.said] == [EVENT, SUMMARY]
    assert json.loads(one.said[1][1].payload)["overdue"] == 2
    assert one.events() == ["OPS-1 overdue"]
    assert board.deadline() == float("inf")


def test_the_first_poll_after_a_start_tells_no_event_but_the_next_do(one: Broker) -> None:
    kept = one.said[0][1]
    again = Broker("main")
    again.put(kept.payload)
    again.poll("main", OTHER, 60)
    assert again.events() == []

    again.poll("main", TICKETS, 120)
    again.poll("main", TICKETS, 180)
    assert again.events() == ["OPS-4 closed"]


def test_a_ticket_that_vanishes_for_one_poll_leaves_the_strip_but_makes_no_event(one: Broker) -> None:
    one.said.clear()
    one.poll("main", TICKETS[1:], 60)
    one.poll("main", TICKETS, 120)
    one.poll("main", TICKETS, 180)

    assert len([message for _, message in one.said if message.topic == TOPIC]) == 2
    assert one.events() == []


# --- several pollers ---


def test_a_spare_is_silent_while_the_first_works() -> None:
    both = Broker("main", "spare")
    both.poll("main", TICKETS, 0)
    both.said.clear()
    for minute in range(1, 600):
        both.poll("main", TICKETS, 60 * minute)
        both.poll("spare", TICKETS, 60 * minute + 30)

    assert set(both.heard(TOPIC, SUMMARY, EVENT)) == {"main"}


def test_a_spare_takes_over_when_half_of_the_validity_is_used_and_the_first_goes_on_silently() -> None:
    both = Broker("main", "spare")
    both.poll("main", TICKETS, 0)
    both.said.clear()
    times = []
    for minute in range(1, 61):
        both.poll("spare", TICKETS, 60 * minute)
        times += [minute] * len(both.heard(TOPIC))
    assert times == [30, 59]  # then it is its own, and renewed before half is over

    for minute in range(61, 75):
        both.poll("main", TICKETS, 60 * minute)
    assert both.heard(TOPIC, SUMMARY, EVENT) == []


def test_whoever_sees_a_change_first_publishes_it_and_tells_of_it_and_the_other_does_not() -> None:
    both = Broker("main", "spare")
    both.poll("main", TICKETS, 0)
    both.poll("spare", TICKETS, 30)
    both.said.clear()

    both.poll("spare", OTHER, 90)
    both.poll("main", OTHER, 120)

    assert both.heard(TOPIC) == ["spare"]
    both.poll("main", OTHER, 180)
    both.poll("main", OTHER[1:], 240)
    both.poll("spare", OTHER[1:], 250)
    both.poll("spare", OTHER[1:], 310)
    assert both.events() == []
    both.poll("main", OTHER[1:], 300)
    assert both.events() == ["OPS-1 closed"]


def test_only_the_one_whose_snapshot_stands_tells_that_a_ticket_turned_overdue() -> None:
    both = Broker("main", "spare")
    both.poll("main", TICKETS, 0)
    both.poll("spare", TICKETS, 30)
    both.said.clear()
    for name in ("spare", "main"):
        both.tell(name, 3600)

    assert both.heard(EVENT, SUMMARY) == ["main", "main"]


def test_an_old_answer_does_not_replace_a_newer_one_after_a_lost_connection() -> None:
    both = Broker("main", "spare")
    both.poll("main", TICKETS, 0)
    both.poll("spare", OTHER, 30)
    stood = [message for _, message in both.said if message.topic == TOPIC][-1]
    board = both.pollers["main"]
    board.renew()
    board.stands(snapshot.parse(stood.payload))

    assert board.settle(at(60).monotonic, at(40)) == []


def test_a_snapshot_from_a_clock_that_is_ahead_does_not_silence_the_others() -> None:
    both = Broker("main", "ahead")
    both.poll("ahead", (), 0, time=NOON + 86_400)
    both.poll("main", TICKETS, 1)

    assert both.heard(TOPIC) == ["ahead", "main"]


def test_a_clock_of_jiras_that_was_wrong_once_is_right_again_with_the_next_poll(one: Broker) -> None:
    one.poll("main", OTHER, 60, time=NOON + 86_400)
    one.said.clear()
    one.poll("main", OTHER, 120)

    assert [snapshot.parse(message.payload).at for _, message in one.said if message.topic == TOPIC] == [NOON + 120]
    assert silent_for_an_hour(one, OTHER, 120)


@pytest.mark.parametrize(
    ("ahead", "valid_for"), [(10**9, 10**9), (3600, 3600), (0, 10**9), (0, 2 * 3600), (0, None), (None, None)]
)
def test_times_that_no_poller_gives_do_not_stand_longer_than_until_the_next_poll(
    one: Broker, ahead: int | None, valid_for: int | None
) -> None:
    at = None if ahead is None else NOON + 60 + ahead
    until = None if at is None or valid_for is None else at + valid_for
    one.put(snapshot.dump(Snapshot(TICKETS, at, until, "stranger")))
    one.said.clear()
    one.poll("main", TICKETS, 120)

    assert one.heard(TOPIC) == ["main"]
    assert silent_for_an_hour(one, TICKETS, 120)


def silent_for_an_hour(broker: Broker, tickets: tuple[Ticket, ...], since: int) -> bool:
    """Poll on, and return whether the topic is published again only by the half of each validity."""
    broker.said.clear()
    for second in range(since + INTERVAL, since + 3600, INTERVAL):
        broker.poll("main", tickets, second)
    return len(broker.heard(TOPIC)) <= 2


@pytest.mark.parametrize("lag", [-30, -1, 1, 30])
def test_clocks_that_differ_a_little_make_no_two_pollers_take_each_others_place(lag: int) -> None:
    both = Broker("main", "spare")
    for second in range(0, 3600, INTERVAL):
        both.poll("main", TICKETS, second)
        both.poll("spare", TICKETS, second + 1, time=NOON + second + 1 + lag)

    assert len(both.heard(TOPIC)) <= 3


def test_of_two_pollers_the_one_whose_snapshots_end_sooner_publishes_alone() -> None:
    both = Broker("main", "long")
    both.pollers["long"] = publication("long", "4h")
    both.poll("long", TICKETS, 0)
    for second in range(1, 3600, INTERVAL):
        both.poll("main", TICKETS, second)
        both.poll("long", TICKETS, second + 1)

    assert both.heard(TOPIC) == ["long", *["main"] * 3]  # and then before each half of an hour


@pytest.mark.parametrize(
    "payload", [b'{"counts":{"Open":7}}', b'{"tickets":[]}', b'{"counts":{"Open":1},"source":"by-hand"}', b""]
)
def test_what_somebody_has_published_by_hand_stands_until_the_next_poll(one: Broker, payload: bytes) -> None:
    one.said.clear()
    one.put(payload)
    assert one.pollers["main"].settle(at(60).monotonic, at(30)) == []

    one.poll("main", TICKETS, 60)
    assert one.heard(TOPIC) == ["main"]
    assert one.events() == []


@pytest.mark.parametrize("lag", [0, 7, 29])
def test_two_pollers_for_a_day_tell_each_event_once(lag: int) -> None:
    both = Broker("main", "spare")
    for second in range(0, 86_400, 60):
        for name, now in (("main", second), ("spare", second + lag)):
            both.poll(name, OTHER if now // 1000 % 2 else TICKETS, now)

    events = both.events()
    assert events.count("OPS-4 created") == 43
    assert events.count("OPS-4 closed") == 43
    assert events.count("OPS-1 overdue") == 1
    assert len(events) == 87
