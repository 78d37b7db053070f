"""Recovery: when a strip that failed is tried again. Months are loops over a number."""

import itertools
import random

import pytest
from world import World

from apimon_node.errors import Failure, StripError
from apimon_node.strip.driver import Shown
from apimon_node.strip.memory import MemoryStrip
from apimon_node.strip.recovery import HOPELESS, LIMIT, SELDOM, Recovery

DAY = 86_400.0


def attempts(failure: Failure, seconds: float) -> list[float]:
    """Give when a strip that always fails like that is tried, each time as soon as it may be."""
    recovery, times = Recovery(), [0.0]
    while times[-1] < seconds:
        times.append(recovery.failed(failure, times[-1]).at)
    return times


def waits(failure: Failure, seconds: float) -> list[float]:
    return [after - before for before, after in itertools.pairwise(attempts(failure, seconds))]


DOUBLING = [1, 2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (Failure.WRITE, [*DOUBLING, 60, 60]),
        (Failure.OPEN, [*DOUBLING, SELDOM, SELDOM]),
        (Failure.CRASH, [*DOUBLING, SELDOM, SELDOM]),
        (Failure.HANG, [*DOUBLING, SELDOM, SELDOM]),
        (Failure.STICKY, [0, 0, 0, SELDOM, SELDOM]),
        (Failure.MEMORY, [1, SELDOM, SELDOM]),
        (Failure.PERMANENT, [SELDOM, SELDOM]),
    ],
)
def test_each_class_of_failure_has_its_waits(failure: Failure, expected: list[float]) -> None:
    assert waits(failure, DAY)[: len(expected)] == expected
    assert set(waits(failure, DAY)[len(expected) :]) == {expected[-1]}


@pytest.mark.parametrize("failure", Failure)
def test_a_restart_is_named_once_it_is_all_that_may_help_and_not_before(failure: Failure) -> None:
    recovery = Recovery()
    told = [recovery.failed(failure, now).reboot for now in range(100)]

    assert told.count(True) == (100 - HOPELESS[failure] + 1 if failure in HOPELESS else 0)
    assert told == sorted(told)


def test_a_single_success_changes_nothing_a_minute_of_health_does() -> None:
    recovery = Recovery()
    for now in range(9):
        recovery.failed(Failure.HANG, now)
    recovery.succeeded(10)
    assert recovery.failed(Failure.HANG, 69) == (69 + SELDOM, True)

    recovery.succeeded(400)
    assert recovery.failed(Failure.HANG, 460) == (461, False)
    assert recovery.attempts == 1


def test_failures_of_other_classes_do_not_make_one_hopeless() -> None:
    recovery = Recovery()
    mixed = itertools.islice(itertools.cycle([Failure.OPEN, Failure.CRASH, Failure.HANG]), 27)

    assert not any(recovery.failed(failure, now).reboot for now, failure in enumerate(mixed))


class Ailing(MemoryStrip):
    """A strip that fails whenever its world is in one of some outages: begin, end, and how."""

    def __init__(self, world: World, outages: list[tuple[float, float, Failure]]) -> None:
        super().__init__(10)
        self._world = world
        self._outages = outages
        self.failed = 0

    def show(self, frame: bytes) -> Shown:
        while self._outages and self._outages[0][1] <= self._world.now:
            del self._outages[0]
        if self._outages and self._outages[0][0] <= self._world.now:
            self.failed += 1
            self.fail(StripError("injected", self._outages[0][2]))
        return super().show(frame)


@pytest.mark.parametrize("seed", range(3))
def test_a_month_of_faults_ends_healthy_and_tries_no_more_often_than_it_should(seed: int) -> None:
    """Outages of every class, from a moment to a day, with as much health between them; then all is well."""
    chance = random.Random(seed)
    outages: list[tuple[float, float, Failure]] = []
    now = 100.0
    while now < 28 * DAY:
        end = now + chance.choice([0.1, 5, 300, 3600, DAY]) * chance.random()
        outages.append((now, end, chance.choice(list(Failure))))
        now = end + chance.choice([1, 90, 3600, DAY]) * chance.random()
    allowed = sum(10 + (end - begin) / (SELDOM if how is Failure.PERMANENT else LIMIT) for begin, end, how in outages)
    world = World()
    strip = world.strips["ops"] = Ailing(world, outages)
    world.started(A=2)

    world.run(now + SELDOM)

    assert 100 < strip.failed <= allowed
    assert world.status["state"] == "ok"
    assert world.status["faults"] == []
    assert world.status["strips"]["ops"]["failures"] == strip.failed
    assert world.colors() == "rr........"
