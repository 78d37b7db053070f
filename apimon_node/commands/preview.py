"""The preview: what each look and each state of a configuration looks like, as one picture. Pure.

The tickets are made up. All else is worked out as a node does it, by the same functions.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from apimon_node.commands.example import Examples, crowd, examples, mix
from apimon_node.config import explain
from apimon_node.config.settings import NodeSettings, QuietHours, Settings, StripSettings
from apimon_node.node.display import Display
from apimon_node.picture import svg, wording
from apimon_node.picture.effects import Effect
from apimon_node.picture.layout import lay_out
from apimon_node.picture.looks import Group, Look, Seen, group
from apimon_node.picture.painting import Status, StatusPixel
from apimon_node.picture.scene import LightState, Scene, visible
from apimon_node.picture.svg import Block
from apimon_node.tickets.snapshot import Ticket

NAME_AT, NAME_WIDTH = 76, 408
DETAIL_AT, DETAIL_WIDTH = 490, 354
"""Where, in the line of a look, its tickets and its light are told."""

LEGEND = 32
"""Height of the line of a look."""

SEEN_AT_NIGHT = "overdue tickets alone, dim"
ALWAYS = "; looks with always: true shine as by day"

NOTES = (
    "Colours are those that a strip is given, before gamma, brightness and the limit on its current.",
    "Dim ones look brighter on LEDs than on a screen, unless gamma is about 2.2. The tickets are examples.",
    "A light with a ring pulses, one with a square blinks, a hollow one is dark.",
)


class State(NamedTuple):
    """What a strip may have to show, and how that is told to people."""

    name: str
    text: str
    tickets: Sequence[Seen] = ()
    status: Status = Status.OK
    dimmed: bool = False
    light: LightState = LightState()


def preview(settings: Settings) -> str:
    """Draw what a node will show, as SVG."""
    node = settings.node
    assert node is not None
    found = examples(settings.looks)
    blocks = [svg.heading(f"What node {node.id} will show", first=True), svg.gap(4), *map(svg.line, NOTES)]
    blocks += [svg.gap(18), svg.heading("Looks"), *_legend(settings, found)]
    for strip in settings.strips:
        blocks += _strip(settings, node, strip, mix(found, strip.pixels))
    names = ", ".join(strip.name for strip in settings.strips)
    looks = wording.quantity(len(settings.looks), "look")
    text = f"{looks}, with their lights; then, strip by strip, what is seen when all is well and when not: {names}."
    return svg.document(f"What node {node.id} will show", text, blocks, node.render_interval)


# The looks


def _legend(settings: Settings, found: Sequence[Examples]) -> Iterator[Block]:
    labels = svg.words("on time, overdue", 0, NAME_WIDTH)
    yield Block(labels, 26)
    for look, kind in zip(settings.looks, found, strict=True):
        yield _entry(look, kind, settings.overdue_effect)
    stranger = (Ticket("", ""), False, None)
    if group(settings.looks, [stranger])[1]:
        yield svg.line("Tickets that no look matches are not drawn.")


def _entry(look: Look, kind: Examples, overdue: Effect) -> Block:
    """Return the row of a look: its light, that of its overdue tickets, and which tickets match."""
    tickets = [look.match.overdue is not True, look.match.overdue is not False]
    pixels = lay_out([Group(look, sum(tickets), int(tickets[1]))], sum(tickets), overdue).pixels
    left = 0 if tickets[0] else svg.STEP
    lamps = f'<g transform="translate({left:g} 0)">{svg.lamps(pixels)}</g>'
    name = svg.words(wording.name(look.match), NAME_AT, NAME_WIDTH, name=True)
    detail = svg.words(_detail(look, kind, overdue), DETAIL_AT, DETAIL_WIDTH)
    return Block(f"{lamps}{name}{detail}", LEGEND)


def _detail(look: Look, kind: Examples, overdue: Effect) -> str:
    color = f"#{bytes(look.color).hex()}"
    if not any(kind):
        return f"{color}, never seen: earlier looks take all"
    parts = [color]
    if look.match.overdue is not True:
        parts.append(look.effect_of(overdue=False, overdue_effect=overdue))
    if look.match.overdue is not False:
        parts.append(f"overdue: {look.effect_of(overdue=True, overdue_effect=overdue)}")
    return ", ".join([*parts, "always shines"] if look.always else parts)


# The strips


def _strip(settings: Settings, node: NodeSettings, strip: StripSettings, tickets: Sequence[Seen]) -> Iterator[Block]:
    yield svg.gap(24)
    yield svg.heading(f"Strip {strip.name}")
    yield svg.line(explain.describe(strip))
    for state in _states(node, strip, tickets, len(settings.looks)):
        yield svg.gap(14)
        yield from _draw(settings, node, strip, state)


def _draw(settings: Settings, node: NodeSettings, strip: StripSettings, state: State) -> Iterator[Block]:
    display = _shown(settings, node, strip, state)
    yield svg.line(state.text, name=state.name)
    yield svg.strip(display.row, reverse=strip.reverse)
    if display.limited:
        free = _shown(settings, node, strip._replace(max_milliamps=0), state)
        text = f"about {free.report()['milliamps']} mA, were it not for its limit of {strip.max_milliamps} mA"
        yield svg.line(f"{text}: all of it is dimmed")


def _shown(settings: Settings, node: NodeSettings, strip: StripSettings, state: State) -> Display:
    """Show a state as a node does."""
    display = Display(strip, node)
    groups, unmatched = group(settings.looks, state.tickets)
    display.show(
        lay_out(visible(groups, state.light.effect), strip.pixels, settings.overdue_effect),
        status=state.status,
        dimmed=state.dimmed,
        over=None,
        unmatched=unmatched,
        light=state.light,
    )
    return display


def _states(node: NodeSettings, strip: StripSettings, tickets: Sequence[Seen], looks: int) -> Iterator[State]:
    many, late = crowd(tickets, strip.pixels), sum(overdue for _, overdue, _ in tickets)
    beat = f"; {_pixel(strip)} pulses white (heartbeat)" if strip.heartbeat and _pixel(strip) else ""
    yield State("All well", f"{wording.quantity(len(tickets), 'ticket')}, {late} overdue{beat}", tickets)
    orange, red = _told(strip, "orange"), _told(strip, "red")
    yield State("Broker or Jira away", f"the last known tickets stay; {orange}", tickets, Status.CONNECTION)
    text = f"its tickets have expired: they are dimmed; {orange}"
    yield State("Board stale", text, tickets, Status.CONNECTION, dimmed=True)
    yield State("Board unknown", f"nobody has published it; {orange}", (), Status.CONNECTION)
    yield State("Strip fault", f"a strip of this node does not take its frames; {red}", tickets, Status.ERROR)
    share = "all looks in proportion" if looks <= strip.pixels else "the last looks go without"
    text = f"{len(many)} on {wording.quantity(strip.pixels, 'pixel')}: {share}; the last pixel pulses white"
    yield State("Too many tickets", text, many)
    yield from _nights(node.quiet_hours, tickets)
    yield State("Light off", "nothing shines, whatever happens", tickets, light=LightState(on=False))


def _nights(hours: QuietHours | None, tickets: Sequence[Seen]) -> Iterator[State]:
    if hours is not None:
        seen = SEEN_AT_NIGHT if hours.effect is Scene.NIGHT else "no ticket, no status pixel"
        text = f"{explain.quiet(hours)}: {seen}{ALWAYS}"
        yield State("Quiet hours", text, tickets, light=LightState(effect=hours.effect))
    if hours is None or hours.effect is not Scene.NIGHT:
        yield State("Light at night", SEEN_AT_NIGHT + ALWAYS, tickets, light=LightState(effect=Scene.NIGHT))


def _told(strip: StripSettings, color: str) -> str:
    """Return what the status pixel does."""
    return f"{_pixel(strip)} pulses {color}" if _pixel(strip) else "without a status pixel, MQTT alone tells"


def _pixel(strip: StripSettings) -> str:
    return "" if strip.status_pixel is StatusPixel.NONE else f"the {strip.status_pixel} pixel"
