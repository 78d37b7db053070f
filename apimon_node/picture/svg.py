"""The drawing: strips, lights and lines of text as one SVG, for people. Pure.

It stands by itself: no script, no other file. Texts may come from anybody: none of them becomes markup. Where there is
colour there is a shape too: a light that is off is hollow, one that pulses has a ring, one that blinks a square frame.
"""

import html
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from apimon_node.picture.effects import PHASES, Effect, level, period
from apimon_node.picture.layout import DARK, Pixel

WIDTH, MARGIN = 900, 28
"""Of the picture: a README is about as wide."""

INNER = WIDTH - 2 * MARGIN

ROW = 80
"""Lights beside each other, at the most. Longer strips wrap."""

STEP = 28.0
"""From one light to the next, at the most."""

BODY, LIGHT, FRAME, WITHIN = 0.62, 0.52, 0.84, 0.76
"""Shares of a step: how wide the body of a light is, the light in it, the frame of one that moves, and its inside."""

CHARACTER = 7.5
"""Width of a character, at a guess: fonts differ. What is wider is cut off at its edge."""

MOST_STEPS = 40
"""Steps in which an effect is drawn, at the most: more of them cannot be told apart."""

LONG = 400
"""Characters of a text that is not to be seen at once."""

CUT = "\N{HORIZONTAL ELLIPSIS}"
STRANGE = "\N{REPLACEMENT CHARACTER}"

STYLE = """
text{font:13px system-ui,sans-serif;fill:#a9a9b3}
.h1{font-size:21px;font-weight:600;fill:#f4f4f6}
.h2{font-size:16px;font-weight:600;fill:#f4f4f6}
.name{font-weight:600;fill:#e4e4e9}
.ground{fill:#101013}
.strip{fill:#1a1a1f;stroke:#2c2c33}
path{fill:none;stroke-linecap:round}
.body{stroke:#3c3c45}
.hollow,.within{stroke:#1a1a1f}
.frame{stroke:#8e8e98}
.square{stroke-linecap:square}
"""

HALO = (
    '<filter id="halo" filterUnits="userSpaceOnUse" x="-20" y="-20" width="{}" height="{}">'
    '<feGaussianBlur stdDeviation="3.5" result="blur"/>'
    '<feMerge><feMergeNode in="blur"/><feMergeNode in="SourceGraphic"/></feMerge></filter>'
)


class Block(NamedTuple):
    """Something drawn from its own top left corner, and how high it is."""

    markup: str
    height: float


def document(title: str, description: str, blocks: Sequence[Block], interval: float) -> str:
    """Put blocks below each other into a picture that is a file of its own. It is ASCII: it can be printed everywhere.

    Effects are those of strips that are written every `interval` seconds.
    """
    height = round(sum(block.height for block in blocks) + 2 * MARGIN)
    tallest = round(max(block.height for block in blocks))
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
        ' role="graphics-document document" aria-labelledby="title description">\n'
        f'<title id="title">{escaped(title)}</title>\n<desc id="description">{escaped(description)}</desc>\n'
        f"<style>{STYLE}{_motion(interval)}</style>\n<defs>{HALO.format(WIDTH, tallest + 40)}</defs>\n"
        f'<rect class="ground" width="{WIDTH}" height="{height}" rx="14"/>\n' + "\n".join(_stacked(blocks)) + "\n</svg>"
    )
    return svg.encode("ascii", "xmlcharrefreplace").decode()


