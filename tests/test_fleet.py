"""The fleet: what is known of broker, nodes, pollers and boards, since when, and when that changes."""

import math
from typing import Any

import pytest
from looking import Looker, looking, tickets
from world import NOON

from apimon_node.clock import Instant
from apimon_node.dashboard.fleet import Fleet
from apimon_node.dashboard.heard import RENEWED_WITHIN
from apimon_node.dashboard.overview import Board, BoardState, BrokerState, Overview, StatusCount
from apimon_node.mqtt.messages import Message, Refused
from apimon_node.picture.scene import LightState, Scene

DAY = 86_400

NODE = {
    "state": "degraded",
    "faults": [
        {"name": "jira", "text": "board ops: no", "code": "auth", "since": "2026-11-23T10:00:00Z", "attempts": 0},
        {"name": "strip", "text": "strip ops: no", "attempts": 3, "retry_at": "2026-11-23T12:00:05Z"},
    ],
    "quiet": True,
    "strips": {"ops": {"driver": "spi", "milliamps": 215}},
    "boards": {"ops": {"tickets": 7}},
    "started_at": "2026-11-23T09:00:00Z",
    "version": "0.1.0",
}

POLLER = {
    "boards": {
        "ops": {
            "state": "ok",
            "detail": "7 tickets, 1 overdue",
            "checked_at": "2026-11-23T10:00:00Z",
            "next_poll_at": "2026-11-23T10:01:00Z",
        },
        "dev": {"state": "auth", "detail": "the token is refused"},
    },
    "browse": "https://jira.example.com/browse/",
    "started_at": "2026-11-23T09:00:00Z",
    "version": "0.1.0",
}

EVENT = {
    "event_type": "status_changed",
    "board": "ops",
    "at": "2026-11-23T10:00:00Z",
    "key": "OPS-7",
    "status": "In Progress",
    "summary": "It burns",
    "url": "https://jira.example.com/browse/OPS-7",
    "from": "Open",
}


def configured(pixels: int) -> dict[str, Any]:
    """Give the configuration of a strip that shows one board."""
    return {
        "boards": ["ops"],
        "pixels": pixels,
        "status_pixel": "first",
        "brightness": 1,
        "period": 2,
        "overdue_effect": "pulse",
        "looks": [{"name": "all", "match": {}, "color": "ff0000", "effect": None}],
    }


def fleet_of(nodes: int, pixels: int, board: dict[str, Any]) -> Looker:
    """Give a fleet in which each node shows one board of its own making on a strip."""
    looker = Looker()
    looker.up()
    looker.hear("tickets/ops", board)
    for number in range(nodes):
        looker.hear(f"nodes/n{number}/availability", b"online")
        looker.hear(f"nodes/n{number}/strips/ops/config", configured(pixels))
    looker.look()
    return looker


# The broker


def test_before_anything_is_heard_nothing_is_known() -> None:
    looker = Looker()

    assert looker.look() == Overview()
    assert looker.fleet.deadline(looker.instant) == math.inf


def test_the_broker_is_told_with_where_it_is_and_since_when() -> None:
    looker = Looker()
    looker.down("no route")
    connecting = looker.look().broker
    looker.run(5)
    looker.down("still no route")
    again = looker.look().broker
    looker.run(5)
    looker.up("apimon/tickets/+")
    connected = looker.look().broker

    assert connecting[:3] == (BrokerState.CONNECTING, "no route", NOON)
    assert again[:3] == (BrokerState.CONNECTING, "still no route", NOON)
    assert connected == (BrokerState.CONNECTED, "broker:1883 by MQTT 5", NOON + 10, ("apimon/tickets/+",))


def test_a_lost_broker_is_lost_since_the_first_failure() -> None:
    looker = Looker()
    looker.up()
    looker.run(10)
    looker.down("gone")
    looker.run(10)
    looker.down("no answer")

    assert looker.look().broker == (BrokerState.LOST, "no answer", NOON + 10, ())


def test_what_the_broker_does_not_take_from_us_changes_nothing() -> None:
    looker = Looker()
    looker.up()
    before = looker.look()
    looker.fleet.receive(Refused("apimon/x"), looker.instant)

    assert looker.look() == before


def test_it_listens_to_what_is_said_and_to_no_picture_and_no_command() -> None:
    assert Fleet("home/apimon").subscriptions == (
        "home/apimon/tickets/+",
        "home/apimon/nodes/+/availability",
        "home/apimon/nodes/+/status",
        "home/apimon/nodes/+/light",
        "home/apimon/nodes/+/strips/+",
        "home/apimon/nodes/+/strips/+/config",
        "home/apimon/pollers/+/availability",
        "home/apimon/pollers/+/status",
        "home/apimon/boards/+/event",
    )


