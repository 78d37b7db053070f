"""Memory: a node at rest, and what each ticket adds."""

import time

from bench.boards import board
from bench.process import resident, settle
from bench.rig import read_time, rig
from bench.table import Against, Goal, Row

BOARDS = (0, 1000, 5000)


def memory(*, quick: bool) -> list[Row]:
    """Measure resident memory with boards of three sizes, a process for each."""
    del quick
    rows = []
    empty = 0.0
    for tickets in BOARDS:
        node, sub, paho = (size / 1024 for size in _measure(tickets))
        goal = None if tickets else Goal(1.1, Against.PAHO)
        rows.append(Row(f"RSS MB with {tickets} tickets", node, sub, paho, goal))
        empty = empty or node
        if tickets:
            rows.append(Row(f"RSS kB a ticket of {tickets}", (node - empty) * 1024 / tickets, goal=Goal(0.3)))
    return rows


def _measure(tickets: int) -> list[int]:
    with rig() as run:
        run.publish(board(tickets), retain=True)
        run.flush()
        processes = [run.node(), run.sub(), run.paho()]
        read_time(processes[2])
        run.told_tickets(tickets)
        time.sleep(2)
        pids = [process.pid for process in processes]
        settle(pids[:1])
        return [resident(pid) for pid in pids]
