"""Somebody who looks at a fleet: its clock is a number, its broker a list of messages, its node may be a real one."""

import json
from typing import Any

from world import NOON, World

from apimon_node.clock import Instant
from apimon_node.dashboard.fleet import Fleet
from apimon_node.dashboard.overview import Overview, Pixel, Strip
from apimon_node.mqtt.messages import Down, Message, Up


class Looker:
    """Drives a fleet in simulated time. With a world, all that its node says arrives here as well."""

    def __init__(self, world: World | None = None, *, wall: float = NOON) -> None:
        self.fleet = Fleet("apimon")
        self.world = world
        self.now = world.now if world else 0.0
        self.lead = wall
        self._passed = 0

    @property
    def instant(self) -> Instant:
        return Instant(self.now, self.now + self.lead)

    def up(self, *denied: str) -> None:
        self.fleet.receive(Up("broker:1883", "5", denied), self.instant)

    def down(self, reason: str = "the connection was lost") -> None:
        self.fleet.receive(Down(reason), self.instant)

    def hear(self, topic: str, payload: Any = b"", *, retained: bool = False) -> None:
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.fleet.receive(Message(f"apimon/{topic}", raw, retained), self.instant)

    def publish(self, topic: str, payload: Any = b"") -> None:
        """Let fleet and node hear a message."""
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.hear(topic, raw)
        if self.world is not None:
            self.world.message(topic, raw)

    def run(self, seconds: float = 0.0) -> Overview:
        """Let time pass for both; give what is seen at its end."""
        self.now += seconds
        if self.world is not None:
            self.world.run(seconds)
            for message in self.world.sent[self._passed :]:
                self.fleet.receive(Message(message.topic, message.payload), self.instant)
            self._passed = len(self.world.sent)
        return self.look()

    def look(self) -> Overview:
        return self.fleet.overview(self.instant)

    def strip(self, node: str = "hall", name: str = "ops") -> Strip:
        return self.look().strips[node, name]

    def first(self, at: int) -> list[str | None]:
        """Give the keys of the tickets behind a pixel that are shown with it."""
        return [ticket.key for ticket in self.strip().pixels[at].first]


def looking(text: str = "", *, pixels: int = 10, more: str = "") -> Looker:
    """Give somebody who looks at a node that is connected."""
    looker = Looker(World(text, pixels=pixels, more=more))
    looker.up()
    assert looker.world is not None
    looker.world.up()
    looker.run(0.1)
    return looker


def tickets(*statuses: str, overdue: int = 0, **more: Any) -> dict[str, Any]:
    """Give a snapshot with a ticket for each status; the first few of them are overdue."""
    return {
        "tickets": [
            {"key": f"OPS-{number}", "status": status} | ({"due": "2026-11-23T11:00:00Z"} if number <= overdue else {})
            for number, status in enumerate(statuses, 1)
        ],
        "source": "main",
        **more,
    }


def shown(pixels: tuple[Pixel, ...]) -> str:
    """Write what pixels are lit for, a letter each: t, s, o, or a dot."""
    return "".join("." if pixel.shows == "dark" else pixel.shows[0] for pixel in pixels)


def colors(strip: Strip) -> list[str]:
    return [bytes(pixel.color).hex() for pixel in strip.pixels]