def test_a_base_of_several_steps_is_one() -> None:
    fleet, now = Fleet("home/apimon"), Instant(0, NOON)
    fleet.receive(Message("home/apimon/nodes/hall/availability", b"online"), now)
    fleet.receive(Message("apimon/nodes/lab/availability", b"online"), now)

    assert list(fleet.overview(now).nodes) == ["hall"]


# Nodes and pollers


def test_a_node_is_all_that_it_has_said_of_itself() -> None:
    looker = Looker()
    looker.hear("nodes/hall/availability", b"online")
    looker.hear("nodes/hall/light", {"state": "ON", "brightness": 128, "effect": "night"})
    looker.hear("nodes/hall/status", NODE)
    node = looker.look().nodes["hall"]

    assert node[:5] == ("hall", True, "degraded", LightState(brightness=128, effect=Scene.NIGHT), True)
    assert (node.version, node.started_at, node.boards) == ("0.1.0", NOON - 3 * 3600, ("ops",))
    assert [fault[:2] for fault in node.faults] == [("jira", "board ops: no"), ("strip", "strip ops: no")]
    assert "token" in node.faults[0].advice
    assert node.faults[0].since == NOON - 2 * 3600
    assert node.faults[1][3:] == (None, 3, NOON + 5, "")


def test_what_a_fault_is_of_is_its_subject_and_of_older_nodes_the_board_that_the_text_names() -> None:
    looker = Looker()
    said = [
        {"name": "jira", "text": "board net: 401", "subject": "ops"},
        {"name": "poller", "text": "poller main is offline: board ops shows its last tickets"},
        {"name": "access", "text": "no", "subject": "apimon/\u202etickets/ops"},
        {"name": "broker", "text": "cannot reach the broker"},
    ]
    looker.hear("nodes/hall/status", {"state": "degraded", "faults": said})

    assert [fault.subject for fault in looker.look().nodes["hall"].faults] == [
        "ops",
        "ops",
        "apimon/\ufffdtickets/ops",
        "",
    ]


def test_a_node_that_has_said_little_is_known_by_that() -> None:
    looker = Looker()
    looker.hear("nodes/a/strips/ops", {"pixels": ["ff0000"], "effects": [None], "status": "ok"})
    looker.hear("nodes/b/availability", b"offline")
    overview = looker.look()

    assert overview.nodes["a"][:3] == ("a", None, None)
    assert overview.nodes["a"].strips == ("ops",)
    assert overview.nodes["b"].online is False


def test_a_node_without_a_status_shows_the_boards_of_its_strips() -> None:
    looker = fleet_of(1, 3, tickets())

    assert looker.look().nodes["n0"].boards == ("ops",)


def test_a_strip_that_its_node_no_longer_has_is_not_shown() -> None:
    looker = Looker()
    for name in ("ops", "old"):
        looker.hear(f"nodes/hall/strips/{name}", {"pixels": ["ff0000"], "effects": [None], "status": "ok"})
    before = list(looker.look().strips)
    looker.hear("nodes/hall/status", NODE)

    assert before == [("hall", "old"), ("hall", "ops")]
    assert list(looker.look().strips) == [("hall", "ops")]
    assert looker.look().nodes["hall"].strips == ("ops",)


def test_a_poller_is_told_with_each_board_and_what_to_do_about_it() -> None:
    looker = Looker()
    looker.hear("pollers/main/availability", b"online")
    looker.hear("pollers/main/status", POLLER)
    poller = looker.look().pollers["main"]

    assert (poller.id, poller.online, poller.version) == ("main", True, "0.1.0")
    dev, ops = poller.boards
    assert ops == ("ops", ("ok", "7 tickets, 1 overdue", NOON - 7200, NOON - 7140), "")
    assert (dev.name, *dev.report[:2]) == ("dev", "auth", "the token is refused")
    assert "token" in dev.advice


def test_a_poller_that_was_only_seen_to_go_is_offline() -> None:
    looker = Looker()
    looker.hear("pollers/main/availability", b"offline")

    assert looker.look().pollers["main"] == ("main", False, (), None, None, ())


def test_a_poller_s_own_faults_are_told_as_a_node_s_with_what_to_do() -> None:
    looker = Looker()
    said = {"name": "access", "text": "it may not", "since": "2026-11-23T10:00:00Z", "subject": "apimon/tickets/ops"}
    looker.hear("pollers/main/status", POLLER | {"faults": [said, 7]})
    (fault,) = looker.look().pollers["main"].faults

    assert fault[:2] == ("access", "it may not")
    assert "apimon-node acl" in fault.advice
    assert fault[3:] == (NOON - 2 * 3600, 0, None, "apimon/tickets/ops")
    looker.hear("pollers/main/status", POLLER)
    assert looker.look().pollers["main"].faults == ()


