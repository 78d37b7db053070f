"""What others publish, meant well or not: nothing raises, nothing grows without end, and text stays text."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from looking import Looker, looking, tickets

from apimon_node.dashboard.payloads import MAX_PIXELS
from apimon_node.dashboard.sections import Sections
from apimon_node.strip import child

STRIP = {"pixels": ["ff0000", "00ff00"], "effects": [None, "pulse"], "overflow": False, "status": "ok"}

LOOK = {"name": "Open", "match": {"status": ["Open"]}, "color": "ff0000", "effect": None, "always": False}

CONFIG = {
    "boards": ["ops"],
    "pixels": 2,
    "reverse": False,
    "status_pixel": "first",
    "heartbeat": False,
    "brightness": 0.5,
    "period": 2.0,
    "overdue_effect": "pulse",
    "quiet_effect": "night",
    "looks": [LOOK],
}

EVENT = {"event_type": "created", "key": "OPS-1"}

EVIL = '<img src=x onerror="alert(1)">\u202e\u2066\x1b[2J\x00' + "x" * 10_000
"""Markup, marks that turn the direction of writing, a terminal's command, and 10 kB."""

TOPICS = [
    "tickets/ops",
    "nodes/hall/availability",
    "nodes/hall/status",
    "nodes/hall/light",
    "nodes/hall/strips/ops",
    "nodes/hall/strips/ops/config",
    "pollers/main/availability",
    "pollers/main/status",
    "boards/ops/event",
]


def trouble(topic: str, payload: Any) -> str:
    """Give the one thing that is wrong with a message."""
    looker = Looker()
    looker.hear(topic, payload)
    (text,) = looker.look().troubles
    return text


def without(whole: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in whole.items() if name != key}


def texts(value: object) -> list[str]:
    """Give all texts in a JSON value, keys too."""
    if isinstance(value, dict):
        return [text for item in (*value.keys(), *value.values()) for text in texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return [value] if isinstance(value, str) else []


# Wrong types


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("payload", [b"rubbish", b"\xff", b"[]", b"7", b"null", b'"x"', b"[" * 100_000, b'{"a":NaN}'])
def test_what_is_no_such_message_is_named_in_a_line(topic: str, payload: bytes) -> None:
    text = trouble(topic, payload)

    assert "refused: " in text
    assert len(text) <= 200


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"pixels": []}, "expected as many effects as pixels, got 2 and 0"),
        ({"pixels": ["ff0000"]}, "expected as many effects as pixels, got 2 and 1"),
        ({"pixels": 7}, "pixels: expected a list of at most 2000, got 7"),
        ({"pixels": ["red", "ff0000"]}, 'a colour: expected six digits such as ff0000, got "red"'),
        ({"pixels": ["ff 00 ", "ff0000"]}, 'a colour: expected six digits such as ff0000, got "ff 00 "'),
        ({"pixels": ["fffffg", "ff0000"]}, 'a colour: expected six digits such as ff0000, got "fffffg"'),
        ({"pixels": ["ff0000"] * 2001}, "pixels: expected a list of at most 2000"),
        ({"effects": [None, "spin"]}, 'effects: expected steady or pulse or blink, got "spin"'),
        ({"effects": [None, []]}, "effects: expected steady or pulse or blink, got []"),
        ({"status": "well"}, 'status: expected ok or connection or error, got "well"'),
        ({"status": None}, "status: expected ok or connection or error, got null"),
    ],
)
def test_half_a_strip_is_none(more: dict[str, Any], text: str) -> None:
    assert trouble("nodes/hall/strips/ops", STRIP | more).startswith(f"strip hall/ops: refused: {text}")


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"boards": ["Ops!"]}, 'boards: expected an id, got "Ops!"'),
        ({"boards": [7]}, "boards: expected an id, got 7"),
        ({"boards": None}, "boards: expected a list of at most 200, got null"),
        ({"pixels": 0}, "pixels: expected 1 to 2000, got 0"),
        ({"pixels": True}, "pixels: expected 1 to 2000, got true"),
        ({"pixels": 1e300}, "pixels: expected 1 to 2000, got 1e+300"),
        ({"status_pixel": "middle"}, 'status_pixel: expected first or last or none, got "middle"'),
        ({"brightness": 2}, "brightness: expected 0 to 1, got 2"),
        ({"period": 0}, "period: expected 2 to 3600, got 0"),
        ({"overdue_effect": None}, "overdue_effect: expected steady or pulse or blink, got null"),
        ({"quiet_effect": "party"}, "quiet_effect: expected tickets or steady or night or off"),
        ({"looks": [7]}, "looks: expected an object, got 7"),
        ({"looks": [LOOK] * 201}, "looks: expected a list of at most 200"),
        ({"looks": [LOOK | {"color": 7}]}, "a colour: expected six digits such as ff0000, got 7"),
        ({"looks": [LOOK | {"effect": "spin"}]}, "looks.effect: expected steady or pulse or blink"),
        ({"looks": [without(LOOK, "name")]}, "name: expected text, got null"),
        ({"looks": [without(LOOK, "match")]}, "looks.match: expected an object, got null"),
        ({"looks": [LOOK | {"match": {"mood": "bad"}}]}, "looks.match: expected status category"),
        ({"looks": [LOOK | {"match": {"status": "Open"}}]}, 'looks.match: expected a list of texts, got "Open"'),
        ({"looks": [LOOK | {"match": {"status": []}}]}, "looks.match: expected a list of texts, got []"),
        ({"looks": [LOOK | {"match": {"status": ["A", 7]}}]}, "looks.match: expected a list of texts"),
        ({"looks": [LOOK | {"match": {"overdue": 1}}]}, "looks.match.overdue: expected true or false, got 1"),
        ({"looks": [LOOK | {"match": {"older_than": -1}}]}, "looks.match: expected an age in seconds, got -1"),
        ({"looks": [LOOK | {"match": {"older_than": 10**400}}]}, "looks.match: expected an age in seconds, got 1000"),
        ({"looks": [LOOK | {"match": {"older_than": True}}]}, "looks.match: expected an age in seconds, got true"),
    ],
)
def test_a_configuration_that_might_mean_something_else_is_refused(more: dict[str, Any], text: str) -> None:
    said = trouble("nodes/hall/strips/ops/config", CONFIG | more)

    assert said.startswith(f"strip hall/ops: configuration: refused: {text}")


