"""At rest and with one ticket pulsing: how often the node wakes up, and what CPU it takes."""

import time

from bench.boards import board, pulsing_board
from bench.process import Spent, settle, spent
from bench.rig import read_time, rig
from bench.table import Against, Goal, Row

START = 6.0
"""Seconds after which nothing of the start is left: the node's grace, and its announcement to Home Assistant."""


def at_rest(*, quick: bool) -> list[Row]:
    """Measure a board on which nothing moves. The window has one keep-alive and one refresh a minute."""
    return _measure("at rest", board(30), 20 if quick else 60, Goal(0.1), Goal(0.08, Against.PAHO))


def pulsing(*, quick: bool) -> list[Row]:
    """Measure a board with one overdue ticket: two frames a second."""
    return _measure("one ticket pulsing", pulsing_board(), 10 if quick else 30, Goal(2.2), None)


def _measure(name: str, payload: bytes, seconds: float, wakes: Goal, cpu: Goal | None) -> list[Row]:
    with rig() as run:
        run.publish(payload, retain=True)
        run.flush()
        processes = [run.node(), run.sub(), run.paho()]
        run.told_online()
        read_time(processes[2])
        time.sleep(START)
        settle([processes[0].pid])
        before = [spent(process.pid) for process in processes]
        time.sleep(seconds)
        after = [spent(process.pid) for process in processes]
    node, sub, paho = (_rate(a, b, seconds) for a, b in zip(before, after, strict=True))
    return [
        Row(f"{name}: wake-ups/s", node[0], sub[0], paho[0], wakes),
        Row(f"{name}: CPU ms/min", node[1], sub[1], paho[1], cpu),
    ]


def _rate(before: Spent, after: Spent, seconds: float) -> tuple[float, float]:
    """Tell the wake-ups a second and the CPU ms a minute."""
    return (after.wakes - before.wakes) / seconds, (after.cpu - before.cpu) / 1e6 * 60 / seconds
