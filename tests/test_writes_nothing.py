"""A node and a poller at work write no file, as strace sees it, and need none: everything may be mounted read-only.

An hour of work comes in some seconds: its messages follow one another at once, and the strip is written more often.
That pip has compiled the program is part of it: Python would try to keep what it compiles itself, at each start.
"""

import compileall
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from parts import PATIENCE, Mosquitto, Observer, Program, node_config, wait_until

import apimon_node
from apimon_node.demo.jira import Account, Drop, JiraServer
from apimon_node.demo.site import Site

TICKETS = "apimon/tickets/ops"
NODE_STATUS = "apimon/nodes/hall/status"
POLLER_STATUS = "apimon/pollers/main/status"
STRIP = "apimon/nodes/hall/strips/ops"

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="there is no strace: make test installs it")

NO_FILES = ("/dev/", "/proc/", "/sys/", "/run/")
"""What lies there is no file on a card."""

READS = frozenset(
    [
        "access",
        "chdir",
        "execve",
        "faccessat",
        "faccessat2",
        "fstatat64",
        "getcwd",
        "getxattr",
        "lgetxattr",
        "listxattr",
        "lstat",
        "lstat64",
        "newfstatat",
        "readlink",
        "readlinkat",
        "stat",
        "stat64",
        "statfs",
        "statfs64",
        "statx",
    ]
)
"""System calls that name a file and change nothing. Any other but open and bind is taken for a write."""

CHANGES = re.compile(r"O_(WRONLY|RDWR|CREAT|TRUNC|APPEND|TMPFILE)")
CALL = re.compile(r"(?:\d+ +)?(?P<name>\w+)\((?P<rest>.*)")


def under_strace(trace: Path) -> list[str]:
    """Give the command that traces a program: a grandchild of it does, so that signals reach the program.

    What makes Python write, or keeps it from that, is none of the program's.
    """
    command = ["strace", "--daemonize=grandchild", "-f", "--seccomp-bpf", "-q", "-s", "4096", "-o", str(trace)]
    command += ["-e", "trace=%file,bind,?openat2,fchmod,fchown,ftruncate,fallocate"]
    for name in os.environ:
        if name.startswith(("COVERAGE_", "COV_CORE_", "PYTHON")):
            command += ["-E", name]
    return [*command, "--"]


def writes(trace: Path) -> list[str]:
    """Give the calls in a finished trace that change files, or try to."""
    wait_until(lambda: re.search(r"\+\+\+ (exited|killed)[^\n]*\n\Z", trace.read_text()), "the end of the trace")
    calls = [match for line in trace.read_text().splitlines() if (match := CALL.match(line))]
    assert len(calls) > 100, "strace has seen next to nothing"
    return [call[0] for call in calls if _changes(call["name"], call["rest"])]


def _changes(name: str, rest: str) -> bool:
    path = re.search(r'"((?:[^"\\]|\\.)*)"', rest)
    if name in READS or (path is not None and path[1].startswith(NO_FILES)):
        return False
    if name in {"open", "openat", "openat2"}:
        return bool(CHANGES.search(rest))
    if name == "bind":
        return "sun_path=" in rest and "sun_path=@" not in rest
    return True


@pytest.fixture(scope="module", autouse=True)
def _as_pip_leaves_it() -> None:
    assert compileall.compile_dir(Path(apimon_node.__file__).parent, quiet=1)


def counts(number: int) -> str:
    """Make a snapshot that lights so many of ten pixels, one of them pulsing."""
    return f'{{"counts":{{"A":{{"total":{number},"overdue":1}}}}}}'


def fast_node(folder: Path, port: int) -> str:
    """Write the configuration of a node that does in a second what others do in a minute."""
    config = Path(node_config(folder, port, driver="memory"))
    node = "node: {id: hall, render_interval: 10ms, refresh_interval: 1s}"
    config.write_text(config.read_text(encoding="utf-8").replace("node: {id: hall}", node), encoding="utf-8")
    return str(config)


