"""The report: what a node says on its status topic, when it changes, and with new counters now and then. Pure."""

import math
from collections.abc import Iterable, Mapping

from apimon_node import __version__, wire
from apimon_node.clock import Instant
from apimon_node.node.device import Device

COUNTERS_EVERY = 300.0
"""Seconds between two messages in which nothing but counters changed."""


class Report:
    """Remembers what was told, so that counters alone make no message. `started` is when the node was (wall time)."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._told: object = None
        self.again_at = -math.inf
        """When (monotonic seconds) it is to be told whether anything has changed or not."""

    def shift(self, seconds: float) -> None:
        """Put the time of the start right: the wall clock was set."""
        self._started += seconds

    def forget(self) -> None:
        """Schedule the status again: a broker may have lost it."""
        self.again_at = -math.inf

    def write(self, news: Mapping[str, object], devices: Iterable[Device], now: Instant) -> bytes | None:
        """Return the message, if it is time for one. `news` is all that is no counter."""
        pairs = [(display, device) for device in devices for display in device.displays]
        told = (news, [(display.limited, display.unmatched) for display, _ in pairs], self._started)
        if told == self._told and now.monotonic < self.again_at:
            return None
        self._told, self.again_at = told, now.monotonic + COUNTERS_EVERY
        strips = {display.settings.name: display.report() | device.report() for display, device in pairs}
        started = wire.format_time(int(self._started))
        return wire.dump({**news, "strips": strips, "started_at": started, "version": __version__})
