"""What a node says of how a strip is configured, and when."""

import json
from pathlib import Path

import pytest
from world import World

from apimon_node import wire
from apimon_node.config import schema
from apimon_node.dashboard import payloads
from apimon_node.node.description import description

TOPIC = "apimon/nodes/hall/strips/ops/config"

UNUSUAL = """
node: {id: hall, render_interval: 2s, quiet_hours: {from: "22:00", to: "06:30", effect: "off"}}
strips:
  - {name: ops, driver: memory, pixels: 8, boards: [a, b], brightness: 40%, reverse: true, heartbeat: true,
     status_pixel: last, gamma: 2.2, order: GRB, max_milliamps: 500}
looks:
  - {match: {status: [A, B], category: new, priority: High, assignee: me, label: x, overdue: false}, color: red}
  - {match: {younger_than: 10m, older_than: 1m}, color: lime, effect: blink, always: true}
  - {color: blue}
overdue: {effect: blink}
"""


def test_it_tells_how_tickets_become_pixels_and_nothing_of_the_wiring() -> None:
    settings, _ = schema.parse(UNUSUAL)

    assert json.loads(wire.dump(description(settings.strips[0], settings))) == {
        "boards": ["a", "b"],
        "pixels": 8,
        "reverse": True,
        "status_pixel": "last",
        "heartbeat": True,
        "brightness": 0.4,
        "period": 8.0,
        "overdue_effect": "blink",
        "quiet_effect": "off",
        "looks": [
            {
                "name": "A or B, category new, priority High, assignee me, label x, not overdue",
                "match": {
                    "status": ["A", "B"],
                    "category": ["new"],
                    "priority": ["High"],
                    "assignee": ["me"],
                    "label": ["x"],
                    "overdue": False,
                },
                "color": "ff0000",
                "effect": None,
                "always": False,
            },
            {
                "name": "older than 1 minute, younger than 10 minutes",
                "match": {"younger_than": 600.0, "older_than": 60.0},
                "color": "00ff00",
                "effect": "blink",
                "always": True,
            },
            {"name": "all others", "match": {}, "color": "0000ff", "effect": None, "always": False},
        ],
    }


@pytest.mark.parametrize("text", [UNUSUAL, Path("config.yaml").read_text(encoding="utf-8")])
def test_whoever_reads_it_has_the_very_looks_of_the_node(text: str) -> None:
    settings, _ = schema.parse(text)
    read = payloads.strip_config(wire.dump(description(settings.strips[0], settings)))

    assert read.looks == settings.looks
    assert (read.pixels, read.boards) == (settings.strips[0].pixels, settings.strips[0].boards)
    assert read.overdue_effect is settings.overdue_effect


def test_without_quiet_hours_it_names_no_effect_for_them() -> None:
    settings = World().settings

    assert description(settings.strips[0], settings)["quiet_effect"] is None


def test_it_is_said_at_each_connection_and_never_between() -> None:
    world = World().started(A=1)
    first = [message for message in world.sent if message.topic == TOPIC]
    world.counts(A=2)
    world.run(600)
    between = [message for message in world.sent if message.topic == TOPIC]
    world.down()
    world.up()
    world.run(2)

    assert len(first) == len(between) == 1
    assert first[0].retain
    assert [message for message in world.sent if message.topic == TOPIC] == first * 2
