"""The light: on or off, how bright, with which effect; restored from its topic, set by commands, and told. Pure."""

import math
from collections import deque
from typing import Any

from apimon_node.config.settings import MqttSettings
from apimon_node.contract.light import dump, parse, parse_state
from apimon_node.contract.topics import Own
from apimon_node.errors import PayloadError
from apimon_node.mqtt.faults import Faults
from apimon_node.mqtt.messages import Message
from apimon_node.mqtt.outbox import Outbox
from apimon_node.mqtt.requests import how_to_clear
from apimon_node.picture.scene import LightState
from apimon_node.timing import TokenBucket

SELDOM = 10.0
"""Seconds between two lines of complaint in the log, and between two answers to somebody who writes to our topic."""

BURST = 2
"""Of those, how many may follow another at once."""

ECHOES = 100
"""Messages of ours that have not come back yet, at the most. The link has 20 on their way."""


class Light:
    """What the light is set to. Once that is known, nobody but a command changes it.

    It is remembered by the broker alone: the state that is retained when we first connect is ours from before.
    All times are monotonic seconds.
    """

    def __init__(self, own: Own, mqtt: MqttSettings, faults: Faults) -> None:
        self._own = own
        self._mqtt = mqtt
        self._faults = faults
        self.state = LightState()
        self.known = False
        """Whether it has been restored, or there was nothing to restore."""
        self._early: dict[str, Any] = {}
        self._echoes: deque[bytes] = deque(maxlen=ECHOES)
        self._told_wrong = False
        self._answer_at = math.inf
        self._answers = TokenBucket(SELDOM, BURST)
        self._complaint = ""
        self._complaints = TokenBucket(SELDOM, BURST)

    def command(self, message: Message, now: float) -> bool:
        """Take in a command; return whether it is done. If not, a slider that ran ahead has to be called back."""
        if message.retained:
            clear = how_to_clear(message.topic, self._mqtt)
            self._complain(f"ignored the retained command on {message.topic}; clear it with: {clear}", now)
            return False
        if not message.payload:
            return False  # what clears a retained one comes to us too
        self._told_wrong = True
        try:
            change = parse(message.payload)
        except PayloadError as err:
            self._complain(f"{message.topic}: refused: {err}", now)
            return False
        self._complaint = ""
        self.state = self.state._replace(**change)
        if not self.known:
            self._early |= change
        return True

    def hear(self, message: Message, now: float) -> bool:
        """Take in what is said of our state; return whether there is something to do about it."""
        if not self.known:
            return bool(message.payload) and self._restore(message, now)
        if message.retained:
            return False  # from before this connection, on which ours follows
        if message.payload in self._echoes:
            while self._echoes.popleft() != message.payload:
                pass  # replaced by a later one before it was sent, or lost with a connection
            return False
        text = f"{message.topic}: somebody else wrote to it, where only the node tells its state"
        self._complain(f"{text}: commands go to {self._own.light_set}", now)
        self._answer_at = min(self._answer_at, max(now, self._answers.not_before))
        return True

    def settle(self) -> None:
        """Nothing was retained: what it is set to is known to be the default, or what commands have said."""
        self.known = True

    def tell(self, outbox: Outbox, now: float) -> None:
        """Queue the state where it is news, or where somebody else wrote to its topic."""
        if not self.known:
            return
        if now >= self._answer_at:
            self._answers.spend(now)
            self._answer_at = math.inf
            self._told_wrong = True
        if self._told_wrong:
            self._told_wrong = False
            outbox.forget_one(self._own.light)
        payload = dump(self.state)
        if outbox.state(self._own.light, payload):
            self._echoes.append(payload)

    def deadline(self) -> float:
        """When tell() has something to say though nothing comes in."""
        return self._answer_at

    def _restore(self, message: Message, now: float) -> bool:
        try:
            self.state = parse_state(message.payload)._replace(**self._early)
        except PayloadError as err:
            self._complain(f"{message.topic}: not restored: {err}", now)
        self.known = True
        return True

    def _complain(self, text: str, now: float) -> None:
        """Write a line to the log, unless it stands there, or there were many."""
        if text != self._complaint and now >= self._complaints.not_before:
            self._complaint = text
            self._complaints.spend(now)
            self._faults.remark(text, bad=True)
