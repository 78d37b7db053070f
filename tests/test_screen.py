"""The screen: when a strip is written. A day of operation is a loop over `now`."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimon_node.errors import Failure, StripError
from apimon_node.strip.memory import MemoryStrip
from apimon_node.strip.screen import Screen

RED, BLUE, DARK = b"\xff\x00\x00", b"\x00\x00\xff", bytes(3)


def write(screen: Screen, strip: MemoryStrip, now: float) -> bool:
    """Do what the program does in each turn; tell whether the strip was tried."""
    frame = screen.due(now)
    if frame is None:
        return False
    try:
        strip.show(frame)
    except StripError as err:
        screen.failed(err.failure, now)
    else:
        screen.shown(now)
    return True


@pytest.fixture
def screen() -> Screen:
    return Screen(0.5, 60)


@pytest.fixture
def strip() -> MemoryStrip:
    return MemoryStrip(1)


def test_nothing_is_written_while_nothing_is_wanted(screen: Screen) -> None:
    assert screen.due(0) is None
    assert screen.deadline() == math.inf


def test_the_first_change_is_written_at_once(screen: Screen, strip: MemoryStrip) -> None:
    screen.want(RED)

    assert screen.deadline() <= 0
    assert write(screen, strip, 0)
    assert list(strip.frames) == [RED]


def test_a_change_after_some_quiet_is_written_at_once(screen: Screen, strip: MemoryStrip) -> None:
    screen.want(RED)
    write(screen, strip, 0)
    screen.want(BLUE)

    assert write(screen, strip, 0.5)
    assert strip.frames[-1] == BLUE


def test_of_many_changes_within_the_interval_only_the_last_is_written_and_on_time(
    screen: Screen, strip: MemoryStrip
) -> None:
    screen.want(RED)
    write(screen, strip, 0)
    for step in range(1, 50):
        screen.want(bytes([step, step, step]))
        assert not write(screen, strip, step / 100)
        assert screen.deadline() == 0.5

    assert write(screen, strip, 0.5)
    assert list(strip.frames) == [RED, bytes([49, 49, 49])]


def test_what_is_shown_already_is_not_written_again(screen: Screen, strip: MemoryStrip) -> None:
    screen.want(RED)
    write(screen, strip, 0)
    screen.want(BLUE)
    screen.want(bytes(RED))

    assert not write(screen, strip, 59.9)
    assert screen.deadline() == 60


def test_a_board_that_stands_still_costs_one_write_a_minute(screen: Screen, strip: MemoryStrip) -> None:
    screen.want(RED)
    for now in range(86_400):
        write(screen, strip, now)

    assert strip.written == 1440


def test_a_pulsing_board_costs_two_writes_a_second_however_often_it_changes(strip: MemoryStrip) -> None:
    screen = Screen(0.5, 60)
    for step in range(3600 * 8):
        screen.want(bytes([step % 256, 0, 0]))
        write(screen, strip, step / 8)

    assert strip.written == 3600 * 2


def test_a_frame_that_the_strip_refused_stays_owed(screen: Screen, strip: MemoryStrip) -> None:
    strip.fail("no power")
    screen.want(RED)
    write(screen, strip, 0)

    assert strip.written == 0
    assert screen.deadline() == 1
    assert write(screen, strip, 1)
    assert list(strip.frames) == [RED]


def test_after_a_failure_even_what_was_shown_before_is_written_again(screen: Screen, strip: MemoryStrip) -> None:
    screen.want(RED)
    write(screen, strip, 0)
    strip.fail("no power")
    screen.want(BLUE)
    write(screen, strip, 10)
    screen.want(RED)

    assert write(screen, strip, 11)
    assert list(strip.frames) == [RED, RED]


def test_a_failing_strip_is_tried_less_and_less_often_and_once_a_minute_in_the_end(
    screen: Screen, strip: MemoryStrip
) -> None:
    strip.fail(*["no power"] * 1000)
    screen.want(RED)
    tried = [now for now in range(600) if write(screen, strip, now)]

    waits = [after - before for before, after in itertools.pairwise(tried)]
    assert waits[:9] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert set(waits[6:]) == {60}
    assert screen.attempts == len(tried)


@pytest.mark.parametrize(("health", "wait"), [(30, 8), (59, 8), (60, 1), (600, 1)])
def test_only_a_minute_of_health_brings_the_short_wait_back(
    screen: Screen, strip: MemoryStrip, health: int, wait: int
) -> None:
    strip.fail(*["no power"] * 3)
    screen.want(RED)
    for now in (0, 1, 3):
        assert write(screen, strip, now)
    assert write(screen, strip, 7)  # well again

    strip.fail("no power")
    screen.want(BLUE)
    write(screen, strip, 7 + health)

    assert screen.deadline() == 7 + health + wait


def test_a_change_does_not_cut_the_wait_after_a_failure_short(screen: Screen, strip: MemoryStrip) -> None:
    strip.fail("no power", "no power")
    screen.want(RED)
    write(screen, strip, 0)
    write(screen, strip, 1)
    screen.want(BLUE)

    assert not write(screen, strip, 2.9)
    assert write(screen, strip, 3)
    assert list(strip.frames) == [BLUE]


def test_while_a_frame_is_on_its_way_no_other_is_due(screen: Screen) -> None:
    screen.want(RED)
    assert screen.due(0) == RED
    screen.want(BLUE)

    assert screen.due(100) is None
    assert screen.deadline() == screen.not_before == math.inf


def test_what_changed_while_a_frame_was_on_its_way_is_still_owed(screen: Screen) -> None:
    screen.want(RED)
    screen.due(0)
    screen.want(BLUE)
    screen.shown(0)

    assert screen.due(0.4) is None
    assert screen.due(0.5) == BLUE


def test_a_device_that_fails_while_nothing_is_on_its_way_is_written_again(screen: Screen, strip: MemoryStrip) -> None:
    screen.want(RED)
    write(screen, strip, 0)
    assert screen.failed(Failure.CRASH, 10).at == 11

    assert screen.due(10.9) is None
    assert screen.due(11) == RED


def test_frames_that_are_replaced_before_the_strip_can_be_written_are_counted(
    screen: Screen, strip: MemoryStrip
) -> None:
    for now, frame in ((0, RED), (0.1, BLUE), (0.2, DARK), (0.2, DARK), (0.3, RED)):
        screen.want(frame)
        write(screen, strip, now)

    assert screen.skipped == 2  # blue and dark; the last red is there already


def test_what_is_on_the_strip_can_be_forgotten_and_is_written_again_at_its_pace(
    screen: Screen, strip: MemoryStrip
) -> None:
    screen.want(RED)
    write(screen, strip, 0)
    screen.forget()

    assert screen.not_before == 0.5
    assert screen.due(0.1) is None
    assert screen.due(0.5) == RED


def test_a_refresh_shorter_than_the_interval_waits_for_it() -> None:
    screen = Screen(10, 1)
    screen.want(RED)
    screen.due(0)
    screen.shown(0)

    assert screen.deadline() == 10


STEPS = st.lists(
    st.tuples(st.sampled_from([RED, BLUE, DARK, None]), st.floats(0, 5), st.booleans()), min_size=1, max_size=60
)


@given(STEPS)
def test_whatever_happens_the_last_change_is_shown_and_no_two_writes_are_too_close(
    steps: list[tuple[bytes | None, float, bool]],
) -> None:
    screen, strip, now, tried, wanted = Screen(0.5, 60), MemoryStrip(1), 0.0, [], RED
    screen.want(wanted)
    for change, passed, fails in steps:
        now += passed
        if change is not None:
            wanted = change
            screen.want(wanted)
        if fails and now >= screen.deadline():
            strip.fail("no power")
        if write(screen, strip, now):
            tried.append(now)

    assert write(screen, strip, screen.deadline())
    assert strip.frames[-1] == wanted
    assert all(after - before >= 0.5 - 1e-9 for before, after in itertools.pairwise(tried))


@given(STEPS, st.floats(0, 1000))
def test_a_frame_is_due_exactly_from_the_deadline_on(
    steps: list[tuple[bytes | None, float, bool]], later: float
) -> None:
    screen, now = Screen(0.5, 60), 0.0
    for change, passed, fails in steps:
        now += passed
        if change is not None:
            screen.want(change)
        if (frame := screen.due(now)) is not None and fails:
            assert screen.failed(Failure.WRITE, now).at == screen.deadline() == screen.not_before
        elif frame is not None:
            screen.shown(now)

    deadline = screen.deadline()
    assert (screen.due(later) is not None) == (later >= deadline)
