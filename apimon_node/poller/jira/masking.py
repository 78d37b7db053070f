"""Masks what was sent and must not be shown, in words of others: a server may repeat a request's headers. Pure."""

import base64
import re
from collections.abc import Iterable
from html.entities import codepoint2name

MASK = "***"

BEGINNING = 12
"""Characters of a secret after which what follows is its rest, be it cut off or changed."""

MIN_COOKIE = 8
"""Characters of the shortest value of a cookie that is taken for a secret: `1` and `true` are none."""


def sent(authorization: str, cookie: str) -> frozenset[str]:
    """Return the secrets in two headers of a request: a token, or a password as it is and as it was sent; cookies."""
    scheme, _, credentials = authorization.partition(" ")
    found = []
    if credentials.strip(" ="):
        found = [authorization.rstrip("="), credentials.rstrip("=")]
    if scheme.lower() == "basic":
        found.append(_password(credentials))
    values = [pair.partition("=")[2].strip() for pair in cookie.split(";")]
    found += [value for value in values if len(value) >= MIN_COOKIE]
    return frozenset(secret for secret in found if secret.strip())


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return a text without these secrets, in whichever of the usual ways they are escaped, or broken into lines.

    The text must be cut only afterwards: half a secret would not be known again.
    """
    patterns = [_pattern(secret) for secret in sorted(secrets, key=len, reverse=True)]
    return re.sub("|".join(patterns), MASK, text, flags=re.IGNORECASE) if patterns else text


def _password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials).decode("latin-1").partition(":")[2]
    except ValueError:
        return ""


def _pattern(secret: str) -> str:
    runs = re.findall(r"\\+|\s+|.", secret.strip())
    whole, beginning = (r"\s*".join(map(_run, part)) for part in (runs, runs[:BEGINNING]))
    return whole if len(secret) < 2 * BEGINNING else rf"{whole}|{beginning}\S*"


def _run(run: str) -> str:
    """Return a pattern for a character, or a run of backslashes or blanks, as it is and as others may escape it.

    No two alternatives fit the same text, and each has an end: else a text could make the search endless.
    """
    character = run[0]
    if character.isascii() and character.isalnum():
        return character
    code, name = ord(character), codepoint2name.get(ord(character), "apos")  # the one that HTML 4 did not have
    in_url = ("".join(f"%(?:25)*{byte:02x}" for byte in character.encode(way)) for way in ("utf-8", "latin-1"))
    ways = [*in_url, rf"&(?:amp;)*(?:#0*{code}|#x0*{code:x}|{name});?", rf"\\{{1,4}}(?:u00|x){code:02x}"]
    if character == "\\":
        times = len(run)
        escaped = "|".join(f"(?:{way}){{{times}}}" for way in dict.fromkeys(ways))
        return rf"(?:{escaped}|\\{{{times},{4 * times}}})"
    pattern = "|".join(dict.fromkeys([*ways, *_unescaped(character)]))
    return rf"(?:{pattern})+" if character == " " else rf"(?:{pattern})"


def _unescaped(character: str) -> list[str]:
    """Return patterns for how a character that is neither letter nor digit of ASCII is written without its code."""
    if character.isascii():
        others = {" ": [r"\s", r"\+"], "+": ["-", r"\s"], "/": ["_"]}  # of URLs, and of base64 there
        return [rf"\\?{re.escape(character)}", *others.get(character, ())]
    misread = "".join(filter(str.isprintable, character.encode().decode("latin-1")))
    return [re.escape(word) for word in (character, misread, "\N{REPLACEMENT CHARACTER}", "?")]
