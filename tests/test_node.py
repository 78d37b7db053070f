"""The node's promises, in simulated time: what it shows, says, and when it writes."""

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from world import CONFIG, NOON, World

from apimon_node import wire
from apimon_node.config.settings import MqttSettings, TlsSettings, Transport
from apimon_node.errors import Failure, StripError
from apimon_node.mqtt import inbox
from apimon_node.mqtt.messages import Message, Publish, Refused, Up
from apimon_node.mqtt.requests import why_ignored
from apimon_node.node.display import IMAGE_EVERY
from apimon_node.node.node import RESTART_EVERY
from apimon_node.picture.image import png
from apimon_node.picture.layout import Pixel
from apimon_node.tickets import snapshot

DAY = 24 * 3600
RED, GREEN, BLUE, WHITE, ORANGE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (255, 110, 0)


def pixel(frame: bytes, at: int) -> tuple[int, ...]:
    return tuple(frame[3 * at : 3 * at + 3])


def is_orange(color: tuple[int, ...]) -> bool:
    red, green, blue = color
    return red > green > blue == 0 and abs(green / red - 110 / 255) < 0.05


def is_red(color: tuple[int, ...]) -> bool:
    return color[0] > 0 == color[1] == color[2]


# What is on the strip


def test_tickets_are_drawn_grouped_in_the_order_of_the_looks() -> None:
    world = World().started(B=2, A=3)

    assert world.colors() == "rrrgg....."
    assert world.shown()["pixels"] == ["ff0000"] * 3 + ["00ff00"] * 2 + ["000000"] * 5


def test_overdue_tickets_pulse_at_the_end_of_their_group() -> None:
    world = World().started(A={"total": 3, "overdue": 1}, B=1)

    assert world.shown()["effects"] == [None, None, "pulse", None] + [None] * 6
    assert len({frame[6:9] for _, frame in world.writes}) > 1
    assert {frame[0:3].hex() for _, frame in world.writes} == {"ff0000"}


def test_the_first_frame_waits_for_the_tickets_that_the_broker_kept() -> None:
    world = World()
    world.run(0.2)
    world.up()
    world.turn()
    assert world.writes == []

    world.counts(A=1)
    world.turn()

    assert [time for time, _ in world.writes] == [0.2]


def test_without_tickets_the_first_frame_comes_after_a_second() -> None:
    world = World()
    world.up()
    world.run(1.1)

    assert [time for time, _ in world.writes] == [1.0]
    assert is_orange(pixel(world.writes[0][1], 0))


def test_tickets_that_no_look_matches_are_counted_in_the_status_only() -> None:
    world = World().started(A=1, Elsewhere=4)

    assert world.colors() == "r........."
    assert world.status["strips"]["ops"]["unmatched"] == 4
    assert world.status["boards"]["ops"]["tickets"] == 5


def test_several_boards_share_a_strip() -> None:
    text = (
        "node: {id: hall}\nstrips: [{name: both, driver: memory, pixels: 6, boards: [one, two]}]\n"
        "looks: [{match: {status: A}, color: red}, {color: blue}]"
    )
    world = World(text)
    world.up()
    world.counts("one", A=1, X=1)
    world.counts("two", A=2)
    world.turn()

    assert world.colors() == "rrrb.."


def test_two_strips_show_their_own_boards() -> None:
    text = (
        "node: {id: hall}\nlooks: [{color: red}]\nstrips:\n"
        "- {name: one, driver: memory, pixels: 3, boards: [one]}\n"
        "- {name: two, driver: memory, pixels: 3, boards: [two]}"
    )
    world = World(text)
    world.up()
    world.counts("one", A=1)
    world.counts("two", A=2)
    world.turn()

    assert world.strips["one"].frames[-1].hex() == "ff0000" + "000000" * 2
    assert world.strips["two"].frames[-1].hex() == "ff0000" * 2 + "000000"


def test_a_cleared_board_is_unknown_not_empty() -> None:
    world = World().started(A=2)

    world.message("tickets/ops", b"")
    world.run(1)

    assert world.shown()["pixels"] == ["000000"] * 10
    assert world.status["boards"]["ops"] == {"tickets": 0, "overdue": 0, "stale": True, "at": None}
    assert is_orange(pixel(world.writes[-1][1], 0))


def test_an_empty_board_is_all_well() -> None:
    world = World()
    world.up()
    world.message("tickets/ops", {"tickets": []})
    world.run(2)

    assert world.colors() == "." * 10
    assert world.status["state"] == "ok"


# When it is written


def test_a_static_board_costs_a_write_a_minute() -> None:
    world = World()
    world.up()
    world.counts(A=3)

    world.run(DAY)

    assert len(world.writes) == 1440 + 1  # the day's last second begins a minute of its own


def test_a_pulsing_ticket_costs_two_writes_a_second_at_most() -> None:
    world = World()
    world.up()
    world.counts(A={"total": 1, "overdue": 1})

    world.run(3600)

    assert all(later - earlier >= 0.5 - 1e-9 for (earlier, _), (later, _) in pairwise(world.writes))
    assert len(world.writes) <= 7201
    assert world.wakes <= 7210


