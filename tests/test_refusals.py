"""What an answer says that is none: status, headers and body in, words out."""

import json

import pytest
from requests.structures import CaseInsensitiveDict

from apimon_node.errors import JiraState
from apimon_node.poller.jira.refusals import (
    CAPTCHA,
    DENIED,
    SIGNED_OUT,
    Refusal,
    refusal,
    retry_after,
    server_time,
    sign_in_refusal,
)

NOON = 1_795_435_200.0  # 2026-11-23T12:00:00Z
NOON_DATE = "Mon, 23 Nov 2026 12:00:00 GMT"
AN_HOUR_AGO = NOON - 3600


def headers(**values: str) -> CaseInsensitiveDict[str]:
    return CaseInsensitiveDict({name.replace("_", "-"): value for name, value in values.items()})


@pytest.mark.parametrize(
    ("status", "state", "text", "everywhere"),
    [
        (400, JiraState.QUERY, "Jira does not take the query: it gave no reason", False),
        (401, JiraState.AUTH, "Jira refused the sign-in (401)", True),
        (403, JiraState.AUTH, "Jira denies access (403)", False),
        (404, JiraState.ERROR, "no Jira at this URL (404)", True),
        (405, JiraState.ERROR, "Jira answered with status 405", False),
        (410, JiraState.ERROR, "this Jira has dropped the search that was asked (410)", True),
        (414, JiraState.ERROR, "Jira answered with status 414", False),
        (429, JiraState.RATE_LIMITED, "Jira wants fewer requests (429)", True),
        (500, JiraState.ERROR, "Jira is in trouble (500)", False),
        (501, JiraState.ERROR, "Jira is in trouble (501)", True),
        (502, JiraState.ERROR, "Jira is in trouble (502)", True),
        (503, JiraState.ERROR, "Jira is in trouble (503)", True),
        (504, JiraState.ERROR, "Jira is in trouble (504)", True),
        (599, JiraState.ERROR, "Jira is in trouble (599)", True),
    ],
)
def test_each_status_has_its_words_and_says_whom_it_concerns(
    status: int, state: JiraState, text: str, *, everywhere: bool
) -> None:
    error = refusal(status, headers(), b"", NOON)
    assert (error.state, error.everywhere, error.retry_after) == (state, everywhere, 0)
    assert str(error).startswith(text)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"errorMessages": ["one", "two"], "errors": {"jql": "three"}}, "one two three"),
        ({"errorMessages": ["a\n b\t\x1b[31mred"]}, "a b [31mred"),
        ({"errorMessages": ["x" * 1000]}, "x" * 200),
        ({"errorMessages": ["{status} {"]}, "{status} {"),
        ({"errorMessages": None, "errors": 5}, "it gave no reason"),
        ({"errorMessages": [7, None], "errors": []}, "7 None"),
        (["no"], "it gave no reason"),
        (None, "it gave no reason"),
    ],
)
def test_the_words_of_jira_are_clipped_to_one_line(body: object, reason: str) -> None:
    error = refusal(400, headers(), json.dumps(body).encode(), NOON)
    assert str(error) == f"Jira does not take the query: {reason}"


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_json_gives_no_reason(body: bytes) -> None:
    assert str(refusal(400, headers(), body, NOON)).endswith("it gave no reason")


@pytest.mark.parametrize(
    "words",
    [
        "no such user: {}",
        "x" * 190 + " {} " + "x" * 190,  # over the cut
        "x" * 195 + "{}",
        "{}{}{}{}{}{}{}{}" + "x" * 170 + "{}",
    ],
)
@pytest.mark.parametrize("secret", ["hunter2-and-more", "SECRET" * 30])
def test_the_words_of_jira_have_no_secret_that_was_sent_and_not_half_of_one(words: str, secret: str) -> None:
    for written in (secret, "\n".join(secret), "\0".join(secret)):
        body = json.dumps({"errorMessages": [words.replace("{}", written)], "errors": {"jql": written}}).encode()
        text = str(refusal(400, headers(), body, NOON, [secret]))
        assert "***" in text or text.endswith("x" * 5 + "*" * 2)
        assert not any(secret[at : at + 4] in text.replace(" ", "") for at in range(len(secret) - 3))


def test_only_the_body_of_a_bad_query_is_told() -> None:
    assert "SECRET" not in str(refusal(503, headers(), b'{"errorMessages": ["SECRET"]}', NOON))


