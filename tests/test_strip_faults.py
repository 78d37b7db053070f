"""A node on the real library, and every way in which that fails: it stays, tells, and recovers."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from parts import Mosquitto, Observer, Program, wait_until
from rigs import strip_service
from shim import FakePi, Fault

from apimon_node.strip import child
from apimon_node.strip.codes import CODES

STATUS = "apimon/nodes/hall/status"

CONFIG = """\
mqtt: {{host: 127.0.0.1, port: {port}}}
node: {{id: hall}}
ws281x: {{socket: {socket}}}
strips:
  - {{name: ops, driver: ws281x, gpio: {gpio}, pixels: 8, boards: [ops], order: RGB}}
{more}
looks: [{{match: {{status: A}}, color: red}}, {{match: {{status: B}}, color: lime}}]
"""
SECOND = "  - {name: web, driver: ws281x, gpio: 13, pixels: 6, boards: [web], order: GRB}"

IMPATIENT = "from apimon_node.strip import recovery; recovery.SELDOM = 2.0"
"""What is permanent is tried again after two seconds instead of five minutes: a test has no five minutes."""


@pytest.fixture
def pi(tmp_path: Path) -> FakePi:
    return FakePi(tmp_path)


@contextmanager
def node(
    folder: Path, broker: Mosquitto, pi: FakePi, *, gpio: int = 18, more: str = SECOND, socket: Path | None = None
) -> Iterator[Program]:
    config = folder / "node.yaml"
    text = CONFIG.format(port=broker.port, gpio=gpio, more=more, socket=json.dumps(socket and str(socket)))
    config.write_text(text, encoding="utf-8")
    with Program(folder, "run", "--config", str(config), environment=pi.environment, before=IMPATIENT) as program:
        yield program


def show(observer: Observer, ops: int, web: int) -> None:
    observer.publish("apimon/tickets/ops", {"counts": {"A": ops}})
    observer.publish("apimon/tickets/web", {"counts": {"B": web}})


def on_the_wire(pi: FakePi, ops: int, web: int) -> bool:
    """Tell whether the last frames are of so many red and green tickets, whatever the current limit made of them."""
    return lit(pi.wire(0), 0, 8) == ops and (not web or lit(pi.wire(1), 0, 6) == web)


def lit(frame: bytes, channel: int, pixels: int) -> int:
    """Count the pixels that show one channel alone; -1 where there is anything else."""
    colors = [frame[at : at + 3] for at in range(0, len(frame), 3)]
    count = sum(color[channel] > 0 for color in colors)
    clean = all(sum(color) == color[channel] for color in colors)
    return count if clean and len(colors) == pixels else -1


def fault(observer: Observer) -> dict[str, object]:
    """Wait for the fault of the strips; give it."""

    def find() -> dict[str, object] | None:
        faults = observer.json(STATUS).get("faults", [])
        return next((fault for fault in faults if fault["name"] == "strip"), None)

    found: dict[str, object] = wait_until(find, "the fault on the status topic")
    return found


def well_again(observer: Observer, pi: FakePi, ops: int, web: int) -> dict[str, object]:
    """Wait until no fault is left and the wire is right; give the counters."""
    wait_until(lambda: observer.json(STATUS).get("state") == "ok", "the end of the fault")
    wait_until(lambda: on_the_wire(pi, ops, web), "the right frame on the wire")
    counters: dict[str, object] = observer.json(STATUS)["strips"]["ops"]
    return counters


def answers(observer: Observer) -> bool:
    """Ask the node for something, and tell whether it answers: a strip that fails must not make it deaf."""
    topic = "apimon/nodes/hall/response/refresh"
    observer.latest.pop(topic, None)
    observer.publish("apimon/nodes/hall/request/refresh", b"", retain=False)
    return bool(wait_until(lambda: topic in observer.latest, "an answer"))


OPENING = [
    (Fault.ALLOC, -2, 18),
    (Fault.WRONG_BOARD, -3, 18),
    (Fault.LOCK, -4, 18),
    (Fault.MAP_BUFFER, -5, 18),
    (Fault.EMFILE, -5, 18),
    (Fault.EACCES, -5, 18),
    (Fault.MAP_REGISTERS, -6, 18),
    (Fault.NO_VCIO, -9, 18),
    (Fault.SPI_OPEN, -13, 10),
    (Fault.SPI_IOCTL, -13, 10),
]


@pytest.mark.parametrize(("injected", "code", "gpio"), OPENING)
def test_a_strip_that_does_not_open_is_told_and_opened_later(
    tmp_path: Path, broker: Mosquitto, observer: Observer, pi: FakePi, injected: Fault, code: int, gpio: int
) -> None:
    two = gpio == 18
    pi.fault(injected)
    show(observer, 3, 2)
    with node(tmp_path, broker, pi, gpio=gpio, more=SECOND if two else "") as program:
        told = fault(observer)
        assert told["code"] == code
        assert told["retry_at"] is not None
        who = "strip ops and web" if two else "strip ops"
        assert str(told["text"]).startswith(f"{who}: ws281x: code {code}, {CODES[code].text}")
        assert answers(observer)
        assert pi.frames(0) == 0

        pi.heal()
        counters = well_again(observer, pi, 3, 2 if two else 0)
        assert counters["recoveries"] == 1
        assert counters["restarts"] == counters["failures"]
        assert program.err.count("well again") == 1


RENDERING = [
    (Fault.DMA_ERROR, -10, 18, "ws281x: code -10, DMA error"),
    (Fault.SPI_TRANSFER, -14, 10, "ws281x: code -14, SPI transfer error"),
    (Fault.SEGV_RENDER, None, 18, "ws281x: its process was ended by SIGSEGV"),
    (Fault.SEGV_RENDER, None, 10, "ws281x: its process was ended by SIGSEGV"),
    (Fault.DMA_STUCK, None, 18, "ws281x: it did not show a frame within 2 s, and was stopped"),
]


@pytest.mark.parametrize(("injected", "code", "gpio", "text"), RENDERING)
def test_a_strip_that_fails_at_a_frame_is_told_and_shows_it_later(
    tmp_path: Path,
    broker: Mosquitto,
    observer: Observer,
    pi: FakePi,
    injected: Fault,
    code: int | None,
    gpio: int,
    text: str,
) -> None:
    web = 2 if gpio == 18 else 0
    show(observer, 3, web)
    with node(tmp_path, broker, pi, gpio=gpio, more=SECOND if web else ""):
        wait_until(lambda: on_the_wire(pi, 3, web), "the first frame")
        pi.fault(injected, 1)
        show(observer, 6, web)
        told = fault(observer)
        assert told["code"] == code
        assert text in str(told["text"])
        assert answers(observer)

        counters = well_again(observer, pi, 6, web)
        assert (counters["failures"], counters["recoveries"], counters["restarts"]) == (1, 1, 1)
        assert str(counters["last_error"]).startswith(text)
        assert int(str(counters["child_rss_kb"])) > 1000


def test_a_library_that_crashes_as_it_opens_is_told_and_tried_again(
    tmp_path: Path, broker: Mosquitto, observer: Observer, pi: FakePi
) -> None:
    pi.fault(Fault.SEGV_OPEN)
    show(observer, 3, 2)
    with node(tmp_path, broker, pi):
        assert "its process was ended by SIGSEGV" in str(fault(observer)["text"])
        assert answers(observer)
        pi.heal()
        well_again(observer, pi, 3, 2)


def test_a_library_that_hangs_as_it_opens_is_stopped_and_tried_again(
    tmp_path: Path, broker: Mosquitto, observer: Observer, pi: FakePi
) -> None:
    pi.fault(Fault.CLOCK_STUCK, 1)
    show(observer, 3, 2)
    with node(tmp_path, broker, pi):
        assert "it did not open within 10 s, and was stopped" in str(fault(observer)["text"])
        assert answers(observer)
        well_again(observer, pi, 3, 2)


def test_a_child_that_is_killed_in_its_sleep_is_replaced(
    tmp_path: Path, broker: Mosquitto, observer: Observer, pi: FakePi
) -> None:
    show(observer, 3, 2)
    with node(tmp_path, broker, pi) as program:
        wait_until(lambda: on_the_wire(pi, 3, 2), "the first frame")
        frames = pi.frames(0)
        os.kill(children(program)[0], signal.SIGKILL)
        assert "its process was ended by SIGKILL" in str(fault(observer)["text"])
        well_again(observer, pi, 3, 2)
        assert pi.frames(0) > frames  # the same picture, written again


def test_dma_errors_without_end_say_that_a_restart_may_help(
    tmp_path: Path, broker: Mosquitto, observer: Observer, pi: FakePi
) -> None:
    pi.fault(Fault.DMA_ERROR)
    show(observer, 3, 2)
    with node(tmp_path, broker, pi):
        wait_until(lambda: "only a restart of the Pi may help" in str(fault(observer)["text"]), "the advice")
        pi.heal()
        well_again(observer, pi, 3, 2)


def test_a_node_without_files_for_a_process_goes_on_and_recovers(
    tmp_path: Path, broker: Mosquitto, observer: Observer, pi: FakePi
) -> None:
    hoard = (
        "import os, resource, signal\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))\n"
        "hoarded = []\n"
        "def hoard(*_):\n"
        "    try:\n"
        "        while True: hoarded.append(os.dup(2))\n"
        "    except OSError: pass\n"
        "def release(*_):\n"
        "    while hoarded: os.close(hoarded.pop())\n"
        "signal.signal(signal.SIGUSR1, hoard); signal.signal(signal.SIGUSR2, release)\n"
    )
    show(observer, 3, 2)
    config = tmp_path / "node.yaml"
    config.write_text(CONFIG.format(port=broker.port, gpio=18, more=SECOND, socket="null"), encoding="utf-8")
    with Program(tmp_path, "run", "--config", str(config), environment=pi.environment, before=hoard) as program:
        wait_until(lambda: on_the_wire(pi, 3, 2), "the first frame")
        program.process.send_signal(signal.SIGUSR1)
        os.kill(children(program)[0], signal.SIGKILL)
        wait_until(lambda: "no process for it: Too many open files" in str(fault(observer)["text"]), "the fault")
        assert answers(observer)
        program.process.send_signal(signal.SIGUSR2)
        well_again(observer, pi, 3, 2)


def test_a_strip_service_that_is_restarted_is_found_again(
    tmp_path: Path, broker: Mosquitto, observer: Observer, pi: FakePi
) -> None:
    show(observer, 3, 2)
    path = tmp_path / "strip.sock"
    with node(tmp_path, broker, pi, socket=path):
        assert f"ws281x: no strip service at {path}: No such file or directory" in str(fault(observer)["text"])
        with strip_service(tmp_path, pi):
            well_again(observer, pi, 3, 2)
        assert "strip service" in str(fault(observer)["text"])
        pi_before = pi.frames(0)
        with strip_service(tmp_path, pi):
            well_again(observer, pi, 3, 2)
            assert pi.frames(0) > pi_before


@pytest.mark.parametrize("hangs", [False, True])
def test_a_node_that_is_stopped_leaves_dark_strips_and_no_process_in_time(
    tmp_path: Path,
    broker: Mosquitto,
    observer: Observer,
    pi: FakePi,
    hangs: bool,  # noqa: FBT001 - a column
) -> None:
    show(observer, 3, 2)
    with node(tmp_path, broker, pi) as program:
        wait_until(lambda: on_the_wire(pi, 3, 2), "the first frame")
        (process,) = children(program)
        if hangs:
            pi.fault(Fault.DMA_STUCK, 1)
            show(observer, 5, 2)
            wait_until(lambda: pi.renders == 2, "the frame that sticks")
        code, seconds = program.stop()

    assert code == 0
    assert seconds < 2
    assert not Path(f"/proc/{process}").exists()
    observer.wait_for("apimon/nodes/hall/availability", b"offline")
    if not hangs:
        assert (pi.wire(0), pi.wire(1)) == (bytes(24), bytes(18))
        assert pi.gpu_blocks == 0


def test_a_stop_of_all_its_processes_at_once_leaves_dark_strips_too(
    tmp_path: Path, broker: Mosquitto, observer: Observer, pi: FakePi
) -> None:
    """So systemd stops a service: the child may be gone before the node can say what to show."""
    show(observer, 3, 2)
    with node(tmp_path, broker, pi) as program:
        wait_until(lambda: on_the_wire(pi, 3, 2), "the first frame")
        (process,) = children(program)
        program.process.send_signal(signal.SIGSTOP)
        os.kill(process, signal.SIGTERM)
        wait_until(lambda: pi.gpu_blocks == 0, "the end of the child")
        assert (pi.wire(0), pi.wire(1)) == (bytes(24), bytes(18))
        program.process.send_signal(signal.SIGCONT)
        assert program.stop()[0] == 0

    assert (pi.wire(0), pi.wire(1)) == (bytes(24), bytes(18))


def test_a_node_that_is_killed_takes_its_child_along(
    tmp_path: Path, broker: Mosquitto, observer: Observer, pi: FakePi
) -> None:
    show(observer, 3, 2)
    with node(tmp_path, broker, pi) as program:
        wait_until(lambda: on_the_wire(pi, 3, 2), "the first frame")
        (process,) = children(program)
        program.process.kill()
        wait_until(lambda: not Path(f"/proc/{process}").exists(), "the end of the child")

    assert pi.gpu_blocks == 0  # politely


def children(program: Program) -> list[int]:
    """Give the processes that a node has started for its strips."""
    text = Path(f"/proc/{program.process.pid}/task/{program.process.pid}/children").read_text(encoding="utf-8")
    return [int(number) for number in text.split() if runs_child(int(number))]


def runs_child(number: int) -> bool:
    return child.__file__.encode() in Path(f"/proc/{number}/cmdline").read_bytes()


BLIND = "node: {id: hall}\nmqtt: {host: 127.0.0.1, port: %d}\nlooks: [{color: red}]\nstrips:\n%s"


def test_with_all_strips_broken_for_good_the_node_answers(
    tmp_path: Path, broker: Mosquitto, observer: Observer
) -> None:
    """No Pi at all, as here: no spidev, no board that the library knows."""
    strips = (
        "  - {name: a, driver: spi, pixels: 8, boards: ops, device: /dev/spidev9.9}\n"
        "  - {name: b, driver: ws281x, gpio: 18, pixels: 8, boards: ops}\n"
    )
    config = tmp_path / "node.yaml"
    config.write_text(BLIND % (broker.port, strips), encoding="utf-8")
    observer.publish("apimon/tickets/ops", {"counts": {"A": 3}})
    with Program(tmp_path, "run", "--config", str(config)) as program:
        wait_until(lambda: len(observer.json(STATUS).get("faults", [])) == 2, "both faults")
        told = {fault["code"]: fault["text"] for fault in observer.json(STATUS)["faults"]}
        assert told[2] == (
            "strip a: /dev/spidev9.9: No such file or directory: switch SPI on: sudo raspi-config nonint do_spi 0"
        )
        assert "code -3, Hardware revision is not supported" in told[-3]
        assert observer.json(STATUS)["state"] == "error"
        assert answers(observer)
        assert program.stop()[0] == 0


def test_the_codes_have_the_texts_of_the_library() -> None:
    import _rpi_ws281x as library  # noqa: PLC0415 - the only test that asks itself

    ours = {code: text.text for code, text in CODES.items() if code < 0}

    assert ours == {code: library.ws2811_get_return_t_str(code) for code in ours}
    assert library.ws2811_get_return_t_str(min(ours) - 1) == ""
