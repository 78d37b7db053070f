"""Twenty nodes of 300 pixels that show one board: what a real node says in simulated time, under twenty names."""

import time
from collections.abc import Iterator
from itertools import count

from world import World

from apimon_node import wire
from bench.boards import pack, ticket
from bench.rig import Rig

NODES, PIXELS = 20, 300
TICKETS = PIXELS - 1
"""All of a strip but its last pixel is lit."""

CONFIG = f"""
node: {{id: hall}}
strips:
  - {{name: ops, driver: memory, pixels: {PIXELS}, boards: [ops]}}
looks:
  - {{match: {{status: Open}}, color: red}}
  - {{match: {{status: [In Progress, Review]}}, color: magenta}}
  - {{color: blue}}
home_assistant: {{enabled: false}}
"""

POLLER = {
    "boards": {"ops": {"state": "ok", "detail": f"{TICKETS} tickets, 1 overdue"}},
    "browse": "https://jira.example.com/browse/",
}


class FleetSaid:
    """Publishes what the fleet says, as retained messages of a rig's poller."""

    def __init__(self, run: Rig) -> None:
        self._run = run
        self._tickets = [ticket(number) for number in range(TICKETS)]
        self._tickets[0]["due"] = "2020-02-02T08:00:00Z"
        self._next = count()
        self._world = World(CONFIG, wall=time.time())
        self._world.turn()
        self._world.up()
        self._world.message("tickets/ops", self._board())
        self._world.run(5.0)  # its grace and its start are over
        self._passed = len(self._world.sent)
        self._say("apimon/pollers/main/availability", b"online")
        self._say("apimon/pollers/main/status", pack(POLLER))
        self._say("apimon/tickets/ops", self._board())
        for topic, payload in self._world.retained.items():
            self._say_all(topic, payload)
        run.flush()

    def change(self) -> None:
        """Let one ticket change its status: its board says so, and at once all nodes, as they do."""
        changed = self._tickets[1 + next(self._next) % (TICKETS - 1)]
        before, after = changed["status"], "Open" if changed["status"] != "Open" else "Waiting"
        changed["status"] = after
        event = {"event_type": "status_changed", "board": "ops", "key": changed["key"], "status": after, "from": before}
        self._say("apimon/tickets/ops", self._board())
        self._run.publish(pack(event | {"at": wire.format_time(time.time())}), "apimon/boards/ops/event")
        self._run.flush()  # a node hears it when the page does
        self._world.run(1.0)
        self._world.message("tickets/ops", self._board())
        self._world.turn()
        for topic, payload in self._new():
            self._say_all(topic, payload)
        self._run.flush()

    def _new(self) -> Iterator[tuple[str, bytes]]:
        for message in self._world.sent[self._passed :]:
            yield message.topic, message.payload
        self._passed = len(self._world.sent)

    def _say_all(self, topic: str, payload: bytes) -> None:
        for number in range(NODES):
            self._say(topic.replace("/hall/", f"/n{number:02}/"), payload)

    def _say(self, topic: str, payload: bytes) -> None:
        self._run.publish(payload, topic, retain=True)

    def _board(self) -> bytes:
        return pack({"tickets": self._tickets, "source": "main", "at": wire.format_time(time.time())})
