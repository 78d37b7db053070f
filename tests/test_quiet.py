"""Quiet hours: when they are, over midnight and over the changes of the clock, and what the strip shows in them."""

import json
import os
import time as clock
from collections.abc import Iterator
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import LIGHT, NOON, World

from apimon_node.clock import Instant
from apimon_node.config.settings import QuietHours
from apimon_node.node.quiet import Quiet
from apimon_node.picture.scene import LightState, Scene

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600.0
DAY = 24 * HOUR
TEN = NOON + 10 * HOUR
"""22:00 UTC of the day on which the world begins at noon."""

CONFIG = """
node: {id: hall, quiet_hours: {from: '22:00', to: '06:30', effect: EFFECT, time_zone: UTC}}
strips:
  - {name: ops, driver: memory, pixels: 6, boards: [ops]}
looks:
  - {match: {status: Blocker}, color: red, always: true}
  - {match: {status: A}, color: lime}
"""


def at(text: str) -> Instant:
    """Give a moment, by a time with its offset."""
    wall = datetime.fromisoformat(text).timestamp()
    return Instant(wall - NOON + 1000, wall)


def berlin(begin: str, end: str, effect: Scene = Scene.NIGHT) -> Quiet:
    return Quiet(QuietHours(time.fromisoformat(begin), time.fromisoformat(end), effect, BERLIN))


def ends(quiet: Quiet, now: Instant) -> str:
    """Give when the quiet hours next begin or end, by the clock of Berlin."""
    wait = quiet.deadline(now) - now.monotonic
    return datetime.fromtimestamp(now.wall + wait, BERLIN).isoformat(timespec="minutes")


def night(effect: str = "night", **options: Any) -> World:
    return World(CONFIG.replace("EFFECT", effect), **options)


def command(world: World, payload: dict[str, Any]) -> None:
    world.message("nodes/hall/light/set", payload)
    world.turn()


def last(world: World) -> bytes:
    """Give the last frame without the status pixel."""
    return world.writes[-1][1][3:]


