"""The native driver: a frame by the child process beside one in process, and what the child costs in memory."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from shim import FakePi

from bench.process import children, private, resident
from bench.rig import ROOT
from bench.table import Row


def native(*, quick: bool) -> list[Row]:
    """Measure wall time (us a frame, the median) and memory (MB), on a Pi that is none."""
    frames = 200 if quick else 2000
    rows = []
    with tempfile.TemporaryDirectory(prefix="apimon-bench-") as folder:
        environment = os.environ | FakePi(Path(folder)).environment | {"PYTHONPATH": str(ROOT)}
        for pixels in (40, 300):
            with _drive("here", pixels, frames, environment) as alone:
                in_process = _times(alone, frames)
            with _drive("child", pixels, frames, environment) as parent:
                by_child = _times(parent, frames)
                (child,) = children(parent.pid)
                memory = resident(child) / 1024, private(child) / 1024
            rows += [
                Row(f"frame of {pixels} pixels: us in process", in_process),
                Row(f"frame of {pixels} pixels: us by the child", by_child),
                Row(f"frame of {pixels} pixels: us that the pipe costs", by_child - in_process),
            ]
    with _bare() as bare:
        rows += [
            Row("child: RSS MB", memory[0]),
            Row("child: private MB", memory[1]),
            Row("bare interpreter: RSS MB", resident(bare.pid) / 1024),
            Row("bare interpreter: private MB", private(bare.pid) / 1024),
        ]
    return rows


@contextmanager
def _drive(where: str, pixels: int, frames: int, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(ROOT / "bench" / "drive.py"), where, str(pixels), str(frames)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, text=True) as process:
        yield process


def _times(process: subprocess.Popen[str], frames: int) -> float:
    assert process.stdout is not None
    return median(float(process.stdout.readline()) for _ in range(frames))


@contextmanager
def _bare() -> Iterator[subprocess.Popen[bytes]]:
    """An interpreter as the child has it, that has read a line and waits."""
    code = "import sys; print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-I", "-S", "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
