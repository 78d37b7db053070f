"""The poller's decisions as a whole: events in, questions and messages out. A day is a loop over `now`."""

import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from apimon_node import __version__
from apimon_node.clock import Instant
from apimon_node.config.schema import parse as parse_config
from apimon_node.config.settings import BoardSettings, Settings
from apimon_node.errors import JiraError, JiraState
from apimon_node.home_assistant.announcement import JITTER_LEAST
from apimon_node.mqtt.messages import Down, Message, Publish, Refused, Up
from apimon_node.mqtt.presence import GRACE
from apimon_node.poller.poller import FAULTS_EVERY, TIMES_EVERY, Poller
from apimon_node.poller.schedule import START_SPREAD
from apimon_node.process.remarks import Remark
from apimon_node.tickets import snapshot
from apimon_node.tickets.snapshot import Snapshot, Ticket

NOON = 1_795_435_200.0  # 2026-11-23T12:00:00Z
TICKETS = (Ticket("OPS-1", "Open", due=NOON + 3600), Ticket("OPS-2", "Open", due=NOON - 60), Ticket("OPS-3", "Open"))
OFFLINE = JiraError(JiraState.OFFLINE, "no route to Jira", everywhere=True)
QUERY = JiraError(JiraState.QUERY, "no such project")
DISCOVERY = "homeassistant/device/apimon_poller_main/config"
REQUEST, RESPONSE = "apimon/pollers/main/request/poll", "apimon/pollers/main/response/poll"


def at(seconds: float) -> Instant:
    return Instant(1000 + seconds, NOON + seconds)


def settings(*boards: str, interval: str = "60s", valid_for: str = "1h", home: bool = False) -> Settings:
    names = boards or ("ops",)
    return parse_config(
        f"""
poller:
  {{interval: {interval}, valid_for: {valid_for}, jira: {{url: https://jira.example.com, auth: {{type: none}}}}}}
boards: [{", ".join(f"{{name: {name}, jql: project = {name}}}" for name in names)}]
home_assistant: {{enabled: {str(home).lower()}}}
"""
    )[0]


def unconnected(*boards: str, **values: Any) -> Poller:
    """Make a poller whose first polls are due at once."""
    return Poller(settings(*boards, **values), at(0), lambda: 0.0)


def connect(poller: Poller, now: Instant) -> Poller:
    """Let a poller have a connection, on which nothing has come for long enough."""
    poller.receive(Up("localhost", "5"), now._replace(monotonic=now.monotonic - GRACE))
    poller.outbox(now)
    return poller


def connected(*boards: str, **values: Any) -> Poller:
    return connect(unconnected(*boards, **values), at(0))


def only(poller: Poller, now: Instant) -> BoardSettings:
    (board,) = poller.due(now)
    return board


def answer_all(poller: Poller, now: Instant, tickets: tuple[Ticket, ...] = TICKETS) -> None:
    while boards := poller.due(now):
        for board in boards:
            poller.answered(board, tickets, now.wall, now)


def contents(messages: Iterable[Publish], topic: str) -> list[Any]:
    return [json.loads(message.payload) for message in messages if message.topic == topic]


def status(messages: Iterable[Publish]) -> dict[str, dict[str, str]]:
    """Give what the last status among the messages says of the boards."""
    boards: dict[str, dict[str, str]] = contents(messages, "apimon/pollers/main/status")[-1]["boards"]
    return boards


def snapshots(messages: Iterable[Publish], board: str = "ops") -> list[Snapshot]:
    topic = f"apimon/tickets/{board}"
    return [snapshot.parse(message.payload) for message in messages if message.topic == topic]


def asked(poller: Poller, begin: int, end: int) -> Iterator[tuple[int, BoardSettings]]:
    """Let time pass; give each moment at which a board is due. Whoever asks must say how it went."""
    for second in range(begin, end):
        while boards := poller.due(at(second)):
            for board in boards:
                yield second, board


@pytest.fixture
def poller() -> Poller:
    return connected()


# --- tickets ---


def test_what_was_found_is_published(poller: Poller) -> None:
    poller.answered(only(poller, at(7)), TICKETS, NOON + 5, at(7))

    assert snapshots(poller.outbox(at(7))) == [Snapshot(TICKETS, NOON + 5, NOON + 3605, "main")]


