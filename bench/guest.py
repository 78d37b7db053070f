"""Comes before a program, under qemu-user or not: at its end it prints what the program keeps resident, in KiB.

The kernel counts all of the process, qemu's own memory too: twice as much again. It also tells of each mapping
(/proc/thread-self/smaps), at the addresses of this machine; qemu answers /proc/self/maps with those of the program,
which are the same but for an offset. Without qemu both are the kernel's.
"""

import atexit
import re
import signal
import sys
from pathlib import Path
from typing import NamedTuple


class Mapping(NamedTuple):
    """A mapping of memory, and how much of it is resident (KiB), where that is told."""

    begin: int
    end: int
    file: str
    rss: int


def mappings(path: str) -> list[Mapping]:
    found: list[Mapping] = []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if head := re.fullmatch(r"(\w+)-(\w+) \S+ \S+ \S+ \d+ *(.*)", line):
            found.append(Mapping(int(head[1], 16), int(head[2], 16), head[3].strip(), 0))
        elif line.startswith("Rss:"):
            found[-1] = found[-1]._replace(rss=int(line.split()[1]))
    return found


def resident() -> int:
    ours, all_of_it = mappings("/proc/self/maps"), mappings("/proc/thread-self/smaps")
    python = next(mapping for mapping in ours if mapping.file.startswith("/"))
    offset = next(mapping.begin for mapping in all_of_it if mapping.file.endswith(python.file)) - python.begin
    spans = [(mapping.begin + offset, mapping.end + offset) for mapping in ours]
    return sum(m.rss for m in all_of_it if any(begin <= m.begin and m.end <= end for begin, end in spans))


atexit.register(lambda: print(resident(), flush=True))
signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # the node has its own
