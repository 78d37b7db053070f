"""What pollers say of themselves, and what follows for a board."""

import json

import pytest

from apimon_node.contract.topics import Topics
from apimon_node.mqtt.messages import Message
from apimon_node.node.pollers import MAX_DETAIL, MOST, Pollers, Trouble

WELL = {"poller": Trouble(), "jira": Trouble()}


@pytest.fixture
def pollers() -> Pollers:
    return Pollers(Topics("home/apimon"), {"ops", "net"})


def availability(pollers: Pollers, payload: bytes, poller: str = "main") -> None:
    pollers.take(Message(f"home/apimon/pollers/{poller}/availability", payload))


def status(pollers: Pollers, body: object, poller: str = "main") -> None:
    payload = b"" if body is None else json.dumps(body).encode()
    pollers.take(Message(f"home/apimon/pollers/{poller}/status", payload))


def board(state: str, detail: object = None) -> dict[str, object]:
    return {"boards": {"ops": {"state": state, "detail": detail}}}


def test_of_a_poller_that_has_said_nothing_nothing_bad_is_known(pollers: Pollers) -> None:
    assert pollers.troubles("main", "ops") == WELL
    assert pollers.troubles(None, "ops") == WELL


def test_a_poller_that_is_offline_is_trouble_for_the_boards_it_feeds_until_it_is_back(pollers: Pollers) -> None:
    availability(pollers, b"offline")
    text = "poller main is offline: board ops shows its last tickets"
    assert pollers.troubles("main", "ops") == {"poller": Trouble(text), "jira": Trouble()}
    assert pollers.troubles("other", "ops") == WELL
    assert pollers.troubles(None, "ops") == WELL

    availability(pollers, b"online")
    assert pollers.troubles("main", "ops") == WELL


def test_a_cleared_availability_is_no_trouble(pollers: Pollers) -> None:
    availability(pollers, b"offline")
    availability(pollers, b"")

    assert pollers.troubles("main", "ops") == WELL


@pytest.mark.parametrize("state", ["offline", "auth", "query", "rate_limited", "error"])
def test_a_jira_that_fails_is_trouble_by_the_word_of_the_status_and_its_detail(pollers: Pollers, state: str) -> None:
    status(pollers, board(state, "ask an administrator"))

    assert pollers.troubles("main", "ops")["jira"] == Trouble("board ops: ask an administrator", state)
    assert pollers.troubles("main", "net")["jira"] == Trouble()
    assert pollers.troubles("other", "ops")["jira"] == Trouble()


@pytest.mark.parametrize("detail", [None, ""])
def test_without_a_detail_the_state_itself_is_the_text(pollers: Pollers, detail: str | None) -> None:
    status(pollers, board("auth", detail))

    assert pollers.troubles("main", "ops")["jira"] == Trouble("board ops: auth", "auth")


def test_a_jira_that_answers_again_is_no_trouble(pollers: Pollers) -> None:
    status(pollers, board("auth"))
    status(pollers, board("ok", "3 tickets"))

    assert pollers.troubles("main", "ops") == WELL


def test_a_cleared_status_is_no_trouble(pollers: Pollers) -> None:
    status(pollers, board("auth"))
    status(pollers, None)
    status(pollers, None)

    assert pollers.troubles("main", "ops") == WELL


def test_what_a_poller_said_of_jira_before_it_went_offline_does_not_count(pollers: Pollers) -> None:
    status(pollers, board("auth"))
    availability(pollers, b"offline")

    assert pollers.troubles("main", "ops")["jira"] == Trouble()


def test_a_state_of_a_later_version_is_trouble_too(pollers: Pollers) -> None:
    status(pollers, board("maintenance", "back at noon"))

    assert pollers.troubles("main", "ops")["jira"] == Trouble("board ops: back at noon", "maintenance")


@pytest.mark.parametrize("payload", [b"Online", b"1", b'"online"', b"\xff"])
def test_availability_has_exactly_two_values(pollers: Pollers, payload: bytes) -> None:
    availability(pollers, b"offline")
    availability(pollers, payload)

    assert pollers.refusals(["main"]) == {
        "poller main availability": "poller main: refused: availability: expected online or offline"
    }
    assert pollers.troubles("main", "ops")["poller"].text


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "expected an object with boards"),
        ({}, "expected an object with boards"),
        ({"boards": ["ops"]}, "expected an object with boards"),
        ({"boards": {"ops": "ok"}}, 'boards.ops: expected an object with a state, got "ok"'),
        ({"boards": {"ops": {}}}, "boards.ops: expected an object with a state, got {}"),
        ({"boards": {"ops": {"state": 7}}}, 'boards.ops: expected an object with a state, got {"state": 7}'),
        ({"boards": {"ops": {"state": "auth", "detail": 7}}}, "boards.ops.detail: expected text, got 7"),
        ({"boards": {"ops": {"state": "ok", "detail": {}}}}, "boards.ops.detail: expected text, got {}"),
    ],
)
def test_a_wrong_status_is_refused_whole_and_the_last_good_one_stays(
    pollers: Pollers, body: object, message: str
) -> None:
    status(pollers, board("auth"))
    status(pollers, body)

    assert pollers.refusals(["main"]) == {"poller main status": f"poller main: refused: status: {message}"}
    assert pollers.troubles("main", "ops")["jira"].code == "auth"


def test_a_status_that_is_no_json_is_refused_until_the_next_good_one(pollers: Pollers) -> None:
    pollers.take(Message("home/apimon/pollers/main/status", b"{"))
    assert "expected JSON" in pollers.refusals(["main"])["poller main status"]

    availability(pollers, b"online")
    assert pollers.refusals(["main"]), "another topic heals nothing"

    status(pollers, board("ok"))
    assert pollers.refusals(["main"]) == {}


def test_what_others_say_badly_does_not_matter(pollers: Pollers) -> None:
    pollers.take(Message("home/apimon/pollers/other/status", b"{"))

    assert pollers.refusals(["main"]) == {}


def test_boards_that_nobody_here_shows_are_not_kept(pollers: Pollers) -> None:
    status(pollers, {"boards": {"elsewhere": {"state": "auth"}, "a\nb": None}})

    assert pollers.refusals(["main"]) == {}
    assert pollers.troubles("main", "elsewhere")["jira"] == Trouble()


def test_invented_pollers_are_not_remembered_without_end(pollers: Pollers) -> None:
    availability(pollers, b"offline")
    for number in range(2 * MOST):
        availability(pollers, b"offline", f"x{number}")

    assert pollers.troubles("main", "ops")["poller"].text
    assert pollers.troubles(f"x{2 * MOST - 1}", "ops")["poller"].text is None


def test_a_pollers_words_become_one_printable_line(pollers: Pollers) -> None:
    status(pollers, board("au\x1b[31mth", "first\nWARNING forged\x1b[31m" + "x" * 10_000))

    trouble = pollers.troubles("main", "ops")["jira"]
    assert trouble.text
    assert trouble.text.startswith("board ops: first WARNING forged[31mxxx")
    assert len(trouble.text) == MAX_DETAIL + len("board ops: ")
    assert trouble.code == "au[31mth"