def test_a_thousand_changes_in_a_second_cost_two_writes_and_the_last_one_is_shown() -> None:
    world = World(pixels=1000).started(A=1)
    world.run(60)
    start, before = world.now, len(world.writes)

    for number in range(1000):
        world.counts(B=number + 1)
        world.now = start + number / 1000
        world.turn()

    assert len(world.writes) - before == 2
    world.run(1)
    assert world.writes[-1][1] == bytes((0, 255, 0)) * 1000
    assert world.writes[-1][0] - start == pytest.approx(1.0)


def test_a_flood_of_changes_is_not_answered_with_a_flood_of_messages() -> None:
    world = World().started(A=1)
    world.run(60)
    world.sent.clear()
    start = world.now

    for number in range(1000):
        world.counts(B=number % 10 + 1)
        world.now = start + number / 1000
        world.turn()

    said = [message.topic for message in world.sent]
    assert said.count("apimon/nodes/hall/strips/ops") <= 5
    assert said.count("apimon/nodes/hall/status") <= 5


def test_of_a_flood_only_the_last_snapshot_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World().started(A=1)
    world.run(60)
    read: list[bytes] = []
    parse = snapshot.parse

    def count(payload: bytes) -> snapshot.Snapshot:
        read.append(payload)
        return parse(payload)

    monkeypatch.setattr(snapshot, "parse", count)

    for number in range(500):
        world.counts(B=number % 10 + 1)
    world.turn()

    assert len(read) == 1
    assert world.colors() == "gggggggggg"


def test_the_first_change_after_quiet_is_shown_at_once() -> None:
    world = World().started(A=1)
    world.run(100.3)

    world.counts(A=2)
    world.turn()

    assert world.writes[-1][0] == world.now
    assert world.colors() == "rr........"


def test_a_change_within_the_interval_is_shown_at_its_end() -> None:
    world = World().started(A=1)
    world.run(20)
    world.counts(A=2)
    world.turn()
    first = world.writes[-1][0]
    world.now += 0.2
    world.counts(A=3)
    world.run(2)

    assert [time for time, _ in world.writes if time > first] == [first + 0.5]
    assert world.colors() == "rrr......."


def test_a_node_at_rest_asks_for_two_wakes_a_minute_at_most() -> None:
    world = World().started(A=1)
    world.wakes = 0

    world.run(3600)

    assert world.wakes <= 2 * 60


# Time


def test_a_ticket_turns_overdue_on_time_without_any_message() -> None:
    world = World()
    world.up()
    world.message("tickets/ops", {"tickets": [{"key": "X-1", "status": "A", "due": wire.format_time(NOON + 600)}]})
    world.run(599)
    assert world.shown()["effects"][0] is None

    world.run(1.5)

    assert world.shown()["effects"][0] == "pulse"
    assert world.status["boards"]["ops"]["overdue"] == 1


NEW = """
node: {id: hall}
strips: [{name: ops, driver: memory, pixels: 10, boards: [ops]}]
looks:
  - {match: {younger_than: 10m}, color: white, effect: blink}
  - {match: {status: A, older_than: 2h}, color: blue}
  - {match: {status: A}, color: red}
"""


def created(*after: float, **more: str) -> dict[str, Any]:
    """Make a snapshot of tickets that were created some seconds after noon."""
    return {
        "tickets": [
            {"key": f"X-{number}", "status": "A", "created": wire.format_time(NOON + seconds)} | more
            for number, seconds in enumerate(after)
        ]
    }


def test_a_new_ticket_flashes_for_ten_minutes_and_no_message_ends_it() -> None:
    world = World(NEW)
    world.up()
    world.message("tickets/ops", created(0))

    world.run(599.9)
    assert world.shown()["pixels"][0] == "ffffff"
    assert world.shown()["effects"][0] == "blink"

    world.run(0.1)  # 12:10:00
    assert world.shown()["pixels"][0] == "ff0000"
    assert world.shown()["effects"][0] is None

    world.run(0.5)
    assert world.colors() == "r........."
    assert {pixel(frame, 0) for time, frame in world.writes if time < 600} == {WHITE, (0, 0, 0)}


def test_a_day_with_a_new_ticket_costs_no_wake_but_for_its_flashing_and_its_ages() -> None:
    young = World(NEW)
    young.up()
    young.message("tickets/ops", created(0))
    young.run(601)
    young.wakes = 0
    young.run(DAY)

    old = World(NEW)
    old.up()
    old.message("tickets/ops", created(-DAY))
    old.run(601)
    old.wakes = 0
    old.run(DAY)

    assert young.shown()["pixels"] == old.shown()["pixels"] == ["0000ff"] + ["000000"] * 9
    assert old.wakes <= 2 * 1440
    assert young.wakes - old.wakes <= 2  # two hours: the moment itself, and the frame


def test_tickets_reach_each_age_by_themselves_in_the_order_of_their_creation() -> None:
    world = World(NEW)
    world.up()
    world.message("tickets/ops", created(0, -300, -7200 + 900))
    seen: dict[tuple[str, ...], float] = {}
    for _ in range(2 * 3600 + 10):
        world.run(1)
        seen.setdefault(tuple(world.shown()["pixels"][:3]), world.now)

    white, red, blue = "ffffff", "ff0000", "0000ff"
    assert seen == {
        (white, white, red): 1,
        (white, red, red): 300,
        (red, red, red): 600,
        (blue, red, red): 900,
        (blue, blue, red): 6900,
        (blue, blue, blue): 7200,
    }