def test_without_a_sensible_time_of_jira_this_machines_clock_counts_and_that_is_told(poller: Poller) -> None:
    poller.answered(only(poller, at(7)), TICKETS, None, at(7))
    messages = poller.outbox(at(7))

    assert [found.at for found in snapshots(messages)] == [NOON + 7]
    assert "this machine's clock counts" in status(messages)["ops"]["detail"]


def test_a_failure_publishes_no_tickets_so_that_the_last_ones_stay(poller: Poller) -> None:
    answer_all(poller, at(0))
    poller.outbox(at(0))
    poller.failed(only(poller, at(60)), OFFLINE, at(60))

    assert [message.topic for message in poller.outbox(at(60))] == ["apimon/pollers/main/status"]


def test_what_was_found_while_the_broker_was_away_is_published_once_it_is_known_what_stands() -> None:
    poller = unconnected()
    answer_all(poller, at(0))
    assert poller.outbox(at(0)) != []
    poller.receive(Up("localhost", "5"), at(5))
    first = {message.topic for message in poller.outbox(at(5))}
    assert first == {"apimon/pollers/main/availability", "apimon/pollers/main/status"}
    assert poller.deadline() == at(5 + GRACE).monotonic

    then = {message.topic for message in poller.outbox(at(5 + GRACE))}
    assert then == {"apimon/tickets/ops", "apimon/boards/ops/summary"}
    assert poller.deadline() == at(60).monotonic


def test_what_stands_already_is_not_published(poller: Poller) -> None:
    other = Snapshot(TICKETS, NOON - 30, NOON + 3570, "spare")
    poller.receive(Message("apimon/tickets/ops", snapshot.dump(other), retained=True), at(0))
    answer_all(poller, at(1))

    assert {message.topic for message in poller.outbox(at(1))} == {"apimon/pollers/main/status"}


def test_what_it_has_not_subscribed_to_is_passed_over(poller: Poller) -> None:
    """As amqtt sends it: to each new client whatever somebody listens to."""
    for topic in ("apimon/tickets/web", "apimon/pollers/main/response/poll", "elsewhere"):
        poller.receive(Message(topic, b"rubbish", retained=True), at(0))
    answer_all(poller, at(0))

    assert len(snapshots(poller.outbox(at(0)))) == 1
    assert all("refuse" not in remark.text for remark in poller.remarks())


def test_of_what_came_on_a_topic_the_newest_counts(poller: Poller) -> None:
    for number in range(20):
        tickets = TICKETS if number == 19 else ()
        payload = snapshot.dump(Snapshot(tickets, NOON - 30 + number, NOON + 3600, "spare"))
        poller.receive(Message("apimon/tickets/ops", payload), at(0))
    answer_all(poller, at(1))

    assert snapshots(poller.outbox(at(1))) == []


@pytest.mark.parametrize("payload", [b"rubbish", b"[]", b'{"tickets":7}'])
def test_rubbish_on_a_topic_is_told_once_and_replaced_at_the_next_poll(poller: Poller, payload: bytes) -> None:
    answer_all(poller, at(0))
    poller.outbox(at(0))
    poller.remarks()
    poller.receive(Message("apimon/tickets/ops", payload), at(10))
    assert snapshots(poller.outbox(at(10))) == []
    (remark,) = poller.remarks()
    assert remark.text.startswith("board ops: somebody has published what nodes refuse: ")

    answer_all(poller, at(60))
    (published,) = [message for message in poller.outbox(at(60)) if message.topic == "apimon/tickets/ops"]
    poller.receive(Message("apimon/tickets/ops", published.payload), at(60.1))
    poller.outbox(at(60.1))
    assert poller.remarks() == [Remark("payload ops: well again", fault="payload", subject="ops")]


def test_a_board_whose_tickets_went_from_the_topic_is_published_at_the_next_poll(poller: Poller) -> None:
    answer_all(poller, at(0))
    poller.outbox(at(0))
    poller.receive(Message("apimon/tickets/ops", b""), at(10))
    answer_all(poller, at(60))

    assert len(snapshots(poller.outbox(at(60)))) == 1


