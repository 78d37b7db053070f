"""Untrusted text, made fit to be shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimon_node.text import one_line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  a\n\tb  c ", "a b c"),
        ("\x1b[31mred\x07", "[31mred"),
        ("a\u202egnp.exe\u2028b", "agnp.exe b"),  # right to left; a line separator
        ("Grüße, 東京 🖨", "Grüße, 東京 🖨"),
        ("a \0 b", "a b"),
        ("\ud800", ""),
    ],
)
def test_what_comes_from_others_is_one_printable_line(text: str, expected: str) -> None:
    assert one_line(text) == expected


@given(st.text())
def test_a_line_is_printable_and_stays_as_it_is(text: str) -> None:
    line = one_line(text)

    assert line.isprintable()
    assert one_line(line) == line
