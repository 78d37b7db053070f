"""Quiet hours: whether it is their time by the wall clock, what they do to the light, and when that changes. Pure."""

import math
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import NamedTuple

from apimon_node.clock import Instant
from apimon_node.config.settings import QuietHours
from apimon_node.picture.scene import LightState

DAY = timedelta(days=1)


class Night(NamedTuple):
    """The quiet hours of one day: seconds since 1970. The end does not belong to it."""

    begin: float
    end: float


class Quiet:
    """The quiet hours of a node. A command that comes in them lifts them until they end.

    A time of day that daylight saving skips is taken to be as much later, one that comes twice is the first (as PEP 495
    has it). Hours that this turns over are none.
    """

    def __init__(self, hours: QuietHours | None) -> None:
        self._hours = hours
        self._lifted: Night | None = None

    def on(self, now: Instant) -> bool:
        """Return whether the light is quiet."""
        night = self._night(now)
        return night is not None and night != self._lifted

    def lift(self, now: Instant) -> None:
        """Suspend the quiet hours until they end, if it is their time."""
        self._lifted = self._night(now)

    def over(self, light: LightState, now: Instant) -> LightState:
        """Return what a light shows. Quiet hours never switch one on."""
        return light._replace(effect=self._hours.effect) if self._hours and self.on(now) else light

    def deadline(self, now: Instant) -> float:
        """When (monotonic seconds) the next quiet hours begin or end; infinity without any.

        True until the wall clock is set: then ask anew.
        """
        moments = (moment for night in self._nights(now) for moment in night if moment > now.wall)
        return now.monotonic - now.wall + min(moments, default=math.inf)

    def _night(self, now: Instant) -> Night | None:
        """Return the quiet hours that it is the time of; where a change of the clock makes two meet, the later ones."""
        return max((night for night in self._nights(now) if night.begin <= now.wall < night.end), default=None)

    def _nights(self, now: Instant) -> Iterator[Night]:
        """Yield the quiet hours that began yesterday, today, and will begin tomorrow."""
        if self._hours is None:
            return
        today = datetime.fromtimestamp(now.wall, self._hours.time_zone).date()
        for day in (today - DAY, today, today + DAY):
            yield _night_of(day, self._hours)


def _night_of(day: date, hours: QuietHours) -> Night:
    """Return the quiet hours that begin on a day. Without a time zone Python takes the machine's own."""
    last = day + DAY if hours.end < hours.begin else day
    begin, end = datetime.combine(day, hours.begin), datetime.combine(last, hours.end)
    zone = hours.time_zone
    return Night(begin.replace(tzinfo=zone).timestamp(), end.replace(tzinfo=zone).timestamp())
