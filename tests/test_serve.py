"""The strip service as a process: whoever connects, whatever they send, and however they go, the next client works."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from parts import PATIENCE, wait_until
from rigs import BLUE, DARK, GREEN, LIBRARY, PIXELS, RED, answer, environment, letters, strip_service
from shim import FakePi, Fault

from apimon_node.errors import StripError
from apimon_node.strip import child, serve, ws281x
from apimon_node.strip.child import ANSWER, LENGTH, Line, Opening, framed

FRAME = (RED + GREEN + BLUE + DARK) * 2
OPENING = Opening(10, (Line(18, 3, PIXELS),))
NOBODY = 65_534


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    return FakePi(tmp_path)


@pytest.fixture
def path(tmp_path: Path, pi: FakePi) -> Iterator[Path]:
    with strip_service(tmp_path, pi, "--user", "no-such-user") as path:
        yield path


def connect(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(PATIENCE)
    client.connect(str(path))
    return client


def status(client: socket.socket) -> int | None:
    """Give the next answer's status; None where there is no other."""
    data = b""
    while len(data) < ANSWER.size:
        try:
            chunk = client.recv(ANSWER.size - len(data))
        except ConnectionResetError:
            return None
        if not chunk:
            return None
        data += chunk
    return int(ANSWER.unpack(data)[0])


def next_client_works(path: Path, pi: FakePi) -> None:
    driver = ws281x.Ws281x(OPENING, partial(ws281x.ServiceConnection, path), root=True)
    until = time.monotonic() + PATIENCE
    while True:
        try:
            driver.show(FRAME)
            answer(driver)
            break
        except StripError as err:
            if err.code != child.BUSY or time.monotonic() > until:
                raise
    driver.close()
    assert letters(pi.wire()) == "rgb.rgb."


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\x0b",
        LENGTH.pack(2**32 - 1),
        LENGTH.pack(0),
        framed(b"rubbish"),
        framed(bytes(child.OPENING.size)),
        Opening(5, OPENING.lines).message(),
        Opening(10, (Line(17, 3, 8),)).message(),
        Opening(10, (Line(18, 5, 8),)).message(),
        Opening(10, (Line(18, 3, 2001),)).message(),
        Opening(10, (Line(18, 3, 8), Line(21, 3, 8))).message(),
        OPENING.message()[:-1],
        OPENING.message() + framed(FRAME)[:9],
        OPENING.message() + framed(FRAME) + framed(FRAME)[:9],
        OPENING.message() + framed(FRAME[1:]),
        OPENING.message() + framed(FRAME + FRAME),
        OPENING.message() + LENGTH.pack(2**31) + bytes(1000),
        OPENING.message() + OPENING.message(),
        bytes(100_000),
    ],
)
@pytest.mark.parametrize("polite", [True, False])
def test_whatever_a_client_sends_and_however_it_goes_the_next_one_works(
    path: Path,
    pi: FakePi,
    sent: bytes,
    polite: bool,  # noqa: FBT001 - a column of the table
) -> None:
    with connect(path) as client, suppress(BrokenPipeError):
        client.sendall(sent)
        if polite:
            client.shutdown(socket.SHUT_WR)
            while status(client) is not None:
                pass

    next_client_works(path, pi)


@pytest.mark.parametrize(
    ("sent", "statuses"),
    [
        (framed(b"rubbish"), [child.REFUSED, None]),
        (Opening(5, OPENING.lines).message(), [child.REFUSED, None]),
        (OPENING.message() + framed(FRAME), [0, 0]),
        (OPENING.message() + framed(FRAME[1:]), [0, child.REFUSED, None]),
        (OPENING.message() + LENGTH.pack(2**31), [0, child.REFUSED, None]),
    ],
)
def test_each_message_has_its_answer(path: Path, sent: bytes, statuses: list[int | None]) -> None:
    with connect(path) as client:
        client.sendall(sent)

        assert [status(client) for _ in statuses] == statuses


@pytest.mark.parametrize("sent", [b"", OPENING.message()[:3], OPENING.message() + framed(FRAME)[:9]])
def test_a_client_that_stops_in_the_middle_is_hung_up_on(path: Path, pi: FakePi, sent: bytes) -> None:
    with connect(path) as client:
        client.sendall(sent)
        while status(client) is not None:
            pass
        next_client_works(path, pi)


def test_a_second_client_is_told_that_another_is_served_and_takes_its_turn_later(path: Path, pi: FakePi) -> None:
    with connect(path) as first:
        first.sendall(OPENING.message())
        assert status(first) == 0
        with connect(path) as second:
            with suppress(BrokenPipeError):  # it may be refused before it has said anything
                second.sendall(OPENING.message())
            assert [status(second), status(second)] == [child.BUSY, None]
        first.sendall(framed(FRAME))
        assert status(first) == 0

    next_client_works(path, pi)
    assert pi.gpu_bytes == 0


def test_a_client_whose_strip_hangs_and_who_hangs_up_does_not_hold_up_the_next(path: Path, pi: FakePi) -> None:
    with connect(path) as client:
        client.sendall(OPENING.message() + framed(FRAME))
        assert [status(client), status(client)] == [0, 0]
        pi.fault(Fault.DMA_STUCK)
        client.sendall(framed(FRAME) * 2)
        wait_until(lambda: pi.renders >= 2, "the frame that sticks")
    pi.heal()

    next_client_works(path, pi)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_child_that_is_killed_is_the_clients_loss_alone(
    path: Path, pi: FakePi, tmp_path: Path, number: signal.Signals
) -> None:
    with connect(path) as client:
        client.sendall(OPENING.message() + framed(FRAME))
        assert [status(client), status(client)] == [0, 0]
        os.kill(child_of(tmp_path), number)
        assert status(client) is None

    next_client_works(path, pi)
    log = (tmp_path / "strip.err").read_text(encoding="utf-8")
    assert log.strip() == (
        "" if number == signal.SIGTERM else f"WARNING the strip's process was ended by {number.name}"
    )