def test_a_board_that_makes_too_large_a_message_is_told_and_the_last_snapshot_stays(poller: Poller) -> None:
    many = tuple(Ticket(f"OPS-{number}", "Waiting for customer", summary="x" * 500) for number in range(5000))
    poller.answered(only(poller, at(0)), many, NOON, at(0))

    messages = poller.outbox(at(0))
    assert {message.topic for message in messages} == {"apimon/pollers/main/status"}
    assert status(messages)["ops"]["state"] == "query"
    assert "narrow the JQL" in status(messages)["ops"]["detail"]
    assert poller.due(at(59)) == []


# --- the status ---


def test_the_status_tells_how_each_board_is_doing(poller: Poller) -> None:
    answer_all(poller, at(0))
    assert status(poller.outbox(at(0))) == {
        "ops": {
            "state": "ok",
            "detail": "3 tickets, 1 overdue",
            "checked_at": "2026-11-23T12:00:00Z",
            "next_poll_at": "2026-11-23T12:01:00Z",
        }
    }

    poller.failed(only(poller, at(60)), JiraError(JiraState.RATE_LIMITED, "slowly", 300), at(60.5))
    assert status(poller.outbox(at(60.5))) == {
        "ops": {
            "state": "rate_limited",
            "detail": "slowly",
            "checked_at": "2026-11-23T12:01:00Z",
            "next_poll_at": "2026-11-23T12:06:00Z",
        }
    }


@pytest.mark.parametrize("state", [state for state in JiraState if state is not JiraState.OK])
def test_a_state_is_told_by_its_word_in_the_contract(poller: Poller, state: JiraState) -> None:
    poller.failed(only(poller, at(0)), JiraError(state, "why"), at(0))

    assert status(poller.outbox(at(0)))["ops"]["state"] == state.value


def test_the_status_tells_since_when_it_runs_its_version_and_where_tickets_can_be_looked_at() -> None:
    poller = unconnected()
    poller.receive(Up("localhost", "5"), at(30))

    assert contents(poller.outbox(at(30)), "apimon/pollers/main/status") == [
        {
            "boards": {},
            "faults": [],
            "browse": "https://jira.example.com/browse/",
            "started_at": "2026-11-23T12:00:00Z",
            "version": __version__,
        }
    ]


def test_a_board_that_was_not_asked_yet_is_not_in_the_status() -> None:
    poller = connected("ops", "net")
    poller.answered(only(poller, at(0)), TICKETS, NOON, at(0))

    assert len(status(poller.outbox(at(0)))) == 1


def test_what_is_wrong_with_jira_as_a_whole_is_told_of_all_boards_at_once_and_in_one_line_of_the_log() -> None:
    poller = connected("ops", "net", "web")
    answer_all(poller, at(0))
    poller.remarks()
    boards = poller.due(at(60))
    poller.failed(boards[0], OFFLINE, at(60))

    assert {name: report["state"] for name, report in status(poller.outbox(at(60))).items()} == dict.fromkeys(
        ("ops", "net", "web"), "offline"
    )
    for board in boards[1:]:
        poller.failed(board, OFFLINE, at(61))
    assert poller.remarks() == [Remark("no route to Jira", bad=True, fault="jira")]


def test_new_times_alone_are_told_every_ten_seconds_however_many_boards_there_are() -> None:
    names = [f"board{number}" for number in range(40)]
    chances = iter(number / 40 for number in range(40))
    poller = connect(Poller(settings(*names, interval="5s"), at(0), lambda: next(chances, 0.0)), at(0))
    times = []
    for second in range(600):
        answer_all(poller, at(second))
        if contents(poller.outbox(at(second)), "apimon/pollers/main/status"):
            times.append(second)

    settled = [second for second in times if second > START_SPREAD]
    assert min(after - before for before, after in itertools.pairwise(settled)) >= TIMES_EVERY
    assert len(settled) >= 600 / TIMES_EVERY - 2


def test_a_change_of_state_is_told_at_once(poller: Poller) -> None:
    answer_all(poller, at(0))
    poller.outbox(at(0))
    poller.receive(Message(REQUEST, b""), at(6))
    poller.failed(only(poller, at(6)), QUERY, at(6.5))

    assert poller.deadline() <= at(6.5).monotonic
    assert status(poller.outbox(at(6.5)))["ops"]["state"] == "query"


