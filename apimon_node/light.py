"""The light: on or off, how bright, with which effect; restored from its topic, set by commands, and told. Pure."""

import math
from collections import deque
from typing import Any

from apimon_node import wire
from apimon_node.errors import PayloadError
from apimon_node.faults import Faults
from apimon_node.mqtt.messages import Message
from apimon_node.mqtt.outbox import Outbox
from apimon_node.mqtt.topics import Own
from apimon_node.pace import Pace
from apimon_node.picture.scene import FULL, LightState, Scene
from apimon_node.request import how_to_clear
from apimon_node.settings import MqttSettings

EFFECTS = (Scene.TICKETS, Scene.STEADY, Scene.NIGHT)
"""What a command may choose."""

SELDOM = 10.0
"""Seconds between two lines of complaint in the log, and between two answers to somebody who writes to our topic."""

BURST = 2
"""Of those, how many may follow another at once."""

ECHOES = 100
"""Messages of ours that have not come back yet, at the most. The link has 20 on their way."""

SHOWN = 100
"""Bytes of a payload that is no JSON that go into a complaint, before it is cut to fit."""


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
        self._answers = Pace(SELDOM, BURST)
        self._complaint = ""
        self._complaints = Pace(SELDOM, BURST)

    def command(self, message: Message, now: float) -> bool:
        """Take in a command; tell whether it is done. If not, a slider that ran ahead has to be called back."""
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
        """Take in what is said of our state; tell whether there is something to do about it."""
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
        """Say what it is set to, and say it again where somebody has it wrong."""
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


def dump(state: LightState) -> bytes:
    """Write a state as Home Assistant reads it: always all of it."""
    return wire.dump({"state": "ON" if state.on else "OFF", "brightness": state.brightness, "effect": state.effect})


def parse_state(payload: bytes) -> LightState:
    """Read a state, which is a command that leaves nothing open. Raises PayloadError."""
    change = parse(payload)
    if change.keys() != set(LightState._fields):
        raise PayloadError(f"expected state, brightness above 0 and effect, got {_text(payload)}")
    return LightState(**change)


def parse(payload: bytes) -> dict[str, Any]:
    """Read a command: which fields of LightState it sets, to what. Raises PayloadError."""
    try:
        command = wire.load(payload)
    except PayloadError as err:
        raise PayloadError(f"{err}, got {_text(payload)}") from None
    if not isinstance(command, dict):
        raise PayloadError(
            f'expected an object such as {{"state":"ON","brightness":128}}, got {wire.describe(command)}'
        )
    change: dict[str, Any] = {}
    for key, read in READERS.items():
        if command.get(key) is not None:
            change |= read(command[key])
    return change


def _state(value: object) -> dict[str, Any]:
    if value not in ("ON", "OFF"):
        raise wire.unexpected("state", "ON or OFF", value)
    return {"on": value == "ON"}


def _brightness(value: object) -> dict[str, Any]:
    """Read a brightness. 0 is none: it switches off, whatever the state says; the next ON is as bright as before."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise wire.unexpected("brightness", f"a number from 0 to {FULL}", value)
    brightness = round(min(value, FULL))
    return {"brightness": brightness} if brightness else {"on": False}


def _effect(value: object) -> dict[str, Any]:
    if value not in EFFECTS:
        raise wire.unexpected("effect", f"{', '.join(EFFECTS[:-1])} or {EFFECTS[-1]}", value)
    return {"effect": Scene(str(value))}


READERS = {"state": _state, "brightness": _brightness, "effect": _effect}
"""What is read of a command, in this order. Home Assistant may send more, such as transition."""


def _text(payload: bytes) -> str:
    return wire.describe(payload[:SHOWN].decode(errors="replace"))
