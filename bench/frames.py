"""Frames: what painting one costs beside its time on the wire, and what a change of the board costs."""

import time
import timeit
from collections.abc import Callable, Sequence
from statistics import median

from apimon_node import wire
from apimon_node.config.settings import NodeSettings, StripSettings
from apimon_node.node.display import Display
from apimon_node.picture.effects import Effect
from apimon_node.picture.layout import Pixel, lay_out
from apimon_node.picture.looks import Look, Match, group
from apimon_node.picture.painting import Output, Painting, Status
from apimon_node.picture.scene import LightState
from apimon_node.tickets import snapshot
from bench.boards import board
from bench.table import Goal, Row

PIXELS = (40, 300, 1000)
LOOKS = (
    Look(Match(status=("Open",)), (255, 0, 0)),
    Look(Match(status=("In Progress", "Review")), (255, 0, 255)),
    Look(Match(category=("done",)), (0, 34, 0)),
    Look(Match(), (0, 0, 255)),
)


def frames(*, quick: bool) -> list[Row]:
    """Measure CPU us, the best and the median, for strips of three lengths."""
    return [row for pixels in PIXELS for row in _rows(pixels, repeat=5 if quick else 15)]


def _rows(pixels: int, repeat: int) -> list[Row]:
    on_wire = 30 * pixels + 300
    painted = _times(_painting(pixels), repeat)
    changed = _times(_change(pixels), repeat)
    return [
        Row(f"frame of {pixels} pixels: CPU us, best", min(painted)),
        Row(f"frame of {pixels} pixels: CPU us, median", median(painted)),
        Row(
            f"frame of {pixels} pixels: % of its {on_wire} us on the wire", 100 * min(painted) / on_wire, goal=Goal(0.5)
        ),
        Row(f"change of {pixels} tickets: layout to JSON, us", median(changed)),
    ]


def _painting(pixels: int) -> Callable[[], object]:
    """A third steady, a third pulsing, a third blinking, each in groups of the looks' colours."""
    effects = (Effect.STEADY, Effect.PULSE, Effect.BLINK)
    colors = [look.color for look in LOOKS] * len(effects)
    row = tuple(Pixel(colors[at * len(colors) // pixels], effects[at * 3 // pixels]) for at in range(pixels))
    painting = Painting(row, Output(gamma=2.2, brightness=0.8))
    return lambda: painting.frame(0.7)


def _change(pixels: int) -> Callable[[], object]:
    """From the tickets of a board to its first frame and the message of the strips topic."""
    display = Display(StripSettings("ops", "memory", pixels, ("ops",)), NodeSettings("bench"))
    tickets = [[(ticket, False, None) for ticket in snapshot.parse(board(pixels, seed)).tickets] for seed in (0, 1)]

    def change() -> bytes:
        tickets.reverse()
        groups, unmatched = group(LOOKS, tickets[0])
        picture = lay_out(groups, pixels, Effect.PULSE)
        display.show(picture, status=Status.OK, dimmed=False, over=None, unmatched=unmatched, light=LightState())
        return wire.dump(display.content())

    return change


def _times(call: Callable[[], object], repeat: int) -> Sequence[float]:
    timer = timeit.Timer(call, timer=time.process_time)
    number, _ = timer.autorange()
    number = max(1, number // 4)
    return [seconds / number * 1e6 for seconds in timer.repeat(repeat, number)]
