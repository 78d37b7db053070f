"""The poller's decisions: when to ask which board, what to publish. A day is a loop over `now`."""

import itertools
import json
from collections.abc import Iterable, Iterator

import pytest

from apimon_node import __version__
from apimon_node.config import parse as parse_config
from apimon_node.errors import JiraError, JiraState
from apimon_node.faults import Remark
from apimon_node.instant import Instant
from apimon_node.mqtt.messages import Down, Message, Publish, Refused, Up
from apimon_node.poller.poller import Poller
from apimon_node.settings import BoardSettings, Settings
from apimon_node.tickets import snapshot
from apimon_node.tickets.snapshot import Snapshot, Ticket

NOON = 1_795_435_200.0  # 2026-11-23T12:00:00Z
TICKETS = (Ticket("OPS-1", "Open", due=NOON + 3600), Ticket("OPS-2", "Open", due=NOON - 60), Ticket("OPS-3", "Open"))
OFFLINE = JiraError(JiraState.OFFLINE, "no route to Jira")


def at(seconds: float) -> Instant:
    return Instant(1000 + seconds, NOON + seconds)


def settings(*boards: str, interval: str = "60s", valid_for: str = "1h") -> Settings:
    names = boards or ("ops",)
    return parse_config(
        f"""
poller:
  {{interval: {interval}, valid_for: {valid_for}, jira: {{url: https://jira.example.com, auth: {{type: none}}}}}}
boards: [{", ".join(f"{{name: {name}, jql: project = {name}}}" for name in names)}]
"""
    )[0]


def only(poller: Poller, now: Instant) -> BoardSettings:
    board = poller.due(now)
    assert board is not None
    return board


def status(messages: Iterable[Publish]) -> dict[str, dict[str, str]]:
    """Give what the last status among the messages says of the boards."""
    last = [message for message in messages if message.topic == "apimon/pollers/main/status"][-1]
    boards: dict[str, dict[str, str]] = json.loads(last.payload)["boards"]
    return boards


def snapshots(messages: Iterable[Publish], board: str = "ops") -> list[Snapshot]:
    topic = f"apimon/tickets/{board}"
    return [snapshot.parse(message.payload) for message in messages if message.topic == topic]


def asked(poller: Poller, begin: int, end: int) -> Iterator[tuple[int, BoardSettings]]:
    """Let time pass; give each moment at which a board is due. Whoever asks must say how it went."""
    for second in range(begin, end):
        while (board := poller.due(at(second))) is not None:
            yield second, board


@pytest.fixture
def poller() -> Poller:
    return Poller(settings(), at(0))


def test_a_board_is_asked_at_once_and_then_at_its_interval(poller: Poller) -> None:
    times = []
    for second, board in asked(poller, 0, 600):
        times.append(second)
        poller.answered(board, TICKETS, NOON + second, at(second))

    assert times == list(range(0, 600, 60))


def test_nothing_is_due_before_its_deadline(poller: Poller) -> None:
    assert poller.deadline() <= at(5).monotonic
    poller.answered(only(poller, at(0)), TICKETS, NOON, at(0))

    assert poller.deadline() == at(60).monotonic
    assert poller.due(at(59.9)) is None
    assert poller.due(at(60)) is not None


def test_boards_are_asked_one_after_the_other_and_none_is_left_out() -> None:
    poller = Poller(settings("ops", "net", "web"), at(0))
    names = []
    for second, board in asked(poller, 0, 121):
        names.append((second, board.name))
        poller.answered(board, TICKETS, NOON + second, at(second))

    assert names == [(second, name) for second in (0, 60, 120) for name in ("ops", "net", "web")]


def test_a_snapshot_holds_the_tickets_when_that_was_how_long_it_holds_and_who_says_so(poller: Poller) -> None:
    poller.answered(only(poller, at(7)), TICKETS, NOON + 5, at(7))
    messages = poller.outbox(at(7))

    assert snapshots(messages) == [Snapshot(TICKETS, NOON + 5, NOON + 3605, "main")]
    assert all(message.retain for message in messages)


def test_tickets_that_stay_the_same_are_published_again_before_half_of_their_validity_is_over(poller: Poller) -> None:
    times = []
    for second, board in asked(poller, 0, 4 * 3600):
        poller.answered(board, TICKETS, NOON + second, at(second))
        if snapshots(poller.outbox(at(second))):
            times.append(second)

    gaps = {after - before for before, after in itertools.pairwise(times)}
    assert gaps == {1740}


def test_with_the_shortest_validity_every_poll_is_published() -> None:
    poller = Poller(settings(interval="60s", valid_for="2m"), at(0))
    for second, board in asked(poller, 0, 600):
        poller.answered(board, TICKETS, NOON + second, at(second))
        assert snapshots(poller.outbox(at(second)))