@pytest.mark.parametrize("topic", ["availability", "status", "light", "strips/ops", "strips/ops/config"])
def test_an_empty_message_forgets_what_stood_there(topic: str) -> None:
    looker = looking()
    assert looker.world is not None
    looker.run(2)
    others = Looker()
    others.hear(f"nodes/hall/{topic}", looker.world.retained[f"apimon/nodes/hall/{topic}"])
    known = others.look().nodes
    others.hear(f"nodes/hall/{topic}")

    assert list(known) == ["hall"]
    assert others.look().nodes == {}
    assert others.look().strips == {}


# Boards


def test_a_board_is_counted_by_status_at_the_moment() -> None:
    looker = Looker()
    looker.hear("tickets/ops", tickets("Open", "Done", "Open", overdue=1, at="2026-11-23T12:00:00Z"))

    assert looker.look().boards["ops"] == Board(
        "ops",
        BoardState.OK,
        3,
        1,
        (StatusCount("Done", 1, 0), StatusCount("Open", 2, 1)),
        NOON,
        None,
        "main",
        counts_only=False,
    )


def test_counts_have_no_tickets_to_lead_to() -> None:
    looker = looking()
    looker.publish("tickets/ops", {"counts": {"A": {"total": 2, "overdue": 1}}})
    looker.run(1)

    assert looker.look().boards["ops"].counts_only
    assert looker.strip().matched
    assert looker.strip().pixels[1].first == ((None, "A", None, None, None, None, None, True, None, "ops"),)


def test_a_ticket_turns_overdue_and_a_board_stale_on_time_though_nothing_comes_in() -> None:
    looker = Looker()
    late = {"key": "O-1", "status": "Open", "due": "2026-11-23T12:10:00Z"}
    looker.hear("tickets/ops", {"tickets": [late], "valid_until": "2026-11-23T12:20:00Z"})
    seen = []
    for _ in range(40):
        overview = looker.look()
        seen.append((looker.now, overview.boards["ops"].overdue, overview.boards["ops"].state.value))
        deadline = looker.fleet.deadline(looker.instant)
        if deadline == math.inf:
            break
        looker.now = deadline

    assert seen == [(0, 0, "ok"), (600, 1, "ok"), (1200, 1, "stale"), (4200, 1, "stale")]  # the last is the history's
    assert looker.fleet.deadline(looker.instant) == math.inf


def test_boards_that_somebody_names_and_nobody_publishes_are_unknown() -> None:
    looker = fleet_of(1, 3, tickets("A"))
    looker.hear("pollers/main/status", POLLER)

    boards = looker.look().boards

    assert [(board.name, board.state.value, board.total) for board in boards.values()] == [
        ("dev", "unknown", 0),
        ("ops", "ok", 1),
    ]


def test_the_same_snapshot_heard_again_is_as_old_as_it_was() -> None:
    looker = Looker(wall=0)  # no clock
    board = tickets("A", at="2026-11-23T12:00:00Z", valid_until="2026-11-23T12:10:00Z")
    looker.hear("tickets/ops", board)
    looker.look()
    looker.run(599)
    looker.hear("tickets/ops", board)  # the broker is back
    looker.look()

    assert looker.run(1).boards["ops"].state is BoardState.STALE


def test_a_clock_that_is_set_makes_stale_what_it_has_passed() -> None:
    looker = Looker(wall=0)
    looker.hear("tickets/ops", tickets("A", valid_until="2026-11-23T12:10:00Z"))
    before = looker.look().boards["ops"].state
    looker.lead = NOON + DAY

    assert before is BoardState.OK
    assert looker.look().boards["ops"].state is BoardState.STALE


def test_rare_statuses_are_counted_together() -> None:
    looker = Looker()
    looker.hear("tickets/ops", tickets("zz", "zz", *(f"s{number:02}" for number in range(40)), overdue=42))
    statuses = looker.look().boards["ops"].statuses

    assert len(statuses) == 31
    assert statuses[-2:] == (StatusCount("zz", 2, 2), StatusCount("others", 11, 11))
    assert sum(status.total for status in statuses) == 42


# Events


def test_events_are_remembered_the_newest_first() -> None:
    looker = Looker()
    for number in range(60):
        looker.hear("boards/ops/event", EVENT | {"key": f"OPS-{number}"})
    events = looker.look().events

    assert len(events) == 50
    assert [event.key for event in events[:2]] == ["OPS-59", "OPS-58"]
    assert events[0] == (
        NOON - 7200,
        "ops",
        "status_changed",
        "OPS-59",
        "In Progress",
        "Open",
        "It burns",
        "https://jira.example.com/browse/OPS-7",
    )


