"""Starting: from the spawn of a process until it is subscribed, and until the strip shows the board."""

import time
from statistics import median

from bench.boards import TOPIC, board
from bench.rig import Rig, end, read_time, rig
from bench.table import Against, Goal, Row

RUNS = 7


def start(*, quick: bool) -> list[Row]:
    """Measure wall time, the node and its peers in turns."""
    runs = range(3 if quick else RUNS)
    with rig() as run:
        subscribed = [(_node(run), _sub(run), _paho(run)) for _ in runs]
        run.publish(board(1000), retain=True)
        run.flush()
        shown = [(_first_frame(run), _first_message(run)) for _ in runs]
    node, sub, paho = (median(times) for times in zip(*subscribed, strict=True))
    frame, message = (median(times) for times in zip(*shown, strict=True))
    return [
        Row("start to subscribed, ms", node, sub, paho, Goal(1.5, Against.PAHO)),
        Row("start to the first frame, 1000 tickets, ms", frame, paho=message, goal=Goal(1.5, Against.PAHO)),
    ]


def _node(run: Rig) -> float:
    """Until its availability has come back from the broker: a little after it was subscribed."""
    begun = time.monotonic_ns()
    node = run.node()
    took = _ms(begun, run.told_online().at)
    end(node)
    return took


def _sub(run: Rig) -> float:
    begun = time.monotonic_ns()
    run.sub(TOPIC, "-E").wait()  # it ends once it is subscribed
    return _ms(begun, time.monotonic_ns())


def _paho(run: Rig) -> float:
    begun = time.monotonic_ns()
    paho = run.paho()
    took = _ms(begun, read_time(paho))
    end(paho)
    return took


def _first_frame(run: Rig) -> float:
    begun = time.monotonic_ns()
    node = run.probed_node()
    took = _ms(begun, read_time(node))
    end(node)
    return took


def _first_message(run: Rig) -> float:
    begun = time.monotonic_ns()
    paho = run.paho(TOPIC, "tell")
    took = _ms(begun, max(read_time(paho), read_time(paho)))  # subscribed, and the retained board
    end(paho)
    return took


def _ms(begun: int, ended: int) -> float:
    return (ended - begun) / 1e6