def shows(observer: Observer, number: int) -> bool:
    """Tell whether so many pixels are lit."""
    pixels: list[str] = observer.json(STRIP).get("pixels", ["000000"])
    return len(pixels) - pixels.count("000000") == number


def work(observer: Observer, rounds: int) -> None:
    """Publish thirty snapshots a round; wait for what the last of them lights."""
    for number in range(rounds):
        wanted = 3 + number % 7
        observer.flood(TICKETS, counts(2), 29)
        observer.flood(TICKETS, counts(wanted), 1)
        wait_until(partial(shows, observer, wanted), f"{wanted} pixels")


def trouble(observer: Observer) -> None:
    """Let a node have a fault, commands and requests."""
    observer.publish(TICKETS, b"rubbish", retain=False)
    wait_until(lambda: observer.json(NODE_STATUS).get("faults"), "the fault")
    observer.publish("apimon/nodes/hall/light/set", {"brightness": 9}, retain=False)
    for what, payload in (("identify", ""), ("refresh", ""), ("log_level", '{"level":"debug"}')):
        observer.latest.pop(f"apimon/nodes/hall/response/{what}", None)
        observer.publish(f"apimon/nodes/hall/request/{what}", payload, retain=False)
        wait_until(partial(observer.latest.get, f"apimon/nodes/hall/response/{what}"), f"the answer to {what}")


