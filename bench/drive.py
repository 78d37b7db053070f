"""A process that times frames of the real library: `drive.py child|here PIXELS FRAMES` prints the us of each.

It runs with the tests' pretended Pi preloaded, which takes no time on the wire.
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from select import select

import _rpi_ws281x

from apimon_node.strip.child import Library, Line, Opening
from apimon_node.strip.ws281x import ChildProcess, Ws281x


def by_child(opening: Opening) -> Callable[[bytes], object]:
    """Drive the library as a node does: in a child process."""
    driver = Ws281x(opening, partial(ChildProcess, _rpi_ws281x.__file__), root=True)

    def show(frame: bytes) -> None:
        driver.show(frame)
        while driver.answer() is None:
            select([driver], [], [])

    return show


def here(opening: Opening) -> Callable[[bytes], object]:
    """Drive it in this process, as the predecessor did."""
    library = Library(_rpi_ws281x, opening)
    assert library.open() == 0
    return library.show


def main() -> None:
    """Measure, and wait to be looked at until the standard input ends."""
    where, pixels, frames = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    opening = Opening(10, (Line(18, 3, pixels),))
    show = {"child": by_child, "here": here}[where](opening)
    pair = [bytes([10, 200, 30]) * pixels, bytes([90, 20, 130]) * pixels]
    for number in range(-10, frames):
        begun = time.perf_counter_ns()
        show(pair[number % 2])
        if number >= 0:
            print((time.perf_counter_ns() - begun) / 1000, flush=number == frames - 1)
    sys.stdin.read()


main()
