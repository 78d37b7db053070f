"""The demo as a process: with mosquitto and with its own broker, in a terminal and without one; and that it ends."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from parts import PATIENCE, Observer, Program, wait_until

SHINING = re.compile(rb"\x1b\[38;2;(?!0;0;0m)\d+;\d+;\d+m")
PORT = re.compile(r"-p (\d+)")


def without_mosquitto(folder: Path) -> dict[str, str]:
    """Give an environment in which no mosquitto is found: a sitecustomize replaces the look-up alone."""
    (folder / "sitecustomize.py").write_text(
        "import shutil\nwhich = shutil.which\n"
        "shutil.which = lambda name, *args, **kw: None if name == 'mosquitto' else which(name, *args, **kw)\n"
    )
    return {"PYTHONPATH": str(folder)}


def children(pid: int) -> list[int]:
    """Give the processes that a process has started."""
    listing = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in listing.split()]


def offspring(pid: int) -> list[int]:
    """Give the processes that a process has started, and those that they have."""
    return [found for child in children(pid) for found in (child, *offspring(child))]


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("broker", ["mosquitto", "amqtt"])
def test_it_prints_a_line_for_each_change_and_ends_after_its_time(tmp_path: Path, broker: str) -> None:
    environment = without_mosquitto(tmp_path) if broker == "amqtt" else {}
    with Program(tmp_path, "demo", "--seconds", "15", environment=environment) as demo:
        wait_until(lambda: "mosquitto_sub" in demo.out, "the head")
        assert f"A broker ({broker})" in demo.out
        wait_until(lambda: re.search(r"\d\d:\d\d:\d\d ops [rmb]{9}", demo.out), "the strip")
        wait_until(lambda: re.search(r"OPS-\d+ (created|moved)", demo.out), "a change")
        started = offspring(demo.process.pid)

        assert demo.process.wait(PATIENCE) == 0
        assert len(started) == 5  # the broker, the poller, the strip service and its child, the node
        assert all(gone(pid) for pid in started)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_all_that_it_started(tmp_path: Path, number: signal.Signals) -> None:
    with Program(tmp_path, "demo") as demo:
        wait_until(lambda: "ops " in demo.out, "the strip")
        started = offspring(demo.process.pid)
        code, _ = demo.stop(number)

    assert code == 0
    assert all(gone(pid) for pid in started)
    assert demo.err == ""


def test_an_impatient_ctrl_c_leaves_nothing_behind_either(tmp_path: Path) -> None:
    with Program(tmp_path, "demo") as demo:
        wait_until(lambda: "ops " in demo.out, "the strip")
        started = offspring(demo.process.pid)
        demo.process.send_signal(signal.SIGINT)
        wait_until(lambda: len(children(demo.process.pid)) < 4, "the beginning of the end")
        code, _ = demo.stop(signal.SIGINT)

    assert code == 0
    assert all(gone(pid) for pid in started)


def test_what_it_says_to_watch_can_be_watched(tmp_path: Path) -> None:
    with Program(tmp_path, "demo") as demo:
        found = wait_until(lambda: PORT.search(demo.out), "the port")
        with Observer(int(found[1])) as observer:
            wait_until(lambda: observer.json("apimon/nodes/demo/strips/ops"), "the strip")
            wait_until(lambda: observer.json("apimon/pollers/main/status"), "the poller")


def test_a_part_that_dies_ends_it_with_what_it_said(tmp_path: Path) -> None:
    with Program(tmp_path, "demo") as demo:
        wait_until(lambda: "ops " in demo.out, "the strip")
        os.kill(children(demo.process.pid)[-1], signal.SIGKILL)
        assert demo.process.wait(PATIENCE) == 1

    assert "the node has ended with code -9" in demo.err


def test_in_a_terminal_the_strip_is_drawn_in_colour_in_one_place() -> None:
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    environment.pop("NO_COLOR", None)
    demo = subprocess.Popen(
        [sys.executable, "-m", "apimon_node", "demo"], stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    seen = b""
    until = time.monotonic() + PATIENCE
    while not (b"OPS-1" in seen and SHINING.search(seen)) and time.monotonic() < until:
        if select.select([ours], [], [], 0.1)[0]:
            seen += os.read(ours, 65536)
    demo.send_signal(signal.SIGINT)
    while True:
        try:
            seen += os.read(ours, 65536)
        except OSError:  # the other end is closed: all has been read
            break
    os.close(ours)

    assert demo.wait(PATIENCE) == 0
    assert SHINING.search(seen), "some pixel must shine, whatever came up"
    assert b"\x1b[?25h" in seen.rpartition(b"\x1b[?25l")[2], "the cursor must be visible again"
