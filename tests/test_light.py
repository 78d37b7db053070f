"""The light: commands, what they do to the strip, what is told of it, and how it comes back after a restart."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import CONFIG, LIGHT, World

from apimon_node.contract import light
from apimon_node.errors import PayloadError
from apimon_node.mqtt.messages import Publish
from apimon_node.picture.scene import LightState, Scene

SET = "nodes/hall/light/set"
DAY = 24 * 3600.0
DARK = bytes(30)
ON = {"state": "ON", "brightness": 255, "effect": "tickets"}
STEPS = 20

LOOKS = """
node: {id: hall}
strips:
  - {name: ops, driver: memory, pixels: 10, boards: [ops], heartbeat: true, gamma: GAMMA}
looks:
  - {match: {status: Blocker}, color: red, always: true}
  - {match: {status: A}, color: '#0000c8'}
  - {match: {status: B}, color: lime}
"""


def world(**counts: Any) -> World:
    """Give a node that has been connected for a while: strip and paces are at rest."""
    world = World().started(**counts)
    world.run(60.25)
    return world


def command(world: World, payload: bytes | str | dict[str, Any], **options: bool) -> None:
    world.message(SET, payload, **options)
    world.turn()


def state(world: World) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(world.retained[LIGHT])
    return state


def told(world: World) -> list[Publish]:
    """Take what was said of the light."""
    messages = [message for message in world.sent if message.topic == LIGHT]
    world.sent.clear()
    return messages


def frames(world: World, seconds: float) -> set[bytes]:
    """Give the different frames of a while."""
    before = len(world.writes)
    world.run(seconds)
    return {frame for _, frame in world.writes[before:]}


# Commands


def test_off_darkens_all_pixels_at_once_and_on_gives_the_picture_back() -> None:
    lit = world(A=3)

    command(lit, {"state": "OFF"})
    assert lit.writes[-1] == (lit.now, DARK)
    assert state(lit) == ON | {"state": "OFF"}

    lit.run(5)
    command(lit, {"state": "ON"})
    assert lit.colors() == "rrr......."
    assert state(lit) == ON


def test_off_takes_the_status_pixel_along() -> None:
    lit = world(A=3)
    command(lit, {"state": "OFF"})

    lit.down()
    assert frames(lit, 120) == {DARK}
    assert lit.faults["broker"]


def test_off_costs_a_write_a_minute_and_nothing_is_said() -> None:
    lit = world(A={"total": 3, "overdue": 1})
    command(lit, {"state": "OFF"})
    lit.run(1)
    lit.writes.clear()
    lit.sent.clear()
    lit.wakes = 0

    lit.run(3600)

    assert len(lit.writes) <= 61
    assert lit.wakes <= 2 * 61 + 12
    assert {message.topic for message in lit.sent} <= {"apimon/nodes/hall/status"}


@pytest.mark.parametrize("what", ["identify", "self_test"])
def test_what_is_asked_for_is_seen_though_the_light_is_off_or_dim(what: str) -> None:
    lit = world(A=3)
    command(lit, {"state": "OFF", "brightness": 1})

    lit.message(f"nodes/hall/request/{what}", b"")
    assert max(max(frame) for frame in frames(lit, 4)) == 255

    lit.run(5)
    assert lit.writes[-1][1] == DARK


def test_brightness_is_a_share_of_the_strips_own() -> None:
    lit = World(more=", brightness: 50%").started(A=1)
    command(lit, {"state": "ON", "brightness": 51})
    lit.run(1)

    assert lit.writes[-1][1][:3] == bytes([26, 0, 0])  # 255 * 50 % * 51 / 255

    command(lit, {"brightness": 255})
    lit.run(1)
    assert lit.writes[-1][1][:3] == bytes([128, 0, 0])


def test_what_is_lit_stays_lit_at_the_least_brightness() -> None:
    lit = world(A=1, B=1, C=1)
    command(lit, {"brightness": 1})

    assert lit.writes[-1][1] == bytes([1, 0, 0, 0, 1, 0, 0, 0, 1]) + bytes(21)


def test_brightness_alone_does_not_switch_on() -> None:
    lit = world(A=3)
    command(lit, {"state": "OFF"})
    lit.run(1)
    command(lit, {"brightness": 128})
    lit.run(1)

    assert lit.writes[-1][1] == DARK
    assert state(lit) == {"state": "OFF", "brightness": 128, "effect": "tickets"}


@pytest.mark.parametrize(
    ("payload", "changes"),
    [
        ({"state": "ON"}, {}),
        ({}, {}),
        ({"brightness": 128}, {"brightness": 128}),
        ({"brightness": 1}, {"brightness": 1}),
        ({"brightness": 256}, {"brightness": 255}),
        ({"brightness": 10**300}, {"brightness": 255}),
        ({"brightness": 1e300}, {"brightness": 255}),
        ({"brightness": 127.6}, {"brightness": 128}),
        ({"brightness": 0.4}, {"state": "OFF"}),
        ({"brightness": 0}, {"state": "OFF"}),
        ({"state": "ON", "brightness": 0}, {"state": "OFF"}),
        ({"state": "OFF", "brightness": 9}, {"state": "OFF", "brightness": 9}),
        ({"effect": "night"}, {"effect": "night"}),
        ({"effect": "steady", "state": None, "brightness": None}, {"effect": "steady"}),
        ({"state": "ON", "transition": 2.0, "color": {"r": 1}, "flash": 10, "color_temp": "x"}, {}),
    ],
)
def test_a_command_sets_what_it_names_and_nothing_else(payload: dict[str, Any], changes: dict[str, Any]) -> None:
    lit = world(A=3)
    command(lit, payload)

    assert state(lit) == ON | changes
    assert lit.log[1:] == []


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"brightness": -1}, "brightness: expected a number from 0 to 255, got -1"),
        ({"brightness": -0.1}, "brightness: expected a number from 0 to 255, got -0.1"),
        ({"brightness": "bright"}, 'brightness: expected a number from 0 to 255, got "bright"'),
        ({"brightness": True}, "brightness: expected a number from 0 to 255, got true"),
        ({"brightness": [1]}, "brightness: expected a number from 0 to 255, got [1]"),
        ('{"brightness":NaN}', 'expected JSON: NaN is no JSON number, got "{\\"brightness\\":NaN}"'),
        ({"state": "on"}, 'state: expected ON or OFF, got "on"'),
        ({"state": 1}, "state: expected ON or OFF, got 1"),
        ({"effect": "rainbow"}, 'effect: expected tickets, steady or night, got "rainbow"'),
        ({"effect": "off"}, 'effect: expected tickets, steady or night, got "off"'),
        ({"effect": ["night"]}, 'effect: expected tickets, steady or night, got ["night"]'),
        ({"state": "OFF", "effect": "rainbow"}, 'effect: expected tickets, steady or night, got "rainbow"'),
        ("ON", 'expected JSON: Expecting value: line 1 column 1 (char 0), got "ON"'),
        (b"\xff", 'expected UTF-8, got the byte 0xff at 0, got "�"'),
        ("[]", 'expected an object such as {"state":"ON","brightness":128}, got []'),
        ("128", 'expected an object such as {"state":"ON","brightness":128}, got 128'),
    ],
)
def test_a_wrong_command_is_refused_whole_told_in_the_log_and_the_state_is_said_again(
    payload: bytes | str | dict[str, Any], reason: str
) -> None:
    lit = world(A=3)
    told(lit)
    lit.log.clear()
    before = lit.writes[-1]

    command(lit, payload)

    assert lit.log == [f"apimon/{SET}: refused: {reason}"]
    assert [(message.retain, json.loads(message.payload)) for message in told(lit)] == [(True, ON)]
    assert lit.writes[-1] == before
    assert lit.status["state"] == "ok"


def test_a_thousand_wrong_commands_make_a_few_lines_and_a_few_messages() -> None:
    lit = world(A=3)
    told(lit)
    lit.log.clear()
    start = lit.now

    for number in range(1000):
        lit.now = start + number / 1000
        command(lit, {"brightness": -1 - number})

    assert len(lit.log) <= 3
    assert 1 <= len(told(lit)) <= 10
    lit.run(1)
    assert told(lit)[-1:] in ([], [Publish(LIGHT, json.dumps(ON).replace(" ", "").encode())])


def test_the_log_tells_a_mistake_once_until_something_else_comes() -> None:
    lit = world(A=3)
    lit.log.clear()

    for _ in range(5):
        command(lit, "rubbish")
        lit.run(20)
    assert len(lit.log) == 1

    command(lit, {"state": "ON"})
    lit.run(20)
    command(lit, "rubbish")
    assert len(lit.log) == 2


def test_a_command_that_changes_nothing_is_confirmed_too() -> None:
    lit = world(A=3)
    told(lit)

    command(lit, {"state": "ON"})

    assert len(told(lit)) == 1


def test_a_retained_command_is_ignored_and_the_log_says_how_to_clear_it() -> None:
    lit = world(A=3)
    lit.log.clear()
    command(lit, {"state": "OFF"}, retained=True)
    command(lit, b"")  # what clears it

    assert state(lit) == ON
    clear = f"mosquitto_pub -h localhost -p 1883 -t apimon/{SET} -n -r"
    assert lit.log == [f"ignored the retained command on apimon/{SET}; clear it with: {clear}"]


def test_a_command_does_not_wait_for_what_a_flood_of_tickets_has_used_up() -> None:
    lit = World(CONFIG.format(pixels=10, more="").replace("id: hall", "id: hall, render_interval: 60s")).started(A=1)
    lit.run(120.25)
    for number in range(20):
        lit.counts(A=1, B=number)
        lit.now += 0.001
        lit.turn()
    told(lit)

    command(lit, {"state": "OFF"})

    assert state(lit)["state"] == "OFF"


def test_a_slider_that_is_dragged_costs_as_much_as_the_strip_allows_and_ends_where_it_was_let_go() -> None:
    lit = world(A=3)
    told(lit)
    lit.writes.clear()
    start = lit.now

    for number in range(200):
        lit.now = start + number / 20
        command(lit, {"state": "ON", "brightness": 255 - number})
    lit.run(2)

    assert all(later - earlier >= 0.5 - 1e-9 for (earlier, _), (later, _) in pairwise(lit.writes))
    assert lit.writes[-1][1][:3] == bytes([56, 0, 0])
    assert len(told(lit)) <= 4 * 12 + 6
    assert state(lit)["brightness"] == 56


VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["ON", "OFF", *light.EFFECTS])
)
COMMANDS = (
    st.binary()
    | VALUES.map(json.dumps)
    | st.dictionaries(st.sampled_from(["state", "brightness", "effect", "transition"]), VALUES).map(json.dumps)
    | st.fixed_dictionaries(
        {},
        optional={
            "state": st.sampled_from(["ON", "OFF"]),
            "brightness": st.floats(0, 400) | st.integers(0, 400),
            "effect": st.sampled_from(["tickets", "steady", "night"]),
        },
    ).map(json.dumps)
)


@given(st.lists(st.tuples(COMMANDS, st.floats(0, 2)), max_size=STEPS))
def test_whatever_is_sent_the_state_is_one(commands: list[tuple[bytes | str, float]]) -> None:
    lit = World().started(A=1)
    for payload, wait in commands:
        lit.message(SET, payload)
        lit.run(wait)
    lit.run(1)

    final = state(lit)
    assert list(final) == ["state", "brightness", "effect"]
    assert final["state"] in ("ON", "OFF")
    assert type(final["brightness"]) is int
    assert 1 <= final["brightness"] <= 255
    assert final["effect"] in ("tickets", "steady", "night")
    assert light.parse_state(lit.retained[LIGHT]) == lit.node._light.state


@given(st.builds(LightState, st.booleans(), st.integers(1, 255), st.sampled_from(light.EFFECTS)))
def test_what_is_told_can_be_restored(state: LightState) -> None:
    assert light.parse_state(light.dump(state)) == state


# What the effects do


def scene(effect: str, *, gamma: float = 1, **counts: Any) -> World:
    lit = World(LOOKS.replace("GAMMA", str(gamma))).started(**counts)
    command(lit, {"effect": effect})
    lit.run(5)
    return lit


def test_steady_stands_still_to_the_status_pixel_and_the_mark_of_overflow() -> None:
    lit = scene("steady", A={"total": 20, "overdue": 10})

    assert frames(lit, 120) == {b"\xff\xff\xff" + b"\x00\x00\xc8" * 8 + b"\xff\xff\xff"}
    assert "pulse" in lit.shown()["effects"]  # what is laid out is the same
    lit.writes.clear()
    lit.run(3600)
    assert len(lit.writes) <= 61


def test_night_leaves_the_overdue_tickets_dim_and_those_that_always_shine_as_they_are() -> None:
    lit = scene("night", Blocker={"total": 2, "overdue": 1}, A={"total": 3, "overdue": 1}, B=2)

    assert lit.shown()["pixels"] == ["ff0000", "ff0000", "0000c8"] + ["000000"] * 7
    assert lit.shown()["effects"][:3] == [None, "pulse", "pulse"]
    shown = frames(lit, 10)
    assert {max(frame[3:6]) for frame in shown} >= {255}
    assert max(frame[8] for frame in shown) == 30  # 200 * 15 %
    assert max(frame[0] for frame in shown) == 38  # the heartbeat


def test_night_is_a_share_of_the_brightness_whatever_the_gamma() -> None:
    lit = scene("night", gamma=2.2, A={"total": 1, "overdue": 1})
    command(lit, {"effect": "tickets"})
    day = max(frame[2] for frame in frames(lit, 10))
    command(lit, {"effect": "night"})
    lit.run(1)
    night = max(frame[2] for frame in frames(lit, 10))

    assert night / day == pytest.approx(0.15, abs=0.01)


def test_what_is_lit_stays_lit_at_night() -> None:
    text = LOOKS.replace("GAMMA", "1").replace("'#0000c8'", "'#0000c8'}\n  - {match: {status: Faint}, color: '#000003'")
    lit = World(text).started(Faint={"total": 2, "overdue": 2})
    command(lit, {"effect": "night"})
    lit.run(2)

    assert max(frame[5] for frame in frames(lit, 10)) == 1


def test_night_with_nothing_overdue_is_dark() -> None:
    lit = World().started(A=10, B=10)
    command(lit, {"effect": "night"})
    lit.run(1)

    assert frames(lit, 120) == {DARK}
    assert lit.shown()["overflow"] is False


def test_a_ticket_that_turns_overdue_at_night_is_seen() -> None:
    lit = World()
    lit.up()
    lit.message("tickets/ops", {"tickets": [{"key": "X-1", "status": "A", "due": "2026-11-23T12:10:00Z"}]})
    lit.run(2)
    command(lit, {"effect": "night"})
    lit.run(590)
    assert lit.writes[-1][1] == DARK

    lit.run(9)
    assert lit.shown()["effects"][0] == "pulse"


def test_dimmed_tickets_that_always_shine_stay_brighter_than_others_at_night() -> None:
    lit = World(LOOKS.replace("GAMMA", "1"))
    lit.up()
    counts = {"Blocker": 2, "A": {"total": 1, "overdue": 1}}
    lit.message("tickets/ops", {"counts": counts, "valid_until": "2026-11-23T12:00:01Z"})
    lit.run(2)
    command(lit, {"effect": "night"})
    lit.run(2)

    assert {frame[3:6] for frame in frames(lit, 10)} == {bytes([89, 0, 0])}  # 255 * 35 %


def test_off_and_brightness_do_not_change_what_is_laid_out() -> None:
    lit = world(A=3)
    before = lit.shown()
    lit.sent.clear()

    command(lit, {"state": "OFF"})
    lit.run(1)
    command(lit, {"state": "ON", "brightness": 3})
    lit.run(1)

    assert lit.shown() == before
    assert not any(message.topic.startswith("apimon/nodes/hall/strips") for message in lit.sent)


# Restoring


def test_the_state_that_the_broker_kept_is_restored_before_anything_is_drawn() -> None:
    lit = World(light='{"state":"OFF","brightness":77,"effect":"steady"}').started(A=3)
    lit.run(DAY)

    assert {frame for _, frame in lit.writes} == {DARK}
    assert state(lit) == {"state": "OFF", "brightness": 77, "effect": "steady"}
    command(lit, {"state": "ON"})
    assert lit.writes[-1][1][:3] == bytes([77, 0, 0])


def test_a_first_light_waits_for_a_second_and_is_then_on() -> None:
    lit = World(light=None)
    lit.up()
    lit.counts(A=1)
    lit.run(0.9)
    assert (lit.writes, LIGHT in lit.retained) == ([], False)

    lit.run(0.2)
    assert [time for time, _ in lit.writes] == [1.0]
    assert state(lit) == ON


@pytest.mark.parametrize(
    ("kept", "reason"),
    [
        ("rubbish", 'expected JSON: Expecting value: line 1 column 1 (char 0), got "rubbish"'),
        ('{"state":"OFF"}', 'expected state, brightness above 0 and effect, got "{\\"state\\":\\"OFF\\"}"'),
        (
            '{"state":"ON","brightness":0,"effect":"night"}',
            'expected state, brightness above 0 and effect, got "{\\"state\\":\\"ON\\",\\"brightness\\":0,\\"e…',
        ),
        ('{"state":"ON","brightness":9,"effect":"x"}', 'effect: expected tickets, steady or night, got "x"'),
    ],
)
def test_what_is_no_state_is_not_restored_and_replaced(kept: str, reason: str) -> None:
    lit = World(light=kept).started(A=1)

    assert lit.colors() == "r........."
    assert lit.writes[0][0] == 0.0
    assert state(lit) == ON
    assert lit.log[1:] == [f"{LIGHT}: not restored: {reason}"]


def test_a_command_that_comes_before_the_state_is_known_is_laid_over_it() -> None:
    lit = World(light=None)
    lit.up()
    lit.message(SET, {"brightness": 5})
    lit.turn()
    assert not told(lit)

    lit.message("nodes/hall/light", {"state": "OFF", "brightness": 99, "effect": "night"}, retained=True)
    lit.turn()

    assert state(lit) == {"state": "OFF", "brightness": 5, "effect": "night"}


def test_a_command_before_a_first_light_counts() -> None:
    lit = World(light=None)
    lit.up()
    lit.message(SET, {"state": "OFF"})
    lit.counts(A=1)
    lit.run(2)

    assert {frame for _, frame in lit.writes} == {DARK}
    assert state(lit)["state"] == "OFF"


def test_a_light_that_was_cleared_is_not_restored() -> None:
    lit = World(light=None)
    lit.up()
    lit.message("nodes/hall/light", b"")
    lit.run(0.5)
    lit.message("nodes/hall/light", {"state": "OFF", "brightness": 99, "effect": "night"}, retained=True)
    lit.turn()

    assert state(lit)["brightness"] == 99


def test_a_first_connection_that_is_too_short_does_not_lose_the_state() -> None:
    lit = World(light=None)
    lit.up()
    lit.run(0.5)
    lit.down()
    lit.run(30)
    assert lit.writes  # without a broker it is orange, whatever it was before

    lit.retained[LIGHT] = b'{"state":"OFF","brightness":99,"effect":"night"}'
    lit.up()
    lit.run(2)

    assert state(lit) == {"state": "OFF", "brightness": 99, "effect": "night"}
    assert lit.writes[-1][1] == DARK


def test_its_own_state_wins_at_every_later_connection() -> None:
    lit = world(A=3)
    command(lit, {"brightness": 9})
    lit.run(1)
    lit.down()
    lit.run(1)
    lit.retained[LIGHT] = b'{"state":"OFF","brightness":1,"effect":"night"}'
    told(lit)
    lit.log.clear()

    lit.up()
    lit.run(5)

    assert [json.loads(message.payload) for message in told(lit)] == [ON | {"brightness": 9}]
    assert not any("wrote" in line for line in lit.log)


# Its topic


def test_it_hears_itself_and_does_nothing() -> None:
    lit = world(A=3)
    command(lit, {"brightness": 9})
    lit.run(1)
    told(lit)
    wakes = lit.wakes

    lit.run(30)
    assert lit.wakes - wakes <= 3
    assert told(lit) == []


def test_what_somebody_else_writes_there_is_put_right_and_the_log_says_where_commands_go() -> None:
    lit = world(A=3)
    lit.log.clear()
    told(lit)

    lit.message("nodes/hall/light", {"state": "OFF", "brightness": 1, "effect": "night"})
    lit.turn()

    assert [json.loads(message.payload) for message in told(lit)] == [ON]
    assert lit.colors() == "rrr......."
    assert lit.log == [
        f"{LIGHT}: somebody else wrote to it, where only the node tells its state: commands go to apimon/{SET}"
    ]


def test_somebody_who_answers_every_state_with_another_gets_no_endless_quarrel() -> None:
    lit = world(A=3)
    told(lit)
    answered = 0

    for _ in range(600):
        lit.message("nodes/hall/light", {"state": "OFF", "brightness": 1, "effect": "night"})
        lit.run(0.1)
        answered += len(told(lit))

    assert answered <= 3 + 60 / 10
    lit.run(20)
    assert state(lit) == ON


def test_an_answer_that_had_to_wait_is_given_by_itself() -> None:
    lit = world(A=3)
    told(lit)
    for number in range(5):
        lit.message("nodes/hall/light", {"state": "OFF", "brightness": 1 + number, "effect": "night"})
        lit.run(1)
    assert len(told(lit)) == 3

    lit.run(5.5)
    assert len(told(lit)) == 1


def test_what_did_not_come_back_on_a_lost_connection_is_not_waited_for_on_the_next() -> None:
    lit = world(A=3)
    lit.connected = False
    command(lit, {"brightness": 1})
    lit.run(1)
    lost = lit.retained[LIGHT]
    lit.down()
    command(lit, {"brightness": 2})
    lit.up()
    lit.run(5)
    told(lit)

    lit.message("nodes/hall/light", lost)
    lit.run(1)

    assert [json.loads(message.payload)["brightness"] for message in told(lit)] == [2]


def test_echoes_that_come_late_are_not_taken_for_somebody_else() -> None:
    lit = world(A=3)
    told(lit)
    lit.connected = False  # the broker is slow
    for brightness in (1, 2, 3):
        command(lit, {"brightness": brightness})
        lit.run(1)
    said = [message.payload for message in told(lit)]
    lit.log.clear()

    for payload in (said[0], said[2]):  # the second was replaced on its way
        lit.message("nodes/hall/light", payload)
        lit.run(1)

    assert (told(lit), lit.log) == ([], [])
    lit.message("nodes/hall/light", said[1])
    lit.run(1)
    assert len(told(lit)) == 1


def test_refresh_says_the_light_again() -> None:
    lit = world(A=3)
    told(lit)
    lit.message("nodes/hall/request/refresh", b"")
    lit.run(1)

    assert len(told(lit)) == 1


def test_parse_takes_no_effect_of_quiet_hours() -> None:
    assert Scene.OFF not in light.EFFECTS
    with pytest.raises(PayloadError):
        light.parse(b'{"effect":"off"}')


# Starting anew


def test_a_restart_is_answered_and_asked_of_whoever_runs_the_node() -> None:
    lit = world(A=3)
    lit.message("nodes/hall/request/restart", {"transaction": 1})
    lit.turn()

    assert lit.node.restarting
    assert lit.sent[-1] == Publish(
        "apimon/nodes/hall/response/restart", b'{"status":"ok","transaction":1}', retain=False
    )


def test_a_node_that_has_just_started_does_not_start_anew() -> None:
    lit = World().started(A=3)
    lit.message("nodes/hall/request/restart", b"")
    lit.turn()

    assert not lit.node.restarting
    assert json.loads(lit.sent[-1].payload) == {
        "status": "error",
        "error": "started less than 10 s ago: ask again in 9 s",
    }


def test_a_retained_restart_is_ignored() -> None:
    lit = world(A=3)
    lit.message("nodes/hall/request/restart", b"", retained=True)
    lit.turn()

    assert not lit.node.restarting
