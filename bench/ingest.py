"""Taking in tickets: a board in one message, against a message for each ticket."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median

from bench.boards import TOPIC, board, pack, ticket
from bench.process import cpu, settle
from bench.rig import Process, Rig, read_time, rig
from bench.table import Against, Goal, Row

TICKETS = 1000
SINGLES = "single"
PACE = 0.55
"""Seconds between two boards: each is shown."""


def ingest(*, quick: bool) -> list[Row]:
    """Measure CPU per ticket, in rounds that take turns: a board to the node, the same as messages to the peers."""
    rounds = 5 if quick else 20
    with rig() as run:
        node, paho = run.node(), run.paho(f"{SINGLES}/#")
        sub = run.sub(f"{SINGLES}/#", "-C", str(2 * rounds * TICKETS + 1))
        run.told_online()
        read_time(paho)
        time.sleep(1.5)
        rows = [row for qos in (0, 1) for row in _measure(run, (node, sub, paho), rounds, qos)]
        run.publish(b"the last", f"{SINGLES}/last")
        sub.wait(5)  # it has counted: every message arrived
    return rows


def _measure(run: Rig, processes: Sequence[Process], rounds: int, qos: int) -> list[Row]:
    node, *peers = processes
    boards: list[float] = []
    singles: list[list[float]] = []
    for seed in range(qos * rounds, (qos + 1) * rounds):
        started = time.monotonic()
        boards += _used([node], partial(_send_board, run, board(TICKETS, seed), qos))
        time.sleep(max(0.0, started + PACE - time.monotonic()))
        singles.append(_used(peers, partial(_send_singles, run, seed, qos)))
    sub, paho = zip(*singles, strict=True)
    goal = Goal(1.0, Against.SUB)
    return [
        Row(f"CPU us a ticket of {TICKETS}, QoS {qos}, median", median(boards), median(sub), median(paho), goal),
        Row(f"CPU us a ticket of {TICKETS}, QoS {qos}, least", min(boards), min(sub), min(paho), goal),
    ]


def _used(processes: Sequence[Process], send: Callable[[], None]) -> list[float]:
    """Tell the CPU us a ticket that processes took for what is sent."""
    pids = [process.pid for process in processes]
    before = [cpu(pid) for pid in pids]
    send()
    settle(pids)
    return [(cpu(pid) - start) / 1e3 / TICKETS for pid, start in zip(pids, before, strict=True)]


def _send_board(run: Rig, payload: bytes, qos: int) -> None:
    run.publish(payload, TOPIC, qos=qos)
    run.flush()


def _send_singles(run: Rig, seed: int, qos: int) -> None:
    for number in range(TICKETS):
        run.publish(pack(ticket(number, seed)), f"{SINGLES}/{number}", qos=qos)
    run.flush()
