"""What is seen on a strip and which tickets stand behind each pixel, held against a real node in simulated time."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from looking import Looker, colors, looking, shown, tickets
from world import NOON

from apimon_node.dashboard.overview import FIRST, LegendEntry
from apimon_node.picture.effects import Effect

QUIET = """
node: {id: hall, quiet_hours: {from: "12:00", to: "13:00", effect: "off", time_zone: UTC}}
strips: [{name: ops, driver: memory, pixels: 4, boards: [ops]}]
looks:
  - {match: {status: A}, color: red, always: true}
  - {match: {status: B}, color: lime}
home_assistant: {enabled: false}
"""

NIGHT = QUIET.replace('effect: "off"', "effect: night")

YOUNG = """
node: {id: hall}
strips: [{name: ops, driver: memory, pixels: 4, boards: [ops, dev], brightness: 50%, reverse: true}]
looks:
  - {match: {younger_than: 10m}, color: white, effect: blink}
  - {color: red}
home_assistant: {enabled: false}
"""

TITLE = {
    "key": "OPS-1",
    "status": "A",
    "priority": "High",
    "assignee": "me",
    "summary": "It burns",
    "created": "2026-11-23T08:00:00Z",
    "due": "2026-11-23T13:00:00Z",
}


def test_each_ticket_stands_behind_its_pixel_in_the_order_of_the_looks() -> None:
    looker = looking()
    looker.publish("tickets/ops", tickets("B", "A", "C", "A"))
    looker.run(1)
    strip = looker.strip()

    assert strip.matched
    assert strip.live
    assert [looker.first(at) for at in range(5)] == [["OPS-2"], ["OPS-4"], ["OPS-1"], ["OPS-3"], []]
    assert [pixel.look for pixel in strip.pixels] == [0, 0, 1, 2, *[None] * 6]
    assert shown(strip.pixels) == "tttt......"
    assert colors(strip)[:5] == ["ff0000", "ff0000", "00ff00", "0000ff", "000000"]
    assert [bytes(color).hex() for color in strip.said] == colors(strip)


def test_a_ticket_is_told_in_full_with_its_address() -> None:
    looker = looking()
    looker.hear("pollers/main/status", {"boards": {}, "browse": "https://jira.example.com/browse/"})
    looker.publish("tickets/ops", {"tickets": [TITLE], "source": "main"})
    looker.run(1)

    (ticket,) = looker.strip().pixels[0].first
    assert ticket._asdict() == {
        "key": "OPS-1",
        "status": "A",
        "priority": "High",
        "assignee": "me",
        "summary": "It burns",
        "created": NOON - 4 * 3600,
        "due": NOON + 3600,
        "overdue": False,
        "url": "https://jira.example.com/browse/OPS-1",
        "board": "ops",
    }


def test_overdue_tickets_are_behind_the_pixels_that_pulse_and_become_it_on_time() -> None:
    looker = looking()
    looker.publish("tickets/ops", {"tickets": [TITLE, {"key": "OPS-2", "status": "A"}]})
    looker.run(1)
    assert [looker.first(0), looker.first(1)] == [["OPS-1"], ["OPS-2"]]

    looker.run(3600)

    assert [looker.first(0), looker.first(1)] == [["OPS-2"], ["OPS-1"]]
    assert looker.strip().matched
    assert [(pixel.overdue, pixel.effect) for pixel in looker.strip().pixels[:2]] == [
        (False, Effect.STEADY),
        (True, Effect.PULSE),
    ]


def test_tickets_that_share_pixels_are_shared_among_them_and_none_is_lost() -> None:
    looker = looking(pixels=4)
    looker.publish("tickets/ops", tickets(*"A" * 35, *"B" * 5, overdue=1))
    looker.run(1)
    strip = looker.strip()

    assert strip.matched
    assert strip.overflow
    assert shown(strip.pixels) == "ttto"
    assert [(pixel.look, pixel.overdue, pixel.tickets) for pixel in strip.pixels] == [
        (0, False, 17),
        (0, False, 17),
        (0, True, 1),
        (1, False, 5),
    ]
    assert [len(pixel.first) for pixel in strip.pixels] == [FIRST, FIRST, 1, 5]
    assert looker.first(1)[0] == "OPS-19"


def test_behind_a_single_pixel_of_a_look_are_its_overdue_tickets_and_then_the_others() -> None:
    looker = looking(pixels=2)
    looker.publish("tickets/ops", tickets("B", "A", "A", "A", overdue=1))
    looker.run(1)
    looker.publish(
        "tickets/ops",
        {
            "tickets": [
                *tickets("A", "A", "A")["tickets"],
                *[{"key": "OPS-9", "status": "A", "due": "2026-11-23T11:00:00Z"}, {"key": "B-1", "status": "B"}],
            ]
        },
    )
    looker.run(1)

    assert looker.first(0) == ["OPS-9", "OPS-1", "OPS-2", "OPS-3"]
    assert looker.strip().pixels[0].overdue


def test_the_legend_names_the_looks_and_counts_their_tickets() -> None:
    looker = looking()
    looker.publish("tickets/ops", tickets("B", "A", "B", overdue=1))
    looker.run(1)

    assert looker.strip().legend == (
        LegendEntry("A", (255, 0, 0), Effect.STEADY, 1, 0),
        LegendEntry("B", (0, 255, 0), Effect.STEADY, 2, 1),
        LegendEntry("C", (0, 0, 255), Effect.STEADY, 0, 0),
    )


def test_several_boards_ages_and_the_direction_count_as_on_the_node() -> None:
    looker = looking(YOUNG)
    looker.publish("tickets/ops", {"tickets": [{"key": "O-1", "status": "x", "created": "2026-11-23T11:55:00Z"}]})
    looker.publish("tickets/dev", {"tickets": [{"key": "D-1", "status": "x"}]})
    looker.run(1)
    young = [looker.first(0), looker.first(1), looker.strip().matched]
    looker.run(600)

    assert young == [["O-1"], ["D-1"], True]
    assert [pixel.look for pixel in looker.strip().pixels[:2]] == [1, 1]
    assert looker.strip().matched
    assert (looker.strip().reverse, looker.strip().brightness, looker.strip().boards) == (True, 0.5, ("ops", "dev"))


@given(
    board=st.lists(st.tuples(st.sampled_from("ABCX"), st.booleans()), max_size=30),
    effect=st.sampled_from(["tickets", "steady", "night"]),
)
@settings(max_examples=50, deadline=None)
def test_what_stands_behind_the_pixels_is_what_the_node_shows_whatever_the_board(
    board: list[tuple[str, bool]], effect: str
) -> None:
    looker = looking(pixels=7)
    looker.publish("nodes/hall/light/set", {"effect": effect})
    late = {True: {"due": "2026-11-23T11:00:00Z"}, False: {}}
    looker.publish(
        "tickets/ops",
        {"tickets": [{"key": f"T-{at}", "status": status, **late[due]} for at, (status, due) in enumerate(board)]},
    )
    looker.run(2)
    strip = looker.strip()
    seen = [due or effect != "night" for status, due in board if status != "X"]

    assert strip.matched
    assert sum(pixel.tickets for pixel in strip.pixels) == sum(seen)
    assert all(pixel.tickets == len(pixel.first) or len(pixel.first) == FIRST for pixel in strip.pixels)
    assert sum(entry.tickets for entry in strip.legend) == len(seen)


# Where it does not agree with the node


def test_where_the_node_says_something_else_no_tickets_are_told() -> None:
    looker = looking()
    looker.publish("tickets/ops", tickets("A"))
    looker.run(1)
    looker.hear("tickets/ops", tickets("A", "B"))  # the node has not seen it yet
    strip = looker.strip()

    assert not strip.matched
    assert {pixel.tickets for pixel in strip.pixels} == {0}
    assert colors(strip)[:2] == ["ff0000", "000000"]
    assert strip.legend[1].tickets == 1


def test_a_node_that_does_not_say_how_its_strip_is_configured_is_shown_without_tickets() -> None:
    looker = looking()
    looker.publish("tickets/ops", tickets("A"))
    looker.run(1)
    looker.hear("nodes/hall/strips/ops/config", b"")
    strip = looker.strip()

    assert not strip.matched
    assert strip.legend == ()
    assert strip.boards == ()
    assert colors(strip)[0] == "ff0000"


def test_a_strip_that_has_drawn_nothing_yet_is_dark() -> None:
    looker = Looker()
    looker.hear("nodes/hall/strips/ops/config", CONFIG)

    assert shown(looker.strip().pixels) == "..."
    assert looker.strip().said == ((0, 0, 0),) * 3


CONFIG: dict[str, Any] = {
    "boards": ["ops"],
    "pixels": 3,
    "status_pixel": "last",
    "brightness": 1,
    "period": 2,
    "overdue_effect": "pulse",
    "looks": [],
}


# What lies over the tickets


def test_trouble_is_seen_on_the_status_pixel_with_its_ticket_behind_it_and_expired_tickets_are_dim() -> None:
    looker = looking(more=", status_pixel: last")
    looker.publish("tickets/ops", tickets(*"A" * 10, valid_until="2026-11-23T12:00:30Z"))
    looker.run(1)
    assert shown(looker.strip().pixels) == "t" * 10

    looker.run(30)
    strip = looker.strip()

    assert shown(strip.pixels) == "ttttttttts"
    assert strip.status == "connection"
    assert (colors(strip)[0], colors(strip)[9]) == ("590000", "ff6e00")
    assert looker.first(9) == ["OPS-10"]


def test_a_strip_without_status_pixel_shows_none_and_a_heartbeat_is_one() -> None:
    silent, beating = looking(more=", status_pixel: none"), looking(more=", heartbeat: true")
    for looker in (silent, beating):
        looker.run(3)

    assert silent.strip().status == "connection"
    assert shown(silent.strip().pixels) == "." * 10
    beating.publish("tickets/ops", tickets())
    beating.run(1)
    assert shown(beating.strip().pixels) == "s........."
    assert colors(beating.strip())[0] == "ffffff"


def test_a_light_that_is_off_is_dark_but_what_stands_behind_it_is_told() -> None:
    looker = looking(pixels=2)
    looker.publish("tickets/ops", tickets("A", "A", "B"))
    looker.publish("nodes/hall/light/set", {"state": "OFF"})
    looker.run(2)
    strip = looker.strip()

    assert strip.dark
    assert shown(strip.pixels) == ".."
    assert [pixel.tickets for pixel in strip.pixels] == [2, 1]


def test_a_steady_light_stands_still_and_a_dim_one_has_a_share_of_the_brightness() -> None:
    looker = looking(more=", brightness: 50%")
    looker.publish("tickets/ops", tickets("A", overdue=1))
    looker.publish("nodes/hall/light/set", {"brightness": 51, "effect": "steady"})
    looker.run(2)
    strip = looker.strip()

    assert strip.pixels[0].effect is Effect.STEADY
    assert strip.pixels[0].overdue
    assert strip.brightness == pytest.approx(0.1)


def test_at_night_overdue_tickets_alone_are_there_as_dim_as_they_look_on_a_strip() -> None:
    looker = looking()
    looker.publish("tickets/ops", tickets("A", "A", "B", overdue=1))
    looker.publish("nodes/hall/light/set", {"effect": "night"})
    looker.run(2)

    assert [looker.first(0), looker.first(1)] == [["OPS-1"], []]
    assert colors(looker.strip())[0] == "6c0000"


@pytest.mark.parametrize(
    ("text", "keys", "first"), [(QUIET, ["OPS-1"], "ff0000"), (NIGHT, ["OPS-1", "OPS-2"], "ff0000")]
)
def test_in_quiet_hours_only_what_they_leave_is_seen_and_what_always_shines_is_as_by_day(
    text: str, keys: list[str], first: str
) -> None:
    looker = looking(text)
    late = {"due": "2026-11-23T11:00:00Z"}
    looker.publish(
        "tickets/ops",
        {
            "tickets": [
                {"key": "OPS-1", "status": "A"},
                {"key": "OPS-2", "status": "B", **late},
                {"key": "OPS-3", "status": "B"},
            ]
        },
    )
    looker.run(2)

    assert looker.strip().matched
    assert [key for at in range(4) for key in looker.first(at)] == keys
    assert colors(looker.strip())[0] == first
    assert looker.look().nodes["hall"].quiet


def test_in_dark_quiet_hours_there_is_no_status_pixel() -> None:
    looker = looking(QUIET)
    looker.run(3)

    assert looker.strip().status == "connection"
    assert shown(looker.strip().pixels) == "...."


def test_what_the_status_tells_of_a_strip_is_told_with_it() -> None:
    looker = looking()
    looker.publish("tickets/ops", tickets("A"))
    strip = looker.run(2).strips["hall", "ops"]

    assert (strip.driver, strip.milliamps, strip.limited, strip.period) == ("memory", 28, False, 2.0)
