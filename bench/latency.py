"""From a publish to the strip: after quiet at once, else at the end of the render interval."""

import random
import subprocess
import time
from collections.abc import Sequence
from itertools import pairwise
from statistics import median, quantiles

from apimon_node.node.display import IMAGE_EVERY
from bench.boards import pack
from bench.rig import Process, Rig, read_time, rig
from bench.table import Against, Goal, Row

QUIET = 1.05
"""Seconds: longer than the render interval, so that nothing holds the next frame back."""

LINES = "lines"
"""The topic of mosquitto_sub: on the same one, who subscribed first is served first and holds up the other."""

INTERVAL = 500.0
"""Milliseconds: the shipped render_interval."""

PIXELS = (40, 300, 1000)


def latency(*, quick: bool) -> list[Row]:
    """Measure the first change after quiet: the driver's frame, and in turns with it mosquitto_sub's line."""
    samples = 10 if quick else 40
    with rig() as run:
        node = _shown_node(run)
        sub = run.sub(LINES, "-F", "%U", stdout=subprocess.PIPE)
        time.sleep(QUIET)
        pairs = [_change(run, node, sub, number) for number in range(samples)]
    frames, lines = zip(*pairs, strict=True)
    return [
        Row("publish to frame after quiet, ms, p50", median(frames), median(lines), goal=Goal(2.5, Against.SUB)),
        Row("publish to frame after quiet, ms, p95", _p95(frames), _p95(lines)),
        Row("publish to frame after quiet, ms, max", max(frames), max(lines), goal=Goal(50)),
    ]


def images(*, quick: bool) -> list[Row]:
    """Measure the first change after quiet while the strip's image is due, beside one shortly after, without."""
    return [_imaged(pixels, 2 if quick else 8) for pixels in PIXELS]


def _imaged(pixels: int, samples: int) -> Row:
    due, without = [], []
    with rig(pixels) as run:
        node = _shown_node(run)
        for number in range(samples):
            time.sleep(2 * IMAGE_EVERY)  # the one for the last change is drawn in between
            due.append(_frame(run, node, 2 * number))
            time.sleep(QUIET)
            without.append(_frame(run, node, 2 * number + 1))
    ratio = median(due) / median(without)
    return Row(f"publish to frame, {pixels} pixels: image due / none, p50", ratio, goal=Goal(1.2))


def _frame(run: Rig, node: Process, number: int) -> float:
    """Publish a change; return the ms to its frame."""
    at = run.publish(_counts(number + 1))
    frame = read_time(node) - at
    run.flush()
    return frame / 1e6


def interval(*, quick: bool) -> list[Row]:
    """Measure the distance between frames while changes come several times as fast."""
    seconds = 5 if quick else 20
    chance = random.Random(1)
    with rig() as run:
        node = _shown_node(run)
        until = time.monotonic() + seconds
        number, last = 0, 0
        while time.monotonic() < until:
            last = run.publish(_counts(number))
            run.flush()
            time.sleep(chance.uniform(0.02, 0.2))
            number += 1
        time.sleep(QUIET)
        node.terminate()
        assert node.stdout is not None
        shown = [int(line) for line in node.stdout.read().splitlines()][:-1]  # the last one is dark: farewell
    distances = [(b - a) / 1e6 for a, b in pairwise(shown)]
    return [
        Row("changes all the time: ms between frames, least", min(distances), goal=Goal(INTERVAL, at_least=True)),
        Row("changes all the time: ms between frames, p50", median(distances), goal=Goal(INTERVAL * 1.02)),
        Row("changes all the time: ms between frames, max", max(distances)),
        Row("the last change: ms to its frame", (shown[-1] - last) / 1e6, goal=Goal(INTERVAL + 50)),
    ]


def _shown_node(run: Rig) -> Process:
    """Start a node and wait for its first frame."""
    run.publish(_counts(0), retain=True)
    run.flush()
    node = run.probed_node()
    read_time(node)
    time.sleep(2)
    return node


def _change(run: Rig, node: Process, sub: Process, number: int) -> tuple[float, float]:
    """Publish a change to each, one after the other: tell the ms to the frame and to the line."""
    payload = _counts(number + 1)
    at = run.publish(payload)
    frame = read_time(node) - at
    run.flush()
    time.sleep(QUIET / 2)
    skew = time.time_ns() - time.monotonic_ns()
    at = run.publish(payload, LINES)
    line = _read_line(sub) - skew - at
    run.flush()
    time.sleep(QUIET / 2)
    return frame / 1e6, line / 1e6


def _read_line(sub: Process) -> int:
    """Read the wall time (ns since 1970) that mosquitto_sub wrote with a message."""
    assert sub.stdout is not None
    seconds, _, fraction = sub.stdout.readline().decode().partition(".")
    return int(seconds) * 1_000_000_000 + int(fraction)


def _counts(number: int) -> bytes:
    return pack({"counts": {"Open": 1 + number % 20, "In Progress": 3}})


def _p95(values: Sequence[float]) -> float:
    return quantiles(values, n=20, method="inclusive")[-1]
