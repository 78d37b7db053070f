"""Layout: which pixel shows which group, and who gives way when there are too many tickets."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apimon_node.picture.effects import Effect
from apimon_node.picture.layout import DARK, Pixel, lay_out, shares
from apimon_node.picture.looks import Color, Group, Look, Match

A, B, C = (255, 0, 0), (0, 255, 0), (0, 0, 255)
COUNTS = st.lists(st.integers(0, 300), max_size=12)


def groups(*counts: int, overdue: int = 0, effect: Effect | None = None) -> list[Group]:
    return [
        Group(Look(Match(), color, effect), count, min(overdue, count))
        for color, count in zip((A, B, C), counts, strict=True)
    ]


def colors(pixels: tuple[Pixel, ...]) -> list[Color]:
    return [pixel.color for pixel in pixels]


@pytest.mark.parametrize(
    ("tickets", "expected", "overflow"),
    [
        ((4, 3, 3), (4, 3, 3), False),
        ((5, 5, 5), (3, 3, 4), True),
        ((50, 30, 20), (5, 3, 2), True),
        ((200, 1, 100), (5, 1, 4), True),
        ((6, 2, 2), (6, 2, 2), False),
        ((7, 0, 0), (7, 0, 0), False),
        ((0, 0, 0), (0, 0, 0), False),
        ((0, 0, 11), (0, 0, 10), True),
        ((9, 1, 1), (8, 1, 1), True),
    ],
)
def test_groups_stand_in_the_order_of_the_looks_and_are_scaled_where_there_are_too_many(
    tickets: tuple[int, int, int], expected: tuple[int, int, int], *, overflow: bool
) -> None:
    picture = lay_out(groups(*tickets), 10, Effect.PULSE)

    lit = [color for color, number in zip((A, B, C), expected, strict=True) for _ in range(number)]
    assert colors(picture.pixels) == lit + [DARK] * (10 - len(lit))
    assert picture.overflow is overflow


@pytest.mark.parametrize(
    ("counts", "pixels", "expected"),
    [
        ([1, 1, 1, 1, 1], 3, [1, 1, 1, 0, 0]),
        ([1, 9, 1, 0, 1], 3, [1, 1, 1, 0, 0]),
        ([100, 100], 1, [1, 0]),
        ([2, 2], 2, [1, 1]),
        ([3], 2, [2]),
        ([], 5, []),
        ([1, 0, 1], 1, [1, 0, 0]),
        ([0, 5, 5], 1, [0, 1, 0]),
    ],
)
def test_with_more_groups_than_pixels_the_looks_named_last_go_without(
    counts: list[int], pixels: int, expected: list[int]
) -> None:
    assert shares(counts, pixels) == expected


@given(COUNTS, st.integers(1, 300))
def test_every_pixel_is_used_and_none_twice(counts: list[int], pixels: int) -> None:
    assert sum(shares(counts, pixels)) == min(sum(counts), pixels)


@given(COUNTS, st.integers(1, 300))
@example([1000, 1, 1, 1], 4)
def test_no_group_gives_up_its_last_pixel_while_another_has_two(counts: list[int], pixels: int) -> None:
    given_up = [count > 0 and not share for count, share in zip(counts, shares(counts, pixels), strict=True)]

    if any(given_up):
        assert max(shares(counts, pixels)) <= 1
        assert pixels < sum(count > 0 for count in counts)


@given(COUNTS, st.integers(1, 300))
def test_no_group_gets_more_pixels_than_it_has_tickets(counts: list[int], pixels: int) -> None:
    assert all(share <= count for count, share in zip(counts, shares(counts, pixels), strict=True))


@given(COUNTS, st.integers(1, 300))
def test_what_fits_is_not_scaled(counts: list[int], spare: int) -> None:
    assert shares(counts, sum(counts) + spare) == counts


@pytest.mark.parametrize(
    ("tickets", "overdue", "pixels", "late"),
    [
        (4, 0, 10, 0),
        (4, 1, 10, 1),
        (4, 4, 10, 4),
        (20, 1, 10, 1),
        (20, 11, 10, 6),
        (20, 19, 10, 10),
        (10_000, 1, 10, 1),
    ],
)
def test_of_a_groups_pixels_the_share_of_overdue_ones_is_rounded_up_and_they_come_last(
    tickets: int, overdue: int, pixels: int, late: int
) -> None:
    picture = lay_out([Group(Look(Match(), A), tickets, overdue)], pixels, Effect.BLINK)

    lit = min(tickets, pixels)
    assert [pixel.effect for pixel in picture.pixels[:lit]] == [Effect.STEADY] * (lit - late) + [Effect.BLINK] * late


def test_overdue_ones_come_last_within_their_look_not_on_the_strip() -> None:
    picture = lay_out(groups(2, 2, 0, overdue=1), 5, Effect.PULSE)

    assert picture.pixels == (Pixel(A), Pixel(A, Effect.PULSE), Pixel(B), Pixel(B, Effect.PULSE), Pixel())


def test_the_effect_of_a_look_moves_its_tickets() -> None:
    picture = lay_out(groups(1, 0, 0, effect=Effect.BLINK), 2, Effect.PULSE)

    assert picture.pixels == (Pixel(A, Effect.BLINK), Pixel())


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(1, 40))
def test_a_picture_has_exactly_the_pixels_of_its_strip(one: int, two: int, three: int, pixels: int) -> None:
    picture = lay_out(groups(one, two, three), pixels, Effect.PULSE)

    assert len(picture.pixels) == pixels
    assert picture.overflow is (one + two + three > pixels)