def test_a_new_ticket_that_is_overdue_does_what_overdue_ones_do_in_the_colour_of_new_ones() -> None:
    world = World(NEW)
    world.up()
    world.message("tickets/ops", created(0, due=wire.format_time(NOON + 60)))

    world.run(60)
    assert (world.shown()["pixels"][0], world.shown()["effects"][0]) == ("ffffff", "pulse")

    world.run(540)
    assert (world.shown()["pixels"][0], world.shown()["effects"][0]) == ("ff0000", "pulse")


def test_counts_have_no_age_and_are_drawn_as_if_no_look_asked_for_one() -> None:
    world = World(NEW).started(A={"total": 3, "overdue": 1})

    assert world.shown()["pixels"][:4] == ["ff0000"] * 3 + ["000000"]
    assert world.shown()["effects"][:3] == [None, None, "pulse"]


def test_without_a_clock_a_new_ticket_flashes_by_the_time_of_its_snapshot() -> None:
    world = World(NEW, wall=0.0)
    world.up()
    world.message("tickets/ops", created(-300) | {"at": wire.format_time(NOON)})

    world.run(299.9)
    assert world.shown()["effects"][0] == "blink"

    world.run(0.1)
    assert world.shown()["effects"][0] is None


def test_without_any_time_what_was_created_in_years_to_come_is_new_until_the_clock_is_set() -> None:
    world = World(NEW, wall=100.0)
    world.up()
    world.message("tickets/ops", created(-3600))
    world.run(10)
    assert world.shown()["effects"][0] == "blink"

    world.lead = NOON
    world.run(1)

    assert (world.shown()["pixels"][0], world.shown()["effects"][0]) == ("ff0000", None)


def test_ten_thousand_tickets_wake_the_node_for_what_is_to_be_seen_and_for_nothing_else() -> None:
    world = World(NEW)
    world.up()
    world.message("tickets/ops", created(0, *(-DAY - number for number in range(9_999))))
    world.run(599)
    assert set(world.shown()["pixels"]) == {"ffffff", "0000ff"}
    world.wakes = 0

    world.run(3600)

    assert set(world.shown()["pixels"]) == {"ff0000", "0000ff"}
    assert world.wakes <= 2 * 3600 + 5  # more tickets than pixels: the last one pulses


def test_the_first_thing_to_try_shows_with_the_shipped_looks_what_the_readme_says() -> None:
    world = World(Path("config.yaml").read_text(encoding="utf-8").replace("hallway", "hall"))
    world.started(Open=3, **{"In Progress": {"total": 2, "overdue": 1}})

    assert world.shown()["pixels"][:6] == ["ff0000"] * 3 + ["ff00ff"] * 2 + ["000000"]
    assert world.shown()["effects"][:6] == [None] * 4 + ["pulse", None]


def test_an_expired_board_stays_dimmed_with_an_orange_pixel_until_the_next_snapshot() -> None:
    world = World()
    world.up()
    world.message("tickets/ops", {"counts": {"A": 2}, "valid_until": wire.format_time(NOON + 60)})
    world.run(61)

    assert is_orange(pixel(world.writes[-1][1], 0))
    assert 0 < pixel(world.writes[-1][1], 1)[0] < 128
    assert "stale" in world.faults
    assert world.shown()["pixels"][:2] == ["ff0000"] * 2

    world.counts(A=2)
    world.run(1)

    assert world.colors() == "rr........"
    assert world.status["state"] == "ok"


def test_without_a_clock_tickets_still_turn_overdue_by_the_time_of_their_snapshot() -> None:
    world = World(wall=0.0)
    world.up()
    snapshot = {
        "at": wire.format_time(NOON),
        "tickets": [{"key": "X-1", "status": "A", "due": wire.format_time(NOON + 60)}],
    }
    world.message("tickets/ops", snapshot)
    world.run(50)
    assert world.status["boards"]["ops"]["overdue"] == 0

    world.run(11)
    assert world.status["boards"]["ops"]["overdue"] == 1

    world.down()
    world.up()
    world.message("tickets/ops", snapshot)  # the broker has kept it
    world.run(5)
    assert world.status["boards"]["ops"]["overdue"] == 1


def test_a_clock_that_is_set_counts_at_the_next_wake() -> None:
    world = World(wall=100.0)
    world.up()
    world.message("tickets/ops", {"tickets": [{"key": "X-1", "status": "A", "due": wire.format_time(NOON)}]})
    world.run(10)
    assert world.status["boards"]["ops"]["overdue"] == 0

    world.lead = NOON
    world.run(60)

    assert world.status["boards"]["ops"]["overdue"] == 1
    assert world.status["started_at"] == "2026-11-23T12:00:00Z"


def test_a_clock_that_is_set_puts_right_since_when_there_is_a_fault() -> None:
    world = World(wall=100.0)
    world.up()
    world.run(5)
    assert world.status["faults"][0]["since"].startswith("1970")

    world.lead = NOON
    world.run(60)

    assert world.status["faults"][0]["since"] == "2026-11-23T12:00:01Z"


@pytest.mark.parametrize("interval", ["10ms", "0.5s", "1s", "2s", "4s", "60s"])
def test_effects_move_at_every_pace(interval: str) -> None:
    text = (
        f"node: {{id: hall, render_interval: {interval}}}\n"
        "strips: [{name: ops, driver: memory, pixels: 2, boards: [ops]}]\n"
        "looks: [{match: {status: A}, color: red}, {color: red, effect: blink}]"
    )
    world = World(text)
    world.up()
    world.counts(A={"total": 1, "overdue": 1}, B=1)
    world.run(float(world.settings.node.render_interval if world.settings.node else 0) * 10 + 10)

    pulses, blinks = ({frame[at] for _, frame in world.writes} for at in (0, 3))
    assert max(pulses) - min(pulses) > 100
    assert blinks == {0, 255}


