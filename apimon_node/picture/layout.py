"""Layout: which pixel shows what, before anything moves: groups in the order of the looks, scaled where too many."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from apimon_node.picture.effects import Effect
from apimon_node.picture.looks import Color, Group

DARK: Color = (0, 0, 0)


class Pixel(NamedTuple):
    """One pixel: its colour at full strength, how it moves, and whether it is as bright by night as by day."""

    color: Color = DARK
    effect: Effect = Effect.STEADY
    always: bool = False


class Picture(NamedTuple):
    """The tickets on a strip, one entry a pixel; `overflow` where there are more tickets than pixels."""

    pixels: tuple[Pixel, ...]
    overflow: bool


def lay_out(groups: Sequence[Group], pixels: int, overdue_effect: Effect) -> Picture:
    """Draw groups on a strip of `pixels`, from pixel 0 upwards, the overdue ones of each group last."""
    row: list[Pixel] = []
    for at, overdue, number in runs(groups, pixels):
        look = groups[at].look
        effect = look.effect_of(overdue=overdue, overdue_effect=overdue_effect)
        row += [Pixel(look.color, effect, look.always)] * number
    row += [Pixel()] * (pixels - len(row))
    return Picture(tuple(row), overflow=sum(group.tickets for group in groups) > pixels)


def runs(groups: Sequence[Group], pixels: int) -> Iterator[tuple[int, bool, int]]:
    """Yield each run of like pixels, in order: the place of its group, whether for overdue tickets, how many there are.

    A group with a pixel for its overdue tickets alone has one run.
    """
    for at, share in enumerate(shares([group.tickets for group in groups], pixels)):
        late = _ceil_div(groups[at].overdue * share, groups[at].tickets) if share else 0
        for overdue, number in ((False, share - late), (True, late)):
            if number:
                yield at, overdue, number


def shares(counts: Sequence[int], pixels: int) -> list[int]:
    """Pixels for each group of tickets: one each where there is room, else scaled to the strip.

    Rounded up first, so that no group is lost; then the largest gives a pixel (of equal ones the first) until they
    fit. With more groups than pixels the last ones go without.
    """
    total = sum(counts)
    if total <= pixels:
        return list(counts)
    given = [_ceil_div(count * pixels, total) for count in counts]
    for _ in range(sum(given) - pixels):
        largest = max(given)
        at = given.index(largest) if largest > 1 else len(given) - 1 - given[::-1].index(largest)
        given[at] -= 1
    return given


def _ceil_div(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)
