"""The node on a Pi's processor, which is emulated, and on this machine's: its memory and its start.

Only where APIMON_ARM names roots (tests/roots.py). Quote the ratios: the seconds of an emulation are no Pi's.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from roots import named

from bench.boards import TOPIC
from bench.process import cpu
from bench.rig import CONFIG, ROOT, TIMEOUT, Process, Rig, read_time, rig
from bench.table import Row

NODE = "import sys\nfrom apimon_node.commands.cli import main\nsys.exit(main())"

SETTLED = 2.0
"""Seconds after which all that follows from a connection has happened, under emulation too."""

WHAT = ("start to subscribed, ms", "CPU ms until then", "RSS MB with 0 tickets")

Command = Callable[..., tuple[str, ...]]
"""Gives the command that runs Python with arguments."""


def arm(*, quick: bool) -> Iterator[Row]:
    """Measure this machine and each root, into which the wheel of this checkout goes first."""
    roots = named()
    runs = 1 if quick else 5
    with tempfile.TemporaryDirectory(prefix="apimon-bench-") as name:
        folder = Path(name)
        if roots:
            config = folder / "bench.yaml"
            yield from _rows("here", lambda *args: (sys.executable, *args), config, str(config), runs)
        for root in roots:
            root.install(folder / root.machine)
            config = root.path / "tmp" / "bench.yaml"
            yield from _rows(f"{root.machine}, emulated", root.python, config, "/tmp/bench.yaml", runs)


def _rows(where: str, python: Command, config: Path, inside: str, runs: int) -> list[Row]:
    """Measure node and peer in turns; `inside` is where the configuration is for the node."""
    guest, peer = ((ROOT / "bench" / name).read_text(encoding="utf-8") for name in ("guest.py", "bare_paho.py"))
    with rig() as run:
        config.write_text(CONFIG.format(port=run.port), encoding="utf-8")
        node = python("-c", f"{guest}\n{NODE}", "run", "--config", inside)
        paho = python("-c", f"{guest}\n{peer}", str(run.port), TOPIC)
        measured = [(_node(run, node), _paho(run, paho)) for _ in range(runs)]
    node_figures, peer_figures = (map(median, zip(*figures, strict=True)) for figures in zip(*measured, strict=True))
    return [
        Row(f"{where}: {what}", figure, paho=peer)
        for what, figure, peer in zip(WHAT, node_figures, peer_figures, strict=True)
    ]


def _node(run: Rig, command: tuple[str, ...]) -> tuple[float, ...]:
    begun = time.monotonic_ns()
    process = run.start(command, subprocess.PIPE, subprocess.DEVNULL)
    at = run.told_online().at
    return (at - begun) / 1e6, cpu(process.pid) / 1e6, _memory(process)


def _paho(run: Rig, command: tuple[str, ...]) -> tuple[float, ...]:
    begun = time.monotonic_ns()
    process = run.start(command, subprocess.PIPE)
    at = read_time(process)
    return (at - begun) / 1e6, cpu(process.pid) / 1e6, _memory(process)


def _memory(process: Process) -> float:
    """End a process that guest.py comes before; tell what it kept resident (MB)."""
    time.sleep(SETTLED)
    process.terminate()
    out, _ = process.communicate(timeout=TIMEOUT)
    return int(out.splitlines()[-1]) / 1024