def test_when_the_clock_is_set_the_start_is_put_right() -> None:
    poller = Poller(settings(), Instant(0, 5.0), lambda: 0.0)
    (board,) = poller.due(Instant(0, 5.0))

    poller.answered(board, (), NOON, Instant(10, NOON + 15))

    (told,) = contents(poller.outbox(Instant(10, NOON + 15)), "apimon/pollers/main/status")
    assert told["started_at"] == "2026-11-23T12:00:05Z"


# --- the broker ---


def test_at_every_connection_all_that_is_retained_is_said_again() -> None:
    poller = connected("ops", "net")
    answer_all(poller, at(0))
    poller.outbox(at(0))
    for second in (10, 20, 30):
        poller.receive(Down("lost"), at(second))
        assert poller.outbox(at(second)) == []
        poller.receive(Up("localhost", "5"), at(second))
        messages = poller.outbox(at(second)) + poller.outbox(at(second + GRACE))
        assert sorted(message.topic for message in messages) == [
            "apimon/boards/net/summary",
            "apimon/boards/ops/summary",
            "apimon/pollers/main/availability",
            "apimon/pollers/main/status",
            "apimon/tickets/net",
            "apimon/tickets/ops",
        ]
        assert messages[0] == Publish("apimon/pollers/main/availability", b"online")


def test_the_will_and_the_farewell_are_offline_and_retained() -> None:
    poller = unconnected()
    poller.farewell()

    assert poller.will == Publish("apimon/pollers/main/availability", b"offline")
    assert poller.outbox(at(0)) == [poller.will]


def test_it_listens_to_its_boards_and_to_requests() -> None:
    assert unconnected("ops", "net").subscriptions == (
        "apimon/tickets/ops",
        "apimon/tickets/net",
        "apimon/pollers/main/request/+",
    )


def test_topics_lie_below_the_configured_base_and_carry_the_id_of_the_poller() -> None:
    original = settings()
    assert original.poller is not None
    changed = original._replace(
        mqtt=original.mqtt._replace(base_topic="home/jira"), poller=original.poller._replace(id="second")
    )
    poller = Poller(changed, at(0), lambda: 0.0)
    answer_all(poller, at(0))
    poller.receive(Up("localhost", "5"), at(0))

    assert {message.topic for message in poller.outbox(at(GRACE))} == {
        "home/jira/pollers/second/availability",
        "home/jira/pollers/second/status",
        "home/jira/tickets/ops",
        "home/jira/boards/ops/summary",
    }


def test_a_topic_that_the_broker_does_not_let_it_write_or_read_is_told_in_the_log_once() -> None:
    poller = unconnected()
    poller.receive(Up("localhost", "5", denied=("apimon/tickets/ops",)), at(0))
    for second in (1, 2):
        poller.receive(Refused("apimon/tickets/ops"), at(second))
    texts = [remark.text for remark in poller.remarks()]

    assert "the broker refuses to let this poller read apimon/tickets/ops: check its access list" in texts
    assert texts.count("the broker refuses to let this poller write apimon/tickets/ops: check its access list") == 1
    poller.receive(Up("localhost", "5"), at(3))
    assert "refuses" not in poller.summary()


def test_a_message_that_the_broker_does_not_take_for_another_reason_is_told_as_that() -> None:
    poller = unconnected()
    poller.receive(Refused("apimon/tickets/ops", "it is larger than the broker takes (20 bytes)"), at(1))

    assert "it is larger than the broker takes (20 bytes)" in [remark.text for remark in poller.remarks()]


# --- its own faults ---


def told(messages: Iterable[Publish]) -> list[list[dict[str, Any]]]:
    """Give the faults of each status among the messages."""
    return [body["faults"] for body in contents(messages, "apimon/pollers/main/status")]


def passing(poller: Poller, begin: float, end: float, step: float = 0.1) -> dict[float, list[str]]:
    """Let time pass; give the names of the faults in each status, by its moment."""
    moments = [begin + number * step for number in range(round((end - begin) / step))]
    found = {moment: told(poller.outbox(at(moment))) for moment in moments}
    return {moment: [fault["name"] for fault in faults[-1]] for moment, faults in found.items() if faults}


