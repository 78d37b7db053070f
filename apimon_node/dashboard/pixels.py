"""The pixels: what is seen on a strip, and which tickets stand behind each pixel. Pure.

Both are worked out as the node does, by its own functions, from the same messages. What the node says is what is shown;
the tickets behind it are told only where both agree.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from apimon_node.dashboard import overview
from apimon_node.dashboard.boards import Tickets, card
from apimon_node.dashboard.overview import FIRST, LegendEntry, Shows
from apimon_node.dashboard.payloads import StripConfig, StripReport, StripSaid
from apimon_node.picture.effects import Effect
from apimon_node.picture.layout import DARK, Picture, Pixel, lay_out, runs
from apimon_node.picture.looks import NOWHERE, Color, Group, Look, places
from apimon_node.picture.painting import Status, compose
from apimon_node.picture.scene import LightState, Scene, render, status_pixel, visible
from apimon_node.tickets.snapshot import Ticket

SCREEN_GAMMA = 2.2
"""Of the screens on which colours are seen (sRGB, nearly): what is dimmed for them is to look as it does on a strip."""

TICKET_EFFORT = 10
"""Looks that could be tried in the time that a ticket takes besides."""

MOST_EFFORT = 5_000_000
"""Looks that are tried for tickets at once, on all strips: a second or two if no two tickets are alike. Ten boards as
large as may be, with twenty looks each, need less; and anybody may say that a strip shows the same board 200 times.
"""

Item = tuple[str, str | None, Ticket, bool]
"""A ticket, as card() takes it."""


class Pile(NamedTuple):
    """The tickets of one look."""

    look: Look
    calm: list[Item]
    late: list[Item]

    @property
    def group(self) -> Group:
        """Return their numbers."""
        return Group(self.look, len(self.calm) + len(self.late), len(self.late))


class Spot(NamedTuple):
    """What stands behind a pixel: which look, whether it is for overdue ones, how many tickets, and the first ones."""

    look: int | None = None
    overdue: bool = False
    tickets: int = 0
    first: tuple[overview.Ticket, ...] = ()


class Backing(NamedTuple):
    """What a strip should show by our reckoning, what stands behind its pixels, and all that its looks match."""

    picture: Picture
    spots: tuple[Spot, ...]
    legend: tuple[LegendEntry, ...]


class Conditions(NamedTuple):
    """How a strip is seen: its light, whether quiet hours rule, whether its tickets have expired, its node is there."""

    light: LightState = LightState()
    quiet: bool = False
    expired: bool = False
    live: bool = False


def sort(looks: Sequence[Look], boards: tuple[Tickets, ...]) -> tuple[Pile, ...]:
    """Sort the tickets of some boards under the looks."""
    piles = tuple(Pile(look, [], []) for look in looks)
    for board in boards:
        for (ticket, overdue, _), (at, _) in zip(board.tickets, places(looks, board.tickets), strict=True):
            if at != NOWHERE:
                (piles[at].late if overdue else piles[at].calm).append((board.board, board.browse, ticket, overdue))
    return piles


def effort(looks: Sequence[Look], boards: tuple[Tickets, ...]) -> int:
    """Return how much work it is to sort tickets, at the worst."""
    return sum(len(board.tickets) for board in boards) * (len(looks) + TICKET_EFFORT)


def reckon(config: StripConfig, piles: tuple[Pile, ...], scene: Scene) -> Backing:
    """Work out what a strip shows of its tickets in a scene."""
    groups = visible([pile.group for pile in piles], scene)
    seen = [
        pile._replace(calm=pile.calm[: group.tickets - group.overdue], late=pile.late[: group.overdue])
        for pile, group in zip(piles, groups, strict=True)
    ]
    legend = tuple(
        LegendEntry(name, pile.look.color, pile.look.effect or Effect.STEADY, *pile.group[1:])
        for name, pile in zip(config.names, piles, strict=True)
    )
    picture = lay_out(groups, config.pixels, config.overdue_effect)
    return Backing(picture, tuple(_spots(seen, groups, config.pixels)), legend)


def _spots(piles: Sequence[Pile], groups: Sequence[Group], pixels: int) -> Iterator[Spot]:
    """Share the tickets of each look among its pixels, in their order."""
    calm: set[int] = set()
    for at, overdue, number in runs(groups, pixels):
        pile = piles[at]
        items = pile.late if overdue else pile.calm
        if overdue and at not in calm:
            items = pile.late + pile.calm  # which have no pixel of their own
        calm.add(at)
        for place in range(number):
            here = items[place * len(items) // number : (place + 1) * len(items) // number]
            yield Spot(at, overdue, len(here), tuple(card(*item) for item in here[:FIRST]))


def unsaid(config: StripConfig) -> StripSaid:
    """Stand in for what a node has not said of a strip: it has drawn nothing yet."""
    return StripSaid(Picture((Pixel(),) * config.pixels, overflow=False))


def strip(
    key: tuple[str, str],
    said: StripSaid,
    config: StripConfig,
    backing: Backing | None,
    report: StripReport,
    conditions: Conditions,
) -> overview.Strip:
    """Return a strip as it is seen; without a backing nobody knows what its pixels mean."""
    light = lit(conditions, config)
    ours = None if backing is None else backing.picture
    matched = ours is not None and _bare(ours) == _bare(said.picture)
    picture = ours if matched and ours is not None else said.picture  # ours knows which of them always shine
    return overview.Strip(
        *key,
        boards=config.boards,
        driver=report.driver,
        reverse=config.reverse,
        period=config.period,
        brightness=config.brightness * light.share,
        dark=not light.on,
        status=said.status.value,
        overflow=said.picture.overflow,
        limited=said.limited,
        milliamps=report.milliamps,
        matched=matched,
        live=conditions.live,
        legend=() if backing is None else backing.legend,
        pixels=_seen(picture, said.status, config, light, conditions, backing.spots if backing and matched else ()),
        said=tuple(pixel.color for pixel in said.picture.pixels),
    )


def lit(conditions: Conditions, config: StripConfig) -> LightState:
    """Return the light that a strip is seen in: quiet hours rule what its light is set to."""
    quiet = config.quiet_effect if conditions.quiet else None
    return conditions.light if quiet is None else conditions.light._replace(effect=quiet)


def _bare(picture: Picture) -> tuple[list[tuple[Color, Effect]], bool]:
    """Leave of a picture what nodes tell of it."""
    return [(pixel.color, pixel.effect) for pixel in picture.pixels], picture.overflow


def _seen(
    picture: Picture,
    status: Status,
    config: StripConfig,
    light: LightState,
    conditions: Conditions,
    spots: Sequence[Spot],
) -> tuple[overview.Pixel, ...]:
    """Lay over the tickets what lies over them, and tell of each pixel what it is lit for."""
    pixels = len(picture.pixels)
    over, at = status_pixel(config.status_pixel, status, light, heartbeat=config.heartbeat, pixels=pixels)
    row = render(compose(picture, dimmed=conditions.expired, status=over, status_at=at), light, SCREEN_GAMMA)
    shows = [Shows.DARK if pixel.color == DARK else Shows.TICKET for pixel in row]
    if light.on and picture.overflow:
        shows[-1] = Shows.OVERFLOW
    if light.on and over is not None:
        shows[at] = Shows.STATUS
    behind = [*spots, *(Spot() for _ in row[len(spots) :])]
    return tuple(
        overview.Pixel(pixel.color, pixel.effect, shown, *spot)
        for pixel, shown, spot in zip(row, shows, behind, strict=True)
    )