# Trouble


def test_orange_within_two_seconds_of_a_lost_broker_and_all_is_said_again_when_it_is_back() -> None:
    world = World().started(A=2)
    lost = world.now
    world.down("the connection to the broker was lost")
    world.run(5)
    orange = next(time for time, frame in world.writes if time > lost and is_orange(pixel(frame, 0)))
    assert orange - lost < 2
    assert world.colors()[1] == "r"

    world.sent.clear()
    world.up()
    world.run(1)

    assert {message.topic for message in world.sent} == set(world.retained)
    assert world.sent[0] == Publish("apimon/nodes/hall/availability", b"online")
    assert world.colors() == "rr........"
    assert world.status["faults"] == []
    assert "the connection to the broker was lost" in world.log
    assert "broker: well again" in world.log


def test_a_broker_that_is_back_within_a_second_is_no_fault() -> None:
    world = World().started(A=2)
    before = len(world.writes)

    world.down()
    world.run(0.5)
    world.up()
    world.run(5)

    assert len(world.writes) == before
    assert not [line for line in world.log if line.startswith("broker")]


def test_a_node_that_starts_before_its_broker_shows_orange() -> None:
    world = World()
    world.run(60)

    assert is_orange(pixel(world.writes[-1][1], 0))


def test_subscriptions_that_are_refused_are_a_fault() -> None:
    world = World()
    world.receive(Up("broker:1883", "5", denied=("apimon/tickets/ops",)))
    world.run(2)

    assert "apimon/tickets/ops" in world.faults["access"]


def test_a_topic_that_it_may_not_write_is_a_fault_until_the_next_connection() -> None:
    world = World().started(A=1)

    world.receive(Refused("apimon/nodes/hall/strips/ops"))
    world.run(1)

    assert world.faults["access"].startswith("the broker refuses to let this node write apimon/nodes/hall/strips/ops")
    assert is_orange(pixel(world.writes[-1][1], 0))

    world.down()
    world.up()
    world.run(2)
    assert world.status["state"] == "ok"


def test_a_message_that_the_broker_does_not_take_for_another_reason_is_told() -> None:
    world = World().started(A=1)

    world.receive(Refused("apimon/nodes/hall/strips/ops", "it is larger than the broker takes (20 bytes)"))
    world.run(1)

    assert world.faults["access"] == "it is larger than the broker takes (20 bytes)"


@pytest.mark.parametrize(
    ("mqtt", "options"),
    [
        (MqttSettings(transport=Transport.UNIX, socket=Path("/a b")), "--unix '/a b'"),
        (MqttSettings(tls=TlsSettings()), "-h localhost -p 1883 --tls-use-os-certs"),
        (MqttSettings(port=8883, tls=TlsSettings(Path("/ca.crt"))), "-h localhost -p 8883 --cafile /ca.crt"),
        (MqttSettings(port=9001, transport=Transport.WEBSOCKETS), "-h localhost"),
    ],
)
def test_how_to_clear_a_retained_request_depends_on_the_way_to_the_broker(mqtt: MqttSettings, options: str) -> None:
    text = why_ignored(Message("apimon/x", b"", retained=True), "x", mqtt)

    assert text == f"ignored the retained request x; clear it with: mosquitto_pub {options} -t apimon/x -n -r"


def test_a_poller_that_is_gone_is_told_and_the_tickets_stay() -> None:
    world = World()
    world.up()
    world.message("pollers/main/availability", b"online", retained=True)
    world.message("tickets/ops", {"counts": {"A": 2}, "source": "main"})
    world.run(2)
    assert world.status["state"] == "ok"

    world.message("pollers/main/availability", b"offline")
    world.run(1)

    assert world.faults["poller"] == "poller main is offline: board ops shows its last tickets"
    assert is_orange(pixel(world.writes[-1][1], 0))
    assert world.colors()[1] == "r"

    world.message("pollers/main/availability", b"online")
    world.run(1)
    assert world.status["state"] == "ok"


def test_another_poller_that_is_gone_is_nobodys_trouble() -> None:
    world = World()
    world.up()
    world.message("tickets/ops", {"counts": {"A": 2}, "source": "main"})
    world.message("pollers/spare/availability", b"offline")
    world.run(2)

    assert world.status["state"] == "ok"


def test_jira_trouble_is_told_with_its_cause() -> None:
    world = World()
    world.up()
    world.message("tickets/ops", {"counts": {"A": 2}, "source": "main"})
    report = {"state": "auth", "detail": "Jira refuses the token"}
    world.message("pollers/main/status", {"boards": {"ops": report}})
    world.run(2)

    fault = world.status["faults"][0]
    assert (fault["name"], fault["code"], fault["text"]) == ("jira", "auth", "board ops: Jira refuses the token")
    assert world.shown()["status"] == "connection"

    world.message("pollers/main/status", {"boards": {"ops": {"state": "ok", "detail": ""}}})
    world.run(1)
    assert world.shown()["status"] == "ok"