def test_the_configuration_of_these_tests_is_one() -> None:
    looker = Looker()
    looker.hear("nodes/hall/strips/ops/config", CONFIG)
    looker.hear("nodes/hall/strips/ops", STRIP)

    assert looker.look().troubles == ()
    assert looker.strip().brightness == 0.5


def test_a_strip_is_as_long_as_a_configuration_may_make_it() -> None:
    assert MAX_PIXELS == child.MAX_PIXELS


@pytest.mark.parametrize(
    ("topic", "payload", "text"),
    [
        ("nodes/hall/status", {}, "node hall: refused: state: expected text, got null"),
        ("nodes/hall/status", {"state": ""}, 'node hall: refused: state: expected text, got ""'),
        ("pollers/main/status", {"boards": 7}, "poller main: refused: expected an object with boards"),
        (
            "boards/ops/event",
            EVENT | {"event_type": "eaten"},
            "board ops: event: refused: event_type: expected created",
        ),
        ("boards/ops/event", without(EVENT, "key"), "board ops: event: refused: key: expected text, got null"),
        ("boards/ops/event", EVENT | {"x": "x" * 70_000}, "board ops: event: refused: expected at most 65536 bytes"),
        ("nodes/hall/light", {"state": "ON"}, "node hall: light: refused: expected state, brightness above 0"),
    ],
)
def test_a_message_that_says_too_little_is_refused(topic: str, payload: dict[str, Any], text: str) -> None:
    assert trouble(topic, payload).startswith(text)


def test_what_is_wrong_in_a_status_is_left_out_and_the_rest_counts() -> None:
    looker = Looker()
    looker.hear(
        "nodes/hall/status",
        {
            "state": "ok",
            "faults": [
                7,
                {"text": 3, "since": "yesterday", "attempts": -1, "retry_at": 5},
                {"name": "strip", "attempts": 10**4000},
            ],
            "quiet": "yes",
            "strips": {"ops": {"driver": 5, "milliamps": -3}, "<b>": {}, "x": 7},
            "boards": [],
            "version": {},
            "started_at": "2026-11-23T10:00:00",
        },
    )
    looker.hear("pollers/main/status", {"boards": {"ops": {"state": 7, "detail": []}, "Ops": {}}, "browse": 7})
    node, poller = looker.look().nodes["hall"], looker.look().pollers["main"]

    assert [fault[:2] for fault in node.faults] == [("unknown", "unknown"), ("strip", "strip")]
    assert [fault[3:6] for fault in node.faults] == [(None, 0, None)] * 2
    assert (node.quiet, node.version, node.started_at, node.boards) == (False, None, None, ())
    assert [(board.name, *board.report) for board in poller.boards] == [("ops", "unknown", "", None, None)]
    assert looker.look().troubles == ()


# Words of others