def test_a_short_loss_of_the_broker_tells_nothing(poller: Poller) -> None:
    answer_all(poller, at(0))
    poller.outbox(at(0))
    poller.remarks()
    poller.receive(Down("lost"), at(10))
    assert passing(poller, 10, 10 + GRACE - 0.05) == {}
    poller.receive(Up("localhost", "5"), at(10 + GRACE - 0.05))

    assert list(passing(poller, 10 + GRACE, 20).values()) == [[]]
    assert poller.remarks() == [Remark("connected to localhost by MQTT 5")]


def test_a_long_loss_of_the_broker_is_a_fault_from_the_grace_on_and_until_it_is_back(poller: Poller) -> None:
    answer_all(poller, at(0))
    poller.outbox(at(0))
    poller.receive(Down("lost"), at(10))
    assert poller.deadline() == at(10 + GRACE).monotonic
    poller.receive(Down("refused"), at(10.5))

    assert passing(poller, 10, 30, step=0.5) == {10 + GRACE: ["broker"]}
    assert poller.deadline() == at(60).monotonic, "it does not wake all the time"
    poller.receive(Up("localhost", "5"), at(30))
    assert passing(poller, 30, 40, step=0.5) == {30: []}


def test_a_poller_that_never_had_a_connection_says_so() -> None:
    poller = unconnected()
    assert told(poller.outbox(at(0))) == []

    assert passing(poller, 0, 5, step=0.5) == {GRACE: ["broker"]}
    assert poller.summary().startswith("not connected yet")


def test_rubbish_on_a_boards_topic_is_a_fault_of_the_status_until_something_good_comes(poller: Poller) -> None:
    poller.receive(Message("apimon/tickets/ops", b"rubbish"), at(10))
    ((fault,),) = told(poller.outbox(at(10)))
    assert (fault["name"], fault["subject"], fault["since"]) == ("payload", "ops", "2026-11-23T12:00:10Z")
    assert fault["text"].startswith("board ops: somebody has published what nodes refuse: ")

    poller.receive(Message("apimon/tickets/ops", b'{"tickets":[]}'), at(20))
    assert told(poller.outbox(at(20))) == [[]]


def test_rubbish_without_end_makes_no_more_than_a_status_a_second(poller: Poller) -> None:
    poller.outbox(at(0))
    statuses = []
    for tick in range(1000):
        now = at(tick / 100)
        poller.receive(Message("apimon/tickets/ops", b"[" if tick % 2 else b"7"), now)
        statuses += told(poller.outbox(now))

    assert len(statuses) <= 10 / FAULTS_EVERY + 1


def test_what_the_broker_denies_is_a_fault_by_its_topic_and_all_answers_are_one(poller: Poller) -> None:
    poller.receive(Up("localhost", "5", denied=("apimon/tickets/ops",)), at(10))
    for topic in ("boards/ops/summary", "pollers/main/response/poll", "pollers/main/response/x", "pollers/main/status"):
        poller.receive(Refused(f"apimon/{topic}"), at(10))

    (faults,) = told(poller.outbox(at(10)))
    assert {fault["name"] for fault in faults} == {"access"}
    assert [fault["subject"] for fault in faults] == [
        "apimon/tickets/ops",
        "apimon/boards/ops/summary",
        "apimon/pollers/main/response/+",
        "apimon/pollers/main/status",
    ]
    poller.receive(Refused("apimon/pollers/main/status"), at(20))
    assert told(poller.outbox(at(20))) == [], "what is told already makes no message that is refused again"
    poller.receive(Up("localhost", "5"), at(30))
    assert told(poller.outbox(at(30))) == [[]]


def test_what_is_wrong_with_jira_is_told_by_its_boards_alone(poller: Poller) -> None:
    poller.failed(only(poller, at(0)), OFFLINE, at(0))

    assert told(poller.outbox(at(0))) == [[]]


def test_when_the_clock_is_set_the_faults_are_put_right() -> None:
    poller = Poller(settings(), Instant(0, 5.0), lambda: 0.0)
    poller.receive(Up("localhost", "5"), Instant(0, 5.0))
    poller.receive(Refused("apimon/tickets/ops"), Instant(0, 5.0))
    ((fault,),) = told(poller.outbox(Instant(0, 5.0)))
    assert fault["since"] == "1970-01-01T00:00:05Z"

    ((fault,),) = told(poller.outbox(Instant(10, NOON + 15)))
    assert fault["since"] == "2026-11-23T12:00:05Z"


# --- requests ---