BAD = {
    "no JSON": b"rubbish",
    "wrong type": b'{"tickets":[{"key":"X-1","status":7}]}',
    "more than 2 MiB": b'{"tickets":"' + b"x" * 2**21 + b'"}',
    "20,000 tickets": json.dumps({"counts": {"A": 20_000}}).encode(),
    "20,000 tickets one by one": json.dumps(
        {"tickets": [{"key": f"X-{n}", "status": "A"} for n in range(20_000)]}
    ).encode(),
    "deep nesting": b'{"tickets":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "NaN": b'{"counts":{"A":NaN}}',
    "duplicate keys": b'{"counts":{"A":1,"A":2}}',
    "invalid UTF-8": b'{"counts":{"\xff":1}}',
}


@pytest.mark.parametrize("payload", BAD.values(), ids=BAD.keys())
def test_a_bad_payload_is_refused_whole_and_told_until_the_next_good_one(payload: bytes) -> None:
    world = World().started(A=2)
    before = world.now

    world.message("tickets/ops", payload)
    world.run(1)

    assert world.faults["payload"].startswith("board ops: refused: ")
    assert world.status["state"] == "degraded"
    assert world.status["faults"][0]["since"] == wire.format_time(int(NOON + before))
    assert world.colors() == "rr........"

    world.counts(A=3)
    world.run(1)

    assert world.status["faults"] == []
    assert world.colors() == "rrr......."


@pytest.mark.parametrize("topic", ["availability", "status"])
def test_rubbish_from_a_poller_is_a_fault_not_a_crash(topic: str) -> None:
    world = World().started(A=1)
    world.message("tickets/ops", {"counts": {"A": 1}, "source": "main"})

    world.message(f"pollers/main/{topic}", b"[1,")
    world.message(f"pollers/stranger/{topic}", b"[1,")
    world.run(1)

    assert world.faults["payload"].startswith(f"poller main: refused: {topic}: ")
    assert len(world.status["faults"]) == 1

    world.counts(A=1)  # from nobody in particular: that poller does not matter any more
    world.run(1)
    assert world.status["state"] == "ok"


def test_a_strip_that_fails_is_owed_its_frame_until_it_takes_it() -> None:
    world = World().started(A=1)
    world.run(60)
    world.strip.fail("no answer", "no answer", "no answer")

    world.counts(A=2)
    world.run(0.6)
    assert world.status["state"] == "error"
    fault = world.status["faults"][0]
    assert (fault["name"], fault["text"]) == ("strip", "strip ops: no answer")
    assert fault["retry_at"] is not None

    world.run(10)

    assert world.colors() == "rr........"
    assert world.status["state"] == "ok"
    counters = world.status["strips"]["ops"]
    assert (counters["failures"], counters["recoveries"], counters["last_error"]) == (3, 1, "no answer")
    assert [line for line in world.log if "strip" in line] == ["strip ops: no answer", "strip ops: well again"]


def test_one_broken_strip_turns_the_other_ones_status_pixel_red() -> None:
    text = (
        "node: {id: hall}\nlooks: [{color: lime}]\nstrips:\n"
        "- {name: one, driver: memory, pixels: 3, boards: [ops]}\n"
        "- {name: two, driver: memory, pixels: 3, boards: [ops]}"
    )
    world = World(text)
    world.strips["one"].fail(*["broken"] * 100)
    world.up()
    world.counts(A=2)
    world.run(3)

    assert is_red(pixel(world.strips["two"].frames[-1], 0))
    assert world.strips["two"].frames[-1][3:6].hex() == "00ff00"


def test_a_bad_payload_close_behind_a_good_one_does_not_take_it_along() -> None:
    world = World().started(A=1)
    world.run(10)

    world.counts(A=3, B=2)
    world.message("tickets/ops", b"rubbish")
    world.run(1)

    assert world.colors() == "rrrgg....."
    assert "payload" in world.faults


def test_what_a_poller_said_well_counts_though_rubbish_follows() -> None:
    world = World()
    world.up()
    world.message("tickets/ops", {"counts": {"A": 2}, "source": "main"})
    world.run(2)

    world.message("pollers/main/availability", b"offline")
    world.message("pollers/main/availability", b"bogus")
    world.run(1)

    assert set(world.faults) == {"poller", "payload"}


def test_a_strip_that_is_written_seldom_makes_no_node_slow() -> None:
    text = (
        "node: {id: hall, render_interval: 60s}\nlooks: [{color: red}]\n"
        "strips: [{name: ops, driver: memory, pixels: 3, boards: [ops, web]}]"
    )
    world = World(text)
    world.run(0.1)
    world.up()
    world.turn()
    world.counts(A=1)
    world.run(2)

    assert world.writes
    assert world.faults == {"stale": "board web: nobody publishes its tickets"}


def test_a_board_that_is_unknown_stays_so_over_a_lost_connection() -> None:
    world = World()
    world.up()
    world.run(5)
    since = world.status["faults"][0]["since"]

    world.down()
    world.run(5)
    world.up()
    world.run(5)

    assert "stale ops: well again" not in world.log
    assert world.status["faults"][0]["since"] == since


def test_the_number_of_tickets_that_no_look_matches_is_told_when_it_changes() -> None:
    world = World().started(A=2)

    world.counts(Elsewhere=2)
    world.run(1)

    assert world.status["strips"]["ops"]["unmatched"] == 2


def test_a_clock_that_is_set_while_a_message_waits_gives_its_fault_the_right_time() -> None:
    world = World(wall=0.0).started(A=1)
    world.run(10)

    world.message("tickets/ops", b"rubbish")
    world.lead = NOON
    world.run(1)

    assert world.status["faults"][0]["since"].startswith("2026-11-23T12:00:")


