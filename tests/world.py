"""A node in a world of its own: its clock is a number, its strip remembers, its broker is a list."""

import json
from typing import Any

from apimon_node.clock import Instant
from apimon_node.config import schema
from apimon_node.errors import StripError
from apimon_node.mqtt.messages import Down, Event, Message, Publish, Up
from apimon_node.node.device import devices
from apimon_node.node.node import Node
from apimon_node.strip.memory import MemoryStrip

LIGHT = "apimon/nodes/hall/light"

NOON = 1_795_435_200.0
"""2026-11-23T12:00:00Z"""

CONFIG = """
node: {{id: hall}}
strips:
  - {{name: ops, driver: memory, pixels: {pixels}, boards: [ops]{more}}}
looks:
  - {{match: {{status: A}}, color: red}}
  - {{match: {{status: B}}, color: lime}}
  - {{match: {{status: C}}, color: blue}}
home_assistant: {{enabled: false}}
"""


class World:
    """Drives a node the way app.py does, but in simulated time.

    `light` is what the broker has kept of the light from before.
    """

    def __init__(
        self,
        text: str = "",
        *,
        pixels: int = 10,
        more: str = "",
        wall: float = NOON,
        light: str | None = '{"state":"ON","brightness":255,"effect":"tickets"}',
    ) -> None:
        self.settings, _ = schema.parse(text or CONFIG.format(pixels=pixels, more=more))
        self.connected = False
        self.now = 0.0
        self.lead = wall
        self.node = Node(self.settings, self.instant, lambda: 0.5)
        sizes = [sum(strip.pixels * strip.channels for strip in strips) for strips in devices(self.settings.strips)]
        self.strips = {name: MemoryStrip(size, channels=1) for name, size in zip(self.node.devices, sizes, strict=True)}
        self.writes: list[tuple[float, bytes]] = []
        self.sent: list[Publish] = []
        self.retained: dict[str, bytes] = {LIGHT: light.encode()} if light else {}
        self.log: list[str] = []
        self.wakes = 0

    @property
    def instant(self) -> Instant:
        return Instant(self.now, self.now + self.lead)

    @property
    def strip(self) -> MemoryStrip:
        return next(iter(self.strips.values()))

    def turn(self) -> None:
        self.wakes += 1
        for name, frame in self.node.frames(self.instant).items():
            try:
                shown = self.strips[name].show(frame)
            except StripError as err:
                self.node.frame_failed(name, err, self.instant)
            else:
                self.writes.append((self.now, frame))
                self.node.frame_shown(name, shown, self.instant)
        for message in self.node.outbox(self.instant):
            self.sent.append(message)
            if message.retain:
                self.retained[message.topic] = message.payload
            if message.topic == LIGHT and self.connected:
                self.receive(Message(LIGHT, message.payload))  # the node hears itself
        self.log += [remark.text for remark in self.node.remarks()]

    def run(self, seconds: float) -> None:
        """Let time pass: the node is woken when it asked to be, and at the end."""
        until = self.now + seconds
        self.turn()
        while self.now < until:
            self.now = min(until, max(self.node.deadline(), self.now + 1e-6))
            self.turn()

    def receive(self, event: Event) -> None:
        self.node.receive(event, self.instant)

    def up(self) -> None:
        self.connected = True
        self.receive(Up("broker:1883", "5"))
        if LIGHT in self.retained:
            self.receive(Message(LIGHT, self.retained[LIGHT], retained=True))

    def down(self, reason: str = "the connection was lost") -> None:
        self.connected = False
        self.receive(Down(reason))

    def message(self, topic: str, payload: bytes | str | dict[str, Any], *, retained: bool = False) -> None:
        raw = json.dumps(payload).encode() if isinstance(payload, dict) else payload
        raw = raw.encode() if isinstance(raw, str) else raw
        self.receive(Message(f"apimon/{topic}", raw, retained))

    def counts(self, board: str = "ops", **counts: Any) -> None:
        self.message(f"tickets/{board}", {"counts": counts})

    def started(self, **counts: Any) -> "World":
        """Connect, bring tickets, and let the first second pass."""
        self.turn()
        self.up()
        self.counts(**counts)
        self.run(1.5)
        return self

    @property
    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(self.retained["apimon/nodes/hall/status"])
        return status

    @property
    def faults(self) -> dict[str, str]:
        return {fault["name"]: fault["text"] for fault in self.status["faults"]}

    def shown(self, strip: str = "ops") -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.retained[f"apimon/nodes/hall/strips/{strip}"])
        return content

    def colors(self) -> str:
        """The last frame, a letter a pixel: r, g, b, o for orange, w for grey to white, or a dot."""
        names = {"ff0000": "r", "00ff00": "g", "0000ff": "b", "000000": "."}
        frame = self.writes[-1][1]
        return "".join(
            names.get(pixel.hex()) or ("w" if len(set(pixel)) == 1 else "?")
            for pixel in (frame[at : at + 3] for at in range(0, len(frame), 3))
        )
