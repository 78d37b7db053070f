"""Draws docs/strip.svg: a strip as the program lays it out, with what it says when the broker is away.

Run it with: python docs/strip.py > docs/strip.svg
"""

import sys

from apimon_node.picture.effects import PERIOD, PULSE_FLOOR, Effect
from apimon_node.picture.layout import Pixel, lay_out
from apimon_node.picture.looks import Look, Match, group
from apimon_node.picture.painting import STATUS, Status, compose
from apimon_node.tickets.snapshot import ALWAYS, Ticket

PIXELS = 30
STEP, RADIUS, HEIGHT = 30, 9, 34
LOOKS = (
    Look(Match(status=("Open",)), (255, 0, 0)),
    Look(Match(status=("In Progress",)), (255, 0, 255)),
    Look(Match(status=("Review",)), (0, 90, 255)),
)
BOARD = (
    *[(Ticket("", "Open"), False, None)] * 5,
    *[(Ticket("", "Open", due=ALWAYS), True, None)] * 2,
    *[(Ticket("", "In Progress"), False, None)] * 7,
    (Ticket("", "In Progress", due=ALWAYS), True, None),
    *[(Ticket("", "Review"), False, None)] * 4,
)


def led(at: int, top: int, pixel: Pixel) -> str:
    """Draw one LED: dark glass, and its light, which moves as the pixel does."""
    x, y = 20 + STEP * at, top + HEIGHT // 2
    glass = f'<circle cx="{x}" cy="{y}" r="{RADIUS}" fill="#2a2a2e"/>'
    if not any(pixel.color):
        return glass
    color = f"#{bytes(pixel.color).hex()}"
    light = f'<circle cx="{x}" cy="{y}" r="{RADIUS}" fill="{color}" filter="url(#glow)"'
    if pixel.effect is Effect.STEADY:
        return f"{glass}{light}/>"
    move = f'<animate attributeName="opacity" values="1;{PULSE_FLOOR};1" dur="{PERIOD}s" repeatCount="indefinite"/>'
    return f"{glass}{light}>{move}</circle>"


def strip(top: int, pixels: tuple[Pixel, ...], caption: str) -> str:
    """Draw a strip with a line below it."""
    leds = "\n".join(led(at, top, pixel) for at, pixel in enumerate(pixels))
    return (
        f'<rect x="2" y="{top}" width="{STEP * PIXELS + 8}" height="{HEIGHT}" rx="6" fill="#141416"/>\n{leds}\n'
        f'<text x="8" y="{top + HEIGHT + 18}" font-family="sans-serif" font-size="13" fill="#777">{caption}</text>'
    )


def main() -> None:
    """Write the picture to standard output."""
    groups, _ = group(LOOKS, BOARD)
    picture = lay_out(groups, PIXELS, Effect.PULSE)
    well = compose(picture, dimmed=False, status=None, status_at=0)
    away = compose(picture, dimmed=True, status=STATUS[Status.CONNECTION], status_at=0)
    sys.stdout.write(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{STEP * PIXELS + 12}" height="124" role="img">\n'
        "<title>Two LED strips: tickets by status, the overdue ones pulsing; the same with an orange pixel</title>\n"
        '<defs><filter id="glow" x="-100%" y="-100%" width="300%" height="300%">'
        '<feGaussianBlur stdDeviation="3" result="blur"/>'
        '<feMerge><feMergeNode in="blur"/><feMergeNode in="SourceGraphic"/></feMerge></filter></defs>\n'
        + strip(2, well, "7 open, 8 in progress, 4 in review; the pulsing ones are overdue")
        + "\n"
        + strip(66, away, "the same an hour after Jira went away: the last known tickets, dimmed, and an orange pixel")
        + "\n</svg>\n"
    )


if __name__ == "__main__":
    main()
