"""What was heard: the last readable message on each topic, what could not be read, what is said no more. Pure."""

import math
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar

from apimon_node.clock import Instant
from apimon_node.contract import poller_status
from apimon_node.contract.lenient import MOST
from apimon_node.contract.light import parse_state
from apimon_node.contract.topics import ID, Topics
from apimon_node.dashboard import payloads, words
from apimon_node.dashboard.overview import Event
from apimon_node.errors import PayloadError
from apimon_node.mqtt.inbox import Inbox, take_newest
from apimon_node.mqtt.messages import Message
from apimon_node.tickets import snapshot

RENEWED_WITHIN = 60.0
"""Seconds after a connection in which all that still holds is said again, by the broker or by those who are back.

Nodes and pollers wait up to 30 s between two tries, and some more by chance.
"""

EVENTS = 50
"""Events that are remembered."""

T = TypeVar("T")
Ids = tuple[str, ...]


class Shelf(Generic[T]):
    """The last readable messages of one kind, by the ids in their topics. `name` has a place for each id."""

    def __init__(self, name: str, read: Callable[[bytes], T]) -> None:
        self.name = name
        self._read = read
        self.last: dict[Ids, T] = {}
        self.since: dict[Ids, Instant] = {}
        """When each first came, as it is."""
        self._heard_at: dict[Ids, float] = {}

    def get(self, *ids: str) -> T | None:
        """Return what was said last."""
        return self.last.get(ids)

    def put(self, ids: Ids, payload: bytes, now: Instant) -> None:
        """Take in a message that came at `now`: an empty one forgets. What is as it was stays the same object."""
        if not payload:
            self._drop(ids)
            return
        if ids not in self.last and len(self.last) >= MOST:
            raise PayloadError(f"there are {MOST} already: this one is left out")
        value = self._read(payload)
        self._heard_at[ids] = now.monotonic
        if self.last.get(ids) != value:
            self.last[ids], self.since[ids] = value, now

    def drop_older(self, at: float) -> None:
        """Forget what was not said again since a moment."""
        for ids in [ids for ids, heard in self._heard_at.items() if heard < at]:
            self._drop(ids)

    def _drop(self, ids: Ids) -> None:
        for known in (self.last, self.since, self._heard_at):
            known.pop(ids, None)


class Heard:
    """All that nodes and pollers have said, read when somebody looks: a flood costs no more than a look."""

    def __init__(self, base_topic: str) -> None:
        topics = Topics(base_topic)
        node, poller = topics.node("+"), topics.poller("+")
        self.boards = Shelf("board {}", snapshot.parse)
        self.nodes_online = Shelf("node {}: availability", payloads.online)
        self.nodes = Shelf("node {}", payloads.node_status)
        self.lights = Shelf("node {}: light", parse_state)
        self.strips = Shelf("strip {}/{}", payloads.strip_said)
        self.configs = Shelf("strip {}/{}: configuration", payloads.strip_config)
        self.pollers_online = Shelf("poller {}: availability", payloads.online)
        self.pollers = Shelf("poller {}", poller_status.parse)
        self.events = deque[Event](maxlen=EVENTS)
        """The newest last."""
        self._shelves: dict[str, Shelf[Any]] = {
            topics.tickets("+"): self.boards,
            node.availability: self.nodes_online,
            node.status: self.nodes,
            node.light: self.lights,
            node.strip("+"): self.strips,
            node.strip_config("+"): self.configs,
            poller.availability: self.pollers_online,
            poller.status: self.pollers,
        }
        self._event = topics.event("+")
        self._prefix = f"{base_topic}/"
        self._inbox = Inbox()
        self._troubles: dict[str, tuple[str, float]] = {}
        self._connected_at = -math.inf
        self.settles_at = math.inf
        """When (monotonic seconds) what was not said again since the last connection is forgotten."""

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """The topic filters to listen to."""
        return (*self._shelves, self._event)

    @property
    def troubles(self) -> tuple[str, ...]:
        """What could not be read, and why."""
        return tuple(sorted(text for text, _ in self._troubles.values()))

    def connected(self, now: Instant) -> None:
        """Note a connection: all that still holds will be said again."""
        self._connected_at, self.settles_at = now.monotonic, now.monotonic + RENEWED_WITHIN

    def lost(self) -> None:
        """Note that there is no connection: what was said last stays."""
        self.settles_at = math.inf

    def take(self, message: Message, now: Instant) -> bool:
        """Keep a message until somebody looks; return whether it is of any kind that we know."""
        kind, ids = self._address(message.topic)
        if not all(map(ID.fullmatch, ids)):
            return False
        if kind == self._event:
            return self._take_event(ids[0], message, now)
        if kind in self._shelves:
            self._inbox.put(message, now.monotonic)
        return kind in self._shelves

    def read(self, now: Instant) -> None:
        """Take in what has come since the last time."""
        for topic, letters in self._inbox.drain().items():
            kind, ids = self._address(topic)
            shelf = self._shelves[kind]
            refused = take_newest(letters, partial(shelf.put, ids), now)
            self._tell(topic, None if refused is None else f"{shelf.name.format(*ids)}: refused: {refused}", now)
        if now.monotonic >= self.settles_at:
            self.settles_at = math.inf
            for shelf in self._shelves.values():
                shelf.drop_older(self._connected_at)
            self._troubles = {
                topic: trouble for topic, trouble in self._troubles.items() if trouble[1] >= self._connected_at
            }

    def _take_event(self, board: str, message: Message, now: Instant) -> bool:
        """Take what happens to a ticket. One that the broker had kept is none of now."""
        if message.retained or not message.payload:
            return False
        text = None
        try:
            self.events.append(payloads.event(board, message.payload))
        except PayloadError as err:
            text = f"board {board}: event: refused: {err}"
        self._tell(message.topic, text, now)
        return True

    def _tell(self, topic: str, text: str | None, now: Instant) -> None:
        if text is None:
            self._troubles.pop(topic, None)
        elif topic in self._troubles or len(self._troubles) < MOST:
            self._troubles[topic] = words.line(text, words.SUMMARY), now.monotonic

    def _address(self, topic: str) -> tuple[str, Ids]:
        """Part a topic into the filter of its kind and its ids, which stand at every second place below the base."""
        if not topic.startswith(self._prefix):
            return "", ()
        steps = topic.removeprefix(self._prefix).split("/")
        ids = tuple(steps[1::2])
        steps[1::2] = "+" * len(ids)
        return self._prefix + "/".join(steps), ids
