"""`apimon-node run` as a process, with a real broker: the promises that need real signals, sockets and kills."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from parts import PATIENCE, Mosquitto, Observer, Program, node_config, wait_until

STATUS = "apimon/nodes/hall/status"
STRIP = "apimon/nodes/hall/strips/ops"
AVAILABILITY = "apimon/nodes/hall/availability"
TICKETS = "apimon/tickets/ops"


def counts(**numbers: object) -> dict[str, object]:
    return {"counts": numbers}


def groups(observer: Observer) -> tuple[int, int, int]:
    """Give how many pixels of each look the retained strips topic has."""
    pixels = observer.json(STRIP).get("pixels", [])
    return pixels.count("ff0000"), pixels.count("00ff00"), pixels.count("0000ff")


def lit(program: Program) -> list[str]:
    """Give the lines that the terminal driver wrote: a letter for each pixel."""
    return [line.removeprefix("ops ") for line in program.out.splitlines()]


@pytest.mark.parametrize(
    ("tickets", "pixels", "overflow"),
    [
        ((4, 3, 3), (4, 3, 3), False),
        ((5, 5, 5), (3, 3, 4), True),
        ((50, 30, 20), (5, 3, 2), True),
        ((200, 1, 100), (5, 1, 4), True),
        ((6, 2, 2), (6, 2, 2), False),
        ((7, 0, 0), (7, 0, 0), False),
        ((0, 0, 0), (0, 0, 0), False),
    ],
)
def test_grouping_and_overflow_on_ten_pixels(
    tmp_path: Path,
    broker: Mosquitto,
    observer: Observer,
    tickets: tuple[int, int, int],
    pixels: tuple[int, int, int],
    overflow: bool,  # noqa: FBT001 - a column of the table
) -> None:
    observer.publish(TICKETS, counts(**dict(zip("ABC", tickets, strict=True))))
    with Program(tmp_path, "run", "--config", node_config(tmp_path, broker.port)):
        wait_until(lambda: observer.json(STRIP) and groups(observer) == pixels, f"{pixels} on the strip")

        assert observer.json(STRIP)["overflow"] is overflow


def test_the_first_thing_to_try_with_the_shipped_configuration(
    tmp_path: Path, broker: Mosquitto, observer: Observer
) -> None:
    shipped = Path("config.yaml").read_text(encoding="utf-8")
    config = tmp_path / "config.yaml"
    config.write_text(shipped.replace("port: null", f"port: {broker.port}"), encoding="utf-8")
    with Program(tmp_path, "run", "--config", str(config)) as program:
        observer.wait_for("apimon/nodes/hallway/availability", b"online")
        observer.publish(TICKETS, '{"counts":{"Open":3,"In Progress":{"total":2,"overdue":1}}}')
        wait_until(lambda: "rrrmm" in program.out, "three red pixels and two magenta ones")
        wait_until(lambda: "apimon/nodes/hallway/strips/ops" in observer.latest, "the strip")

        shown = observer.json("apimon/nodes/hallway/strips/ops")
        assert shown["pixels"][:6] == ["ff0000"] * 3 + ["ff00ff"] * 2 + ["000000"]
        assert shown["effects"][:6] == [None, None, None, None, "pulse", None]


def test_the_broker_is_killed_and_comes_back(tmp_path: Path, broker: Mosquitto) -> None:
    with Program(tmp_path, "run", "--config", node_config(tmp_path, broker.port)) as program:
        with Observer(broker.port) as observer:
            observer.publish(TICKETS, counts(A=3))
            wait_until(lambda: "rrr......." in program.out, "three tickets")
        broker.kill()
        wait_until(lambda: lit(program)[-1] == "orr.......", "the orange status pixel")

        broker.start()
        with Observer(broker.port) as observer:  # a broker without persistence has lost all
            observer.wait_for(AVAILABILITY, b"online")
            wait_until(lambda: {STATUS, STRIP} <= set(observer.latest), "all that is retained")
            wait_until(lambda: lit(program)[-1] == "rrr.......", "the picture without the orange pixel")
            observer.publish(TICKETS, counts(A=1))
            wait_until(lambda: lit(program)[-1] == "r.........", "the next change")
        assert program.err.count("well again") == 1


def test_the_broker_comes_up_after_the_node(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    with Program(tmp_path, "run", "--config", node_config(tmp_path, broker.port)) as program:
        wait_until(lambda: lit(program)[-1:] == ["o........."], "the orange status pixel")
        with broker, Observer(broker.port) as observer:
            observer.wait_for(AVAILABILITY, b"online")
            observer.publish(TICKETS, counts(B=2))
            wait_until(lambda: groups(observer) == (0, 2, 0), "the tickets")


@pytest.mark.parametrize("mqtt", [", protocol: '5'", ", protocol: 3.1.1"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_leaves_a_dark_strip_and_offline_behind(
    tmp_path: Path, broker: Mosquitto, observer: Observer, number: signal.Signals, mqtt: str
) -> None:
    observer.publish(TICKETS, counts(A=3))
    with Program(tmp_path, "run", "--config", node_config(tmp_path, broker.port, mqtt=mqtt)) as program:
        wait_until(lambda: "rrr......." in program.out, "three tickets")

        code, seconds = program.stop(number)

    assert code == 0
    assert seconds < 2
    assert lit(program)[-1] == ".........."
    observer.wait_for(AVAILABILITY, b"offline")
    with Observer(broker.port) as late:
        late.wait_for(AVAILABILITY, b"offline")


def test_sigterm_ends_a_node_without_a_broker_in_time(tmp_path: Path) -> None:
    with Program(tmp_path, "run", "--config", node_config(tmp_path, Mosquitto(tmp_path).port)) as program:
        wait_until(lambda: lit(program), "the first frame")

        code, seconds = program.stop()

    assert code == 0
    assert seconds < 2


def test_sigterm_ends_a_node_whose_broker_hangs_in_time(tmp_path: Path, broker: Mosquitto) -> None:
    with Program(tmp_path, "run", "--config", node_config(tmp_path, broker.port)) as program:
        wait_until(lambda: "connected" in program.err, "the connection")
        broker.signal(signal.SIGSTOP)
        try:
            code, seconds = program.stop()
        finally:
            broker.signal(signal.SIGCONT)

    assert code == 0
    assert seconds < 2


def test_a_node_that_is_killed_is_told_by_its_will(tmp_path: Path, broker: Mosquitto, observer: Observer) -> None:
    with Program(tmp_path, "run", "--config", node_config(tmp_path, broker.port, mqtt=", protocol: 3.1.1")) as program:
        observer.wait_for(AVAILABILITY, b"online")
        program.process.kill()
        observer.wait_for(AVAILABILITY, b"offline")


def test_a_killed_node_that_is_back_within_the_wills_delay_was_never_offline(
    tmp_path: Path, broker: Mosquitto, observer: Observer
) -> None:
    config = node_config(tmp_path, broker.port)
    with Program(tmp_path, "run", "--config", config) as program:
        observer.wait_for(AVAILABILITY, b"online")
        program.process.kill()
    with Program(tmp_path, "run", "--config", config):
        said = (AVAILABILITY, b"online", False)
        wait_until(lambda: observer.messages.count(said) == 2, "the second online")
        time.sleep(6)  # longer than the delay of 5 s: what must not come can only be waited for

    assert [payload for topic, payload, _ in observer.messages if topic == AVAILABILITY][:2] == [b"online"] * 2
    assert (AVAILABILITY, b"offline", False) not in observer.messages[:-1]


@pytest.mark.parametrize(
    "payload", [b"rubbish", b"x" * 3 * 2**20, b'{"counts":{"A":20000}}'], ids=["no JSON", "3 MiB", "20,000"]
)
def test_a_bad_payload_is_on_the_status_topic_and_clears_with_the_next_good_one(
    tmp_path: Path, broker: Mosquitto, observer: Observer, payload: bytes
) -> None:
    observer.publish(TICKETS, counts(A=3))
    with Program(tmp_path, "run", "--config", node_config(tmp_path, broker.port)):
        wait_until(lambda: groups(observer) == (3, 0, 0), "the tickets")
        observer.publish(TICKETS, payload)
        faults = wait_until(lambda: observer.json(STATUS).get("faults"), "the fault")
        assert [fault["name"] for fault in faults] == ["payload"]
        assert groups(observer) == (3, 0, 0)

        observer.publish(TICKETS, counts(A=1))
        wait_until(lambda: observer.json(STATUS).get("faults") == [], "the end of the fault")
        wait_until(lambda: groups(observer) == (1, 0, 0), "the good tickets")


def test_requests_are_answered(tmp_path: Path, broker: Mosquitto, observer: Observer) -> None:
    with Program(tmp_path, "run", "--config", node_config(tmp_path, broker.port)):
        observer.wait_for(AVAILABILITY, b"online")
        observer.publish("apimon/nodes/hall/request/identify", {"transaction": 7}, retain=False)
        answer = wait_until(lambda: observer.json("apimon/nodes/hall/response/identify"), "the answer")

    assert answer == {"status": "ok", "transaction": 7}


RESTART = "apimon/nodes/hall/request/restart"
RESTARTED = "apimon/nodes/hall/response/restart"
SOON = "from apimon_node.node import node\nnode.RESTART_EVERY = 1.5"


def answered(observer: Observer, transaction: int) -> bool:
    return bool(observer.json(RESTARTED).get("transaction") == transaction)


def restart(observer: Observer) -> None:
    """Ask for a restart until it is granted."""
    for number in range(100):
        observer.publish(RESTART, {"transaction": number}, retain=False)
        wait_until(partial(answered, observer, number), "the answer")
        if observer.json(RESTARTED)["status"] == "ok":
            return
        time.sleep(0.1)
    raise AssertionError("no restart was granted")


def test_a_restart_keeps_the_process_and_the_light_and_the_service_manager_hears_of_it(
    tmp_path: Path, broker: Mosquitto, observer: Observer
) -> None:
    observer.publish(TICKETS, counts(A=3))
    config = node_config(tmp_path, broker.port)
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(PATIENCE)
        environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "10000000"}
        with Program(tmp_path, "run", "--config", config, before=SOON, environment=environment) as program:
            wait_until(lambda: lit(program)[-1:] == ["rrr......."], "the tickets")
            observer.publish("apimon/nodes/hall/light/set", {"effect": "steady", "brightness": 51}, retain=False)
            light = b'{"state":"ON","brightness":51,"effect":"steady"}'
            observer.wait_for("apimon/nodes/hall/light", light)
            started = observer.json(STATUS)["started_at"]

            restart(observer)

            wait_until(lambda: observer.json(STATUS)["started_at"] > started, "a new start")
            wait_until(lambda: lit(program)[-1] == "rrr.......", "the tickets again")
            assert ".........." in lit(program)
            assert program.process.poll() is None
            assert "starting anew, as requested" in program.err
            assert observer.latest["apimon/nodes/hall/light"] == light
            availability = [payload for topic, payload, _ in observer.messages if topic == AVAILABILITY]
            assert availability == [b"online", b"offline", b"online"]
            said = ("apimon/nodes/hall/light", light, False)
            wait_until(lambda: observer.messages.count(said) == 2, "word of the light by the new one too")
            default = b'{"state":"ON","brightness":255,"effect":"tickets"}'
            assert observer.messages.count(("apimon/nodes/hall/light", default, False)) == 1  # of the very first
            assert program.stop()[0] == 0
        told = [manager.recv(1000)]
        while told[-1] != b"STOPPING=1":
            told.append(manager.recv(1000))

    assert told.count(b"READY=1") == 2


def test_a_light_that_was_off_does_not_flash_at_a_restart(
    tmp_path: Path, broker: Mosquitto, observer: Observer
) -> None:
    """However long its broker takes: after its grace a node shows that something is missing, and then rightly."""
    before = f"{SOON}\nfrom apimon_node.mqtt import presence\npresence.GRACE = {2 * PATIENCE}"
    observer.publish(TICKETS, counts(A=3))
    observer.publish("apimon/nodes/hall/light", {"state": "ON", "brightness": 255, "effect": "tickets"})
    with Program(tmp_path, "run", "--config", node_config(tmp_path, broker.port), before=before) as program:
        wait_until(lambda: lit(program)[-1:] == ["rrr......."], "the tickets")
        observer.publish("apimon/nodes/hall/light/set", {"state": "OFF"}, retain=False)
        wait_until(lambda: lit(program)[-1] == "..........", "darkness")
        started = observer.json(STATUS)["started_at"]
        frames = len(lit(program))

        restart(observer)
        wait_until(lambda: observer.json(STATUS)["started_at"] > started, "a new start")
        observer.publish("apimon/nodes/hall/light/set", {"state": "ON"}, retain=False)
        wait_until(lambda: lit(program)[-1] == "rrr.......", "the tickets again")

        assert set(lit(program)[frames:-1]) <= {".........."}


def test_a_killed_node_finds_its_light_as_it_was(tmp_path: Path, broker: Mosquitto, observer: Observer) -> None:
    config = node_config(tmp_path, broker.port, mqtt=", protocol: 3.1.1")
    light = b'{"state":"OFF","brightness":7,"effect":"night"}'
    with Program(tmp_path, "run", "--config", config) as program:
        observer.wait_for(AVAILABILITY, b"online")
        observer.publish("apimon/nodes/hall/light/set", light, retain=False)
        observer.wait_for("apimon/nodes/hall/light", light)
        program.process.kill()
    observer.wait_for(AVAILABILITY, b"offline")
    observer.publish(TICKETS, counts(A=3))
    with Program(tmp_path, "run", "--config", config) as program:
        observer.wait_for(AVAILABILITY, b"online")
        wait_until(lambda: lit(program), "the first frame")

        assert lit(program) == [".........."]
        assert observer.latest["apimon/nodes/hall/light"] == light


STOPPED_MEANWHILE = """
import os, signal
from apimon_node.node import node
node.RESTART_EVERY = 0
farewell = node.Node.farewell
def stop(self):
    os.kill(os.getpid(), signal.SIGTERM)
    return farewell(self)
