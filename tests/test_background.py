"""One blocking call beside the loop: its outcome wakes a select, a bug in it is loud."""

import select
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from parts import PATIENCE

from apimon_node.process.background import Background

NAME = "a call of the tests"


BUG = """\
from apimon_node.process.background import Background
background = Background('jira')
background.start(lambda: 1 // 0)
background.outcome()
"""

ENDLESS = """\
import threading
from apimon_node.process.background import Background
background = Background('jira')
background.start(threading.Event().wait)
background.close()
"""


@pytest.fixture
def background() -> Iterator[Background[int]]:
    background: Background[int] = Background(NAME)
    yield background
    background.close()


def wait(background: Background[int]) -> None:
    assert select.select([background], [], [], PATIENCE)[0] == [background]


def join() -> None:
    """Wait for the thread of a call that was let go."""
    for thread in threading.enumerate():
        if thread.name == NAME:
            thread.join(PATIENCE)


def test_the_outcome_of_a_call_wakes_a_select(background: Background[int]) -> None:
    background.start(lambda: 42)
    wait(background)

    assert background.over
    assert background.outcome() == 42
    assert not background.busy


def test_before_any_call_there_is_nothing_to_take(background: Background[int]) -> None:
    assert not background.busy
    assert not background.over
    assert select.select([background], [], [], 0)[0] == []


def test_a_call_that_waits_holds_nobody_up_and_is_not_over(background: Background[int]) -> None:
    may_end = threading.Event()
    background.start(lambda: int(may_end.wait(PATIENCE)))

    assert background.busy
    assert not background.over
    may_end.set()
    wait(background)
    assert background.over


def test_the_outcome_is_waited_for(background: Background[int]) -> None:
    may_end = threading.Event()
    background.start(lambda: int(may_end.wait(PATIENCE)))
    threading.Thread(target=may_end.set).start()

    assert background.outcome() == 1


def test_the_call_runs_beside_the_loop_by_its_name(background: Background[str]) -> None:
    background.start(lambda: threading.current_thread().name)

    assert background.outcome() == NAME


def test_one_call_after_the_other(background: Background[int]) -> None:
    outcomes = []
    for number in range(20):
        background.start(lambda number=number: number)  # type: ignore[misc]  # mypy knows no defaults of lambdas
        wait(background)
        outcomes.append(background.outcome())

    assert outcomes == list(range(20))
    assert not background.over


def test_a_second_call_before_the_outcome_was_taken_is_a_bug(background: Background[int]) -> None:
    background.start(lambda: 1)
    with pytest.raises(RuntimeError, match="the last call is not over"):
        background.start(lambda: 2)

    assert background.outcome() == 1


def test_a_bug_in_the_call_comes_up_where_its_outcome_is_taken(
    background: Background[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    caught: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", caught.append)
    background.start(lambda: 1 // 0)
    wait(background)
    with pytest.raises(RuntimeError, match=f"^{NAME}: the call failed; its traceback is above$"):
        background.outcome()
    join()

    assert [args.exc_type for args in caught] == [ZeroDivisionError]


def test_a_bug_ends_the_process_with_both_tracebacks() -> None:
    process = subprocess.run(
        [
            sys.executable,
            "-c",
            BUG,
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert process.returncode == 1
    assert process.stderr.index("ZeroDivisionError") < process.stderr.index("RuntimeError: jira: the call failed")


def test_a_call_that_never_returns_does_not_hold_up_the_end_of_the_process() -> None:
    process = subprocess.run(
        [
            sys.executable,
            "-c",
            ENDLESS,
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert (process.returncode, process.stderr) == (0, "")


def test_a_call_that_was_let_go_ends_in_silence_and_leaves_nothing_open() -> None:
    background: Background[int] = Background(NAME)
    may_end = threading.Event()
    background.start(lambda: int(may_end.wait(PATIENCE)))
    background.close()
    may_end.set()
    join()

    assert background._ours.fileno() == background._theirs.fileno() == -1


def test_an_outcome_that_nobody_took_leaves_nothing_open() -> None:
    background: Background[int] = Background(NAME)
    background.start(lambda: 1)
    wait(background)
    background.close()

    assert background._ours.fileno() == background._theirs.fileno() == -1
