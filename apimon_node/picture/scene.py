"""The scene: which of the tickets the light lets be seen, how bright, and whether anything moves. Pure."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from apimon_node.picture.effects import Effect
from apimon_node.picture.layout import Pixel
from apimon_node.picture.looks import Color, Group
from apimon_node.picture.painting import HEARTBEAT, STATUS, Status, StatusPixel

FULL = 255
"""The brightness (Home Assistant's scale) at which a strip is as bright as it is configured."""

NIGHT_SHARE = 0.15
"""Share of its brightness that a pixel has at night.

It looks nearly half as bright (a lightness of 46 in 100, CIE 1976), and its 38 steps still tell orange from yellow.
"""


class Scene(StrEnum):
    """What is seen, by the words of the light's topic and of config.yaml."""

    TICKETS = "tickets"
    STEADY = "steady"  # the same, but nothing moves
    NIGHT = "night"  # overdue tickets, dim
    OFF = "off"  # nothing but what always shines: for quiet hours only


class LightState(NamedTuple):
    """What a light is set to. Brightness goes from 1 to FULL."""

    on: bool = True
    brightness: int = FULL
    effect: Scene = Scene.TICKETS

    @property
    def share(self) -> float:
        """Share of the configured brightness."""
        return self.brightness / FULL


def visible(groups: Sequence[Group], scene: Scene) -> list[Group]:
    """Leave of each group the tickets that are seen. Those of looks that always shine are."""
    if scene in (Scene.TICKETS, Scene.STEADY):
        return list(groups)
    return [group if group.look.always else _left(group, scene) for group in groups]


def _left(group: Group, scene: Scene) -> Group:
    left = group.overdue if scene is Scene.NIGHT else 0
    return group._replace(tickets=left, overdue=left)


def render(row: tuple[Pixel, ...], light: LightState, gamma: float) -> tuple[Pixel, ...]:
    """Do to a row of pixels what the light asks for, but for its brightness, which is the same for all of them."""
    if not light.on:
        return (Pixel(),) * len(row)
    if light.effect is Scene.STEADY:
        return tuple(pixel._replace(effect=Effect.STEADY) for pixel in row)
    if light.effect is Scene.NIGHT:
        share = NIGHT_SHARE ** (1 / gamma)  # gamma is still to come
        return tuple(pixel if pixel.always else pixel._replace(color=_dim(pixel.color, share)) for pixel in row)
    return row


def status_pixel(
    place: StatusPixel, status: Status, light: LightState, *, heartbeat: bool, pixels: int
) -> tuple[Pixel | None, int]:
    """Return what the status pixel of a strip shows, if anything, and where."""
    at = pixels - 1 if place is StatusPixel.LAST else 0
    if place is StatusPixel.NONE or light.effect is Scene.OFF:
        return None, at
    return STATUS.get(status) or (HEARTBEAT if heartbeat else None), at


def _dim(color: Color, share: float) -> Color:
    """Take a share of a colour. What is lit stays lit."""
    red, green, blue = (max(1, round(value * share)) if value else 0 for value in color)
    return (red, green, blue)
