"""The painting: a picture with its status pixel, over time, as the bytes that a strip takes.

Everything between a colour and the wire is arithmetic on the frame, the same for every driver: dimming, effects, gamma,
brightness, the limit on the current, the order of the channels, the direction.
"""

from collections.abc import Iterator
from enum import Enum, StrEnum
from functools import lru_cache
from itertools import groupby
from operator import sub
from typing import NamedTuple

from apimon_node.picture.effects import PERIOD, Effect, level
from apimon_node.picture.layout import Picture, Pixel
from apimon_node.picture.looks import Color

COLORS = 3
"""Red, green and blue: a pixel's full white is all of them."""

MILLIAMPS_FULL = 55
"""Of a WS2812 pixel at full white, beside what it draws when dark (WLED's default; data sheets say up to 60)."""

MILLIAMPS_DARK = 1
"""Of a WS2812 pixel that is dark (WLED and FastLED)."""

MILLIAMPS_LOWEST = MILLIAMPS_DARK + MILLIAMPS_FULL / 255
"""Of a WS2812 pixel that is white at the lowest level."""

DIMMED = 0.35
"""Share of their colour that tickets keep when their board has expired."""


class Status(Enum):
    """What the status pixel tells. The value is the word of the strips topic."""

    OK = "ok"
    CONNECTION = "connection"
    ERROR = "error"


class StatusPixel(StrEnum):
    """Which pixel tells of trouble."""

    FIRST = "first"
    LAST = "last"
    NONE = "none"


WHITE: Color = (255, 255, 255)
OVERFLOW = Pixel(WHITE, Effect.PULSE)
HEARTBEAT = Pixel(WHITE, Effect.PULSE)
STATUS = {
    Status.CONNECTION: Pixel((255, 110, 0), Effect.PULSE),  # orange; CSS's orange looks yellow on LEDs
    Status.ERROR: Pixel((255, 0, 0), Effect.PULSE),
}


class Output(NamedTuple):
    """How frames leave: channel order, gamma, brightness (0 to 1), direction, and a limit in mA (0 for none).

    With a W in the order, what red, green and blue have in common is left to the white channel.
    """

    order: str = "RGB"
    gamma: float = 1.0
    brightness: float = 1.0
    reverse: bool = False
    max_milliamps: int = 0


class Painting:
    """A row of pixels ready to be painted at any moment.

    The limit is worked out once, for all effects at their height: the colours do not sway as others pulse. It scales
    what is above the lowest level, so that no lit pixel goes out; where these alone pass the limit, they win.
    """

    def __init__(self, pixels: tuple[Pixel, ...], output: Output, period: float = PERIOD) -> None:
        """`period` is how many seconds the effects take."""
        self._period = period
        self._order = output.order
        row = pixels[::-1] if output.reverse else pixels
        colors = bytes(value for pixel in row for value in pixel.color)
        table = curve(output.gamma, output.brightness)
        peak = _arranged(colors.translate(table), output.order)
        demand = milliamps(peak, len(row))
        self.limited = 0 < output.max_milliamps < demand
        if self.limited:
            lowest = milliamps(_arranged(colors.translate(_scale(table, 0)), output.order), len(row))
            spare = max(output.max_milliamps - lowest, 0)
            table = _scale(table, spare / (demand - lowest) if spare else 0)
            peak = _arranged(colors.translate(table), output.order)
        self._table = table
        self._peak = peak
        self._moving = list(_moving(row, len(output.order)))
        self.milliamps = milliamps(self._peak, len(row))

    @property
    def animated(self) -> bool:
        """Return whether frames differ over time."""
        return bool(self._moving)

    def frame(self, now: float) -> bytes:
        """Return the frame at `now` (monotonic seconds): a byte for each channel of a pixel, in the strip's order."""
        if not self._moving:
            return self._peak
        frame = bytearray(self._peak)
        for start, end, pixels, pixel in self._moving:
            share = level(pixel.effect, now, self._period)
            shade = bytes([int(value * share) for value in pixel.color]).translate(self._table)
            frame[start:end] = _arranged(shade, self._order) * pixels
        return bytes(frame)


def _arranged(colors: bytes, order: str) -> bytes:
    """Bring pixels from red, green, blue into an order of channels."""
    if order == "RGB":
        return colors
    channels = {name: colors[at::COLORS] for at, name in enumerate("RGB")}
    if "W" in order:
        white = bytes(map(min, *channels.values()))
        channels = {name: bytes(map(sub, values, white)) for name, values in channels.items()} | {"W": white}
    arranged = bytearray(len(channels) * len(channels["R"]))
    for at, name in enumerate(order):
        arranged[at :: len(order)] = channels[name]
    return bytes(arranged)


def _moving(row: tuple[Pixel, ...], channels: int) -> Iterator[tuple[int, int, int, Pixel]]:
    """Yield each run of like pixels that move: its first byte, the one after its last, how many there are, and one."""
    start = 0
    for pixel, run in groupby(row):
        pixels = sum(1 for _ in run)
        end = start + channels * pixels
        if pixel.effect is not Effect.STEADY:
            yield start, end, pixels, pixel
        start = end


def compose(picture: Picture, *, dimmed: bool, status: Pixel | None, status_at: int) -> tuple[Pixel, ...]:
    """Lay what must be seen over the tickets: dimming, the mark of overflow, and the status pixel above all."""
    row = [_dim(pixel) for pixel in picture.pixels] if dimmed else list(picture.pixels)
    if picture.overflow:
        row[-1] = OVERFLOW
    if status is not None:
        row[status_at] = status
    return tuple(row)


def milliamps(frame: bytes, pixels: int) -> float:
    """Estimate the current of a frame. An estimate by WLED's model, not a measurement: keep a margin."""
    return pixels * MILLIAMPS_DARK + sum(frame) * MILLIAMPS_FULL / (255 * COLORS)


@lru_cache(maxsize=16)
def curve(gamma: float, brightness: float) -> bytes:
    """Return the table from a channel's value to what is sent. What is lit stays lit, however dim."""
    if not brightness:
        return bytes(256)
    return bytes(1) + bytes(max(1, round(255 * (value / 255) ** gamma * brightness)) for value in range(1, 256))


def _scale(table: bytes, share: float) -> bytes:
    """Return a table with a share of every value, rounded down: the sum must stay below the limit. 1 is the least."""
    return bytes(value and 1 + int((value - 1) * share) for value in table)


def _dim(pixel: Pixel) -> Pixel:
    red, green, blue = (int(value * DIMMED) for value in pixel.color)
    return pixel._replace(color=(red, green, blue))
