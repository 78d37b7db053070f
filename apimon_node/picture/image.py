"""The image: a strip as a small PNG, a row of round lights on a dark ground. Pure."""

import struct
import zlib
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from typing import TypeAlias

from apimon_node.picture.effects import Effect
from apimon_node.picture.layout import DARK, Pixel
from apimon_node.picture.looks import Color

CELL = 16
"""Dots on the screen for each pixel of the strip, both ways."""

ROW = 40
"""Pixels in a row of the image, at the most: in a card of 500 dots each is still a round light. Longer strips wrap."""

SOCKET, LIGHT, RING, CORE = 7.0, 5.5, 6.0, 4.0
"""Radiuses: of the dark body of a light, of the light in it; and where it moves, of the ring's inside and the light."""

SAMPLES = (0.25, 0.75)
"""Where a dot of the screen is looked at, both ways, so that edges are smooth."""

GROUND, BODY, MOVING = (16, 16, 16), (48, 48, 48), (255, 255, 255)
"""The colours of the ground, of a light that is off, and of the ring around one that pulses or blinks."""

PALETTE = 256
"""Colours of a PNG with a palette, at the most."""

COLOR_BITS = 8

Blend: TypeAlias = tuple[tuple[str, int], ...]
"""What a dot of the screen shows: how many of its samples are of what."""


def png(pixels: Sequence[Pixel]) -> bytes:
    """Draw the tickets on a strip. What moves has a ring around it, so that it can be told without its colour."""
    columns, rows = _size(len(pixels))
    lights = [*pixels, *[None] * (columns * rows - len(pixels))]
    palette, tiles = _tiles(pixels)
    depth = _depth(len(palette))
    packed = {light: [_packed(line, depth) for line in tile] for light, tile in tiles.items()}
    lines = []
    for start in range(0, len(lights), columns):
        row = [packed[light] for light in lights[start : start + columns]]
        lines += [b"\0" + b"".join(tile[y] for tile in row) for y in range(CELL)]  # 0: the line is not filtered
    head = struct.pack(">IIBBBBB", columns * CELL, rows * CELL, depth, 3, 0, 0, 0)  # 3: with a palette
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", head),
            _chunk(b"PLTE", b"".join(map(bytes, palette))),
            _chunk(b"IDAT", zlib.compress(b"".join(lines), 9)),
            _chunk(b"IEND", b""),
        )
    )


def _size(pixels: int) -> tuple[int, int]:
    """Return columns and rows: as few rows as can be, all about as long."""
    rows = max(1, -(-pixels // ROW))
    return max(1, -(-pixels // rows)), rows


def _tiles(pixels: Sequence[Pixel], bits: int = COLOR_BITS) -> tuple[list[Color], dict[Pixel | None, list[list[int]]]]:
    """Draw each different light once, and the empty place, in numbers of a palette.

    Where the looks have more colours than a palette holds, the colours lose their last bits; those of one bit fit.
    """
    palette: dict[Color, int] = {}
    tiles = {light: _tile(light, bits, palette) for light in dict.fromkeys([*pixels, None])}
    return (list(palette), tiles) if len(palette) <= PALETTE else _tiles(pixels, bits - 1)


def _tile(light: Pixel | None, bits: int, palette: dict[Color, int]) -> list[list[int]]:
    """Draw a light; colours that are new are put into the palette."""
    color = DARK if light is None else light.color
    inks = {"ground": GROUND, "body": BODY, "ring": MOVING, "light": _rounded(color, bits)}
    numbers = {}
    shape = _shape(_kind(light))
    for blend in dict.fromkeys(blend for line in shape for blend in line):
        mixed = _mixed(blend, inks)
        numbers[blend] = palette.setdefault(mixed, len(palette))
    return [[numbers[blend] for blend in line] for line in shape]


def _kind(light: Pixel | None) -> str:
    if light is None:
        return "nothing"
    if light.color == DARK:
        return "off"
    return "steady" if light.effect is Effect.STEADY else "moving"


@lru_cache
def _shape(kind: str) -> list[list[Blend]]:
    """Return what each dot of a tile shows."""
    return [[_blend(kind, x, y) for x in range(CELL)] for y in range(CELL)]


def _blend(kind: str, x: int, y: int) -> Blend:
    middle = CELL / 2
    places = product(SAMPLES, SAMPLES)
    seen = Counter(_ink(kind, (x + dx - middle) ** 2 + (y + dy - middle) ** 2) for dx, dy in places)
    return tuple(sorted(seen.items()))


def _ink(kind: str, square: float) -> str:
    """Return what is to be seen at a distance (squared) from the middle of a light."""
    if kind == "nothing" or square > SOCKET**2:
        return "ground"
    if kind == "moving" and square > RING**2:
        return "ring"
    radius = {"off": 0.0, "steady": LIGHT, "moving": CORE}[kind]
    return "light" if square <= radius**2 else "body"


def _mixed(blend: Blend, inks: dict[str, Color]) -> Color:
    total = len(SAMPLES) ** 2
    red, green, blue = (sum(number * inks[ink][channel] for ink, number in blend) // total for channel in range(3))
    return (red, green, blue)


def _rounded(color: Color, bits: int) -> Color:
    mask = 0xFF & ~((1 << (COLOR_BITS - bits)) - 1)
    red, green, blue = (value & mask for value in color)
    return (red, green, blue)


def _depth(colors: int) -> int:
    """Return the bits of a dot: as few as hold the numbers of all colours."""
    return next(bits for bits in (1, 2, 4, 8) if colors <= 1 << bits)


def _packed(line: Sequence[int], depth: int) -> bytes:
    """Put the dots of a line of a tile side by side into bytes."""
    per_byte = 8 // depth
    return bytes(_joined(line[at : at + per_byte], depth) for at in range(0, len(line), per_byte))


def _joined(dots: Sequence[int], depth: int) -> int:
    value = 0
    for dot in dots:
        value = value << depth | dot
    return value


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
