"""The image of a strip: a PNG that any strict reader takes, and what is to be seen on it."""

import struct
import zlib
from itertools import groupby
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimon_node.picture.effects import Effect
from apimon_node.picture.image import CELL, GROUND, MOVING, ROW, png
from apimon_node.picture.layout import Pixel
from apimon_node.picture.looks import Color

RED, GREEN, WHITE = (255, 0, 0), (0, 34, 0), (255, 255, 255)
OFF = Pixel()


class Image(NamedTuple):
    """A PNG, read."""

    width: int
    height: int
    palette: list[Color]
    dots: list[list[Color]]

    def cell(self, column: int, row: int = 0) -> list[list[Color]]:
        """Give the dots that belong to a pixel of the strip."""
        lines = self.dots[row * CELL : (row + 1) * CELL]
        return [line[column * CELL : (column + 1) * CELL] for line in lines]

    def middle(self, column: int, row: int = 0) -> Color:
        return self.cell(column, row)[CELL // 2][CELL // 2]


def read(data: bytes) -> Image:
    """Read a PNG with a palette, by the letter of its specification: anything odd fails."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = [], 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length) == (zlib.crc32(kind + body),)
        chunks.append((kind, body))
        at += 12 + length
    (ihdr, head), (plte, colors), (idat, packed), end = chunks
    assert (ihdr, plte, idat, end) == (b"IHDR", b"PLTE", b"IDAT", (b"IEND", b""))
    width, height, depth, *rest = struct.unpack(">IIBBBBB", head)
    assert (rest, len(colors) % 3) == ([3, 0, 0, 0], 0)
    assert 0 < len(colors) // 3 <= 1 << depth
    palette = [(colors[at], colors[at + 1], colors[at + 2]) for at in range(0, len(colors), 3)]
    unpacked = zlib.decompress(packed)
    size = 1 + -(-width * depth // 8)
    assert len(unpacked) == size * height
    dots = []
    for start in range(0, len(unpacked), size):
        assert unpacked[start] == 0
        bits = int.from_bytes(unpacked[start + 1 : start + size], "big")
        end_bits = (size - 1) * 8
        numbers = [bits >> (end_bits - depth * (x + 1)) & ((1 << depth) - 1) for x in range(width)]
        dots.append([palette[number] for number in numbers])
    return Image(width, height, palette, dots)


def looks(number: int) -> list[Pixel]:
    """Give a strip with all looks of the shipped configuration, some of each moving, and some room at its end."""
    colors = [WHITE, RED, (255, 0, 255), GREEN, (255, 165, 0), (0, 0, 128), (0, 0, 255)]
    share = max(1, number // 16)
    row = [Pixel(color, effect) for color in colors for effect in (Effect.STEADY, Effect.PULSE) for _ in range(share)]
    return [*row, *[OFF] * number][:number]


def test_a_strip_is_a_row_of_lights_in_its_colours() -> None:
    image = read(png([Pixel(RED), Pixel(GREEN), OFF]))

    assert (image.width, image.height) == (3 * CELL, CELL)
    assert [image.middle(at) for at in range(2)] == [RED, GREEN]
    assert image.middle(2) not in (RED, GREEN, GROUND)


def test_a_light_is_round_on_a_dark_ground() -> None:
    cell = read(png([Pixel(RED)])).cell(0)

    assert {cell[y][x] for y in (0, -1) for x in (0, -1)} == {GROUND}
    assert cell[CELL // 2][0] == cell[0][CELL // 2] == GROUND
    assert cell == [line[::-1] for line in cell] == cell[::-1]
    assert cell == [list(column) for column in zip(*cell, strict=True)]


def test_even_the_darkest_colour_differs_from_a_light_that_is_off() -> None:
    image = read(png([Pixel((1, 0, 0)), OFF]))

    assert image.cell(0) != image.cell(1)


@pytest.mark.parametrize("effect", [Effect.PULSE, Effect.BLINK])
@pytest.mark.parametrize("color", [RED, GREEN, WHITE])
def test_what_moves_has_a_ring_so_that_it_can_be_told_without_colours(color: Color, effect: Effect) -> None:
    image = read(png([Pixel(color), Pixel(color, effect)]))
    middles = (image.cell(at)[CELL // 2] for at in range(2))
    bright = [[key for key, _ in groupby(line, lambda dot: dot in (color, MOVING)) if key] for line in middles]

    assert image.middle(1) == color
    assert MOVING in image.cell(1)[CELL // 2]
    assert [len(places) for places in bright] == [1, 3]  # the light; the ring, the light in it, the ring


def test_a_pixel_that_is_dark_has_no_ring() -> None:
    image = read(png([OFF, Pixel(effect=Effect.PULSE)]))

    assert image.cell(0) == image.cell(1)


@pytest.mark.parametrize(
    ("pixels", "columns", "rows"),
    [(1, 1, 1), (8, 8, 1), (ROW, ROW, 1), (ROW + 1, 21, 2), (60, 30, 2), (144, 36, 4), (300, 38, 8), (2000, 40, 50)],
)
def test_a_long_strip_goes_over_several_rows_that_are_about_as_long(pixels: int, columns: int, rows: int) -> None:
    image = read(png([Pixel(RED)] * pixels))

    assert (image.width, image.height) == (columns * CELL, rows * CELL)
    lit = sum(image.middle(column, row) == RED for row in range(rows) for column in range(columns))
    assert lit == pixels


def test_rows_are_read_from_left_to_right_and_what_is_too_much_of_the_last_is_empty() -> None:
    strip = [Pixel((at, 0, 255)) for at in range(ROW + 1)]

    image = read(png(strip))

    places = [(column, row) for row in range(2) for column in range(21)]
    assert [image.middle(*place) for place in places[: ROW + 1]] == [pixel.color for pixel in strip]
    assert {dot for line in image.cell(20, 1) for dot in line} == {GROUND}


@pytest.mark.parametrize(("pixels", "most"), [(8, 500), (40, 900), (144, 1200), (300, 2000), (2000, 5000)])
def test_an_image_is_small(pixels: int, most: int) -> None:
    assert len(png(looks(pixels))) < most


def test_a_dark_strip_of_forty_is_smaller_still() -> None:
    assert len(png([OFF] * 40)) < 200


def test_the_same_strip_is_the_same_image() -> None:
    assert png(looks(40)) == png(list(looks(40)))


def test_the_palette_has_no_more_than_what_is_seen_and_dots_no_more_bits_than_it_needs() -> None:
    for strip, depth in (([OFF], 2), ([Pixel(RED)], 4), ([Pixel(RED), Pixel(RED, Effect.PULSE)], 4), (looks(40), 8)):
        data = png(strip)
        image = read(data)
        assert {dot for line in image.dots for dot in line} | {GROUND} == set(image.palette)
        assert data[24] == depth


@given(st.lists(st.builds(Pixel, st.tuples(*[st.integers(0, 255)] * 3), st.sampled_from(Effect)), max_size=90))
def test_any_strip_can_be_drawn(strip: list[Pixel]) -> None:
    image = read(png(strip))

    columns = image.width // CELL
    for at, pixel in enumerate(strip):
        found = image.middle(at % columns, at // columns)
        if pixel.color != (0, 0, 0):
            assert all(abs(one - other) < 256 // 2 for one, other in zip(found, pixel.color, strict=True))


def test_with_more_colours_than_a_palette_holds_they_lose_their_last_bits() -> None:
    strip = [Pixel((at % 256, at * 7 % 256, at * 13 % 256), list(Effect)[at % 3]) for at in range(2000)]

    image = read(png(strip))

    assert len(image.palette) <= 256
    columns = image.width // CELL
    for at, pixel in enumerate(strip[1:], 1):
        found = image.middle(at % columns, at // columns)
        if pixel.color == (0, 0, 0):
            continue
        assert all(0 <= color - one < 128 for one, color in zip(found, pixel.color, strict=True))