def test_an_event_that_the_broker_had_kept_is_none() -> None:
    looker = Looker()
    looker.hear("boards/ops/event", EVENT, retained=True)
    looker.hear("boards/ops/event", b"")

    assert looker.look().events == ()
    assert looker.look().troubles == ()


# What is wrong, and what is gone


def test_what_cannot_be_read_is_named_the_last_good_message_stays_and_the_next_clears_it() -> None:
    looker = Looker()
    looker.hear("tickets/ops", tickets("A"))
    looker.look()
    looker.hear("tickets/ops", {"tickets": 7})
    looker.hear("nodes/hall/availability", b"perhaps")
    bad = looker.look()
    looker.hear("tickets/ops", tickets("A", "B"))
    looker.hear("nodes/hall/availability", b"online")

    assert bad.troubles == (
        "board ops: refused: tickets: expected a list, got 7",
        "node hall: availability: refused: expected online or offline",
    )
    assert bad.boards["ops"].total == 1
    assert looker.look().troubles == ()
    assert looker.look().boards["ops"].total == 2


def test_a_good_message_before_a_bad_one_counts_though_nobody_looked_between() -> None:
    looker = Looker()
    looker.hear("tickets/ops", tickets("A"))
    looker.hear("tickets/ops", b"rubbish")

    assert looker.look().boards["ops"].total == 1
    assert len(looker.look().troubles) == 1


def test_what_nobody_says_again_after_a_connection_is_forgotten_after_a_minute() -> None:
    looker = Looker()
    looker.up()
    for node in ("hall", "gone"):
        looker.hear(f"nodes/{node}/availability", b"online")
    looker.hear("tickets/ops", b"rubbish")
    looker.run(600)
    looker.down()
    kept = looker.run(600)
    looker.up()
    looker.hear("nodes/hall/availability", b"online")
    before = looker.run(RENEWED_WITHIN - 1)
    due = looker.fleet.deadline(looker.instant)
    after = looker.run(1)

    assert list(kept.nodes) == list(before.nodes) == ["gone", "hall"]
    assert due == looker.now
    assert list(after.nodes) == ["hall"]
    assert (len(before.troubles), after.troubles) == (1, ())


# What it costs


def test_what_has_not_changed_is_the_same_object() -> None:
    looker = fleet_of(20, 300, tickets(*"A" * 200))
    before = looker.look()
    looker.hear("nodes/n3/light", {"state": "OFF", "brightness": 1, "effect": "tickets"})
    after = looker.look()

    assert [key for key, part in after.strips.items() if part is not before.strips[key]] == [("n3", "ops")]
    assert [key for key, part in after.nodes.items() if part is not before.nodes[key]] == ["n3"]
    assert after.boards["ops"] is before.boards["ops"]
    assert after.history["ops"] is before.history["ops"]
    assert looker.look() is after


def test_the_same_words_said_again_change_nothing() -> None:
    looker = looking()
    looker.publish("tickets/ops", tickets("A"))
    before = looker.run(400)  # new counters come every five minutes
    looker.up()
    assert looker.world is not None
    for topic, payload in looker.world.retained.items():
        looker.fleet.receive(Message(topic, payload, retained=True), looker.instant)
    after = looker.look()

    assert after.strips["hall", "ops"] is before.strips["hall", "ops"]
    assert after.nodes["hall"] is before.nodes["hall"]


def test_a_board_as_large_as_may_be_is_shown_on_twenty_strips() -> None:
    looker = fleet_of(20, 300, tickets(*"A" * 10_000, overdue=1))
    said = {"pixels": ["ff0000"] * 300, "effects": [None] * 299 + ["pulse"], "overflow": True, "status": "ok"}
    for number in range(20):
        looker.hear(f"nodes/n{number}/strips/ops", said)
    overview = looker.look()

    assert overview.boards["ops"].total == 10_000
    assert {sum(pixel.tickets for pixel in strip.pixels) for strip in overview.strips.values()} == {10_000}
    assert [ticket.key for ticket in overview.strips["n7", "ops"].pixels[299].first] == ["OPS-1"]


def test_a_strip_that_would_take_too_long_to_reckon_has_no_tickets_and_the_others_have() -> None:
    looker = fleet_of(1, 10, tickets(*"A" * 10_000))
    config = configured(10)
    looker.hear("nodes/evil/strips/a/config", config | {"boards": ["ops"] * 200, "looks": config["looks"] * 200})
    looker.hear("nodes/evil/strips/b/config", config | {"boards": ["ops"] * 200, "looks": config["looks"] * 200})
    overview = looker.look()

    assert sum(entry.tickets for entry in overview.strips["n0", "ops"].legend) == 10_000
    assert overview.strips["evil", "a"].legend == overview.strips["evil", "b"].legend == ()
    assert not overview.strips["evil", "a"].matched
