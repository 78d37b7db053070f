"""Back-off: doubling, bounded, and from the start only after things have held."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimon_node.timing import Backoff


def waits(backoff: Backoff, number: int, now: float = 0.0) -> list[float]:
    """Fail again and again, each time at the moment that was named for the next try."""
    found = []
    for _ in range(number):
        again = backoff.failed(now)
        found.append(again - now)
        now = again
    return found


def test_waits_double_up_to_the_limit() -> None:
    assert waits(Backoff(1, 60, 60), 9) == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_years_of_failures_do_not_overflow() -> None:
    assert set(waits(Backoff(1, 30, 10), 5000)[10:]) == {30}


def test_a_first_wait_above_the_limit_is_cut_to_it() -> None:
    assert waits(Backoff(120, 60, 60), 2) == [60, 60]


def test_failures_are_counted() -> None:
    backoff = Backoff(1, 60, 60)

    assert backoff.attempts == 0
    waits(backoff, 3)
    assert backoff.attempts == 3


@pytest.mark.parametrize(("health", "next_wait"), [(0.0, 8.0), (59.9, 8.0), (60.0, 1.0), (3600.0, 1.0)])
def test_only_a_minute_of_health_starts_it_anew(health: float, next_wait: float) -> None:
    backoff = Backoff(1, 60, 60)
    waits(backoff, 3)

    backoff.succeeded(100)
    backoff.succeeded(100 + health)

    assert backoff.failed(100 + health) - (100 + health) == next_wait


def test_health_is_counted_anew_after_each_failure() -> None:
    backoff = Backoff(1, 60, 60)
    backoff.succeeded(0)
    waits(backoff, 3, now=30)

    backoff.succeeded(50)

    assert backoff.failed(100) == 108


def test_something_that_breaks_every_half_minute_is_tried_at_the_longest_wait_in_the_end() -> None:
    backoff, now, found = Backoff(1, 60, 60), 0.0, []
    for _ in range(10):
        again = backoff.failed(now)
        found.append(again - now)
        backoff.succeeded(again)
        now = again + 30

    assert found[-1] == 60


def test_each_wait_has_a_spread_of_its_own() -> None:
    spread = itertools.cycle([1.0, 1.5, 0.5]).__next__

    assert waits(Backoff(1, 8, 60, spread), 6) == [1, 3, 2, 8, 12, 4]


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 100)), max_size=50))
def test_every_wait_lies_between_the_first_and_the_limit(steps: list[tuple[bool, float]]) -> None:
    backoff, now = Backoff(2, 30, 10), 0.0
    for works, passed in steps:
        now += passed
        if works:
            backoff.succeeded(now)
        else:
            assert 2 <= round(backoff.failed(now) - now, 6) <= 30
