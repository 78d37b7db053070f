"""What a single value of config.yaml may be: each function converts one, or raises ValueError: what it expected."""

import re
from collections.abc import Callable, Iterable
from datetime import time
from typing import TYPE_CHECKING, Any

from apimon_node.config.jql import restriction
from apimon_node.picture.looks import Color

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
"""Seconds of each unit of a duration."""


def one_of(words: Iterable[str]) -> str:
    """Write words as a choice: a, b or c."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def text(value: Any) -> str:
    """Read text that is not empty."""
    if isinstance(value, str) and value.isprintable() and value:
        return value
    if isinstance(value, str) and value:
        raise ValueError("text on one line, without control characters")
    raise ValueError("text (put it in quotes)" if value is not None and value != "" else "text")


def query(value: Any) -> str:
    """Read a query, which may go over several lines."""
    jql = text(" ".join(value.splitlines()).strip() if isinstance(value, str) else value)
    if not restriction(jql):
        raise ValueError("a query that does not ask for all tickets (Jira Cloud refuses that), such as project = OPS")
    return jql


def identifier(value: Any) -> str:
    """Read an id, which becomes part of a topic."""
    if isinstance(value, str) and re.fullmatch(r"[a-z0-9_-]+", value):
        return value
    raise ValueError("an id of a to z, 0 to 9, _ and - only")


def topic(value: Any) -> str:
    """Read the beginning of a topic."""
    if isinstance(value, str) and re.fullmatch(r"[^+#/\0][^+#\0]*(?<!/)", value):
        return value
    raise ValueError("a topic without + and #, and without / at its ends")


def host_name(value: Any) -> str:
    """Read the name of a host, or its address."""
    name = text(value)
    try:
        name.encode("idna")
    except UnicodeError:
        raise ValueError("the name of a host") from None
    return name


def web_path(value: Any) -> str:
    """Read the path of a web address."""
    if isinstance(value, str) and re.fullmatch(r"/[!-~]*", value) and "#" not in value:
        return value
    raise ValueError("a path such as /mqtt, without spaces or #")


def truth(value: Any) -> bool:
    """Read true or false."""
    if isinstance(value, bool):
        return value
    raise ValueError("true or false")


def whole(low: int, high: int) -> Callable[[Any], int]:
    """Read a whole number between two, which belong to it."""

    def convert(value: Any) -> int:
        if type(value) is int and low <= value <= high:
            return value
        raise ValueError(f"{low} to {high}")

    return convert


def number(low: float, high: float) -> Callable[[Any], float]:
    """Read a number between two, which belong to it."""

    def convert(value: Any) -> float:
        if type(value) in (int, float) and low <= value <= high:
            return float(value)
        raise ValueError(f"{low:g} to {high:g}")

    return convert


def share(value: Any) -> float:
    """Read a percentage, as a share from 0 to 1."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?%", value) if isinstance(value, str) else None
    if match and float(match[1]) <= 100:  # noqa: PLR2004 - per cent
        return float(match[1]) / 100
    raise ValueError("a percentage from 0% to 100%")


def duration(low: str, high: str) -> Callable[[Any], float]:
    """Read a duration such as 500ms, 0.5s, 3h or 1w, between two, as seconds."""

    def convert(value: Any) -> float:
        seconds = _seconds(value) if isinstance(value, str) else None
        if seconds is not None and (_seconds(low) or 0) <= seconds <= (_seconds(high) or 0):
            return seconds
        raise ValueError(f"a duration from {low} to {high}")

    return convert


def color(value: Any) -> Color:
    """Read a colour: a CSS name, or #rrggbb."""
    import webcolors  # noqa: PLC0415 - a node on a Pi need not keep its tables where the colours are in hex

    try:
        rgb = webcolors.hex_to_rgb(value) if value.startswith("#") else webcolors.name_to_rgb(value)
    except (ValueError, TypeError, AttributeError):
        raise ValueError("a colour such as orange or '#ff8800' (with the quotes: # begins a comment)") from None
    return (rgb.red, rgb.green, rgb.blue)


def choice(*words: str) -> Callable[[Any], str]:
    """Read one of some words."""

    def convert(value: Any) -> str:
        if str(value) in words:
            return str(value)
        raise ValueError(one_of(words))

    return convert


def order(value: Any) -> str:
    """Read the order of the colours on the wire."""
    if isinstance(value, str) and sorted(value) in (sorted("RGB"), sorted("RGBW")):
        return value
    raise ValueError("an order of the colours such as GRB or RGB, or GRBW for a strip with white")


def url(value: Any) -> str:
    """Read the address of a Jira, without its last slash, nor that of its API, which the predecessor's BASE_URL had."""
    match = re.fullmatch(r"(https?://[^/@\s]+)(/[^@\s?#]*)?", value) if isinstance(value, str) else None
    if match:
        return match[1] + re.sub(r"/rest/api/(2|3|latest)/*$", "", match[2] or "").rstrip("/")
    raise ValueError("an address such as https://jira.example.com, without user or password")


def endpoint(value: Any) -> str:
    """Read the address of one resource, as it stands: its last slash and its query count."""
    if isinstance(value, str) and re.fullmatch(r"https?://[^/@\s?#]+(/[^@\s#]*)?", value):
        return value
    raise ValueError("an address such as https://id.example.com/token, without user or password")


def time_zone(value: Any) -> "ZoneInfo":
    """Read the name of a time zone."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - few have a use for it

    try:
        return ZoneInfo(text(value))
    except (ValueError, LookupError, OSError):  # no name, an unknown one, a folder
        raise ValueError("a time zone that this machine knows (its package tzdata), such as Europe/Berlin") from None


def time_of_day(value: Any) -> time:
    """Read a time of day."""
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", value, re.ASCII) if isinstance(value, str) else None
    if match:
        return time(int(match[1]), int(match[2]))
    raise ValueError("a time of day from '00:00' to '23:59' (with the quotes: YAML takes 22:00 for a number)")


def optional(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Read null as None, and all else as before."""
    return lambda value: None if value is None else convert(value)


def _seconds(value: str) -> float | None:
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?(ms|s|m|h|d|w)", value)
    return float(match[1]) * UNITS[match[2]] if match else None
