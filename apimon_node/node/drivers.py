"""Makes the drivers of a configuration."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

from apimon_node.config.settings import StripSettings, Ws281xSettings
from apimon_node.strip.driver import Driver
from apimon_node.strip.drivers import library
from apimon_node.strip.memory import MemoryStrip


def open_drivers(devices: Sequence[Sequence[StripSettings]], ws281x: Ws281xSettings, stack: ExitStack) -> list[Driver]:
    """Make the driver of each device: the strips that are written at once. `stack` closes them.

    Raises InstallError where a library is missing.
    """
    drivers: list[Driver] = []
    terminal = None
    for strips in devices:
        strip = strips[0]
        if strip.driver == "terminal":
            from apimon_node.strip.terminal import Terminal  # noqa: PLC0415 - costs 6 MB, and a Pi on a wall has none

            terminal = terminal or Terminal()
            drivers.append(terminal.strip(strip.name, strip.pixels))
        elif strip.driver == "spi":
            from apimon_node.strip.spi import SpiStrip  # noqa: PLC0415 - only what is used

            drivers.append(SpiStrip(strip.device, strip.pixels, strip.channels))
        elif strip.driver == "ws281x":
            drivers.append(_ws281x(strips, ws281x))
        else:
            drivers.append(MemoryStrip(strip.pixels, channels=strip.channels))
        stack.callback(drivers[-1].close)
    return drivers


def _ws281x(strips: Sequence[StripSettings], settings: Ws281xSettings) -> Driver:
    from apimon_node.strip.child import Line, Opening  # noqa: PLC0415 - only what is used
    from apimon_node.strip.ws281x import ChildProcess, ServiceConnection, Ws281x  # noqa: PLC0415 - as above

    lines = tuple(Line(strip.gpio or 0, strip.channels, strip.pixels) for strip in strips)
    opening = Opening(settings.dma, lines)
    if settings.socket is not None:
        return Ws281x(opening, partial(ServiceConnection, settings.socket), root=True)
    return Ws281x(opening, partial(ChildProcess, library()), root=os.geteuid() == 0)
