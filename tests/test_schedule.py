"""When each board is asked: its interval, back-off, and one question at a time while Jira is not well."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from apimon_node.errors import JiraError, JiraState
from apimon_node.poller.schedule import HELD_LOOK_S, LEAST_GAP, Schedule

MINUTE = 60.0
DOWN = JiraError(JiraState.OFFLINE, "no route to Jira", everywhere=True)
ODD = JiraError(JiraState.QUERY, "no such project")


def schedule(*intervals: float, chance: Callable[[], float] = lambda: 0.0) -> Schedule:
    """Make a schedule of boards a, b, c …; nobody has been asked yet."""
    return Schedule(dict(zip("abcdefgh", intervals or (MINUTE,), strict=False)), 0, chance)


def well(*intervals: float) -> Schedule:
    """Make a schedule of boards that have all been answered at 0."""
    turns = schedule(*intervals)
    while names := turns.due(0):
        for name in names:
            turns.answered(name, 0)
    return turns


def asked(
    turns: Schedule, seconds: range, error: Callable[[str, float], JiraError | None]
) -> Iterator[tuple[int, str]]:
    """Let time pass, a second at a time; every question is answered, or fails, at once."""
    for now in seconds:
        while names := turns.due(now):
            for name in names:
                yield now, name
                if (failure := error(name, now)) is None:
                    turns.answered(name, now)
                else:
                    turns.failed(name, failure, now)


def test_a_board_is_asked_at_once_and_then_at_its_interval() -> None:
    assert [now for now, _ in asked(schedule(), range(600), lambda *_: None)] == list(range(0, 600, 60))


def test_each_board_has_an_interval_of_its_own() -> None:
    polls = list(asked(schedule(60, 300), range(601), lambda *_: None))

    assert [now for now, name in polls if name == "a"] == list(range(0, 601, 60))
    assert [now for now, name in polls if name == "b"] == [0, 300, 600]


def test_first_polls_are_spread_over_five_seconds_and_no_more_than_an_interval() -> None:
    chances = iter([0.0, 0.5, 1.0, 1.0])
    turns = schedule(60, 60, 60, 1, chance=lambda: next(chances, 0.0))

    assert [turns.next_at(name) for name in "abcd"] == [0, 2.5, 5, 1]


def test_a_board_under_way_is_not_asked_again() -> None:
    turns = well(MINUTE)

    assert turns.due(60) == ["a"]
    assert turns.due(200) == []
    turns.answered("a", 230)
    assert turns.next_at("a") == 290


def test_boards_are_asked_side_by_side_so_that_a_slow_one_delays_nobody() -> None:
    turns = well(60, 60, 60)

    assert turns.due(60) == ["a", "b", "c"]
    for name in "bc":
        turns.answered(name, 61)
    assert turns.due(121) == ["b", "c"]
    assert turns.deadline() == float("inf")
    turns.answered("b", 122)
    assert turns.deadline() == 182


def test_nothing_is_due_before_its_deadline() -> None:
    turns = well(MINUTE)

    assert turns.deadline() == 60
    assert turns.due(59.9) == []
    assert turns.due(60) == ["a"]


def test_until_jira_has_answered_once_one_board_asks_for_all() -> None:
    turns = schedule(60, 60, 60)

    assert turns.due(0) == ["a"]
    assert turns.due(3) == []
    assert turns.deadline() == float("inf")
    turns.answered("a", 4)
    assert turns.due(4) == ["b", "c"]


def test_a_first_board_that_hangs_delays_the_others_only_until_it_has_failed() -> None:
    turns = schedule(60, 60, 60)
    assert turns.due(0) == ["a"]

    turns.failed("a", JiraError(JiraState.OFFLINE, "did not answer in time"), 20)

    assert turns.due(20) == ["b", "c"]


@pytest.mark.parametrize("everywhere", [True, False])
@pytest.mark.parametrize(
    ("interval", "retry_after", "waits"),
    [
        (60, 0, [60, 120, 240, 480, 900, 900]),
        (1, 0, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]),
        (3600, 0, [3600, 3600]),
        (60, 300, [300, 300, 300, 480, 900]),
        (60, 30, [60, 120]),
        (60, 3600, [3600, 3600]),
    ],
)
def test_what_fails_is_asked_after_the_longest_of_interval_back_off_and_jiras_own_wish(
    *, interval: float, retry_after: float, waits: list[float], everywhere: bool
) -> None:
    turns = schedule(interval)
    now, found = 0.0, []
    for _ in waits:
        assert turns.due(now) == ["a"]
        turns.failed("a", JiraError(JiraState.ERROR, "why", retry_after, everywhere=everywhere), now)
        assert turns.next_at("a") == turns.deadline()
        found.append(turns.deadline() - now)
        now += found[-1]

    assert found == waits


@pytest.mark.parametrize("error", [DOWN, ODD])
def test_one_answer_brings_the_interval_back(error: JiraError) -> None:
    turns = schedule()
    for now in (0, 60, 180):
        assert turns.due(now)
        turns.failed("a", error, now)
    assert turns.due(420)
    turns.answered("a", 420)
    assert turns.deadline() == 480

    assert turns.due(480)
    turns.failed("a", error, 480)
    assert turns.deadline() == 540


def test_a_query_that_fails_does_not_hold_up_the_others() -> None:
    polls = list(asked(schedule(60, 60), range(3600), lambda name, _: ODD if name == "a" else None))

    assert [now for now, name in polls if name == "b"] == list(range(0, 3600, 60))
    assert [now for now, name in polls if name == "a"] == [0, 60, 180, 420, 900, 1800, 2700]


def test_a_jira_that_is_down_is_asked_by_one_board_at_a_time_no_more_often_than_the_back_off_allows() -> None:
    polls = list(asked(schedule(60, 60, 60, 60), range(3600), lambda *_: DOWN))

    assert [now for now, _ in polls] == [0, 60, 180, 420, 900, 1800, 2700]


def test_failures_of_questions_side_by_side_count_as_one() -> None:
    turns = well(60, 60, 60)
    assert turns.due(60) == ["a", "b", "c"]
    for name in "abc":
        turns.failed(name, DOWN, 61)

    assert turns.deadline() == 121


def test_what_is_still_under_way_is_waited_for_before_jira_is_tried_again() -> None:
    turns = well(1, 1)
    assert turns.due(1) == ["a", "b"]
    turns.failed("a", DOWN, 2)

    assert turns.due(10) == []
    turns.failed("b", DOWN, 10)
    assert turns.due(12) == ["a"]


def test_while_nothing_is_sent_a_board_looks_every_minute_and_when_it_may_be_sent_again() -> None:
    held = 3600.0
    until = 180 + held

    def error(_: str, now: float) -> JiraError:
        left = until - now if now >= 180 else 0
        return JiraError(JiraState.AUTH, "refused", everywhere=True, held=max(left, 0))

    polls = [now for now, _ in asked(schedule(60, 60), range(4000), error)]

    assert polls[:3] == [0, 60, 180]
    looks = [now for now in polls if 180 <= now <= until]
    assert looks == list(range(180, int(until) + 1, int(HELD_LOOK_S)))
    assert polls[-1] == until, "from then on the back-off counts again"


def test_a_password_that_is_soon_sent_again_is_looked_at_then() -> None:
    turns = schedule(1)
    for now in range(10):
        assert turns.due(now * 1000)
        turns.failed("a", JiraError(JiraState.AUTH, "refused", everywhere=True, held=7.5), now * 1000)
    assert turns.deadline() == 9007.5


def test_when_jira_is_back_all_boards_follow_within_five_seconds_but_not_as_one() -> None:
    chances = itertools.cycle([0.2, 0.9])
    turns = schedule(60, 60, 60, chance=lambda: next(chances))
    for now, name in ((1, "a"), (61, "c"), (181, "b")):
        assert turns.due(now) == [name]
        turns.failed(name, DOWN, now)
    assert turns.due(421) == ["a"]
    turns.answered("a", 421)

    assert sorted(turns.next_at(name) - 421 for name in "abc") == [1.0, 4.5, 60]


def test_jiras_wish_to_be_left_alone_holds_for_all_boards() -> None:
    turns = well(60, 60)
    assert turns.due(60) == ["a", "b"]
    turns.failed("a", JiraError(JiraState.RATE_LIMITED, "slowly", 300, everywhere=True), 60)
    turns.answered("b", 61)

    assert turns.next_at("b") == 360
    assert turns.due(359) == []
    assert turns.due(360) == ["a", "b"]


def test_who_wants_to_know_now_does_not_wait_for_the_interval() -> None:
    turns = well(60, 3600)

    assert turns.hurry(10) == 10
    assert turns.due(10) == ["a", "b"]


def test_who_wants_to_know_now_does_not_wait_for_the_back_off() -> None:
    turns = schedule(60, 60)
    for now in (0, 60, 180):
        turns.failed(turns.due(now)[0], DOWN, now)

    assert turns.hurry(200) == 200
    assert len(turns.due(200)) == 1


def test_who_wants_to_know_all_the_time_is_answered_every_five_seconds() -> None:
    turns = well(MINUTE)
    polls = []
    for tenth in range(600):
        turns.hurry(tenth / 10)
        for name in turns.due(tenth / 10):
            polls.append(tenth / 10)
            turns.answered(name, tenth / 10)

    assert polls == [LEAST_GAP * number for number in range(1, 12)]


def test_not_even_who_wants_to_know_now_may_ask_what_jira_forbids() -> None:
    turns = well(MINUTE)
    assert turns.due(60)
    turns.failed("a", JiraError(JiraState.RATE_LIMITED, "slowly", 300, everywhere=True), 60)

    assert turns.hurry(100) == 360
    assert turns.due(359.9) == []
    assert turns.due(360) == ["a"]


def test_to_hurry_what_is_under_way_changes_nothing() -> None:
    turns = well(MINUTE)
    assert turns.due(60) == ["a"]
    turns.hurry(61)

    assert turns.due(62) == []
    turns.answered("a", 70)
    assert turns.next_at("a") == 130
