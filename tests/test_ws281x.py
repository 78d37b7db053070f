"""The driver `ws281x` where the other end is no library but a test: what may come back, and when, or never."""

import errno
import math
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rigs import LIBRARY, answer

from apimon_node.errors import Failure, StripError
from apimon_node.strip import child, codes, ws281x
from apimon_node.strip.child import ANSWER, Line, Opening, framed
from apimon_node.strip.driver import Shown
from apimon_node.strip.ws281x import ChildProcess, ServiceConnection, Wait, Ws281x

OPENING = Opening(10, (Line(18, 3, 2), Line(13, 4, 1)))
FRAME = bytes(range(10))
OK = ANSWER.pack(0, 5000)


class Stub:
    """The other end, in the hands of a test."""

    ends = True

    def __init__(self) -> None:
        self.socket, self.far = socket.socketpair()
        self.socket.setblocking(False)  # noqa: FBT003 - Python asks for it
        self.far.settimeout(5)
        self.ended: list[float] = []

    def last_words(self) -> str:
        return "its last words"

    def end(self, patience: float) -> bool:
        self.ended.append(patience)
        self.socket.close()
        return self.ends


class Stubs:
    """Gives a fresh one at each start."""

    def __init__(self) -> None:
        self.made: list[Stub] = []

    def __call__(self) -> Stub:
        self.made.append(Stub())
        return self.made[-1]

    @property
    def last(self) -> Stub:
        return self.made[-1]


@pytest.fixture
def stubs() -> Iterator[Stubs]:
    stubs = Stubs()
    yield stubs
    for stub in stubs.made:
        stub.socket.close()
        stub.far.close()


@pytest.fixture
def driver(stubs: Stubs) -> Ws281x:
    return Ws281x(OPENING, stubs, root=True)


def failure(ask: Callable[[], object]) -> StripError:
    with pytest.raises(StripError) as caught:
        ask()
    return caught.value


def test_a_start_sends_the_opening_and_the_frame_at_once(driver: Ws281x, stubs: Stubs) -> None:
    driver.show(FRAME)

    assert stubs.last.far.recv(1000) == OPENING.message() + framed(FRAME)
    assert child.read_opening(OPENING.message()[4:]) == OPENING
    assert driver.answer() is None


def test_only_the_answer_to_the_frame_says_that_it_is_shown(driver: Ws281x, stubs: Stubs) -> None:
    driver.show(FRAME)
    stubs.last.far.send(OK)
    assert driver.answer() is None
    stubs.last.far.send(OK[:2])
    assert driver.answer() is None
    stubs.last.far.send(OK[2:])

    assert driver.answer() == Shown(5000)
    assert driver.answer() is None