def child_of(folder: Path) -> int:
    """Find the process that has the library loaded for the service in a folder."""
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            is_child = child.__file__.encode() in (entry / "cmdline").read_bytes()
            if is_child and str(folder).encode() in (entry / "environ").read_bytes():
                return int(entry.name)
    raise AssertionError("there is no child")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize(
    ("users", "served"), [((), False), (("nobody",), True), ((str(NOBODY),), True), (("bin",), False)]
)
def test_who_may_connect_is_decided_by_who_they_are(
    tmp_path: Path, pi: FakePi, users: tuple[str, ...], *, served: bool
) -> None:
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents[:3]:
        folder.chmod(folder.stat().st_mode | 0o011)
    script = (
        "import os, socket, sys\n"
        f"os.setgid({NOBODY}); os.setuid({NOBODY})\n"
        "client = socket.socket(socket.AF_UNIX); client.connect(sys.argv[1])\n"
        "try:\n"
        f"    client.sendall(bytes.fromhex('{OPENING.message().hex()}'))\n"
        "except BrokenPipeError:\n"
        "    pass  # refused already: the answer is there\n"
        f"print(client.recv({ANSWER.size})[0])\n"
    )
    options = [option for user in users for option in ("--user", user)]
    with strip_service(tmp_path, pi, *options) as path:
        command = [sys.executable, "-c", script, str(path)]
        for _ in range(2):
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
            assert int(done.stdout) == (0 if served else child.FORBIDDEN)
        next_client_works(path, pi)

    log = (tmp_path / "strip.err").read_text(encoding="utf-8")
    assert log == ("" if served else f"WARNING refused user {NOBODY}: allow it with --user\n")


def test_a_service_serves_its_own_user_root_and_no_stranger() -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        service = serve.StripService(listener, ["me"], LIBRARY)

        assert service._allowed(os.geteuid())
        assert service._allowed(0)
        assert not service._allowed(4_000_000)


# Its socket, and its end


def test_systemd_can_pass_the_socket(tmp_path: Path, pi: FakePi) -> None:
    path = tmp_path / "passed.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        code = (
            "import os, sys\n"
            f"os.dup2({listener.fileno()}, 3)\n"
            "os.environ |= {'LISTEN_PID': str(os.getpid()), 'LISTEN_FDS': '1'}\n"
            "from apimon_node.commands.cli import main\n"
            "sys.exit(main(['strip']))\n"
        )
        command = [sys.executable, "-c", code]
        environment = os.environ | pi.environment
        process = subprocess.Popen(command, pass_fds=[listener.fileno()], env=environment)
    try:
        next_client_works(path, pi)
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0
    assert path.exists()  # it is systemd's


def test_a_systemd_with_a_watchdog_hears_of_it_and_clients_are_served(tmp_path: Path, pi: FakePi) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE)
        with (
            environment("NOTIFY_SOCKET", str(tmp_path / "notify")),
            environment("WATCHDOG_USEC", "60000000"),
            strip_service(tmp_path, pi) as path,
        ):
            next_client_works(path, pi)
        heard = [systemd.recv(100) for _ in range(3)]

    assert heard == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]


def test_without_any_socket_it_says_so() -> None:
    with pytest.raises(StripError, match=r"^no socket: expected --socket PATH, or"):
        serve.listen(None)


def test_the_socket_of_one_that_was_killed_is_taken_over_and_a_living_ones_is_not(tmp_path: Path, pi: FakePi) -> None:
    path = tmp_path / "strip.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with strip_service(tmp_path, pi):
        next_client_works(path, pi)
        with pytest.raises(StripError, match="Address already in use"):
            serve.listen(path)
    assert not path.exists()


@pytest.mark.parametrize("name", ["missing/strip.sock", "x" * 200])
def test_a_path_that_cannot_be_is_an_error_of_a_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(StripError, match="cannot listen on"):
        serve.listen(tmp_path / name)


@pytest.mark.parametrize("hangs", [False, True])
def test_its_end_is_that_of_its_child_too(tmp_path: Path, pi: FakePi, hangs: bool) -> None:  # noqa: FBT001 - as above
    with strip_service(tmp_path, pi) as path, connect(path) as client:
        client.sendall(OPENING.message() + framed(FRAME))
        assert [status(client), status(client)] == [0, 0]
        if hangs:
            pi.fault(Fault.DMA_STUCK)
            client.sendall(framed(FRAME) * 2)
            wait_until(lambda: pi.renders >= 2, "the frame that sticks")
        pid = child_of(tmp_path)

    assert not Path(f"/proc/{pid}").exists()
    assert pi.gpu_bytes == (0 if not hangs else pi.gpu_bytes)


def test_a_service_that_can_start_no_process_hangs_up_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(serve, "command", lambda _library: ["/nowhere"])
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        service = serve.StripService(listener, [], LIBRARY)
        with connect(tmp_path / "s") as client:
            service._take_client()
            assert client.recv(1) == b""

    assert caplog.messages == ["no process for the strip: No such file or directory"]
