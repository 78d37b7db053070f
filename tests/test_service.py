"""The process as a service: real signals, real sockets."""

import math
import os
import select
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from parts import PATIENCE

from apimon_node.errors import InstallError
from apimon_node.process.service import Service, start_anew

STOP_SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]

WAITING = """
import select
from apimon_node.process.service import Service

with Service() as service:
    print("waiting", flush=True)
    select.select([service], [], [])
    print("stopping" if service.stopping else "woken for nothing", flush=True)
    {then}
"""


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Give the socket that systemd would listen to."""
    name = str(tmp_path / "n") if request.param == "path" else f"@apimon-{uuid.uuid4()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(name.replace("@", "\0"))
        sock.setblocking(False)  # noqa: FBT003 - Python asks for it
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        yield sock


def said(sock: socket.socket) -> list[str]:
    """Give what has come; a datagram on a local socket is there as soon as it was sent."""
    messages = []
    while select.select([sock], [], [], 0)[0]:
        messages.append(sock.recv(65_536).decode())
    return messages


def child(then: str = "") -> subprocess.Popen[str]:
    """Start a process that waits for a signal, and is known to wait."""
    process = subprocess.Popen([sys.executable, "-c", WAITING.format(then=then)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    return process


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_ends_a_wait_without_a_limit_at_once(number: signal.Signals) -> None:
    with child() as process:
        process.send_signal(number)
        output, _ = process.communicate(timeout=PATIENCE)

    assert output == "stopping\n"
    assert process.returncode == 0


def test_a_second_signal_ends_a_process_that_hangs_while_it_stops() -> None:
    with child(then="select.select([], [], [])") as process:
        assert process.stdout is not None
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "stopping\n"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)

    assert process.returncode == -signal.SIGTERM


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_says_that_it_is_time_to_stop(number: signal.Signals) -> None:
    with Service() as service:
        assert not service.stopping
        assert select.select([service], [], [], 0)[0] == []
        os.kill(os.getpid(), number)

        assert select.select([service], [], [], 10)[0] == [service]
        assert service.stopping


def test_the_wake_up_socket_is_given_back_at_the_end() -> None:
    with Service():
        pass

    assert signal.set_wakeup_fd(-1) == -1


def test_without_systemd_it_is_silent_and_asks_for_no_turn() -> None:
    with Service() as service:
        service.ready()
        service.status("well")
        service.alive()

        assert service.deadline() == math.inf


def test_systemd_hears_of_the_start_the_status_and_the_stop(systemd: socket.socket) -> None:
    with Service() as service:
        service.ready()
        service.status("3 tickets")
        os.kill(os.getpid(), signal.SIGTERM)
        select.select([service], [], [], 10)
        assert service.stopping

    assert said(systemd) == ["READY=1", "STATUS=3 tickets", "STOPPING=1"]


def test_a_status_is_told_only_when_it_is_news(systemd: socket.socket) -> None:
    with Service() as service:
        for text in ("", "well", "well", "ill", "well"):
            service.status(text)

    assert said(systemd) == ["STATUS=well", "STATUS=ill", "STATUS=well"]


@pytest.mark.parametrize("text", ["a\nMAINPID=1", "a\rMAINPID=1", "a \n\n MAINPID=1\n"])
def test_a_status_from_the_network_cannot_say_anything_else_to_systemd(systemd: socket.socket, text: str) -> None:
    with Service() as service:
        service.status(text)

    assert said(systemd) == ["STATUS=a MAINPID=1"]


def test_children_do_not_inherit_the_socket(systemd: socket.socket) -> None:
    with Service():
        assert "NOTIFY_SOCKET" not in os.environ
    assert said(systemd) == []


def test_whoever_we_become_has_the_socket_again(systemd: socket.socket) -> None:
    before = os.environ["NOTIFY_SOCKET"]
    with Service():
        pass
    assert os.environ["NOTIFY_SOCKET"] == before
    assert said(systemd) == []


def test_without_systemd_there_is_none_afterwards_either() -> None:
    with Service():
        pass
    assert "NOTIFY_SOCKET" not in os.environ


ANEW = """
import os, sys
from apimon_node.process.service import Service, start_anew

with Service() as service:
    print(os.getpid(), *sys.argv[1:], sys.flags.optimize, flush=True)
if os.read(0, 1):
    start_anew()
"""


def test_starting_anew_keeps_process_id_arguments_and_options_and_can_be_done_again() -> None:
    command = [sys.executable, "-O", "-c", ANEW, "run", "--config", "a b"]
    done = subprocess.run(command, input="12", capture_output=True, text=True, timeout=PATIENCE, check=True)

    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert set(lines) == {f"{lines[0].split()[0]} run --config a b 1"}


def test_a_python_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python3")
    with pytest.raises(InstallError, match=r"^cannot start /nowhere/python3 anew: No such file or directory$"):
        start_anew()


def test_a_systemd_that_does_not_listen_is_no_reason_to_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    with Service() as service:
        service.ready()
        service.status("x" * 10_000_000)


def test_the_watchdog_is_patted_at_the_first_turn_and_then_at_half_its_time(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    with Service() as service:
        assert service.deadline() == -math.inf
        before = time.monotonic()
        for _ in range(100):
            service.alive()
        after = time.monotonic()

        assert before + 30 <= service.deadline() <= after + 30

    assert said(systemd) == ["WATCHDOG=1"]


def test_a_turn_after_the_deadline_pats_the_watchdog_again(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "0")
    with Service() as service:
        service.alive()
        service.alive()

    assert said(systemd) == ["WATCHDOG=1"] * 2


def test_a_watchdog_without_a_socket_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    with Service() as service:
        assert service.deadline() == math.inf
