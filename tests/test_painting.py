"""The painting: from a row of pixels to the bytes on the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimon_node.picture.effects import Effect
from apimon_node.picture.layout import Picture, Pixel
from apimon_node.picture.painting import (
    DIMMED,
    MILLIAMPS_DARK,
    OVERFLOW,
    STATUS,
    Output,
    Painting,
    Status,
    compose,
    curve,
    milliamps,
)

RED, GREEN, WHITE, ORANGE, BLACK = (255, 0, 0), (0, 255, 0), (255, 255, 255), (255, 110, 0), (0, 0, 0)
CHANNEL = st.integers(0, 255)
PIXELS = st.builds(Pixel, st.tuples(CHANNEL, CHANNEL, CHANNEL), st.sampled_from(Effect))
ROWS = st.lists(PIXELS, min_size=1, max_size=20).map(tuple)
OUTPUTS = st.builds(
    Output,
    order=st.permutations("RGB").map("".join),
    gamma=st.floats(0.5, 4),
    brightness=st.floats(0, 1),
    reverse=st.booleans(),
    max_milliamps=st.just(0),
)


def frame(*pixels: Pixel, output: Output | None = None, now: float = 0) -> str:
    return Painting(pixels, output or Output()).frame(now).hex(" ", 3)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (Output(), "ff6e00 00ff00"),
        (Output(order="GRB"), "6eff00 ff0000"),
        (Output(order="BRG"), "00ff6e 0000ff"),
        (Output(reverse=True), "00ff00 ff6e00"),
        (Output(brightness=0.5), "803700 008000"),
        (Output(brightness=0), "000000 000000"),
        (Output(brightness=0.001), "010100 000100"),
        (Output(gamma=2.2), "ff2800 00ff00"),
        (Output(order="GRB", reverse=True, brightness=0.5), "800000 378000"),
    ],
)
def test_order_direction_gamma_and_brightness_are_arithmetic_on_the_frame(output: Output, expected: str) -> None:
    assert frame(Pixel(ORANGE), Pixel(GREEN), output=output) == expected


def test_a_painting_without_effects_stands_still() -> None:
    painting = Painting((Pixel(RED), Pixel()), Output())

    assert not painting.animated
    assert len({painting.frame(now / 10) for now in range(100)}) == 1


def test_only_the_pixels_with_an_effect_move() -> None:
    painting = Painting((Pixel(RED), Pixel(GREEN, Effect.BLINK), Pixel(WHITE, Effect.PULSE)), Output())

    assert painting.animated
    assert painting.frame(0).hex(" ", 3) == "ff0000 00ff00 ffffff"
    assert painting.frame(1).hex(" ", 3) == "ff0000 000000 1e1e1e"


@given(ROWS, OUTPUTS, st.floats(0, 1e6))
def test_a_frame_has_three_bytes_a_pixel_and_is_never_brighter_than_the_steady_one(
    row: tuple[Pixel, ...], output: Output, now: float
) -> None:
    steady = Painting(tuple(Pixel(pixel.color) for pixel in row), output).frame(now)
    moving = Painting(row, output).frame(now)

    assert len(moving) == len(row) * 3
    assert all(value <= most for value, most in zip(moving, steady, strict=True))


@given(ROWS, OUTPUTS, st.integers(1, 2000), st.floats(0, 1e6))
def test_the_limit_on_the_current_is_exceeded_by_the_lowest_level_alone(
    row: tuple[Pixel, ...], output: Output, spare: int, now: float
) -> None:
    limit = len(row) * MILLIAMPS_DARK + spare
    limited = Painting(row, Output(output.order, output.gamma, output.brightness, output.reverse, max_milliamps=limit))
    free = Painting(row, output)
    lowest = milliamps(bytes(min(value, 1) for value in free.frame(0)), len(row))

    assert milliamps(limited.frame(now), len(row)) <= max(limit, lowest)
    assert limited.milliamps <= max(limit, lowest)
    assert limited.limited is (free.milliamps > limit)
    if not limited.limited:
        assert limited.frame(now) == free.frame(now)


def test_a_limited_frame_is_dimmed_as_a_whole_and_says_so() -> None:
    painting = Painting((Pixel(WHITE),) * 10 + (Pixel(RED),), Output(max_milliamps=300))

    assert painting.limited
    assert painting.frame(0).hex(" ", 3) == " ".join(["818181"] * 10 + ["810000"])


@pytest.mark.parametrize(
    ("color", "order", "expected"),
    [
        (WHITE, "GRBW", "000000ff"),
        (WHITE, "WRGB", "ff000000"),
        ((255, 110, 0), "GRBW", "6eff0000"),
        ((200, 100, 50), "RGBW", "96320032"),
    ],
)
def test_a_strip_with_white_takes_from_it_what_the_colours_have_in_common(
    color: tuple[int, int, int], order: str, expected: str
) -> None:
    painting = Painting((Pixel(color), Pixel(color, Effect.BLINK)), Output(order=order))

    assert painting.frame(0).hex() == expected * 2
    assert painting.frame(1).hex() == expected + "00000000"


def test_white_of_its_own_channel_costs_a_third() -> None:
    assert Painting((Pixel(WHITE),), Output()).milliamps == 56
    assert Painting((Pixel(WHITE),), Output(order="GRBW")).milliamps == pytest.approx(1 + 55 / 3)


@given(ROWS, st.permutations("RGBW").map("".join), st.integers(1, 2000), st.floats(0, 1e6))
def test_the_limit_holds_for_strips_with_white_but_for_what_is_rounded(
    row: tuple[Pixel, ...], order: str, spare: int, now: float
) -> None:
    limit = len(row) * MILLIAMPS_DARK + spare
    painting = Painting(row, Output(order, max_milliamps=limit))
    rounded = len(row) * 3 * 55 / 765  # a step of each colour

    assert milliamps(painting.frame(now), len(row)) <= limit + rounded


def test_no_limit_is_no_limit() -> None:
    painting = Painting((Pixel(WHITE),) * 2000, Output())

    assert not painting.limited
    assert painting.milliamps == 2000 * 56


@given(ROWS, st.sampled_from(["RGB", "GRB", "GRBW"]), st.floats(0.5, 4), st.floats(0.001, 1), st.integers(1, 2000))
def test_no_limit_puts_a_lit_pixel_out(
    row: tuple[Pixel, ...], order: str, gamma: float, brightness: float, limit: int
) -> None:
    steady = tuple(Pixel(pixel.color) for pixel in row)
    frame = Painting(steady, Output(order, gamma, brightness, max_milliamps=limit)).frame(0)
    channels = len(order)

    assert [any(frame[at : at + channels]) for at in range(0, len(frame), channels)] == [
        any(pixel.color) for pixel in row
    ]


def test_a_limit_below_what_dark_pixels_draw_leaves_the_lowest_level() -> None:
    assert frame(Pixel(WHITE), Pixel(BLACK), output=Output(max_milliamps=1)) == "010101 000000"


@pytest.mark.parametrize("limit", [999, 1000, 1001])
def test_a_dark_strip_keeps_any_limit(limit: int) -> None:
    painting = Painting((Pixel(BLACK),) * 1000, Output(max_milliamps=limit))

    assert painting.frame(0) == bytes(3000)
    assert painting.limited is (limit < 1000)


@pytest.mark.parametrize(("pixels", "expected"), [("", 0), ("000000", 1), ("ffffff", 56), ("ff0000" * 3, 58)])
def test_the_current_of_a_frame_is_estimated_by_pixel_and_channel(pixels: str, expected: float) -> None:
    frame = bytes.fromhex(pixels)

    assert milliamps(frame, len(frame) // 3) == pytest.approx(expected)


@given(st.floats(0.5, 4), st.floats(0.001, 1))
def test_a_curve_never_falls_and_what_is_lit_stays_lit(gamma: float, brightness: float) -> None:
    table = curve(gamma, brightness)

    assert len(table) == 256
    assert list(table) == sorted(table)
    assert table[0] == 0
    assert table[1] >= 1


def test_a_curve_at_full_brightness_without_gamma_changes_nothing() -> None:
    assert curve(1.0, 1.0) == bytes(range(256))


PICTURE = Picture((Pixel(RED), Pixel(GREEN, Effect.PULSE), Pixel(WHITE)), overflow=False)


def test_while_all_is_well_only_the_tickets_are_seen() -> None:
    assert compose(PICTURE, dimmed=False, status=None, status_at=0) == PICTURE.pixels


def test_expired_tickets_stay_on_dimmed() -> None:
    dim = int(255 * DIMMED)

    assert compose(PICTURE, dimmed=True, status=None, status_at=0) == (
        Pixel((dim, 0, 0)),
        Pixel((0, dim, 0), Effect.PULSE),
        Pixel((dim, dim, dim)),
    )


def test_overflow_pulses_white_on_the_last_pixel_undimmed() -> None:
    row = compose(PICTURE._replace(overflow=True), dimmed=True, status=None, status_at=0)

    assert row[-1] == OVERFLOW
    assert row[-1] == Pixel(WHITE, Effect.PULSE)


@pytest.mark.parametrize("at", [0, 2])
def test_the_status_pixel_lies_over_everything(at: int) -> None:
    status = STATUS[Status.CONNECTION]

    row = compose(PICTURE._replace(overflow=True), dimmed=True, status=status, status_at=at)

    assert row[at] == status


def test_trouble_pulses_orange_and_red_and_health_has_no_colour() -> None:
    assert STATUS[Status.CONNECTION] == Pixel((255, 110, 0), Effect.PULSE)
    assert STATUS[Status.ERROR] == Pixel((255, 0, 0), Effect.PULSE)
    assert Status.OK not in STATUS
