"""The format of all messages: strict JSON in, compact JSON out, RFC 3339 times."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimon_node import wire
from apimon_node.errors import PayloadError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


def refusal(payload: bytes) -> str:
    with pytest.raises(PayloadError) as caught:
        wire.load(payload)
    return str(caught.value)


@given(VALUES)
def test_what_is_dumped_is_loaded_again(value: object) -> None:
    assert wire.load(wire.dump(value)) == value


@given(st.binary() | TEXT.map(str.encode) | st.text('[]{},:"\\u0123456789eE+-.dD8trufalsn ').map(str.encode))
def test_any_bytes_are_either_loaded_and_can_be_dumped_or_are_a_payload_error(payload: bytes) -> None:
    try:
        value = wire.load(payload)
    except PayloadError:
        return
    wire.dump(value)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "expected JSON: Expecting value"),
        (b"{'a': 1}", "expected JSON: Expecting property name enclosed in double quotes"),
        (b"{} {}", "expected JSON: Extra data"),
        (b'{"a": 1,}', "expected JSON: "),
        (b"NaN", "expected JSON: NaN is no JSON number"),
        (b"[Infinity]", "expected JSON: Infinity is no JSON number"),
        (b"[-Infinity]", "expected JSON: -Infinity is no JSON number"),
        (b"[1e400]", "expected JSON: 1e400 is too large a number"),
        (b"[-1e400]", "expected JSON: -1e400 is too large a number"),
        (b"9" * 5000, "expected JSON: Exceeds the limit"),
        (b'{"a": 1, "b": 2, "a": 1}', 'expected JSON: the key "a" comes twice'),
        (b'[{"b": {"a": 1, "a": null}}]', 'expected JSON: the key "a" comes twice'),
        (b"\xef\xbb\xbf{}", "expected JSON: Unexpected UTF-8 BOM"),
        ('{"a": "\u00e9"}'.encode("latin-1"), "expected UTF-8, got the byte 0xe9 at 7"),
        ('{"a": 1}'.encode("utf-16"), "expected UTF-8, got the byte 0xff at 0"),
        (b'"\xed\xa0\x80"', "expected UTF-8, got the byte 0xed at 1"),
        (rb'"\ud800"', "expected whole characters, got half of a surrogate pair"),
        (rb'{"\udfff": 1}', "expected whole characters, got half of a surrogate pair"),
        (b'"a\nb"', "expected JSON: Invalid control character"),
    ],
)
def test_what_is_no_strict_json_is_refused_with_the_reason(payload: bytes, reason: str) -> None:
    assert refusal(payload).startswith(reason)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_deep_nesting_is_refused_whether_it_is_closed_or_not(opening: bytes) -> None:
    closing = {b"[": b"]", b'{"a":': b"}", b'[{"a":': b"}]"}[opening]

    assert "nested too deeply" in refusal(opening * 100_000)
    assert "nested too deeply" in refusal(opening * 100_000 + b"1" + closing * 100_000)


def test_a_message_of_two_mebibytes_is_read_and_one_byte_more_is_not() -> None:
    size = 2 * 1024 * 1024

    assert wire.load(b'"' + b"a" * (size - 2) + b'"') == "a" * (size - 2)
    assert refusal(b'"' + b"a" * (size - 1) + b'"') == f"expected at most {size} bytes, got {size + 1}"


@pytest.mark.timeout(20)
def test_a_hundred_thousand_keys_of_which_the_last_comes_twice_do_not_hold_up_the_reader() -> None:
    keys = [f'"{number}":0' for number in range(100_000)]

    assert "99999" in refusal(("{" + ",".join([*keys, keys[-1]]) + "}").encode())


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert wire.load(rb'"\ud83d\ude00"') == "\U0001f600"


def test_json_goes_out_compact_in_utf8_and_never_as_nan() -> None:
    assert wire.dump({"a": [1, "é"], "b": None}) == '{"a":[1,"é"],"b":null}'.encode()
    with pytest.raises(ValueError):
        wire.dump(float("nan"))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "null"),
        (True, "true"),
        ("forty", '"forty"'),
        ([1, {"a": "é"}], '[1, {"a": "é"}]'),
        ("line\nbreak", r'"line\nbreak"'),
        ("x" * 38, '"' + "x" * 38 + '"'),
        ("x" * 39, '"' + "x" * 38 + "…"),
    ],
)
def test_a_wrong_value_is_named_as_json_on_one_line_and_cut_where_it_is_long(value: object, words: str) -> None:
    assert wire.describe(value) == words


def test_a_value_too_deep_to_be_written_is_named_all_the_same() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]

    assert wire.describe(deep) == "something nested deeply"


@pytest.mark.parametrize(("key", "words"), [("Open", "Open"), ("a\nb", r"a\nb"), ("x" * 100, "x" * 38 + "…")])
def test_a_key_stands_in_a_path_on_one_line_and_cut_where_it_is_long(key: str, words: str) -> None:
    assert wire.step(key) == words


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-23T10:00:00Z", 1_795_428_000),
        ("2026-11-23T10:00:00.250Z", 1_795_428_000.25),
        ("2026-11-23T10:00:00.123456789Z", 1_795_428_000.123456),
        ("2026-11-23T12:00:00+02:00", 1_795_428_000),
        ("2026-11-23T02:30:00-07:30", 1_795_428_000),
        ("2026-11-23t10:00:00z", 1_795_428_000),
        ("2026-11-23 10:00:00Z", 1_795_428_000),
        ("9999-12-31T23:59:59Z", 253_402_300_799),
    ],
)
def test_a_time_is_read_with_its_offset(text: str, seconds: float) -> None:
    assert wire.parse_time(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-23",
        "10:00:00Z",
        "2026-11-23T10:00:00",
        "2026-11-23T10:00Z",
        "2026-11-23T10:00:00+0200",
        "2026-11-23T10:00:00+02",
        "2026-11-23T10:00:00 Z",
        "2026-11-23T10:00:00Z\n",
        "2026-11-23T10:00:00,5Z",
        "2026-11-23T10:00:60Z",
        "2026-13-01T10:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-11-23T10:00:00+99:00",
        "20261123T100000Z",
        "10000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-00:01",
        "1969-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "\uff12\uff10\uff12\uff16-11-23T10:00:00Z",
    ],
)
def test_what_is_no_time_with_an_offset_between_1970_and_9999_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        wire.parse_time(text)


@given(TEXT | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", fullmatch=True))
def test_any_text_is_either_a_time_or_a_value_error(text: str) -> None:
    try:
        seconds = wire.parse_time(text)
    except ValueError:
        return
    assert wire.parse_time(wire.format_time(seconds)) == pytest.approx(seconds, abs=0.0011)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_795_428_000.0, "2026-11-23T10:00:00Z"),
        (1_795_428_000.25, "2026-11-23T10:00:00.250Z"),
        (253_402_300_799, "9999-12-31T23:59:59Z"),
    ],
)
def test_a_time_is_written_in_utc_with_milliseconds_only_where_there_are_any(seconds: float, text: str) -> None:
    assert wire.format_time(seconds) == text


@given(st.integers(0, 253_402_300_799))
def test_a_whole_second_survives_being_written_and_read(seconds: int) -> None:
    assert wire.parse_time(wire.format_time(seconds)) == seconds


def test_what_python_itself_would_let_pass_is_what_these_tests_are_about() -> None:
    assert json.loads('{"a": 1, "a": 2}') == {"a": 2}
    assert json.loads("1e400") == float("inf")