node.Node.farewell = stop
"""


def test_a_stop_during_a_restart_is_a_stop(tmp_path: Path, broker: Mosquitto, observer: Observer) -> None:
    config = node_config(tmp_path, broker.port)
    with Program(tmp_path, "run", "--config", config, before=STOPPED_MEANWHILE) as program:
        observer.wait_for(AVAILABILITY, b"online")
        observer.publish(RESTART, b"", retain=False)
        assert program.process.wait(PATIENCE) == 0

    observer.wait_for(AVAILABILITY, b"offline")
    assert program.err.endswith("INFO stopped\n")
    assert observer.json(RESTARTED) == {"status": "ok"}


def test_the_service_manager_is_told_how_it_goes(tmp_path: Path, broker: Mosquitto, observer: Observer) -> None:
    observer.publish(TICKETS, counts(A=3))
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(PATIENCE)
        environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "400000"}
        with Program(
            tmp_path, "run", "--config", node_config(tmp_path, broker.port), environment=environment
        ) as program:
            told = [manager.recv(1000)]
            while told.count(b"WATCHDOG=1") < 5 or b"STATUS=3 tickets" not in told:
                told.append(manager.recv(1000))
            assert program.stop()[0] == 0
            while told[-1] != b"STOPPING=1":
                told.append(manager.recv(1000))

    assert told[0] == b"READY=1"


def test_a_strip_that_takes_no_frames_is_told_over_mqtt_and_the_node_goes_on(
    tmp_path: Path, broker: Mosquitto, observer: Observer
) -> None:
    """The strip is a terminal that has hung up: a pipe that nobody reads."""
    observer.publish(TICKETS, counts(A=3))
    reading, writing = os.pipe()
    os.close(reading)
    with Program(tmp_path, "run", "--config", node_config(tmp_path, broker.port), stdout=writing) as node:
        os.close(writing)
        fault = wait_until(lambda: (observer.json(STATUS).get("faults") or [None])[0], "the fault")
        assert (fault["name"], fault["attempts"]) == ("strip", 1)
        assert fault["retry_at"] is not None
        assert observer.json(STATUS)["state"] == "error"
        wait_until(lambda: observer.json(STRIP).get("status") == "error", "the red status pixel")

        observer.publish("apimon/nodes/hall/request/identify", b"", retain=False)
        wait_until(lambda: observer.json("apimon/nodes/hall/response/identify"), "the answer")
        assert node.stop()[0] == 0


def test_a_terminal_that_is_stopped_stops_neither_the_node_nor_its_end(
    tmp_path: Path, broker: Mosquitto, observer: Observer
) -> None:
    """Ctrl-S does that; here it is a pipe that is not read, of a single page."""
    observer.publish(TICKETS, counts(A={"total": 3, "overdue": 1}))
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    config = node_config(tmp_path, broker.port)
    with Program(tmp_path, "run", "--config", config, stdout=writing, environment={"FORCE_COLOR": "1"}) as node:
        os.close(writing)
        fault = wait_until(lambda: (observer.json(STATUS).get("faults") or [None])[0], "the fault")
        assert fault["text"] == "strip ops: the terminal takes no more: it is stopped, or nobody reads it"
        observer.publish("apimon/nodes/hall/request/identify", b"", retain=False)
        wait_until(lambda: observer.json("apimon/nodes/hall/response/identify"), "the answer")

        code, seconds = node.stop()
    os.close(reading)

    assert code == 0
    assert seconds < 2


def test_a_flood_of_large_boards_does_not_hold_up_the_end(
    tmp_path: Path, broker: Mosquitto, observer: Observer
) -> None:
    tickets = [{"key": f"X-{number}", "status": "A", "summary": "x" * 60} for number in range(5000)]
    board = json.dumps({"tickets": tickets})
    with Program(tmp_path, "run", "--config", node_config(tmp_path, broker.port)) as node:
        observer.wait_for(AVAILABILITY, b"online")
        observer.flood(TICKETS, board, 200)
        code, seconds = node.stop()

    assert code == 0
    assert seconds < 2


def test_publish_that_the_broker_refuses_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic read #\n")
    conf = f"user root\nlistener {{port}} 127.0.0.1\nallow_anonymous true\nacl_file {acl}\n"
    monkeypatch.setattr("apimon_node.demo.broker.MOSQUITTO_CONF", conf)
    with Mosquitto(tmp_path) as broker:
        config = node_config(tmp_path, broker.port)
        with Program(tmp_path, "publish", "--config", config, "ops", "A=1") as program:
            assert program.process.wait(PATIENCE) == 1

    assert program.err == f"apimon-node: the broker refuses to let us write {TICKETS}: check its access list\n"


BUG = """
import sys
from apimon_node.node import node
from apimon_node.commands.cli import main
def bug(*_):
    raise ZeroDivisionError("injected")
