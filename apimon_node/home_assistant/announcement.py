"""When a node or poller announces itself to Home Assistant: at each connection, at its birth, and on a change. Pure."""

import math
from collections.abc import Callable
from typing import NamedTuple

from apimon_node.config.settings import HomeAssistantSettings
from apimon_node.mqtt.messages import Down, Event, Message, Publish, Up

BIRTH = b"online"
"""What Home Assistant says when it has started, unless somebody has changed that."""

JITTER_LEAST, JITTER_MOST = 0.5, 5.0
"""Seconds within which the devices of a house answer a birth or a broker's start, so that they do not come as one."""

DEBOUNCE = 5.0
"""Seconds between two different announcements of a device: of two at once, Home Assistant may take only a part."""


class Due(NamedTuple):
    """What is to be said now: the announcement, and whether also all that is retained once more, for a new listener."""

    announcement: Publish | None = None
    everything: bool = False


class Announcement:
    """Holds what is to be announced, and tells when.

    Times are monotonic seconds, `chance` gives numbers from 0 to 1.
    """

    def __init__(self, home: HomeAssistantSettings, chance: Callable[[], float]) -> None:
        self._home = home
        self._chance = chance
        self._device: Publish | None = None
        self._announced: Publish | None = None
        self._announced_at = -math.inf
        self._connected = False
        self._owed = False  # whether it is to be said though nothing has changed
        self._born = False
        self._at = math.inf

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """The topics that it listens to."""
        return (self._home.birth_topic,) if self._home.enabled else ()

    def describe(self, device: Publish, now: float) -> None:
        """Queue the announcement, whether it is news or not."""
        if device != self._device:
            self._device = device
            if self._connected:
                self._at = min(self._at, now + DEBOUNCE)

    def receive(self, event: Event, now: float) -> bool:
        """Take in what came from the broker; return whether it concerns nobody else."""
        match event:
            case Up():
                self._connected = self._home.enabled
                self._owe(now)
            case Down():
                self._connected = self._owed = self._born = False
                self._at = math.inf
            case Message() if event.topic in self.subscriptions:
                self._hear(event, now)
                return True
        return False

    def due(self, now: float) -> Due:
        """Take what is to be said now."""
        if now < self.deadline():
            return Due()
        news = self._owed or self._device != self._announced
        due = Due(self._device if news else None, self._born)
        if news:
            self._announced, self._announced_at = self._device, now
        self._owed = self._born = False
        self._at = math.inf
        return due

    def deadline(self) -> float:
        """When due() has something next."""
        if self._device is None:
            return math.inf
        changed = self._device != self._announced
        return max(self._at, self._announced_at + DEBOUNCE) if changed else self._at

    def _hear(self, message: Message, now: float) -> None:
        """Answer a birth. One that the broker has kept is no news: the connection that it comes with is."""
        if message.payload == BIRTH and not message.retained:
            self._born = True
            self._owe(now)

    def _owe(self, now: float) -> None:
        if self._connected:
            self._owed = True
            self._at = min(self._at, now + JITTER_LEAST + self._chance() * (JITTER_MOST - JITTER_LEAST))