def test_nothing_that_anybody_writes_is_long_or_turns_the_writing_or_commands_a_terminal() -> None:
    looker = looking()
    looker.publish(
        "tickets/ops",
        {
            "tickets": [
                {"key": EVIL, "status": "A", "summary": EVIL, "priority": EVIL, "assignee": EVIL},
                {"key": "x", "status": EVIL},
            ],
            "source": EVIL,
        },
    )
    looker.hear("nodes/hall/status", {"state": EVIL, "version": EVIL, "faults": [{"name": EVIL, "text": EVIL}]})
    looker.hear("pollers/main/status", {"boards": {"ops": {"state": EVIL, "detail": EVIL}}, "browse": EVIL})
    looker.hear("boards/ops/event", EVENT | {"key": EVIL, "status": EVIL, "from": EVIL, "summary": EVIL, "url": EVIL})
    looker.hear("nodes/lab/strips/ops/config", CONFIG | {"looks": [LOOK | {"name": EVIL}]})
    looker.hear("nodes/lab/light", {"state": EVIL})
    looker.down(EVIL)
    looker.run(1)
    found = texts(Sections().of(looker.look()))
    evil = [text for text in found if "onerror" in text]

    assert looker.strip().pixels[0].tickets == 1
    assert len(evil) >= 15
    assert [text for text in found if len(text) > 250] == []
    assert [text for text in found if set(text) & set("\u202e\u2066\x1b\x00\n")] == []


@pytest.mark.parametrize("browse", ["javascript:alert(1)//", "https://a@b/", 'https://a/"x', "data:,", "//a/"])
def test_no_ticket_and_no_event_leads_elsewhere_than_to_the_web(browse: str) -> None:
    looker = looking()
    looker.hear("pollers/main/status", {"boards": {}, "browse": browse})
    looker.hear("boards/ops/event", EVENT | {"url": browse + "OPS-1"})
    looker.publish("tickets/ops", tickets("A"))
    looker.run(1)

    assert looker.strip().pixels[0].first[0].url is None
    assert looker.look().events[0].url is None


# Floods


@pytest.mark.parametrize(
    "topic",
    [
        "nodes/Hall/availability",
        "nodes/<b>/availability",
        "nodes//availability",
        "nodes/hall\n/availability",
        "nodes/" + "x" * 101 + "/availability",
        "nodes/hall",
        "nodes/hall/light/set",
        "nodes/hall/strips/ops/config/more",
        "nodes",
        "",
        "something/else",
    ],
)
def test_topics_that_are_none_are_passed_over(topic: str) -> None:
    looker = Looker()
    looker.hear(topic, b"online")
    overview = looker.look()

    assert (overview.nodes, overview.troubles) == ({}, ())


def test_things_without_end_are_left_out_and_that_is_told() -> None:
    looker = Looker()
    for number in range(1000):
        looker.hear(f"nodes/n{number:04}/availability", b"online")
        looker.hear(f"pollers/p{number:04}/availability", b"online")
        looker.hear(f"tickets/b{number:04}", tickets())
        looker.hear(f"nodes/m{number:04}/strips/ops", STRIP)
    overview = looker.look()

    assert [len(part) for part in (overview.nodes, overview.pollers, overview.boards, overview.strips)] == [200] * 4
    assert len(overview.troubles) == 200
    assert "board b0200: refused: there are 200 already: this one is left out" in overview.troubles


def test_a_flood_of_messages_is_read_when_somebody_looks_and_the_newest_counts() -> None:
    looker = Looker()
    for number in range(5000):
        looker.hear("tickets/ops", tickets(*"A" * (number % 7)))

    assert looker.look().boards["ops"].total == 4999 % 7


def test_a_place_that_becomes_free_is_given_again() -> None:
    looker = Looker()
    for number in range(201):
        looker.hear(f"nodes/n{number}/availability", b"online")
    before = looker.look()
    looker.hear("nodes/n7/availability")
    looker.hear("nodes/n200/availability", b"online")

    assert "n200" not in before.nodes
    assert "n200" in looker.look().nodes
    assert looker.look().troubles == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
KEYS = [*STRIP, *CONFIG, *EVENT, "state", "faults", "strips", "tickets", "counts", "browse", "at"]


@given(
    topic=st.sampled_from(TOPICS),
    base=st.sampled_from(
        [STRIP, CONFIG, EVENT, {"state": "ok"}, {"boards": {"ops": {"state": "ok"}}}, {"tickets": []}]
    ),
    more=st.dictionaries(st.sampled_from(KEYS), JSON, max_size=3),
)
@settings(max_examples=300, deadline=None)
def test_whatever_comes_the_overview_can_be_made_and_written(
    topic: str, base: dict[str, Any], more: dict[str, Any]
) -> None:
    looker = Looker()
    looker.hear("nodes/hall/strips/ops/config", CONFIG)
    looker.hear("nodes/hall/strips/ops", STRIP)
    looker.hear("tickets/ops", tickets("Open"))
    looker.look()
    looker.hear(topic, {**base, **more})

    assert json.loads(json.dumps(Sections().of(looker.look()), allow_nan=False))