node.Node.{method} = bug
sys.exit(main({args!r}))
"""


@pytest.mark.parametrize("method", ["_take_tickets", "frames"])
def test_a_bug_ends_the_process_with_a_traceback_and_the_will_tells_it(
    tmp_path: Path, broker: Mosquitto, observer: Observer, method: str
) -> None:
    config = node_config(tmp_path, broker.port, mqtt=", protocol: 3.1.1")
    observer.publish(AVAILABILITY, b"online")
    observer.publish(TICKETS, counts(A=1))
    code = BUG.format(method=method, args=["run", "--config", config])

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False)

    assert done.returncode == 70
    assert "ZeroDivisionError: injected" in done.stderr
    assert "Traceback" in done.stderr
    if method == "_take_tickets":  # the other one happens before there is a connection
        observer.wait_for(AVAILABILITY, b"offline")


def test_publish_by_hand(tmp_path: Path, broker: Mosquitto, observer: Observer) -> None:
    config = node_config(tmp_path, broker.port)
    with Program(tmp_path, "publish", "--config", config, "ops", "Open=3", "In Progress=2/1") as program:
        assert program.process.wait(PATIENCE) == 0

    snapshot = json.loads(wait_until(lambda: observer.latest.get(TICKETS), "the snapshot"))
    assert snapshot["counts"] == {"Open": {"total": 3, "overdue": 0}, "In Progress": {"total": 2, "overdue": 1}}
    assert snapshot["at"].endswith("Z")


def test_publish_without_a_broker_says_so(tmp_path: Path) -> None:
    port = Mosquitto(tmp_path).port
    with Program(tmp_path, "publish", "--config", node_config(tmp_path, port), "ops", "A=1") as program:
        assert program.process.wait(PATIENCE) == 1

    assert program.err == f"apimon-node: cannot reach the broker at 127.0.0.1:{port}: Connection refused\n"
