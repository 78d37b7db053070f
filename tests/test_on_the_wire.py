"""What the real library, and our own driver for SPI, send: the bits on the wire are the bytes of the frame."""

import itertools
import random
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from hosted import Hosted
from rigs import LIBRARY, answer, environment
from shim import FakePi

from apimon_node.picture.effects import Effect
from apimon_node.picture.layout import Pixel
from apimon_node.picture.painting import Output, Painting
from apimon_node.strip import spi
from apimon_node.strip.child import LINES, Line, Opening
from apimon_node.strip.encoding import transfer_size
from apimon_node.strip.ws281x import ChildProcess, Ws281x

ORDERS = ("RGB", "GRB", "BRG", "GRBW")
LENGTHS = (1, 6, 40, 144, 300)
COLORS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 100, 50), (1, 2, 3))


@pytest.fixture
def pi(tmp_path: Path) -> Iterator[FakePi]:
    pi = FakePi(tmp_path)
    pi.set_bufsiz(65536)
    with ExitStack() as stack:
        for name, value in pi.environment.items():
            stack.enter_context(environment(name, value))
        yield pi
    assert pi.bad_bits == 0


def painted(order: str, pixels: int) -> bytes:
    """Paint a frame in which every colour stands."""
    row = tuple(Pixel(color, Effect.PULSE) for color, _ in zip(itertools.cycle(COLORS), range(pixels), strict=False))
    return Painting(row, Output(order)).frame(0.3)


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def ws281x(*lines: Line) -> Ws281x:
    return Ws281x(Opening(10, lines), partial(ChildProcess, LIBRARY), root=True)


@pytest.mark.parametrize("gpio", LINES)
@pytest.mark.parametrize("order", ORDERS)
def test_the_library_sends_each_frame_as_it_is_on_each_pin(pi: FakePi, gpio: int, order: str) -> None:
    for pixels in LENGTHS:
        driver = ws281x(Line(gpio, len(order), pixels))
        for frame in (noise(pixels * len(order)), painted(order, pixels)):
            driver.show(frame)
            answer(driver)
            assert pi.wire(LINES[gpio]) == frame
        driver.close()

    assert pi.pins(LINES[gpio]) == {gpio}
    assert pi.frames(LINES[gpio]) == 2 * len(LENGTHS)
    assert pi.gpu_blocks == 0


@pytest.mark.parametrize(("first", "second"), [(18, 13), (12, 19), (13, 12), (19, 18)])
@pytest.mark.parametrize(("orders", "pixels"), [(("GRB", "GRB"), (40, 300)), (("RGB", "GRBW"), (300, 8))])
def test_two_strips_in_one_object_each_get_their_own(
    pi: FakePi, first: int, second: int, orders: tuple[str, str], pixels: tuple[int, int]
) -> None:
    lines = [Line(pin, len(order), count) for pin, order, count in zip((first, second), orders, pixels, strict=True)]
    driver = ws281x(*lines)
    for _ in range(3):
        one, two = (painted(order, count) for order, count in zip(orders, pixels, strict=True))
        driver.show(one + two)
        answer(driver)

        assert (pi.wire(LINES[first]), pi.wire(LINES[second])) == (one, two)
    driver.close()

    assert (pi.pins(LINES[first]), pi.pins(LINES[second])) == ({first}, {second})
    assert (pi.opens, pi.renders) == (1, 3)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("pixels", LENGTHS)
def test_spi_sends_each_frame_as_it_is(pi: FakePi, order: str, pixels: int) -> None:
    driver = Hosted(partial(spi.SpiStrip, Path("/dev/spidev0.0"), pixels, len(order)), pi.environment)
    for frame in (noise(pixels * len(order)), painted(order, pixels), bytes(pixels * len(order))):
        driver.show(frame)
        assert pi.wire() == frame
    driver.end()

    assert pi.raw[:1] == b"\0"
    assert pi.raw.endswith(bytes(90))
    assert len(pi.raw) == transfer_size(pixels * len(order))
    assert (pi.opens, pi.hertz) == (1, 2_400_000)