def test_a_topic_that_it_may_not_read_is_told_once_and_so_is_the_end_of_it() -> None:
    world = World()
    for _ in range(3):
        world.receive(Up("broker:1883", "5", denied=("apimon/tickets/ops",)))
        world.run(1)
        world.down()
    world.up()
    world.run(1)

    told = [line for line in world.log if "apimon/tickets/ops" in line]
    assert told == [
        "the broker refuses to let this node read apimon/tickets/ops: check its access list",
        "access apimon/tickets/ops: well again",
    ]


def test_answers_that_may_not_be_written_are_one_fault() -> None:
    world = World().started(A=1)

    for number in range(100):
        world.receive(Refused(f"apimon/nodes/hall/response/x{number}"))
    world.run(1)

    assert len(world.status["faults"]) == 1
    assert "response/+" in world.faults["access"]


def test_topics_that_somebody_invents_do_not_fill_the_memory() -> None:
    world = World().started(A=1)

    for number in range(3 * inbox.TOPICS):
        world.message(f"pollers/x{number}/status", b"x")

    assert len(world.node._inbox.drain()) <= inbox.TOPICS


# Requests


def test_identify_makes_the_whole_strip_blink_and_gives_the_picture_back() -> None:
    world = World().started(A=2)
    before = len(world.writes)

    world.message("nodes/hall/request/identify", {"transaction": "t1"})
    world.run(10)

    answer = next(message for message in world.sent if message.topic == "apimon/nodes/hall/response/identify")
    assert json.loads(answer.payload) == {"status": "ok", "transaction": "t1"}
    assert not answer.retain
    frames = {frame for _, frame in world.writes[before:]}
    assert bytes([255] * 30) in frames
    assert world.colors() == "rr........"


def test_the_self_test_walks_every_colour_over_every_pixel_and_gives_the_picture_back() -> None:
    world = World().started(A=2)
    before = len(world.writes)

    world.message("nodes/hall/request/self_test", {"transaction": 1})
    world.run(10)

    answer = next(message for message in world.sent if message.topic == "apimon/nodes/hall/response/self_test")
    assert json.loads(answer.payload) == {"status": "ok", "transaction": 1}
    times, frames = zip(*world.writes[before:], strict=True)
    assert len(frames) == 7
    assert times[-1] - times[0] == pytest.approx(3, abs=0.51)
    for at in range(10):
        assert {pixel(frame, at) for frame in frames[:-1]} == {RED, GREEN, BLUE, WHITE}
    assert frames[1][3:] == frames[0][:-3]  # they walk upwards
    assert world.colors() == "rr........"


def test_a_self_test_on_a_strip_that_fails_is_answered_with_what_is_wrong() -> None:
    world = World().started(A=2)
    world.strip.fail(StripError("no power", Failure.PERMANENT))
    world.counts(A=1)
    world.run(1)

    world.message("nodes/hall/request/self_test", b"")
    world.run(1)

    answer = next(message for message in world.sent if message.topic == "apimon/nodes/hall/response/self_test")
    assert json.loads(answer.payload) == {"status": "error", "error": "strip ops: no power"}


def test_identify_after_a_self_test_takes_its_place() -> None:
    world = World().started(A=2)
    world.message("nodes/hall/request/self_test", b"")
    world.run(1)
    before = len(world.writes)

    world.message("nodes/hall/request/identify", b"")
    world.run(10)

    assert {frame for _, frame in world.writes[before:-1]} <= {bytes(30), bytes([255] * 30)}
    assert world.colors() == "rr........"


TWO = """
node: {id: hall}
strips:
  - {name: ops, driver: ws281x, gpio: 18, pixels: 10, boards: [ops], order: RGB, max_milliamps: 0}
  - {name: web, driver: ws281x, gpio: 13, pixels: 6, boards: [web], order: RGBW, max_milliamps: 0}
  - {name: low, driver: spi, pixels: 8, boards: [ops], order: RGB, max_milliamps: 0}
looks: [{match: {status: A}, color: red}]
"""


def two_boards() -> World:
    world = World(TWO)
    world.turn()
    world.up()
    world.counts("ops", A=2)
    world.counts("web", A=1)
    world.run(1.5)
    world.writes.clear()
    return world


def test_the_strips_of_ws281x_are_written_at_once_and_others_by_themselves() -> None:
    world = two_boards()
    assert list(world.strips) == ["low", "ops+web"]

    world.counts("web", A=3)
    world.run(1)

    assert [frame.hex() for _, frame in world.writes] == ["ff0000" * 2 + "00" * 24 + "ff000000" * 3 + "00" * 12]
    assert world.shown("web")["pixels"][:4] == ["ff0000"] * 3 + ["000000"]


def test_a_failure_of_both_is_one_fault_and_both_are_written_again() -> None:
    world = two_boards()
    world.strips["ops+web"].fail(StripError("ws281x: no answer", Failure.HANG, -10))
    world.counts("web", A=3)
    world.run(0.5)

    assert world.faults == {"strip": "strip ops and web: ws281x: no answer"}
    assert world.status["faults"][0]["code"] == -10
    world.run(10)
    counters = world.status["strips"]
    assert world.status["faults"] == []
    assert counters["ops"]["restarts"] == counters["web"]["restarts"] == 1
    assert counters["low"]["failures"] == 0
    assert world.strips["ops+web"].frames[-1].hex().startswith("ff0000" * 2)


