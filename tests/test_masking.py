"""Secrets in words of others: whichever way a server repeats what it was sent, it is not shown."""

import base64
import html
import json
import time
from urllib.parse import quote, quote_plus

import pytest

from apimon_node.poller.jira.masking import MASK, masked, sent

TOKEN = "ATATT3xFfGF0x-_.~+/=Ab9" * 8
PASSWORDS = [
    "hunter2",
    "x",
    "?",
    "a b  c",
    "p&ss<w>\"o'rd\\",
    "a+b/c=d%41",
    "100%",
    "p\u00e4ssw\u00f6rd",
    "\\\\\\",
    "....",
]
SECRETS = [TOKEN, *PASSWORDS]


def basic(password: str) -> str:
    return base64.b64encode(f"me@example.com:{password}".encode("latin-1")).decode()


def escaped(secret: str) -> dict[str, str]:
    """Give the ways in which a secret may be repeated."""
    return {
        "as it is": secret,
        "in upper case": secret.upper() if secret.isascii() else secret,
        "in a URL": quote(secret, safe=""),
        "in a URL, in lower case": quote(secret, safe="").replace("%2F", "%2f").replace("%3D", "%3d"),
        "in a URL, with slashes": quote(secret),
        "in a form": quote_plus(secret),
        "in a URL, as Latin-1": quote(secret.encode("latin-1"), safe=""),
        "in a URL, twice": quote(quote(secret, safe=""), safe=""),
        "in HTML": html.escape(secret),
        "in HTML, twice": html.escape(html.escape(secret)),
        "in HTML, by numbers": "".join(c if c.isalnum() and c.isascii() else f"&#{ord(c)};" for c in secret),
        "in HTML, by hexadecimal numbers": "".join(
            c if c.isalnum() and c.isascii() else f"&#x{ord(c):X};" for c in secret
        ),
        "in JSON": json.dumps(secret)[1:-1],
        "in JSON, as UTF-8": json.dumps(secret, ensure_ascii=False)[1:-1],
        "in a program": repr(secret)[1:-1],
        "misread": secret.encode().decode("latin-1"),
        "not to be read": secret.encode("latin-1").decode("utf-8", "replace"),
        "not to be written": secret.encode("ascii", "replace").decode(),
    }


def folded(text: str) -> str:
    """Make one printable line of a text, as is done with Jira's words."""
    return "".join(filter(str.isprintable, " ".join(text.split())))


@pytest.mark.parametrize("way", escaped("x"))
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_masked_in_whichever_way_it_is_repeated(secret: str, way: str) -> None:
    text = masked(folded(f"({escaped(secret)[way]})"), [secret])
    assert MASK in text
    assert set(text) <= set("(*)")


@pytest.mark.parametrize("every", [1, 10, 76])
@pytest.mark.parametrize("between", ["\n", "\r\n ", "\x00", "\u200b", " "])
def test_a_secret_that_is_broken_into_lines_is_masked(every: int, between: str) -> None:
    broken = between.join(TOKEN[at : at + every] for at in range(0, len(TOKEN), every))
    assert masked(folded(f"[{broken}]"), [TOKEN]) == f"[{MASK}]"


@pytest.mark.parametrize("length", [12, 40, len(TOKEN) - 1])
def test_the_beginning_of_a_long_secret_is_masked_where_the_server_has_cut_it(length: int) -> None:
    assert masked(f"token {TOKEN[:length]}", [TOKEN]) == f"token {MASK}"
    assert masked(f"token {TOKEN[:length]}... is bad", [TOKEN]) == f"token {MASK} is bad"


def test_words_without_a_secret_stay() -> None:
    text = "The value 'NOSUCH' does not exist for the field 'project' & \\ % + ü."
    assert masked(text, [TOKEN, "hunter2", basic("hunter2")]) == text
    assert masked(text, []) == text


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("!" * 40 + "a", "%21" * 100_000),
        ("\\" * 12 + "a", "\\" * 10_000),
        ("é" * 12 + "a", "é%c3%a9" * 20_000),
        (TOKEN, TOKEN[:-1] * 1000),
        ("a b c d e f g h", "a b c d e f g " * 2_000),
    ],
)
def test_no_text_makes_the_search_slow(secret: str, text: str) -> None:
    began = time.process_time()
    masked(text, [secret])
    assert time.process_time() - began < 2


# --- what is one ---


def test_what_was_sent_is_the_token_the_password_its_encoded_form_and_the_cookies() -> None:
    blob = basic("hunter2")
    assert sent("", "") == frozenset()
    assert sent("Bearer abc", "") == {"Bearer abc", "abc"}
    assert sent(f"Basic {blob}", "") == {f"Basic {blob}".rstrip("="), blob.rstrip("="), "hunter2"}
    assert sent(f"basic {blob}", "a=1; JSESSIONID=0123456789ABCDEF; b=x=yyyyyyyyy") == {
        f"basic {blob}".rstrip("="),
        blob.rstrip("="),
        "hunter2",
        "0123456789ABCDEF",
        "x=yyyyyyyyy",
    }


@pytest.mark.parametrize("authorization", ["Basic", "Basic ", "Basic !", "Basic abc", "Bearer", "Bearer  "])
def test_a_header_that_holds_nothing_has_no_secret(authorization: str) -> None:
    assert masked("all of it", sent(authorization, ";=;")) == "all of it"


@pytest.mark.parametrize("password", PASSWORDS)
def test_the_header_is_masked_whole(password: str) -> None:
    authorization = f"Basic {basic(password)}"
    text = masked(f"bad header Authorization: {authorization}", sent(authorization, ""))
    assert basic(password).rstrip("=") not in text
    assert "Basic" not in text