# --- whether the sign-in was taken ---


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, None),  # a gateway that passes no header of Jira's on
        ({"X_Seraph_LoginReason": ""}, None),
        ({"X_Seraph_LoginReason": "OK"}, None),
        ({"X_Seraph_LoginReason": "OK", "X_AUSERNAME": "ann"}, None),
        ({"X_AUSERNAME": "ann"}, None),
        ({"X_AUSERNAME": "anonymous.ann"}, None),
        ({"X_Seraph_LoginReason": "OUT, OK"}, None),
        ({"X_Seraph_LoginReason": "AUTHORISATION_FAILED, OK"}, None),
        ({"X_Seraph_LoginReason": "AUTHENTICATED_FAILED"}, SIGNED_OUT),
        ({"x_seraph_loginreason": " authenticated_failed "}, SIGNED_OUT),
        ({"X_Seraph_LoginReason": "AUTHORISATION_FAILED, AUTHENTICATED_FAILED"}, SIGNED_OUT),
        ({"X_Seraph_LoginReason": "OUT,AUTHENTICATED_FAILED"}, SIGNED_OUT),
        ({"X_Seraph_LoginReason": "AUTHORISATION_FAILED"}, SIGNED_OUT),
        ({"X_Seraph_LoginReason": "OUT"}, SIGNED_OUT),
        ({"X_AUSERNAME": "anonymous"}, SIGNED_OUT),
        ({"x_ausername": " Anonymous"}, SIGNED_OUT),
        ({"X_AUSERNAME": "anonymous", "X_Seraph_LoginReason": "AUTHENTICATION_DENIED"}, DENIED),
        ({"X_AUSERNAME": "ann", "X_Seraph_LoginReason": "AUTHENTICATION_DENIED"}, DENIED),  # seen: go-jira/jira #8
        (
            {
                "X_Seraph_LoginReason": "AUTHENTICATION_DENIED",
                "X_Authentication_Denied_Reason": "CAPTCHA_CHALLENGE; login-url=http://jira/login.jsp",
            },
            CAPTCHA,
        ),
    ],
)
@pytest.mark.parametrize("status", [200, 204, 302, 400, 403, 404])
def test_an_answer_to_a_stranger_refuses_the_sign_in_whatever_its_status(
    values: dict[str, str], status: int, told: Refusal | None
) -> None:
    error = sign_in_refusal(status, headers(**values))
    if told is None:
        assert error is None
    else:
        assert error is not None
        assert (error.state, error.everywhere, str(error)) == (JiraState.AUTH, True, told.text)


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_a_status_that_says_enough_is_told_by_its_own_words(status: int) -> None:
    assert sign_in_refusal(status, headers(X_Seraph_LoginReason="AUTHENTICATED_FAILED")) is None


# --- how long to wait ---


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("300", 300),
        ("9" * 500, 3600),
        ("soon", 0),
        ("-1", 0),
        ("1.5", 0),
        ("", 0),
        ("Mon, 23 Nov 2026 12:02:00 GMT", 120),
        ("Monday, 23-Nov-26 12:02:00 GMT", 120),
        ("Mon, 23 Nov 2026 11:02:00 GMT", 0),
        ("Tue, 24 Nov 2026 12:00:00 GMT", 3600),
        ("Mon, 23 Nov 2026 12:02:00", 120),
        ("Mon, 99 Nov 2026 12:02:00 GMT", 0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_seconds_or_a_date(status: int, value: str, seconds: float) -> None:
    assert retry_after(status, headers(Retry_After=value, Date=NOON_DATE), AN_HOUR_AGO) == seconds
    assert refusal(status, headers(Retry_After=value, Date=NOON_DATE), b"", AN_HOUR_AGO).retry_after == seconds


def test_a_date_without_the_clock_of_the_server_counts_from_ours() -> None:
    assert retry_after(429, headers(Retry_After="Mon, 23 Nov 2026 12:02:00 GMT"), NOON) == 120


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2026-11-23T12:05:00Z", 300),
        ("2026-11-23T12:05Z", 300),
        ("2026-11-23T12:05", 300),
        ("2026-11-23T13:05:00+01:00", 300),
        ("2026-11-23T11:00Z", 0),
        ("2026-11-24T12:00Z", 3600),
        ("1970-01-01T00:00Z", 0),
        ("300", 0),
        ("soon", 0),
        ("", 0),
    ],
)
def test_a_limit_without_retry_after_ends_when_it_is_reset(value: str, seconds: float) -> None:
    assert retry_after(429, headers(X_RateLimit_Reset=value, Date=NOON_DATE), AN_HOUR_AGO) == seconds


@pytest.mark.parametrize(("value", "seconds"), [("7", 7), ("0", 0), ("soon", 300)])
def test_a_retry_after_that_can_be_read_counts_more_than_the_reset(value: str, seconds: float) -> None:
    both = headers(X_RateLimit_Reset="2026-11-23T12:05Z", Retry_After=value)
    assert retry_after(429, both, NOON) == seconds


def test_a_reset_is_nothing_to_wait_for_without_a_limit() -> None:
    assert retry_after(503, headers(X_RateLimit_Reset="2026-11-23T12:05Z"), NOON) == 0


# --- the clock of the server ---


@pytest.mark.parametrize(
    ("date", "time"),
    [
        (NOON_DATE, NOON),
        ("Thu, 01 Jan 2026 00:00:00 GMT", 1_767_225_600),
        ("Wed, 31 Dec 2025 23:59:59 GMT", None),  # before this was written: a clock that lost its battery
        ("Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("Tue, 01 Jan 1980 00:00:00 GMT", None),
        ("Sat, 01 Jan 2000 00:00:00 GMT", None),
        ("Fri, 02 Jan 2100 00:00:00 GMT", None),
        ("", None),
        ("yesterday", None),
        ("Mon, 99 Nov 2026 12:00:00 GMT", None),
        (f"Mon, 23 Nov 2026 12:00:00 +{'9' * 20}", None),
    ],
)
def test_only_a_sensible_date_is_a_time(date: str, time: float | None) -> None:
    assert server_time(headers(Date=date)) == time


def test_without_a_date_there_is_no_time() -> None:
    assert server_time(headers()) is None