@pytest.fixture
def in_tokyo() -> Iterator[None]:
    """Move this machine."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Asia/Tokyo"
    clock.tzset()
    yield
    del os.environ["TZ"]
    if before is not None:
        os.environ["TZ"] = before
    clock.tzset()


# When


@pytest.mark.parametrize(
    ("begin", "end", "now", "quiet"),
    [
        ("22:00", "06:30", "2026-11-23T21:59:59.9+01:00", False),
        ("22:00", "06:30", "2026-11-23T22:00+01:00", True),
        ("22:00", "06:30", "2026-11-24T00:00+01:00", True),
        ("22:00", "06:30", "2026-11-24T06:29:59.9+01:00", True),
        ("22:00", "06:30", "2026-11-24T06:30+01:00", False),
        ("12:00", "13:00", "2026-11-24T11:59+01:00", False),
        ("12:00", "13:00", "2026-11-24T12:00+01:00", True),
        ("12:00", "13:00", "2026-11-24T13:00+01:00", False),
        ("00:00", "06:00", "2026-11-24T00:00+01:00", True),
        ("18:00", "00:00", "2026-11-24T23:59+01:00", True),
        ("18:00", "00:00", "2026-11-25T00:00+01:00", False),
        ("22:00", "21:59", "2026-11-24T21:58+01:00", True),
        ("22:00", "21:59", "2026-11-24T21:59+01:00", False),
        ("22:00", "06:30", "1970-01-01T00:00+01:00", True),
        ("22:00", "06:30", "1970-01-01T12:00+01:00", False),
    ],
)
def test_quiet_hours_have_their_beginning_and_not_their_end(begin: str, end: str, now: str, *, quiet: bool) -> None:
    assert berlin(begin, end).on(at(now)) is quiet


@pytest.mark.parametrize(
    ("begin", "end", "now", "quiet", "until"),
    [
        # 2026-03-29: 02:00 becomes 03:00
        ("22:00", "06:30", "2026-03-28T22:00+01:00", True, "2026-03-29T06:30+02:00"),  # an hour shorter
        ("02:30", "06:30", "2026-03-29T01:59+01:00", False, "2026-03-29T03:30+02:00"),
        ("02:30", "06:30", "2026-03-29T03:30+02:00", True, "2026-03-29T06:30+02:00"),
        ("22:00", "02:30", "2026-03-29T03:15+02:00", True, "2026-03-29T03:30+02:00"),
        ("02:30", "03:15", "2026-03-29T03:20+02:00", False, "2026-03-29T03:30+02:00"),  # turned over: none
        ("02:30", "03:15", "2026-03-29T03:30+02:00", False, "2026-03-30T02:30+02:00"),
        ("03:00", "02:30", "2026-03-29T03:15+02:00", True, "2026-03-29T03:30+02:00"),  # two meet
        # 2026-10-25: 03:00 becomes 02:00
        ("22:00", "06:30", "2026-10-24T22:00+02:00", True, "2026-10-25T06:30+01:00"),  # an hour longer
        ("02:30", "06:30", "2026-10-25T02:29+02:00", False, "2026-10-25T02:30+02:00"),
        ("02:30", "06:30", "2026-10-25T02:15+01:00", True, "2026-10-25T06:30+01:00"),  # and not twice
        ("22:00", "02:30", "2026-10-25T02:29+02:00", True, "2026-10-25T02:30+02:00"),
        ("22:00", "02:30", "2026-10-25T02:15+01:00", False, "2026-10-25T22:00+01:00"),
    ],
)
def test_both_changes_of_the_clock_in_berlin(begin: str, end: str, now: str, *, quiet: bool, until: str) -> None:
    hours = berlin(begin, end)

    assert hours.on(at(now)) is quiet
    assert ends(hours, at(now)) == until


@given(
    st.times().map(lambda moment: moment.replace(second=0, microsecond=0)),
    st.times().map(lambda moment: moment.replace(second=0, microsecond=0)),
    st.floats(0, 4e9),
)
def test_nothing_changes_before_the_deadline(begin: time, end: time, wall: float) -> None:
    quiet = Quiet(QuietHours(begin, end, Scene.NIGHT, BERLIN))
    now = Instant(5.0, wall)
    wait = quiet.deadline(now) - now.monotonic

    assert 0 < wait <= DAY + HOUR
    assert quiet.on(Instant(5.0, wall + wait / 2)) is quiet.on(now)


@pytest.mark.usefixtures("in_tokyo")
def test_without_a_time_zone_the_machines_own_holds() -> None:
    quiet = Quiet(QuietHours(time(22), time(6)))

    assert quiet.on(at("2026-11-23T22:00+09:00"))
    assert not quiet.on(at("2026-11-23T22:00+01:00"))


def test_without_quiet_hours_it_is_never_quiet() -> None:
    quiet = Quiet(None)
    now = Instant(0.0, NOON)

    assert not quiet.on(now)
    assert quiet.deadline(now) == float("inf")
    assert quiet.over(LightState(), now) == LightState()


def test_a_command_lifts_one_night_and_not_the_next() -> None:
    quiet = berlin("22:00", "06:30")
    quiet.lift(at("2026-11-23T23:00+01:00"))

    assert not quiet.on(at("2026-11-24T06:29+01:00"))
    assert quiet.on(at("2026-11-24T22:00+01:00"))


def test_a_command_by_day_lifts_nothing() -> None:
    quiet = berlin("22:00", "06:30")
    quiet.lift(at("2026-11-23T12:00+01:00"))

    assert quiet.on(at("2026-11-23T22:00+01:00"))


# What is seen


def test_a_night_dims_overdue_tickets_hides_the_others_and_ends_by_itself() -> None:
    world = night().started(Blocker=1, A={"total": 2, "overdue": 1})
    assert world.status["quiet"] is False

    world.run(10 * HOUR - 1)
    assert (world.now + world.lead, world.status["quiet"]) == (TEN + 0.5, True)
    assert world.shown()["pixels"] == ["ff0000", "00ff00"] + ["000000"] * 4

    world.run(8.5 * HOUR)
    assert world.status["quiet"] is False
    assert world.shown()["pixels"] == ["ff0000", "00ff00", "00ff00"] + ["000000"] * 3


def test_it_is_quiet_to_the_second() -> None:
    world = night().started(Blocker=1, A=1)
    world.run(10 * HOUR - 1.6)
    before = world.shown()
    assert world.now + world.lead == pytest.approx(TEN - 0.1)

    world.run(0.1)
    assert world.shown() != before


def test_quiet_hours_with_effect_off_leave_what_always_shines() -> None:
    text = CONFIG.replace("EFFECT", "off").replace(
        "boards: [ops]", "boards: [ops], heartbeat: true, status_pixel: last"
    )
    world = World(text, wall=TEN - 60).started(Blocker=2, A={"total": 2, "overdue": 1})
    world.run(61)
    before = len(world.writes)
    world.run(HOUR)

    assert world.status["quiet"] is True
    assert {frame for _, frame in world.writes[before:]} == {b"\xff\x00\x00" * 2 + bytes(12)}
    assert world.shown()["pixels"] == ["ff0000"] * 2 + ["000000"] * 4


def test_a_broker_that_is_lost_in_a_dark_night_lights_nothing() -> None:
    world = night("off").started(A=3)
    world.run(11 * HOUR)
    world.down()
    world.run(HOUR)

    assert world.writes[-1][1] == bytes(18)


def test_the_state_stays_what_it_was_in_quiet_hours() -> None:
    world = night().started(A=3)
    world.sent.clear()
    world.run(DAY)

    assert not any(message.topic == LIGHT for message in world.sent)
    assert json.loads(world.retained[LIGHT])["effect"] == "tickets"


def test_quiet_hours_do_not_switch_a_light_on() -> None:
    world = night().started(Blocker=1, A={"total": 1, "overdue": 1})
    command(world, {"state": "OFF"})
    world.run(11 * HOUR)

    assert world.status["quiet"] is True
    assert world.writes[-1][1] == bytes(18)


def test_quiet_hours_keep_the_brightness_that_is_set() -> None:
    world = night("off").started(Blocker=1)
    command(world, {"brightness": 51})
    world.run(11 * HOUR)

    assert world.writes[-1][1][:3] == bytes([51, 0, 0])


def test_a_command_in_quiet_hours_holds_until_they_end() -> None:
    world = night("off").started(A=3)
    world.run(11 * HOUR)
    assert last(world) == bytes(15)

    command(world, {"state": "ON"})
    world.run(2)
    assert last(world)[:6] == bytes([0, 255, 0] * 2)
    assert world.status["quiet"] is False

    world.run(DAY)  # the next night is quiet again
    assert last(world) == bytes(15)
    assert world.status["quiet"] is True


def test_a_command_that_is_refused_does_not_end_the_quiet() -> None:
    world = night("off").started(A=3)
    world.run(11 * HOUR)
    command(world, {"state": "ON", "effect": "rainbow"})
    world.run(2)

    assert last(world) == bytes(15)


def test_light_switched_off_in_quiet_hours_stays_off_after_them() -> None:
    world = night().started(A={"total": 3, "overdue": 3})
    world.run(11 * HOUR)
    command(world, {"state": "OFF"})
    world.run(12 * HOUR)

    assert world.status["quiet"] is False
    assert world.writes[-1][1] == bytes(18)


def test_identify_is_seen_in_quiet_hours() -> None:
    world = night("off").started(A=3)
    world.run(11 * HOUR)
    before = len(world.writes)
    world.message("nodes/hall/request/identify", b"")
    world.run(4)

    assert max(max(frame) for _, frame in world.writes[before:]) == 255


def test_a_node_that_starts_at_night_is_quiet_from_its_first_frame() -> None:
    world = night("off", wall=TEN + HOUR).started(A=3)
    world.run(HOUR)

    assert {frame for _, frame in world.writes} == {bytes(18)}


def test_a_clock_that_is_set_counts_at_the_next_wake() -> None:
    world = night("off", wall=12 * HOUR).started(A=3)  # noon of 1970-01-01
    assert last(world)[:3] == bytes([0, 255, 0])

    world.lead = TEN + HOUR
    world.run(60)
    assert last(world) == bytes(15)
    assert world.status["quiet"] is True

    world.lead -= 11 * HOUR
    world.run(60)
    assert last(world)[:3] == bytes([0, 255, 0])


def test_a_day_with_quiet_hours_costs_two_wakes_more() -> None:
    def wakes(text: str) -> int:
        world = World(text).started(A=3)
        world.wakes = 0
        world.run(DAY)
        return world.wakes

    quiet = CONFIG.replace("EFFECT", "night")
    plain = quiet.replace(", quiet_hours: {from: '22:00', to: '06:30', effect: night, time_zone: UTC}", "")

    assert plain != quiet
    assert wakes(quiet) - wakes(plain) <= 2 + 4  # two writes that shift the refresh, and the counters
