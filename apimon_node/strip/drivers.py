"""What every driver does, and which there are: `show` a whole frame, and `close`.

A driver opens its device at its first frame, and again at the first after a failure: a constructor only stores.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Protocol

from apimon_node.settings import StripSettings
from apimon_node.strip.memory import MemoryStrip

DRIVERS = ("terminal", "memory")


class Driver(Protocol):
    """Puts frames onto one strip."""

    def show(self, frame: bytes) -> None:
        """Put a whole frame onto the strip: 3 bytes a pixel, in its order. Raises StripError, and may be called again.

        A frame of the wrong length is a bug of the caller: ValueError.
        """
        ...

    def close(self) -> None:
        """Let go of the device. What is on the strip stays there."""
        ...


def open_drivers(strips: Sequence[StripSettings], stack: ExitStack) -> dict[str, Driver]:
    """Make the driver of each strip, by its name; `stack` closes them. Strips that share a device share it here."""
    terminals = [strip for strip in strips if strip.driver == "terminal"]
    drivers: dict[str, Driver] = {strip.name: MemoryStrip(strip.pixels) for strip in strips if strip.driver == "memory"}
    if terminals:
        from apimon_node.strip.terminal import Terminal  # noqa: PLC0415 - costs 6 MB, and a Pi on a wall has none

        terminal = Terminal()
        drivers |= {strip.name: terminal.strip(strip.name, strip.pixels) for strip in terminals}
    for driver in drivers.values():
        stack.callback(driver.close)
    return drivers