@pytest.mark.parametrize("changed", [TICKETS[:2], (), (TICKETS[0]._replace(status="Done"), *TICKETS[1:])])
def test_tickets_that_changed_are_published_at_once(poller: Poller, changed: tuple[Ticket, ...]) -> None:
    poller.answered(only(poller, at(0)), TICKETS, NOON, at(0))
    poller.outbox(at(0))
    poller.answered(only(poller, at(60)), changed, NOON + 60, at(60))

    assert [found.tickets for found in snapshots(poller.outbox(at(60)))] == [changed]


def test_a_board_without_tickets_is_published_too(poller: Poller) -> None:
    poller.answered(only(poller, at(0)), (), NOON, at(0))

    assert [found.tickets for found in snapshots(poller.outbox(at(0)))] == [()]


def test_a_failure_publishes_no_tickets_so_that_the_last_ones_stay(poller: Poller) -> None:
    poller.answered(only(poller, at(0)), TICKETS, NOON, at(0))
    poller.outbox(at(0))
    poller.failed(only(poller, at(60)), OFFLINE, at(60))

    messages = poller.outbox(at(60))
    assert [message.topic for message in messages] == ["apimon/pollers/main/status"]


@pytest.mark.parametrize(
    ("interval", "retry_after", "waits"),
    [
        ("60s", 0, [60, 120, 240, 480, 900, 900]),
        ("1s", 0, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]),
        ("1h", 0, [3600, 3600]),
        ("60s", 300, [300, 300, 300, 480, 900]),
        ("60s", 30, [60, 120]),
        ("60s", 3600, [3600, 3600]),
    ],
)
def test_a_jira_that_fails_is_asked_after_the_longest_of_interval_back_off_and_its_own_wish(
    interval: str, retry_after: float, waits: list[int]
) -> None:
    poller = Poller(settings(interval=interval, valid_for="1d"), at(0))
    now, found = 0.0, []
    for _ in waits:
        board = only(poller, at(now))
        poller.failed(board, JiraError(JiraState.RATE_LIMITED, "slowly", retry_after), at(now))
        found.append(poller.deadline() - at(now).monotonic)
        now += found[-1]

    assert found == waits


def test_one_answer_brings_the_interval_back(poller: Poller) -> None:
    for now in (0, 60, 180):
        poller.failed(only(poller, at(now)), OFFLINE, at(now))
    poller.answered(only(poller, at(420)), TICKETS, NOON + 420, at(420))
    assert poller.deadline() == at(480).monotonic

    poller.failed(only(poller, at(480)), OFFLINE, at(480))
    assert poller.deadline() == at(540).monotonic


def test_a_board_that_fails_does_not_hold_up_the_others() -> None:
    poller = Poller(settings("bad", "ops"), at(0))
    times = []
    for second, board in asked(poller, 0, 3600):
        if board.name == "bad":
            poller.failed(board, JiraError(JiraState.QUERY, "no such project"), at(second))
        else:
            times.append(second)
            poller.answered(board, TICKETS, NOON + second, at(second))

    assert times == list(range(0, 3600, 60))


def test_the_status_tells_how_each_board_is_doing(poller: Poller) -> None:
    poller.answered(only(poller, at(0)), TICKETS, NOON, at(0))
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


def test_the_status_tells_since_when_it_runs_and_its_version(poller: Poller) -> None:
    poller.receive(Up("localhost", "5"), at(30))
    (told,) = (json.loads(m.payload) for m in poller.outbox(at(30)) if m.topic.endswith("/status"))

    assert told == {"boards": {}, "started_at": "2026-11-23T12:00:00Z", "version": __version__}


def test_a_board_that_was_not_asked_yet_is_not_in_the_status() -> None:
    poller = Poller(settings("ops", "net"), at(0))
    poller.answered(only(poller, at(0)), TICKETS, NOON, at(0))

    assert set(status(poller.outbox(at(0)))) == {"ops"}


def test_at_every_connection_all_that_is_retained_is_said_again() -> None:
    poller = Poller(settings("ops", "net"), at(0))
    for _ in range(2):
        poller.answered(only(poller, at(0)), TICKETS, NOON, at(0))
    poller.outbox(at(0))
    everything = [
        "apimon/pollers/main/availability",
        "apimon/pollers/main/status",
        "apimon/tickets/net",
        "apimon/tickets/ops",
    ]
    for second in (1, 2, 3):
        poller.receive(Down("lost"), at(second))
        assert poller.outbox(at(second)) == []
        poller.receive(Up("localhost", "5"), at(second))
        messages = poller.outbox(at(second))
        assert sorted(message.topic for message in messages) == everything
        assert messages[0] == Publish("apimon/pollers/main/availability", b"online")


def test_the_first_connection_says_nothing_of_boards_that_were_not_asked_yet(poller: Poller) -> None:
    poller.receive(Up("localhost", "5"), at(0))

    assert snapshots(poller.outbox(at(0))) == []


def test_the_will_and_the_farewell_are_offline_and_retained(poller: Poller) -> None:
    poller.farewell()

    assert poller.will == Publish("apimon/pollers/main/availability", b"offline")
    assert poller.outbox(at(0)) == [poller.will]


