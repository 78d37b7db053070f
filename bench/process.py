"""What the kernel knows of a process: its CPU time, how often it woke up, its memory."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

STEADY = 0.15
"""Seconds without CPU time after which processes have done what they had to."""

CPU_CLOCK = 2
"""CPUCLOCK_SCHED of the kernel's posix-timers.h: a process's clock id is made of its id and this."""


class Spent(NamedTuple):
    """What a process has used up to a moment."""

    cpu: int
    """Nanoseconds, all threads, those that have ended too."""
    wakes: int
    """Voluntary context switches: each one is a wait that has ended."""


def spent(pid: int) -> Spent:
    """Read both counters of a process."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return Spent(cpu(pid), sum(_status(task, "voluntary_ctxt_switches") for task in tasks))


def cpu(pid: int) -> int:
    """Read the CPU clock of a process, in nanoseconds."""
    return time.clock_gettime_ns(~pid << 3 | CPU_CLOCK)


def resident(pid: int) -> int:
    """Resident memory in KiB."""
    return _status(Path(f"/proc/{pid}"), "VmRSS")


def private(pid: int) -> int:
    """Memory in KiB that no other process shares."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_"))


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def settle(pids: Sequence[int]) -> None:
    """Wait until processes have come to rest."""
    before: list[int] = []
    while (now := [cpu(pid) for pid in pids]) != before:
        before = now
        time.sleep(STEADY)


def _status(task: Path, name: str) -> int:
    lines = (task / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
