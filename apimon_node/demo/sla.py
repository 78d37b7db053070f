"""A service level agreement of a ticket: what Jira Service Management tells in a custom field. Pure."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from apimon_node.demo import times

FIRST_NUMBER = 10030
"""Of the custom fields: a site's first SLA has customfield_10030, the next one customfield_10031."""


class SlaField(NamedTuple):
    """The custom field of an SLA, which each site numbers in its own way."""

    number: int
    name: str

    @property
    def id(self) -> str:
        """Return what the field is called in an issue."""
        return f"customfield_{self.number}"


@dataclass(frozen=True, slots=True)
class Cycle:
    """One run of an SLA's clock. Times are epoch seconds, durations seconds.

    `breach` is when it is due by the calendar, which working hours move away from `start + goal`; `elapsed` is
    the working time that has passed. Where they are None, the clock runs day and night, and nobody has paused it.
    """

    start: float
    goal: float
    breach: float | None = None
    elapsed: float | None = None
    paused: bool = False
    within_calendar_hours: bool = True

    def content(self, now: float) -> dict[str, Any]:
        """Return Jira's JSON of a cycle that goes on."""
        breach = self.start + self.goal if self.breach is None else self.breach
        return {
            "startTime": _moment(self.start),
            "breachTime": _moment(breach),
            "breached": now >= breach and not self.paused,
            "paused": self.paused,
            "withinCalendarHours": self.within_calendar_hours,
            **self._durations(now),
        }

    def completed(self, stop: float) -> dict[str, Any]:
        """Return Jira's JSON of a cycle that has ended."""
        breach = self.start + self.goal if self.breach is None else self.breach
        return {
            "startTime": _moment(self.start),
            "stopTime": _moment(stop),
            "breachTime": _moment(breach),
            "breached": stop >= breach,
            **self._durations(stop),
        }

    def _durations(self, now: float) -> dict[str, Any]:
        elapsed = now - self.start if self.elapsed is None else self.elapsed
        return {
            "goalDuration": _duration(self.goal),
            "elapsedTime": _duration(elapsed),
            "remainingTime": _duration(self.goal - elapsed),  # below 0 once it is breached
        }


@dataclass(frozen=True, slots=True)
class Sla:
    """An SLA of one ticket: the cycle that goes on, None where it has stopped; and those before it, with their end."""

    ongoing: Cycle | None = None
    completed: tuple[tuple[Cycle, float], ...] = ()

    def content(self, name: str, now: float) -> dict[str, Any]:
        """Return Jira's JSON."""
        content: dict[str, Any] = {
            "id": "1",
            "name": name,
            "completedCycles": [cycle.completed(stop) for cycle, stop in self.completed],
        }
        return content if self.ongoing is None else {**content, "ongoingCycle": self.ongoing.content(now)}


def _moment(epoch: float) -> dict[str, Any]:
    return {"epochMillis": round(epoch * 1000), "iso8601": times.iso8601(epoch), "jira": times.jira(epoch)}


def _duration(seconds: float) -> dict[str, int]:
    return {"millis": round(seconds * 1000)}
