"""The topics of the light: Home Assistant's JSON for a light. Pure."""

from typing import Any

from apimon_node import wire
from apimon_node.errors import PayloadError
from apimon_node.picture.scene import FULL, LightState, Scene

EFFECTS = (Scene.TICKETS, Scene.STEADY, Scene.NIGHT)
"""What a command may choose."""

SHOWN = 100
"""Bytes of a payload that is no JSON that go into a complaint, before it is cut to fit."""


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
