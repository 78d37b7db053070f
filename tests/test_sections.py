"""The sections: the keys and values that pages rely on, and that only what has changed is another object."""

import json
from typing import Any

from looking import Looker, looking, tickets
from test_fleet import EVENT, NODE, POLLER

from apimon_node.dashboard.sections import Sections


def whole() -> Looker:
    """Give somebody who has heard something of everything."""
    looker = looking(pixels=3)
    looker.hear("pollers/main/availability", b"online")
    looker.hear("pollers/main/status", POLLER)
    looker.publish("tickets/ops", tickets("A", "B", overdue=1, at="2026-11-23T12:00:00Z"))
    looker.run(1)
    looker.hear("boards/ops/event", EVENT)
    looker.hear("nodes/lab/status", NODE)
    looker.hear("tickets/dev", b"rubbish")
    return looker


def section(name: str) -> Any:
    """Give a section as it comes out of its JSON."""
    return json.loads(json.dumps(Sections().of(whole().look())))[name]


def test_there_is_a_section_for_each_thing() -> None:
    assert list(Sections().of(whole().look())) == [
        "broker",
        "node/hall",
        "node/lab",
        "strip/hall/ops",
        "tickets/ops",
        "poller/main",
        "board/dev",
        "board/ops",
        "history/ops",
        "events",
        "troubles",
    ]


def test_the_broker() -> None:
    assert section("broker") == {
        "state": "connected",
        "text": "broker:1883 by MQTT 5",
        "since": "2026-11-23T12:00:00Z",
        "denied": [],
    }


def test_a_node() -> None:
    lab = section("node/lab")
    faults = lab.pop("faults")

    assert lab == {
        "id": "lab",
        "online": None,
        "state": "degraded",
        "light": None,
        "quiet": True,
        "version": "0.1.0",
        "started_at": "2026-11-23T09:00:00Z",
        "strips": [],
        "boards": ["ops"],
    }
    assert without_advice(faults[0]) == {
        "name": "jira",
        "text": "board ops: no",
        "subject": "ops",
        "since": "2026-11-23T10:00:00Z",
        "attempts": 0,
        "retry_at": None,
    }
    assert section("node/hall")["light"] == {"state": "ON", "brightness": 255, "effect": "tickets"}
    assert section("node/hall")["online"] is True


def without_advice(raw: dict[str, Any]) -> dict[str, Any]:
    assert isinstance(raw.pop("advice"), str)
    return raw


def test_a_strip() -> None:
    strip = section("strip/hall/ops")
    pixels, legend = strip.pop("pixels"), strip.pop("legend")

    assert strip == {
        "node": "hall",
        "name": "ops",
        "boards": ["ops"],
        "driver": "memory",
        "reverse": False,
        "period": 2.0,
        "brightness": 1.0,
        "dark": False,
        "status": "ok",
        "overflow": False,
        "limited": False,
        "milliamps": 40,
        "matched": True,
        "live": True,
        "first": [["ops/OPS-1"], ["ops/OPS-2"], []],
        "said": ["ff0000", "00ff00", "000000"],
    }
    assert legend[0] == {"name": "A", "color": "ff0000", "effect": "steady", "tickets": 1, "overdue": 1}
    assert [number for number, _ in pixels] == [1, 1, 1]
    assert pixels[0][1] == {
        "color": "ff0000",
        "effect": "pulse",
        "shows": "ticket",
        "look": 0,
        "overdue": True,
        "tickets": 1,
    }
    assert pixels[2][1] == {
        "color": "000000",
        "effect": "steady",
        "shows": "dark",
        "look": None,
        "overdue": False,
        "tickets": 0,
    }


def test_like_pixels_are_told_once_and_their_tickets_by_name() -> None:
    looker = looking(pixels=300)
    looker.publish("tickets/ops", tickets(*"A" * 100))
    looker.run(1)
    strip: Any = Sections().of(looker.look())["strip/hall/ops"]

    assert [(number, pixel["color"]) for number, pixel in strip["pixels"]] == [(100, "ff0000"), (200, "000000")]
    assert strip["first"] == [[f"ops/OPS-{number}"] for number in range(1, 101)] + [[]] * 200


def test_tickets_that_are_only_counted_have_no_name() -> None:
    looker = looking(pixels=3)
    looker.publish("tickets/ops", {"counts": {"A": 2}})
    looker.run(1)
    told: Any = Sections().of(looker.look())

    assert told["strip/hall/ops"]["first"] == [[None], [None], []]
    assert "tickets/ops" not in told


def test_the_tickets_behind_all_pixels_are_told_once_by_board_and_key() -> None:
    told = section("tickets/ops")

    assert list(told) == ["OPS-1", "OPS-2"]
    assert told["OPS-1"] == {
        "key": "OPS-1",
        "status": "A",
        "priority": None,
        "assignee": None,
        "summary": None,
        "created": None,
        "due": "2026-11-23T11:00:00Z",
        "overdue": True,
        "url": "https://jira.example.com/browse/OPS-1",
        "board": "ops",
    }


def test_a_poller() -> None:
    poller = section("poller/main")
    boards = poller.pop("boards")

    assert poller == {
        "id": "main",
        "online": True,
        "version": "0.1.0",
        "started_at": "2026-11-23T09:00:00Z",
        "faults": [],
    }
    assert without_advice(boards[1]) == {
        "name": "ops",
        "state": "ok",
        "detail": "7 tickets, 1 overdue",
        "checked_at": "2026-11-23T10:00:00Z",
        "next_poll_at": "2026-11-23T10:01:00Z",
    }


def test_a_board_and_its_history() -> None:
    assert section("board/ops") == {
        "name": "ops",
        "state": "ok",
        "total": 2,
        "overdue": 1,
        "statuses": [{"name": "A", "total": 1, "overdue": 1}, {"name": "B", "total": 1, "overdue": 0}],
        "at": "2026-11-23T12:00:00Z",
        "valid_until": None,
        "source": "main",
        "counts_only": False,
    }
    history = section("history/ops")
    assert history["statuses"] == {"A": [1], "B": [1]}
    assert history["overdue"] == [1]
    assert len(history["at"]) == 1


def test_events_and_troubles() -> None:
    assert section("events") == [
        {
            "at": "2026-11-23T10:00:00Z",
            "board": "ops",
            "type": "status_changed",
            "key": "OPS-7",
            "status": "In Progress",
            "from": "Open",
            "summary": "It burns",
            "url": "https://jira.example.com/browse/OPS-7",
        }
    ]
    (trouble,) = section("troubles")
    assert trouble.startswith("board dev: refused: expected JSON")


def test_what_has_not_changed_is_the_same_object() -> None:
    looker, made = whole(), Sections()
    before = made.of(looker.look())
    looker.hear("nodes/lab/status", NODE | {"version": "0.2.0"})
    after = made.of(looker.look())

    assert [name for name in after if after[name] is not before[name]] == ["node/lab"]


def test_what_is_gone_has_no_section() -> None:
    looker, made = whole(), Sections()
    before = made.of(looker.look())
    looker.hear("nodes/lab/status")
    looker.hear("tickets/ops")
    after = made.of(looker.look())

    assert before.keys() - after.keys() == {"node/lab", "history/ops", "tickets/ops"}
