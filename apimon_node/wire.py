"""The format that all messages share: strict JSON in, compact JSON out, RFC 3339 times.

JSON as Python reads it is laxer than what other languages will accept (NaN, duplicate keys, halves of characters):
what is refused here can not surprise anybody further on.
"""

import json
import math
import re
from datetime import UTC, datetime
from typing import NoReturn

from apimon_node.errors import PayloadError

MAX_PAYLOAD = 2 * 1024 * 1024
"""Bytes (MQTT contract). A larger message is refused unread; 10,000 tickets as a poller publishes them fit."""

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_END_OF_TIME = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()
_SHOWN = 40
"""Characters of a wrong value that an error repeats."""


def load(payload: bytes) -> object:
    """Parse one JSON document. Raises PayloadError for anything but strict JSON in UTF-8 of at most 2 MiB."""
    if len(payload) > MAX_PAYLOAD:
        raise PayloadError(f"expected at most {MAX_PAYLOAD} bytes, got {len(payload)}")
    try:
        text = payload.decode()
        value: object = json.loads(text, object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as err:
        raise PayloadError(f"expected UTF-8, got the byte 0x{payload[err.start]:02x} at {err.start}") from None
    except UnicodeEncodeError:
        raise PayloadError("expected whole characters, got half of a surrogate pair") from None
    except RecursionError:
        raise PayloadError("expected JSON, got one that is nested too deeply") from None
    except ValueError as err:
        raise PayloadError(f"expected JSON: {err}") from None
    return value


def dump(value: object) -> bytes:
    """Write one JSON document, compact, in UTF-8."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def describe(value: object) -> str:
    """Name a wrong value in an error: as JSON, cut where it is long."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except RecursionError:  # it could just be loaded, and we stand deeper now
        return "something nested deeply"
    text = text.encode(errors="replace").decode()  # halves of characters can be loaded, but not sent
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def unexpected(path: str, expected: str, got: object) -> PayloadError:
    """Make the error for a wrong value at a place."""
    return PayloadError(f"{path}: expected {expected}, got {describe(got)}")


def step(name: str) -> str:
    """Name a key in the path of an error: on one line, and cut where it is long."""
    return describe(name).strip('"')


def parse_time(text: str) -> float:
    """Seconds since 1970 of an RFC 3339 time with its offset, as `2026-11-23T10:00:00Z`. Raises ValueError."""
    if not _RFC3339.fullmatch(text):
        raise ValueError("no RFC 3339 time with an offset")
    seconds = datetime.fromisoformat(text.upper()).timestamp()
    if not 0 <= seconds <= _END_OF_TIME:
        raise ValueError("before 1970 or after 9999")
    return seconds


def format_time(seconds: float) -> str:
    """RFC 3339 in UTC of `seconds` since 1970; with milliseconds only where there are any."""
    spec = "seconds" if float(seconds).is_integer() else "milliseconds"
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec=spec).removesuffix("+00:00") + "Z"


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Make an object of its pairs; a key that comes twice has no meaning that all readers agree on."""
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {describe(twice)} comes twice")
    return value


def _finite(number: str) -> float:
    """Read a number that a float can hold: 1e400 would become infinite, and could not be written again."""
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number[:_SHOWN]} is too large a number")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
