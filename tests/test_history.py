"""The last hour of a board: an hour is a loop."""

import math

from looking import Looker, tickets
from world import NOON

from apimon_node.dashboard.history import EVERY, HOUR, Hour
from apimon_node.dashboard.overview import History, StatusCount


def counts(**numbers: int) -> tuple[StatusCount, ...]:
    return tuple(StatusCount(name, number, 0) for name, number in numbers.items())


def test_a_sample_is_taken_of_each_change_and_holds_until_the_next() -> None:
    looker = Looker()
    looker.hear("tickets/ops", tickets("Open", "Open", overdue=1))
    looker.look()
    looker.run(600)
    looker.hear("tickets/ops", tickets("Open", "Done"))
    looker.look()

    assert looker.look().history["ops"] == History((NOON, NOON + 600), {"Done": (0, 1), "Open": (2, 1)}, (1, 0))


def test_of_many_changes_there_is_a_sample_each_ten_seconds_and_the_last_is_not_lost() -> None:
    hour = Hour()
    for second in range(25):
        hour.note(counts(Open=second), second)

    assert hour.due_at == 2 * EVERY + EVERY
    hour.note(counts(Open=24), hour.due_at)

    assert hour.rows(0).at == (0, 10, 20, 30)
    assert hour.rows(0).statuses == {"Open": (0, 10, 20, 24)}


def test_a_change_that_is_taken_back_at_once_is_none() -> None:
    hour = Hour()
    for second, number in enumerate((1, 2, 1)):
        hour.note(counts(Open=number), second)

    assert hour.rows(0).at == (0,)
    assert hour.due_at == math.inf


def test_after_hours_there_is_the_last_one_and_how_it_began() -> None:
    hour = Hour()
    for second in range(0, 3 * 3600, 5):
        hour.note(counts(Open=second), second)
    rows = hour.rows(0)

    assert len(rows.at) == HOUR / EVERY + 1
    assert rows.at[0] <= 3 * 3600 - 5 - HOUR < rows.at[1]


def test_what_was_an_hour_ago_goes_though_nothing_changes() -> None:
    looker = Looker()
    looker.hear("tickets/ops", tickets("A"))
    looker.look()
    looker.run(100)
    looker.hear("tickets/ops", tickets("A", "B"))
    looker.look()
    due = looker.fleet.deadline(looker.instant)
    before, after = looker.run(HOUR - 1).history["ops"], looker.run(1).history["ops"]

    assert due == 100 + HOUR
    assert before.at == (NOON, NOON + 100)
    assert after.at == (NOON + 100,)


def test_its_times_follow_a_clock_that_is_set() -> None:
    looker = Looker(wall=0)
    looker.hear("tickets/ops", tickets("A"))
    before = looker.look().history["ops"].at
    looker.lead = NOON

    assert (before, looker.look().history["ops"].at) == ((0,), (NOON,))


def test_a_board_of_which_nothing_is_known_has_none() -> None:
    looker = Looker()
    looker.hear("tickets/ops", tickets("A"))
    looker.look()
    looker.hear("tickets/ops")

    assert looker.look().history == {}


def test_statuses_without_end_are_left_out() -> None:
    hour = Hour()
    for second in range(100):
        hour.note(counts(**{f"s{second}": 1}), second * EVERY)

    assert len(hour.rows(0).statuses) == 31
    assert "s99" in hour.rows(0).statuses
