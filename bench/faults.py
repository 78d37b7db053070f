"""Faults of the real library under a node: how long each holds up its loop, and how soon the status tells of it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from shim import FakePi, Fault

from bench.rig import HOST, ROOT, Rig, Said, rig
from bench.table import Goal, Row

CONFIG = """\
mqtt: {{host: {host}, port: {port}}}
node: {{id: bench}}
strips:
  - {{name: ops, driver: ws281x, gpio: 18, pixels: 300, boards: [ops]}}
  - {{name: web, driver: ws281x, gpio: 13, pixels: 300, boards: [ops]}}
looks: [{{color: red}}]
"""

OPENING = (
    Fault.ALLOC,
    Fault.LOCK,
    Fault.MAP_BUFFER,
    Fault.MAP_REGISTERS,
    Fault.NO_VCIO,
    Fault.WRONG_BOARD,
    Fault.SEGV_OPEN,
)
RENDERING = (Fault.DMA_ERROR, Fault.SEGV_RENDER, Fault.DMA_STUCK)
HANGS = {Fault.DMA_STUCK: 2000, Fault.CLOCK_STUCK: 10000}
"""ms after which no answer is a hang."""


def faults(*, quick: bool) -> list[Row]:
    """Measure the longest turn of a node's loop, and the time from a change that fails to the fault on MQTT, in ms."""
    chosen = (*OPENING[:2], *RENDERING[:2]) if quick else (*OPENING, *RENDERING, Fault.CLOCK_STUCK)
    return [row for fault in chosen for row in _measure(fault)]


def _measure(fault: Fault) -> Iterator[Row]:
    with rig() as run:
        pi = FakePi(run.folder)
        renders = fault in RENDERING
        if not renders:
            pi.fault(fault)
        node = _start(run, pi)
        run.told_online()
        if renders:
            _change(run, 1)
            _wait(lambda: pi.frames() > 0)
            time.sleep(1)
            pi.fault(fault)
        begun = _change(run, 2)
        told = run.told(_tells)
        time.sleep(3)
        node.terminate()
        turns, _ = node.communicate()
    yield Row(f"{fault.name}: longest turn, ms", max(map(int, turns.split())) / 1e6, goal=Goal(100))
    yield Row(
        f"{fault.name}: change to fault on MQTT, ms", (told.at - begun) / 1e6, goal=Goal(1000 + HANGS.get(fault, 0))
    )


def _start(run: Rig, pi: FakePi) -> subprocess.Popen[bytes]:
    config = run.folder / "faults.yaml"
    config.write_text(CONFIG.format(host=HOST, port=run.port))
    command = [sys.executable, "-m", "bench.watched_node", "run", "--config", str(config)]
    environment = os.environ | pi.environment | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, cwd=ROOT)


def _change(run: Rig, number: int) -> int:
    return run.publish(json.dumps({"counts": {"Open": number}}).encode(), retain=True)


def _tells(said: Said) -> bool:
    return said.topic.endswith("/status") and any(
        fault["name"] == "strip" for fault in json.loads(said.payload)["faults"]
    )


def _wait(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.01)