def test_somebody_who_asks_for_a_poll_gets_one(poller: Poller) -> None:
    answer_all(poller, at(0))
    poller.outbox(at(0))
    poller.receive(Message(REQUEST, b'{"transaction":17}'), at(20))

    assert poller.outbox(at(20)) == [Publish(RESPONSE, b'{"status":"ok","transaction":17}', retain=False)]
    assert only(poller, at(20)).name == "ops"


def test_a_poll_that_jira_forbids_is_refused_with_the_time_of_the_next(poller: Poller) -> None:
    poller.failed(only(poller, at(0)), JiraError(JiraState.RATE_LIMITED, "slowly", 300, everywhere=True), at(0))
    poller.receive(Message(REQUEST, b""), at(20))

    (answer,) = contents(poller.outbox(at(20)), RESPONSE)
    assert answer["status"] == "error"
    assert "before 2026-11-23T12:05:00Z" in answer["error"]
    assert poller.due(at(299)) == []


def test_while_a_password_is_held_a_request_is_answered_with_the_time_of_the_next_try(poller: Poller) -> None:
    held = JiraError(JiraState.AUTH, "not sent", everywhere=True, held=3000)
    poller.failed(only(poller, at(0)), held, at(0))
    poller.receive(Message(REQUEST, b'{"transaction":1}'), at(20))

    (answer,) = contents(poller.outbox(at(20)), RESPONSE)
    assert (answer["status"], answer["transaction"]) == ("error", 1)
    assert "the next try is at 2026-11-23T12:50:00Z unless the password changes" in answer["error"]
    board = only(poller, at(20))  # it may have changed

    poller.answered(board, TICKETS, NOON + 20, at(20))
    poller.receive(Message(REQUEST, b""), at(40))
    assert contents(poller.outbox(at(40)), RESPONSE) == [{"status": "ok"}]


def test_a_poll_is_had_again_once_a_password_is_no_longer_held(poller: Poller) -> None:
    held = JiraError(JiraState.AUTH, "not sent", everywhere=True, held=3000)
    poller.failed(only(poller, at(0)), held, at(0))
    poller.receive(Message(REQUEST, b""), at(3000))

    assert contents(poller.outbox(at(3000)), RESPONSE) == [{"status": "ok"}]


def test_a_poller_takes_another_log_level(poller: Poller) -> None:
    poller.receive(Message("apimon/pollers/main/request/log_level", b'{"level":"debug"}'), at(0))

    (answer,) = contents(poller.outbox(at(0)), "apimon/pollers/main/response/log_level")
    assert answer == {"status": "ok", "was": "info"}
    assert poller.requests.log_level == "debug"


@pytest.mark.parametrize(
    ("topic", "payload", "error"),
    [
        ("polls", b"", "unknown request polls: expected poll or log_level"),
        ("poll", b"[]", "expected nothing or an object, got []"),
        ("poll", b"{", "expected JSON"),
    ],
)
def test_a_request_that_is_none_is_answered_with_why(poller: Poller, topic: str, payload: bytes, error: str) -> None:
    poller.receive(Message(f"apimon/pollers/main/request/{topic}", payload), at(0))

    (answer,) = contents(poller.outbox(at(0)), f"apimon/pollers/main/response/{topic}")
    assert answer["status"] == "error"
    assert answer["error"].startswith(error)


def test_a_retained_request_is_ignored_and_the_log_says_how_to_clear_it(poller: Poller) -> None:
    answer_all(poller, at(0))
    poller.outbox(at(0))
    poller.remarks()
    poller.receive(Message(REQUEST, b"", retained=True), at(20))

    assert poller.outbox(at(20)) == []
    assert poller.due(at(20)) == []
    (remark,) = poller.remarks()
    assert "clear it with: mosquitto_pub" in remark.text


# --- Home Assistant ---


def test_home_assistant_is_told_of_the_poller_soon_after_a_connection_and_of_new_statuses_later() -> None:
    poller = unconnected(home=True)
    poller.receive(Up("localhost", "5"), at(0))
    assert contents(poller.outbox(at(0)), DISCOVERY) == []
    (device,) = contents(poller.outbox(at(JITTER_LEAST)), DISCOVERY)
    assert "homeassistant/status" in poller.subscriptions
    assert not any("status:ops" in thing for thing in device["cmps"])

    answer_all(poller, at(1))
    assert contents(poller.outbox(at(1)), DISCOVERY) == []
    (device,) = contents(poller.outbox(at(10)), DISCOVERY)
    assert [thing for thing in device["cmps"] if thing.startswith("status:ops")] == ["status:ops:Open"]
    assert poller.deadline() == at(61).monotonic