def test_topics_lie_below_the_configured_base_and_carry_the_id_of_the_poller() -> None:
    original = settings()
    assert original.poller is not None
    changed = original._replace(
        mqtt=original.mqtt._replace(base_topic="home/jira"), poller=original.poller._replace(id="second")
    )
    poller = Poller(changed, at(0))
    poller.receive(Up("localhost", "5"), at(0))
    poller.answered(only(poller, at(0)), TICKETS, NOON, at(0))

    assert {message.topic for message in poller.outbox(at(0))} == {
        "home/jira/pollers/second/availability",
        "home/jira/pollers/second/status",
        "home/jira/tickets/ops",
    }


def test_the_log_tells_a_failing_jira_and_its_recovery_once(poller: Poller) -> None:
    for second, board in asked(poller, 0, 3600):
        poller.failed(board, OFFLINE, at(second))
    for second, board in asked(poller, 3600, 7200):
        poller.answered(board, TICKETS, NOON + second, at(second))

    assert poller.remarks() == [Remark("board ops: no route to Jira", bad=True), Remark("jira ops: well again")]


def test_the_log_tells_a_lost_broker_and_the_next_connection(poller: Poller) -> None:
    poller.receive(Down("refused"), at(0))
    poller.receive(Down("refused"), at(1))
    poller.receive(Up("localhost:1883", "3.1.1"), at(2))

    assert poller.remarks() == [
        Remark("refused", bad=True),
        Remark("broker: well again"),
        Remark("connected to localhost:1883 by MQTT 3.1.1"),
    ]


def test_one_line_tells_people_how_it_is(poller: Poller) -> None:
    assert poller.summary() == "all boards are up to date"
    poller.receive(Down("refused"), at(0))
    poller.failed(only(poller, at(0)), OFFLINE, at(0))

    assert poller.summary() == "refused; board ops: no route to Jira"


def test_it_subscribes_to_nothing_so_a_message_is_a_bug(poller: Poller) -> None:
    with pytest.raises(ValueError, match="listens to nothing, and got apimon/tickets/ops"):
        poller.receive(Message("apimon/tickets/ops", b""), at(0))


def test_a_day_on_which_jira_is_down_for_five_hours() -> None:
    poller = Poller(settings(), at(0))
    down, up = 8 * 3600, 13 * 3600
    polls, published, held_until = 0, [], 0.0
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
    assert [remark.text for remark in poller.remarks()] == ["board ops: no route to Jira", "jira ops: well again"]


def test_a_board_that_makes_too_large_a_message_is_told_and_the_last_snapshot_stays() -> None:
    poller = Poller(settings(), at(0))
    poller.receive(Up("localhost", "5"), at(0))
    many = tuple(Ticket(f"OPS-{number}", "Waiting for customer", summary="x" * 400) for number in range(5000))
    (board,) = settings().boards[:1]
    poller.outbox(at(0))

    poller.answered(poller.due(at(0)) or board, many, NOON, at(0))

    said = {message.topic: json.loads(message.payload) for message in poller.outbox(at(0))}
    assert set(said) == {"apimon/pollers/main/status"}
    (report,) = said["apimon/pollers/main/status"]["boards"].values()
    assert report["state"] == "query"
    assert "narrow the JQL" in report["detail"]


@pytest.mark.parametrize(
    "broken",
    [
        Ticket("OPS-1", "Open", created=-1.0),
        Ticket("OPS-1", "Open", due=9e11),
        Ticket("OPS-1", "Op\ud800en"),
        Ticket("", "Open", created=1.0, due=2.0)._replace(status=""),
    ],
)
def test_tickets_that_nodes_would_refuse_are_told_not_published_and_no_bug(broken: Ticket) -> None:
    poller = Poller(settings(), at(0))
    poller.receive(Up("localhost", "5"), at(0))
    poller.outbox(at(0))
    board = poller.due(at(0))
    assert board

    poller.answered(board, (broken,), NOON, at(0))

    said = {message.topic: json.loads(message.payload) for message in poller.outbox(at(0))}
    assert set(said) == {"apimon/pollers/main/status"}
    assert said["apimon/pollers/main/status"]["boards"][board.name]["state"] == "query"
    assert poller.due(at(0)) is not board


def test_a_topic_that_the_broker_does_not_let_it_write_is_told_in_the_log() -> None:
    poller = Poller(settings(), at(0))
    poller.receive(Refused("apimon/tickets/ops"), at(0))
    poller.receive(Refused("apimon/tickets/ops"), at(1))

    assert [remark.text for remark in poller.remarks()] == [
        "the broker refuses to let this poller write apimon/tickets/ops: check its access list"
    ]
    poller.receive(Up("localhost", "5"), at(2))
    assert "refuses" not in poller.summary()


def test_when_the_clock_is_set_the_start_is_put_right() -> None:
    poller = Poller(settings(), Instant(0, 5.0))
    board = poller.due(Instant(0, 5.0))
    assert board

    poller.answered(board, (), NOON, Instant(10, NOON + 15))

    (status,) = [message for message in poller.outbox(at(10)) if message.topic.endswith("status")]
    assert json.loads(status.payload)["started_at"] == "2026-11-23T12:00:05Z"
