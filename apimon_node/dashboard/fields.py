"""The fields of a message: what must be there raises PayloadError where it is not, other things are left out. Pure."""

from enum import Enum
from typing import TypeVar

from apimon_node import wire
from apimon_node.contract.lenient import Fields
from apimon_node.contract.topics import ID
from apimon_node.dashboard import words
from apimon_node.errors import PayloadError
from apimon_node.picture.looks import Color

COLOR_DIGITS = 6

E = TypeVar("E", bound=Enum)


def load(payload: bytes) -> Fields:
    """Read a message that must be an object."""
    raw = wire.load(payload)
    if not isinstance(raw, dict):
        raise PayloadError(f"expected an object, got {wire.describe(raw)}")
    return raw


def an_object(path: str, value: object) -> Fields:
    """Return a value that must be an object."""
    if not isinstance(value, dict):
        raise wire.unexpected(path, "an object", value)
    return value


def items(raw: Fields, key: str, most: int) -> list[object]:
    """Return a list that must be there, and not too long."""
    value = raw.get(key)
    if not isinstance(value, list) or len(value) > most:
        raise wire.unexpected(key, f"a list of at most {most}", value)
    return value


def identifier(path: str, value: object) -> str:
    """Return a value that must be an id."""
    if not isinstance(value, str) or not ID.fullmatch(value):
        raise wire.unexpected(path, "an id", value)
    return value


def number(raw: Fields, key: str, least: float, most: float) -> float:
    """Return a number that must be there, within bounds."""
    value = raw.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise wire.unexpected(key, f"{least:g} to {most:g}", value)
    return value


def one_of(kind: type[E], path: str, value: object) -> E:
    """Return a word that must be one of a kind."""
    try:
        return kind(value)
    except ValueError:
        raise wire.unexpected(path, " or ".join(str(item.value) for item in kind), value) from None


def color(value: object) -> Color:
    """Return a colour that must be one."""
    if not isinstance(value, str) or len(value) != COLOR_DIGITS or not value.isascii():
        raise wire.unexpected("a colour", "six digits such as ff0000", value)
    try:
        red, green, blue = bytes.fromhex(value)
    except ValueError:
        raise wire.unexpected("a colour", "six digits such as ff0000", value) from None
    return red, green, blue


def required(raw: Fields, key: str, most: int = words.MOST) -> str:
    """Return a text that must be there, fit for a line."""
    value = text(raw, key, most)
    if not value:
        raise wire.unexpected(key, "text", raw.get(key))
    return value


def text(raw: Fields, key: str, most: int = words.MOST) -> str | None:
    """Return a text, fit for a line; None where it is none."""
    value = raw.get(key)
    return words.line(value, most) if isinstance(value, str) else None


def link(raw: Fields, key: str) -> str | None:
    """Return an address that may be followed; None where it is none."""
    value = raw.get(key)
    return words.address(value) if isinstance(value, str) else None
