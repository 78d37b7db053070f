"""The inbox: messages that wait for the next update, the last few of each topic. Pure."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from apimon_node.clock import Instant
from apimon_node.errors import PayloadError
from apimon_node.mqtt.messages import Message

MESSAGES = 8
"""Messages of a topic that wait: if the last is refused, the one before it counts."""

TOPICS = 4000
"""Topics whose messages wait: anybody can invent pollers."""


class Envelope(NamedTuple):
    """A message, and when it came (monotonic seconds)."""

    message: Message
    at: float


class Inbox:
    """Collects messages by their topic, the oldest first, until they are drained."""

    def __init__(self) -> None:
        self._letters: dict[str, deque[Envelope]] = {}

    def put(self, message: Message, at: float) -> None:
        """Keep a message, if there is room for its topic."""
        if message.topic in self._letters or len(self._letters) < TOPICS:
            self._letters.setdefault(message.topic, deque(maxlen=MESSAGES)).append(Envelope(message, at))

    def drain(self) -> dict[str, deque[Envelope]]:
        """Take what has collected."""
        letters, self._letters = self._letters, {}
        return letters


def take_newest(letters: deque[Envelope], take: Callable[[bytes, Instant], None], now: Instant) -> PayloadError | None:
    """Take the newest valid message, as of its arrival. Return the error of a newer one, if any."""
    refused = None
    for message, at in reversed(letters):
        try:
            take(message.payload, Instant(at, at + now.wall - now.monotonic))
            break
        except PayloadError as err:
            refused = refused or err
    return refused