@needs_strace
@pytest.mark.timeout(300)
def test_an_hour_of_a_node_with_3600_snapshots_and_a_broker_that_is_lost_writes_nothing(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with (
        Mosquitto(tmp_path) as broker,
        Program(
            tmp_path, "run", "--config", fast_node(tmp_path, broker.port), python=[*under_strace(trace), sys.executable]
        ) as program,
    ):
        with Observer(broker.port) as observer:
            observer.wait_for("apimon/nodes/hall/availability", b"online")
            work(observer, 110)
            trouble(observer)
        broker.kill()
        wait_until(lambda: "lost" in program.err, "the loss of the broker")
        broker.start()
        with Observer(broker.port) as observer:
            observer.wait_for("apimon/nodes/hall/availability", b"online")
            work(observer, 10)
            observer.publish("apimon/nodes/hall/request/refresh", b"", retain=False)
            frames = wait_until(lambda: observer.json(NODE_STATUS)["strips"]["ops"]["frames"], "the counters")
        assert program.stop()[0] == 0

    assert writes(trace) == []
    assert frames >= 120


POLLER = """\
mqtt: {{host: 127.0.0.1, port: {port}}}
poller: {{interval: 1s, jira: {{url: '{url}', timeout: 1s, auth: {{type: pat}}}}}}
boards:
"""
BOARDS = [f"b{number}" for number in range(20)]


@pytest.fixture
def jira() -> Iterator[JiraServer]:
    site = Site()
    site.create("late", time.time() - 7200)
    with JiraServer(site, cloud=False, account=Account("me", "token")) as jira:
        yield jira


def poller(folder: Path, broker: Mosquitto, jira: JiraServer, *under: str) -> Program:
    config = folder / "poller.yaml"
    boards = "".join(f"  - {{name: {board}, jql: project = OPS}}\n" for board in BOARDS)
    config.write_text(POLLER.format(port=broker.port, url=jira.url) + boards, encoding="utf-8")
    token = {"APIMON_JIRA_TOKEN": "token"}
    return Program(folder, "poll", "--config", str(config), environment=token, python=[*under, sys.executable])


@needs_strace
def test_an_hour_of_a_poller_with_60_polls_and_a_jira_that_fails_writes_nothing(
    tmp_path: Path, broker: Mosquitto, observer: Observer, jira: JiraServer
) -> None:
    trace = tmp_path / "trace"

    def states() -> set[str]:
        return {board["state"] for board in observer.json(POLLER_STATUS).get("boards", {}).values()}

    with poller(tmp_path, broker, jira, *under_strace(trace)) as program:
        wait_until(lambda: states() == {"ok"}, "the first polls")
        asked = len(jira.requests)
        wait_until(lambda: len(jira.requests) >= asked + 3 * len(BOARDS), "60 more")
        jira.site.create("another", time.time())
        wait_until(lambda: b'"total":2' in observer.latest["apimon/boards/b7/summary"], "another ticket")
        jira.fail(Drop())
        wait_until(lambda: "offline" in states(), "the fault")
        assert program.stop()[0] == 0

    assert writes(trace) == []


EVERYTHING = """
import os, socket, threading
open("new", "w").close()
os.mkdir("folder"); os.rename("new", "newer"); os.chmod("newer", 0o600); os.truncate("newer", 1)
os.symlink("newer", "link"); os.link("newer", "hard"); os.utime("hard"); os.unlink("hard"); os.rmdir("folder")
socket.socket(socket.AF_UNIX).bind("socket"); os.mkfifo("fifo")
thread = threading.Thread(target=open, args=("appended", "a")); thread.start(); thread.join()
open("/dev/null", "w"); open("newer"); os.stat("newer")
try:
    open("/nowhere/at-all", "w")
except OSError:
    pass
"""


@needs_strace
def test_strace_sees_whoever_writes(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    folder = tmp_path / "work"
    folder.mkdir()
    subprocess.run([*under_strace(trace), sys.executable, "-W", "ignore", "-c", EVERYTHING], cwd=folder, check=True)

    names = [re.split(r"[ (]+", call.lstrip("0123456789 "))[0] for call in writes(trace)]
    kinds = [name.removesuffix("at") for name in names]
    assert kinds == [
        *("open", "mkdir", "rename", "chmod", "truncate", "symlink", "link", "utimens", "unlink", "rmdir", "bind"),
        *("mknod", "open", "open"),
    ]


READ_ONLY = """
mount --make-rprivate /
cut -d' ' -f2 /proc/self/mounts | sort -r | while read -r at; do mount -o remount,bind,ro "$at" 2>/dev/null; done
for folder in "$HOME" /tmp /var/tmp /run /dev/shm "$PROBE"; do
    if touch "$folder/probe" 2>/dev/null; then echo "$folder can be written to" >&2; exit 99; fi
done
exec "$@"
"""


def can_unshare() -> bool:
    try:
        return subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def all_read_only(folder: Path) -> list[str]:
    """Give the command that runs a program where nothing can be written; `folder` is tried, too."""
    return ["unshare", "-m", "env", "-u", "COVERAGE_PROCESS_CONFIG", f"PROBE={folder}", "sh", "-c", READ_ONLY, "sh"]


needs_namespaces = pytest.mark.skipif(
    not can_unshare(), reason="mount namespaces need root, and a kernel that has them"
)


@needs_namespaces
def test_a_node_works_and_starts_anew_where_nothing_can_be_written(
    tmp_path: Path, broker: Mosquitto, observer: Observer
) -> None:
    config = fast_node(tmp_path, broker.port)
    soon = "from apimon_node.node import node\nnode.RESTART_EVERY = 0"
    with Program(
        tmp_path, "run", "--config", config, before=soon, python=[*all_read_only(tmp_path), sys.executable]
    ) as program:
        observer.wait_for("apimon/nodes/hall/availability", b"online")
        work(observer, 10)
        trouble(observer)
        observer.publish("apimon/nodes/hall/request/restart", b"", retain=False)
        wait_until(lambda: program.err.count("INFO connected") == 2, "the second start")
        work(observer, 10)
        assert program.stop()[0] == 0

    assert "Traceback" not in program.err


@needs_namespaces
def test_a_poller_works_where_nothing_can_be_written(
    tmp_path: Path, broker: Mosquitto, observer: Observer, jira: JiraServer
) -> None:
    with poller(tmp_path, broker, jira, *all_read_only(tmp_path)) as program:
        wait_until(lambda: "apimon/boards/b7/summary" in observer.latest, "a board")
        assert program.process.poll() is None
        code, _ = program.stop()

    assert code == 0, PATIENCE