def test_when_home_assistant_is_born_it_is_told_everything_again_but_the_tickets() -> None:
    poller = connected(home=True)
    answer_all(poller, at(1))
    poller.outbox(at(10))
    poller.receive(Message("homeassistant/status", b"online"), at(20))

    assert sorted(message.topic for message in poller.outbox(at(20 + JITTER_LEAST))) == [
        "apimon/boards/ops/summary",
        "apimon/pollers/main/availability",
        "apimon/pollers/main/status",
        DISCOVERY,
    ]


# --- the log ---


def test_the_log_tells_a_failing_jira_and_its_recovery_once(poller: Poller) -> None:
    poller.remarks()
    for second, board in asked(poller, 0, 3600):
        poller.failed(board, OFFLINE, at(second))
    for second, board in asked(poller, 3600, 7200):
        poller.answered(board, TICKETS, NOON + second, at(second))

    assert poller.remarks() == [
        Remark("no route to Jira", bad=True, fault="jira"),
        Remark("jira: well again", fault="jira"),
    ]


def test_the_log_tells_a_query_that_fails_and_its_recovery_by_its_board(poller: Poller) -> None:
    poller.remarks()
    poller.failed(only(poller, at(0)), QUERY, at(0))
    answer_all(poller, at(60))

    assert poller.remarks() == [
        Remark("board ops: no such project", bad=True, fault="jira", subject="ops"),
        Remark("jira ops: well again", fault="jira", subject="ops"),
    ]


def test_the_log_tells_a_lost_broker_and_the_next_connection() -> None:
    poller = unconnected()
    poller.receive(Down("refused"), at(0))
    for second in range(1, 10):
        poller.outbox(at(second))
        poller.receive(Down("refused"), at(second))
    poller.receive(Up("localhost:1883", "3.1.1"), at(10))
    poller.outbox(at(10))

    assert poller.remarks() == [
        Remark("refused", bad=True, fault="broker"),
        Remark("connected to localhost:1883 by MQTT 3.1.1"),
        Remark("broker: well again", fault="broker"),
    ]


def test_one_line_tells_people_how_it_is(poller: Poller) -> None:
    assert poller.summary() == "waiting for Jira's first answer for ops"
    board = only(poller, at(0))
    poller.answered(board, (), None, at(0))
    assert poller.summary() == "all boards are up to date"
    poller.receive(Down("refused"), at(0))
    poller.failed(board, QUERY, at(0))
    assert poller.summary() == "board ops: no such project"
    poller.outbox(at(GRACE))

    assert poller.summary() == "board ops: no such project; refused"


# --- a day ---


def test_it_wakes_for_its_polls_and_for_nothing_else(poller: Poller) -> None:
    wakes, now = 0, 0.0
    while now < 86_400:
        answer_all(poller, at(now), tickets=())
        poller.outbox(at(now))
        wakes += 1
        now = poller.deadline() - 1000

    assert wakes == 86_400 / 60


def test_a_day_on_which_jira_is_down_for_five_hours(poller: Poller) -> None:
    down, up = 8 * 3600, 13 * 3600
    polls, published, held_until = 0, [], 0.0
    poller.remarks()
    for second, board in asked(poller, 0, 86_400):
        if down <= second < up:
            polls += 1
            poller.failed(board, OFFLINE, at(second))
        else:
            poller.answered(board, TICKETS, NOON + second, at(second))
        for found in snapshots(poller.outbox(at(second))):
            assert found.valid_until is not None
            held_until = found.valid_until - NOON
            published.append(second)

    outage = [second for second in published if down <= second < up]
    first_after = next(second for second in published if second >= up)
    assert outage == []
    assert polls == 4 + (5 * 3600 - 900) // 900
    assert up <= first_after <= up + 900
    assert max(second for second in published if second < down) + 3600 < up, "the tickets went stale meanwhile"
    assert held_until > 86_400
    assert len(published) < 60
    assert [remark.text for remark in poller.remarks()] == ["no route to Jira", "jira: well again"]