def strip(pixels: Sequence[Pixel], *, reverse: bool = False) -> Block:
    """Draw a strip, pixel 0 at the left; `reverse` has it at the far end."""
    columns = -(-len(pixels) // -(-len(pixels) // ROW))
    step = min(STEP, INNER / columns)
    width, height = step * columns, step * -(-len(pixels) // columns)
    board = f'<rect class="strip" width="{width:g}" height="{height + 8:g}" rx="6"/>'
    drawn = f'<g transform="translate(0 4)">{_lights(pixels[::-1] if reverse else pixels, step, columns)}</g>'
    return Block(f'<g role="img" aria-label="{escaped(described(pixels))}">{board}{drawn}</g>', height + 8)


def lamps(pixels: Sequence[Pixel]) -> str:
    """Draw lights beside each other, without a strip."""
    return f'<g role="img" aria-label="{escaped(described(pixels))}">{_lights(pixels, STEP, max(1, len(pixels)))}</g>'


def line(text: str, *, name: str = "", limit: int = 135) -> Block:
    """Write a line: what it is about, and then what there is to say."""
    bold = f'<tspan class="name">{escaped(name)}</tspan><tspan dx="10">' if name else "<tspan>"
    return Block(f'<text y="15">{bold}{escaped(text, limit)}</tspan></text>', 22)


def heading(text: str, *, first: bool = False) -> Block:
    """Write a heading."""
    return Block(f'<text class="{"h1" if first else "h2"}" y="20">{escaped(text, 80)}</text>', 32)


def words(text: str, x: float, width: float, *, name: bool = False) -> str:
    """Write text somewhere in a line. What is cut off of it is told where one points at it."""
    kind = ' class="name"' if name else ""
    shown = escaped(text, int(width / CHARACTER))
    return (
        f'<svg x="{x:g}" width="{width:g}" height="28"><text{kind} y="19">{shown}'
        f"<title>{escaped(text)}</title></text></svg>"
    )


def gap(height: float) -> Block:
    """Leave room."""
    return Block("", height)


def escaped(text: str, limit: int = LONG) -> str:
    """Make text that cannot be taken for markup, is no longer than that, and turns nothing around."""
    text = "".join(char if char.isprintable() else STRANGE for char in text[: limit + 1])
    return html.escape(text if len(text) <= limit else text[: limit - 1] + CUT)


def described(pixels: Sequence[Pixel]) -> str:
    """Return in words what is on a strip."""
    return "; ".join(f"{_places(start, number)}: {_word(pixel)}" for start, number, pixel in _runs(pixels))


def _places(start: int, number: int) -> str:
    return f"pixel {start}" if number == 1 else f"pixels {start} to {start + number - 1}"


def _word(pixel: Pixel) -> str:
    return "dark" if pixel.color == DARK else f"#{bytes(pixel.color).hex()} {pixel.effect}"


def _runs(pixels: Sequence[Pixel]) -> Iterable[tuple[int, int, Pixel]]:
    """Yield each run of like pixels: where it starts, how many there are, and one."""
    start = 0
    for pixel, run in groupby(pixels):
        number = sum(1 for _ in run)
        yield start, number, pixel
        start += number


def _lights(pixels: Sequence[Pixel], step: float, columns: int) -> str:
    """Draw lights: what frames those that move, their hollow bodies, and the light in those that are not dark."""
    runs = [(pixel, _dots(range(start, start + number), step, columns)) for start, number, pixel in _runs(pixels)]
    lit = [(pixel, dots) for pixel, dots in runs if pixel.color != DARK]
    frames = "".join(_frame(pixel.effect, dots, step) for pixel, dots in lit if pixel.effect is not Effect.STEADY)
    everywhere = "".join(dots for _, dots in runs)
    bodies = "".join(
        f'<path class="{name}" stroke-width="{share * step:.3g}" d="{everywhere}"/>'
        for name, share in (("body", BODY), ("hollow", LIGHT))
    )
    light = "".join(_light(pixel, dots, step) for pixel, dots in lit)
    return f'{frames}{bodies}<g filter="url(#halo)">{light}</g>'


def _frame(effect: Effect, dots: str, step: float) -> str:
    """Draw what tells without motion that a light moves."""
    shape = " square" if effect is Effect.BLINK else ""
    return "".join(
        f'<path class="{name}{shape}" stroke-width="{share * step:.3g}" d="{dots}"/>'
        for name, share in (("frame", FRAME), ("within", WITHIN))
    )


def _light(pixel: Pixel, dots: str, step: float) -> str:
    color = f"#{bytes(pixel.color).hex()}"
    return (
        f'<path class="{pixel.effect}" stroke="{color}" stroke-width="{LIGHT * step:.3g}" d="{dots}">'
        f"<title>{_word(pixel)}</title></path>"
    )


def _dots(places: Iterable[int], step: float, columns: int) -> str:
    """Return the path of dots: lines without length, whose round ends make them."""
    return "".join(f"M{(at % columns + 0.5) * step:.5g} {(at // columns + 0.5) * step:.5g}h0" for at in places)


def _motion(interval: float) -> str:
    """Return the style that moves lights as a strip does: in steps, at the pace of its writes."""
    moving = [effect for effect in Effect if effect is not Effect.STEADY]
    names = ",".join(f".{effect}" for effect in moving)
    still = f"@media (prefers-reduced-motion:reduce){{{names}{{animation:none}}}}\n"
    return "\n".join([*(_keyframes(effect, interval) for effect in moving), still])


def _keyframes(effect: Effect, interval: float) -> str:
    whole = period(interval)
    steps = max(PHASES, min(MOST_STEPS, round(whole / interval)))
    frames = (
        f"{100 * at / steps:.4g}%{{opacity:{level(effect, whole * at / steps, whole):.3g}}}" for at in range(steps)
    )
    move = f".{effect}{{animation:{effect} {whole:g}s step-end infinite}}"
    return f"@keyframes {effect}{{{''.join(frames)}}}\n{move}"


def _stacked(blocks: Iterable[Block]) -> Iterable[str]:
    top: float = MARGIN
    for block in blocks:
        if block.markup:
            yield f'<g transform="translate({MARGIN} {top:g})">{block.markup}</g>'
        top += block.height