def test_a_device_that_dies_in_its_sleep_is_a_fault_and_is_written_again() -> None:
    world = World().started(A=2)
    world.run(10)
    before = len(world.writes)

    world.node.frame_failed("ops", StripError("its process was ended by SIGKILL", Failure.CRASH), world.instant)
    world.turn()
    assert world.faults == {"strip": "strip ops: its process was ended by SIGKILL"}
    world.run(5)

    assert world.status["faults"] == []
    assert len(world.writes) > before
    assert world.status["strips"]["ops"]["recoveries"] == 1


def test_what_hardly_mends_itself_says_so_and_when_it_is_tried_again() -> None:
    world = World().started(A=2)
    world.strip.fail(*[StripError("code -2, Out of memory", Failure.MEMORY, -2)] * 2)
    world.counts(A=3)
    world.run(10)

    fault = world.status["faults"][0]
    assert fault["text"].endswith("; it has failed so often that only a restart of the Pi may help")
    assert (fault["code"], fault["attempts"]) == (-2, 2)
    assert fault["retry_at"] == "2026-11-23T12:05:02Z"
    world.run(301)
    assert world.status["faults"] == []


def test_refresh_writes_the_strip_and_says_everything_again() -> None:
    world = World().started(A=2)
    world.run(10)
    before, frame = len(world.writes), world.writes[-1][1]
    world.sent.clear()

    world.message("nodes/hall/request/refresh", b"")
    world.run(1)

    assert [shown for _, shown in world.writes[before:]] == [frame]
    assert {message.topic for message in world.sent if message.retain} == set(world.retained)


def test_a_node_takes_another_log_level_and_says_what_it_was() -> None:
    world = World().started()
    answers = []
    for level in ("debug", "debug", "error"):
        world.message("nodes/hall/request/log_level", {"level": level, "transaction": 3})
        world.turn()
        answers.append(json.loads(world.sent[-1].payload))
        assert world.node.requests.log_level == level

    assert answers == [{"status": "ok", "transaction": 3, "was": was} for was in ("info", "debug", "debug")]


@pytest.mark.parametrize(
    ("what", "payload", "error"),
    [
        ("dance", b"", "unknown request dance: expected identify or self_test or refresh or restart or log_level"),
        ("log_level", b'{"level":"loud"}', 'level: expected debug or info or warning or error, got "loud"'),
        ("log_level", b'{"level":["debug"]}', 'level: expected debug or info or warning or error, got ["debug"]'),
        ("log_level", b"", "level: expected debug or info or warning or error, got null"),
        ("identify", b"PRESS", "expected JSON: Expecting value: line 1 column 1 (char 0)"),
        ("identify", b"[1]", "expected nothing or an object, got [1]"),
        ("identify", b'{"transaction": [1]}', "transaction: expected text or a number, got [1]"),
    ],
)
def test_a_request_that_cannot_be_done_is_answered_with_an_error(what: str, payload: bytes, error: str) -> None:
    world = World().started(A=1)

    world.message(f"nodes/hall/request/{what}", payload)
    world.turn()

    answer = world.sent[-1]
    assert answer.topic == f"apimon/nodes/hall/response/{what}"
    assert json.loads(answer.payload) == {"status": "error", "error": error}


def test_to_clear_a_retained_request_is_no_request() -> None:
    world = World().started()
    world.run(RESTART_EVERY)
    world.message("nodes/hall/request/restart", b"", retained=True)
    world.message("nodes/hall/request/restart", b"")
    world.run(1)
    assert not world.node.restarting
    assert not any("/response/" in message.topic for message in world.sent)

    world.message("nodes/hall/request/restart", b"")
    assert world.node.restarting


def test_a_retained_request_is_ignored_and_the_log_says_how_to_clear_it() -> None:
    world = World().started(A=1)
    world.sent.clear()

    world.message("nodes/hall/request/identify", b"", retained=True)
    world.run(1)

    assert world.sent == []
    assert "mosquitto_pub -h localhost -p 1883 -t apimon/nodes/hall/request/identify -n -r" in world.log[-1]


@pytest.mark.parametrize("what", ["x" * 65_000, "", "a/b", "Identify", "x y"])
def test_a_request_that_is_no_id_is_not_answered(what: str) -> None:
    """Its answer's topic would be longer than MQTT allows, or lie where nobody listens."""
    world = World().started(A=1)
    world.sent.clear()

    world.message(f"nodes/hall/request/{what}", b"")
    world.run(1)

    assert world.sent == []
    assert "that is no id" in world.log[-1]
    assert len(world.log[-1]) < 100


# What it says


def test_the_status_has_what_the_contract_names() -> None:
    world = World().started(A={"total": 2, "overdue": 1})

    status = world.status
    assert set(status) == {"state", "faults", "quiet", "strips", "boards", "started_at", "version"}
    assert status["boards"] == {"ops": {"tickets": 2, "overdue": 1, "stale": False, "at": None}}
    assert status["started_at"] == "2026-11-23T12:00:00Z"


def test_a_node_is_starting_until_its_boards_are_known_or_a_second_has_passed() -> None:
    world = World()
    world.up()
    world.turn()
    assert world.status["state"] == "starting"

    world.run(1.1)
    assert world.status["state"] == "degraded"


