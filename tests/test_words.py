"""Words of others: what is shown of them, and which addresses may be followed."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimon_node.dashboard.words import MOST, address, address_of, line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Open", "Open"),
        ("  two\n\tlines ", "two lines"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),  # text is text: whoever draws it sees to that
        ("a\u202eb\u2066c", "a\ufffdb\ufffdc"),
        ("a\x1b[2Jb\x00", "a\ufffd[2Jb\ufffd"),
        ("zero\u200bwidth\ufeff", "zero\ufffdwidth\ufffd"),
        ("soft\xadhyphen\u3164filler", "soft\ufffdhyphen\ufffdfiller"),
        ("tags\U000e0041\U000e007f", "tags\ufffd\ufffd"),
        ("שלום", "שלום"),
        ("", ""),
    ],
)
def test_a_text_is_on_one_line_without_tricks(text: str, shown: str) -> None:
    assert line(text) == shown


def test_a_long_text_is_cut_and_that_is_seen() -> None:
    assert line("x" * 100) == "x" * 100
    assert line("x" * 101) == "x" * 99 + "…"
    assert line("x" * 10_000) == "x" * 99 + "…"
    assert line("x" + " " * 10_000 + "y") == "x…"


@given(st.text(max_size=400))
def test_no_text_is_too_long_or_has_what_is_not_seen(text: str) -> None:
    shown = line(text)

    assert len(shown) <= MOST
    assert not any(unicodedata.category(character) == "Cc" for character in shown)
    assert not any(unicodedata.bidirectional(character) in {"RLO", "LRO", "RLE", "RLI", "PDF"} for character in shown)


@pytest.mark.parametrize(
    "text",
    [
        "https://jira.example.com/browse/OPS-7",
        "http://127.0.0.1:8080/browse/OPS-7",
        "http://[::1]:8080/jira/browse/OPS-7?a=b&c=%20#d",
        "https://jira",
    ],
)
def test_an_address_of_the_web_may_be_followed(text: str) -> None:
    assert address(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "JavaScript://jira.example.com/%0aalert(1)",
        "data:text/html,x",
        "https://jira.example.com@evil.example/",
        "https://user:password@jira.example.com/",
        "https://jira.example.com/\n",
        'https://jira.example.com/"onclick="x',
        "https://jira.example.com/<script>",
        "https://jira.example.com/\u202e",
        "//jira.example.com/",
        "ftp://jira.example.com/",
        "https:///x",
        "https://jira.example.com\\@evil.example",
        "https://jira.example.com/" + "x" * 2000,
        "",
        None,
    ],
)
def test_no_other_address_is_one(text: str | None) -> None:
    assert address(text) is None


@pytest.mark.parametrize("key", ["../x", "..", "OPS 7", "OPS-7?x", "", "<b>", "OPS-7\n", "Ö-1"])
def test_a_key_that_is_none_of_jira_leads_nowhere(key: str) -> None:
    assert address_of("https://jira.example.com/browse/", key) is None


def test_a_ticket_leads_below_what_its_poller_names_and_else_nowhere() -> None:
    assert address_of("https://jira.example.com/browse/", "OPS-7") == "https://jira.example.com/browse/OPS-7"
    assert address_of(None, "OPS-7") is None