def test_the_time_to_open_and_the_time_for_a_frame_follow_each_other(
    driver: Ws281x, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    driver.show(FRAME)
    assert driver.deadline() == 1010
    now = 1009
    stubs.last.far.send(OK)
    assert driver.answer() is None
    assert driver.deadline() == 1011
    now = 1011

    error = failure(driver.answer)
    assert str(error) == "ws281x: it did not show a frame within 2 s, and was stopped"
    assert error.failure is Failure.HANG
    assert driver.deadline() == math.inf
    assert driver.fileno() == -1
    assert stubs.last.ended == [0]


def test_an_opening_that_is_not_answered_in_time_is_a_hang(
    driver: Ws281x, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stubs.made == []
    monkeypatch.setattr(ws281x, "OPENING", Wait("open", 0.0))
    driver.show(FRAME)

    assert str(failure(driver.answer)) == "ws281x: it did not open within 0 s, and was stopped"


@pytest.mark.parametrize("code", [code for code in codes.CODES if code < 0])
@pytest.mark.parametrize("opened", [False, True])
def test_each_code_is_an_error_of_its_class_and_ends_that_process(
    driver: Ws281x,
    stubs: Stubs,
    code: int,
    opened: bool,  # noqa: FBT001 - a column of the table
) -> None:
    driver.show(FRAME)
    stubs.last.far.send((OK if opened else b"") + ANSWER.pack(code, 5000))

    error = failure(driver.answer)
    assert (error.code, error.failure) == (code, codes.CODES[code].failure)
    assert str(error).startswith(f"ws281x: code {code}, {codes.CODES[code].text}")
    driver.show(FRAME)
    assert len(stubs.made) == 2
    assert stubs.made[0].ended == [0]


@pytest.mark.parametrize("code", [-5, -6])
def test_without_root_dev_mem_stays_closed_until_somebody_mends_it(code: int) -> None:
    assert codes.error(code, root=True).failure is Failure.OPEN
    error = codes.error(code, root=False)
    assert error.failure is Failure.PERMANENT
    assert str(error).endswith(
        "run the node as root, or with a strip service (apimon-node strip), or use the driver spi"
    )


def test_a_code_that_nobody_knows_is_told_as_it_is() -> None:
    assert str(codes.error(-99, root=True)) == "ws281x: code -99, unknown to this version"


def test_a_peer_that_hangs_up_has_crashed_even_in_its_sleep(driver: Ws281x, stubs: Stubs) -> None:
    driver.show(FRAME)
    stubs.last.far.send(OK + OK)
    assert driver.answer() == Shown(5000)
    stubs.last.far.close()

    error = failure(driver.answer)
    assert (str(error), error.failure) == ("ws281x: its last words", Failure.CRASH)


def test_a_peer_that_has_gone_before_a_frame_is_told_of_by_the_answer(driver: Ws281x, stubs: Stubs) -> None:
    driver.show(FRAME)
    stubs.last.far.send(OK + OK)
    driver.answer()
    stubs.last.far.close()
    driver.show(FRAME)

    assert str(failure(driver.answer)) == "ws281x: its last words"


def test_a_connection_that_is_reset_is_a_crash_too(driver: Ws281x, stubs: Stubs) -> None:
    driver.show(FRAME)  # it is closed unread, which resets it
    stubs.last.far.close()

    assert failure(driver.answer).failure is Failure.CRASH


def test_a_peer_that_answers_without_being_asked_is_no_good(driver: Ws281x, stubs: Stubs) -> None:
    driver.show(FRAME)
    stubs.last.far.send(OK * 3)

    assert str(failure(driver.answer)) == "ws281x: it answers without being asked"


def test_a_peer_that_takes_no_more_frames_hangs(driver: Ws281x, stubs: Stubs) -> None:
    stubs()
    stubs.last.socket.close()

    def show_on() -> None:
        for _ in range(100_000):
            driver.show(FRAME)

    error = failure(show_on)
    assert (str(error), error.failure) == ("ws281x: it takes no more frames", Failure.HANG)


def test_a_process_that_does_not_end_lets_no_other_start(driver: Ws281x, stubs: Stubs) -> None:
    driver.show(FRAME)
    stubs.last.ends = False
    stubs.last.far.close()
    failure(driver.answer)

    error = failure(lambda: driver.show(FRAME))
    assert (str(error), error.failure) == ("ws281x: the process that failed does not end", Failure.HANG)
    stubs.last.ends = True
    driver.show(FRAME)
    assert len(stubs.made) == 2


def test_its_end_waits_for_the_peer_politely(driver: Ws281x, stubs: Stubs) -> None:
    driver.show(FRAME)
    driver.close()

    assert stubs.last.ended == [ws281x.CLOSE_TIMEOUT]
    assert stubs.last.far.recv(1000).endswith(FRAME)
    assert stubs.last.far.recv(1000) == b""


# The peers themselves


def test_a_child_that_cannot_load_the_library_is_told_with_its_exit_code(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ws281x, "PYTHON", (sys.executable, "-I", "-S"))  # under coverage, it would find one by itself
    driver = Ws281x(OPENING, lambda: ChildProcess("/nowhere/library.so"), root=True)
    driver.show(FRAME)

    error = failure(lambda: answer(driver))
    assert str(error) == "ws281x: its process ended with exit code 1"
    driver.close()
    assert "No module named '_rpi_ws281x'" in capfd.readouterr().err


def test_a_child_that_hangs_up_but_lives_is_told_as_that_and_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import os, time; os.close(0); time.sleep(60)"
    monkeypatch.setattr(ws281x, "command", lambda _library: [*ws281x.PYTHON, "-c", code])
    driver = Ws281x(OPENING, lambda: ChildProcess(LIBRARY), root=True)
    driver.show(FRAME)

    assert str(failure(lambda: answer(driver))) == "ws281x: its process hung up"
    driver.close()


def test_a_child_that_ignores_its_end_is_killed_within_the_time_for_that(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    monkeypatch.setattr(ws281x, "command", lambda _library: [*ws281x.PYTHON, "-c", code])
    peer = ChildProcess(LIBRARY)

    assert peer.end(0.05)
    assert peer._process.returncode == -9


def test_where_no_process_can_be_started_the_system_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ws281x, "command", lambda _library: ["/nowhere/python"])
    before = len(list(Path("/proc/self/fd").iterdir()))

    error = failure(lambda: ChildProcess(LIBRARY))
    assert (error.failure, error.code) == (Failure.OPEN, errno.ENOENT)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_strip_service_that_is_not_there_or_not_for_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "strip.sock"
    error = failure(lambda: ServiceConnection(path))
    assert (error.failure, error.code) == (Failure.OPEN, errno.ENOENT)
    assert str(error).startswith(f"ws281x: no strip service at {path}: No such file or directory")

    def refuse(_socket: socket.socket, _path: str) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(socket.socket, "connect", refuse)  # root may connect to anything
    assert failure(lambda: ServiceConnection(path)).failure is Failure.PERMANENT


def test_a_service_that_says_nothing_at_the_end_is_left_in_time(tmp_path: Path) -> None:
    path = tmp_path / "strip.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        connection = ServiceConnection(path)

        assert connection.end(0.05)
        assert connection.socket.fileno() == -1