def test_pulsing_publishes_nothing_but_counters_every_five_minutes() -> None:
    world = World().started(A={"total": 1, "overdue": 1})
    world.sent.clear()

    world.run(3600)

    assert len(world.sent) == 12
    assert world.status["strips"]["ops"]["frames"] > 7000


def test_what_did_not_change_is_not_said_again() -> None:
    world = World().started(A=1)
    world.sent.clear()

    for _ in range(100):
        world.counts(A=1)
        world.run(1)

    assert world.sent == []


def test_the_farewell_is_a_dark_strip_and_offline() -> None:
    world = World().started(A=1)

    assert world.node.farewell() == {"ops": bytes(30)}
    assert world.node.outbox(world.instant) == [Publish("apimon/nodes/hall/availability", b"offline")]
    assert world.node.will == Publish("apimon/nodes/hall/availability", b"offline")


def test_the_summary_is_a_line_for_people() -> None:
    world = World().started(A=3)
    assert world.node.summary() == "3 tickets"

    world.down("the broker is away")
    world.run(2)
    assert world.node.summary() == "3 tickets; the broker is away"


def test_a_node_always_knows_when_it_must_be_asked_again() -> None:
    world = World()
    world.turn()

    assert world.now < world.node.deadline() < math.inf


# The strip's own options


def test_the_current_limit_is_told() -> None:
    world = World(more=", max_milliamps: 50").started(A=10)

    assert world.shown()["limited"] is True
    assert world.status["strips"]["ops"]["limited"] is True
    assert world.status["strips"]["ops"]["milliamps"] <= 50


@pytest.mark.parametrize(("where", "at"), [("first", 0), ("last", 9)])
def test_the_status_pixel_is_where_the_config_says(where: str, at: int) -> None:
    world = World(more=f", status_pixel: {where}")
    world.run(3)

    assert is_orange(pixel(world.writes[-1][1], at))


def test_without_a_status_pixel_the_strip_tells_nothing() -> None:
    world = World(more=", status_pixel: none")
    world.run(3)

    assert world.writes[-1][1] == bytes(30)


def test_a_heartbeat_pulses_white_while_all_is_well() -> None:
    world = World(more=", heartbeat: true").started(A=1, B=1)
    world.run(2)

    assert len({frame[0] for _, frame in world.writes[-4:]}) > 1
    assert world.colors()[0] == "w"


def test_overflow_pulses_white_on_the_last_pixel() -> None:
    world = World().started(A=20)
    world.run(2)

    assert world.shown()["overflow"] is True
    assert world.shown()["pixels"][9] == "ff0000"
    assert {world.colors()[9]} == {"w"}


# --- Home Assistant ---


DISCOVERY = "homeassistant/device/apimon_node_hall/config"
AT_HOME = CONFIG.replace("{{enabled: false}}", "{{enabled: true}}").format(pixels=10, more="")


def at_home() -> World:
    world = World(AT_HOME)
    world.turn()
    world.up()
    world.counts(A=2)
    return world


def test_home_assistant_is_told_of_the_node_soon_after_each_connection() -> None:
    world = at_home()
    world.turn()
    assert DISCOVERY not in world.retained
    world.run(6)
    assert json.loads(world.retained.pop(DISCOVERY))["dev"]["ids"] == ["apimon_node_hall"]

    world.run(3600)
    assert DISCOVERY not in world.retained
    world.down()
    world.up()
    world.run(6)
    assert DISCOVERY in world.retained


def test_when_home_assistant_is_born_it_is_told_everything_again() -> None:
    world = at_home()
    world.run(10)
    said = set(world.retained)
    assert "homeassistant/status" in world.node.subscriptions
    world.retained.clear()
    world.receive(Message("homeassistant/status", b"online"))
    world.run(6)

    assert set(world.retained) == said


def test_the_image_is_published_when_the_tickets_change_and_only_then() -> None:
    world = at_home()
    world.run(10)
    image = "apimon/nodes/hall/strips/ops/image"
    first = world.retained.pop(image)
    world.run(600)
    world.down()
    assert image not in world.retained
    world.up()
    world.counts(A=3)
    world.run(2)

    assert first.startswith(b"\x89PNG")
    assert world.retained[image] != first


def test_a_frame_waits_for_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[object] = []

    def draw(row: tuple[Pixel, ...]) -> bytes:
        drawn.append(row)
        return png(row)

    monkeypatch.setattr("apimon_node.node.display.png", draw)
    world = World().started(A=1)
    world.run(2 * IMAGE_EVERY)
    before = len(drawn)
    world.counts(A=2)

    assert world.node.frames(world.instant) != {}
    assert len(drawn) == before
    world.node.outbox(world.instant)
    assert len(drawn) == before + 1


def test_images_are_drawn_every_five_seconds_at_the_most_and_the_last_change_is_not_lost() -> None:
    world = at_home()
    world.run(10)
    image = "apimon/nodes/hall/strips/ops/image"
    times = []
    for second in range(60):
        before = len([message for message in world.sent if message.topic == image])
        world.counts(A=second % 7 + 1)
        world.run(1)
        times += [second] * (len([message for message in world.sent if message.topic == image]) - before)
    world.run(IMAGE_EVERY)
    last = world.retained[image]
    world.message("nodes/hall/request/refresh", b"{}")
    world.run(1)

    assert len(times) <= 60 / IMAGE_EVERY + 1
    assert world.retained[image] == last
