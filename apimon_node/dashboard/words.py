"""Words of others, made fit to be shown: on one line, not too long, and nothing that plays tricks on a reader. Pure."""

import re

MOST = 100
"""Characters of a text, unless said."""

SUMMARY = 200
"""Characters of a ticket's summary, and of what somebody explains."""

MAX_ADDRESS = 2000
"""Characters of an address that all browsers take."""

_TRICKS = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    r"\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""Control characters, and those that turn the direction of writing (UAX 9) or are not seen: in the block of tags
(U+E0000) a whole sentence can hide.
"""

_ADDRESS = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:\d{1,5})?(/[\w/.~%!$&()*+,;=:@?#-]*)?", re.ASCII)
_KEY = re.compile(r"\w[\w.-]*", re.ASCII)


def line(text: str, most: int = MOST) -> str:
    """Make a text fit for a line."""
    shown = _TRICKS.sub("\ufffd", " ".join(text[: 2 * most].split()))
    return shown if len(shown) <= most and len(text) <= 2 * most else shown[: most - 1] + "…"


def address(text: str | None) -> str | None:
    """Return an address that may be followed: of the web, with nobody's name in it; None for any other."""
    fits = text is not None and len(text) <= MAX_ADDRESS and _ADDRESS.fullmatch(text)
    return text if fits else None


def address_of(browse: str | None, key: str) -> str | None:
    """Return the address of a ticket; None without a beginning, or where its key would lead elsewhere."""
    return address(browse + key) if browse and _KEY.fullmatch(key) else None
