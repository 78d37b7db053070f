"""The presence of the broker, as a node or poller knows it: whether it is there, since when, and what it denies. Pure.

It raises and clears the faults `broker` and `access`.
"""

import math
from collections.abc import Collection

from apimon_node.clock import Instant
from apimon_node.contract.faults import FaultName
from apimon_node.contract.topics import Own
from apimon_node.mqtt import refusals
from apimon_node.mqtt.faults import Faults
from apimon_node.mqtt.messages import Refused, Up

GRACE = 1.0
"""Seconds that a connection may be missing, or what the broker kept may take to come, before it is called a fault."""


class Presence:
    """Whether the broker is there, and whether it has been so for as long as the grace. `who` has it: `this node`."""

    def __init__(self, who: str, own: Own, faults: Faults, now: Instant) -> None:
        self._who = who
        self._own = own
        self._faults = faults
        self._reason = "not connected yet"  # why it is not there
        self._since = now.monotonic
        self.up = False

    def came(self, up: Up, subscriptions: Collection[str], now: Instant) -> None:
        """Note a connection, and which topics it lets us read; what it lets us write will be seen.

        It begins a time of its own even where no loss was noted.
        """
        self.up, self._since = True, now.monotonic
        self._faults.remark(f"connected to {up.broker} by MQTT {up.protocol}")
        self._faults.forget(FaultName.ACCESS, keep=subscriptions)
        for topic in subscriptions:
            denied = refusals.denied(self._who, "read", topic) if topic in up.denied else None
            self._faults.set(FaultName.ACCESS, topic, denied, now)

    def went(self, reason: str, now: Instant) -> None:
        """Note that it is lost, or that another try has failed."""
        if self.up:
            self.up, self._since = False, now.monotonic
        self._reason = reason

    def refused(self, refusal: Refused, now: Instant) -> None:
        """Note that it did not take a message. Anybody can ask for answers: all of them are one."""
        topic = self._own.response("+") if refusal.topic.startswith(self._own.response("")) else refusal.topic
        text = refusal.reason or refusals.denied(self._who, "write", topic)
        self._faults.set(FaultName.ACCESS, topic, text, now)

    def update(self, now: Instant) -> None:
        """Raise the fault `broker` where it has been away for as long as the grace; clear it where it is there."""
        self._faults.set(FaultName.BROKER, "", None if self.up or not self.settled(now) else self._reason, now)

    def deadline(self) -> float:
        """When (monotonic seconds) update() raises the fault."""
        return math.inf if self.up or FaultName.BROKER in self._faults else self.settled_at

    @property
    def settled_at(self) -> float:
        """When (monotonic seconds) it has been as it is for as long as the grace."""
        return self._since + GRACE

    def settled(self, now: Instant) -> bool:
        """Return whether what has not come by now is missing."""
        return now.monotonic >= self.settled_at
