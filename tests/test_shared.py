"""A value that threads share."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import pytest
from parts import PATIENCE, wait_until

from apimon_node.errors import JiraError, JiraState
from apimon_node.poller.jira.shared import Shared


class Source:
    """Gives 1, 2, 3 and so on, or an error, each after `gate` is open."""

    def __init__(self, life: float = 10) -> None:
        self.life = life
        self.given = 0
        self.wrong = False
        self.gate = threading.Event()
        self.gate.set()
        self.clock = 100.0

    def __call__(self) -> tuple[int, float]:
        self.given += 1
        number, wrong = self.given, self.wrong
        assert self.gate.wait(PATIENCE)
        if wrong:
            raise JiraError(JiraState.RATE_LIMITED, f"failure {number}", 30, everywhere=True)
        return number, self.life

    def now(self) -> float:
        return self.clock


class Door:
    """A lock that knows how many have come to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.came: list[int] = []

    def came_since(self, before: int) -> bool:
        return len(self.came) > before

    def __enter__(self) -> None:
        self.came.append(threading.get_ident())
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def shared(source: Source, door: Door) -> Shared[int]:
    shared = Shared(source, source.now)
    shared._lock = door  # type: ignore[assignment]
    return shared


def together(source: Source, door: Door, call: Callable[[], int], threads: int = 8) -> list[Future[int]]:
    """Call in several threads, of which the first fetches while the others wait."""
    source.gate.clear()
    with ThreadPoolExecutor(threads) as pool:
        calls = []
        for _ in range(threads):
            come = partial(door.came_since, len(door.came))
            calls.append(pool.submit(call))
            wait_until(come, "a thread comes to the door")
        source.gate.set()
    return calls


def test_nothing_is_fetched_before_it_is_needed(source: Source, shared: Shared[int]) -> None:
    assert source.given == 0
    assert shared.get() == 1


def test_a_value_is_fetched_again_when_its_time_is_over(source: Source, shared: Shared[int]) -> None:
    assert shared.get() == 1
    source.clock += 9.9
    assert shared.get() == 1
    source.clock += 0.1
    assert shared.get() == 2


def test_the_time_of_a_value_begins_when_it_is_asked_for(source: Source) -> None:
    def slow() -> tuple[int, float]:
        source.clock += 4
        return source()

    shared = Shared(slow, source.now)
    assert shared.get() == 1
    source.clock += 6
    assert shared.get() == 2


def test_a_value_that_proved_wrong_is_replaced_once(source: Source, shared: Shared[int]) -> None:
    assert shared.get() == 1
    assert shared.get(instead_of=1) == 2
    assert shared.get(instead_of=1) == 2
    assert source.given == 2


def test_a_value_that_is_forgotten_is_fetched_again(source: Source, shared: Shared[int]) -> None:
    shared.get()
    shared.forget()
    assert shared.get() == 2
    assert source.given == 2


def test_threads_that_come_together_fetch_once(source: Source, door: Door, shared: Shared[int]) -> None:
    assert {future.result() for future in together(source, door, shared.get)} == {1}
    assert {future.result() for future in together(source, door, lambda: shared.get(instead_of=1))} == {2}
    assert source.given == 2


def test_threads_that_wait_while_one_fails_get_its_error(source: Source, door: Door, shared: Shared[int]) -> None:
    source.wrong = True
    errors = [future.exception() for future in together(source, door, shared.get)]
    told = {
        (error.state, str(error), error.retry_after, error.everywhere)
        for error in errors
        if isinstance(error, JiraError)
    }
    assert len(errors) == 8
    assert len({id(error) for error in errors}) == 8  # a stack of its own for each
    assert told == {(JiraState.RATE_LIMITED, "failure 1", 30, True)}
    assert source.given == 1


def test_a_failure_is_not_kept(source: Source, shared: Shared[int]) -> None:
    source.wrong = True
    with pytest.raises(JiraError):
        shared.get()
    source.wrong = False
    assert shared.get() == 2
    source.wrong = True
    with pytest.raises(JiraError):
        shared.get(instead_of=2)
    source.wrong = False
    assert shared.get() == 4


def test_a_value_that_counts_as_false_is_one() -> None:
    asked = []

    def fetch() -> tuple[bool, float]:
        asked.append(1)
        return False, 10

    shared = Shared(fetch, lambda: 0.0)
    assert shared.get() is shared.get() is False
    assert len(asked) == 1
