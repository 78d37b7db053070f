"""The schedule: which boards to ask when, so that Jira is asked little, above all when it is not well. Pure.

What is wrong with one board's query concerns that board. What is wrong with Jira as a whole is found out once: while it
lasts, one board at a time asks on behalf of all, and all of them follow when it is answered.
"""

import math
from collections.abc import Callable, Mapping

from apimon_node.errors import JiraError
from apimon_node.timing import Backoff

BACKOFF_LIMIT = 900.0
"""Seconds between two polls of a Jira that fails, at the most (unless the interval is longer)."""

HELD_LOOK_S = 60.0
"""Seconds between two polls while nothing is sent: a changed password is noticed within so long, at no cost to Jira."""

START_SPREAD = 5.0
"""Seconds within which the first polls begin, and those that have waited for Jira to be well."""

LEAST_GAP = 5.0
"""Seconds between two polls of a board for people who ask for one: what they see cannot be older than that."""


class Turn:
    """When one board is asked. Times are monotonic seconds."""

    def __init__(self, interval: float, next_at: float) -> None:
        self.interval = interval
        self.next_at = next_at
        self.asked_at = -math.inf
        self.asking = False
        self.backoff = _backoff(interval)


class Schedule:
    """Hands out the boards that are due. Each must be told of: answered or failed.

    `intervals` has the seconds between two polls of each board, `chance` gives numbers from 0 to 1.
    """

    def __init__(self, intervals: Mapping[str, float], now: float, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._turns = {
            name: Turn(interval, now + chance() * min(interval, START_SPREAD)) for name, interval in intervals.items()
        }
        self._backoff = _backoff(min(intervals.values()))
        self._well = False  # whether all may ask: not known before the first answer
        self._forbidden_until = -math.inf  # what Jira asked for
        self._closed_until = -math.inf  # what the back-off adds

    def due(self, now: float) -> list[str]:
        """Return the boards to ask now."""
        if now < self.deadline():
            return []
        due = sorted((turn.next_at, name) for name, turn in self._turns.items() if not turn.asking)
        names = [name for at, name in (due if self._well else due[:1]) if at <= now]
        for name in names:
            self._turns[name].asking, self._turns[name].asked_at = True, now
        return names

    def answered(self, name: str, now: float) -> None:
        """Note that a board was answered."""
        turn = self._end(name, now)
        turn.backoff.succeeded(now)
        self._backoff.succeeded(now)
        self._open(now)

    def failed(self, name: str, error: JiraError, now: float) -> None:
        """Note why a board was not answered."""
        turn = self._end(name, now)
        if error.everywhere:
            if self._well or now >= self._closed_until:  # else it was asked before the failure that counts
                self._closed_until = self._backoff.failed(now)
            if error.held:
                self._closed_until = min(self._closed_until, now + min(error.held, HELD_LOOK_S))
            self._well = False
            self._forbidden_until = max(self._forbidden_until, now + error.retry_after)
        else:
            turn.next_at = max(turn.next_at, turn.backoff.failed(now), now + error.retry_after)
            self._open(now)

    def hurry(self, now: float) -> float:
        """Schedule all boards as soon as Jira allows it. Return when that is."""
        self._closed_until = min(self._closed_until, now)
        for turn in self._turns.values():
            if not turn.asking:
                turn.next_at = min(turn.next_at, max(now, turn.asked_at + LEAST_GAP))
        return max(now, self._forbidden_until)

    def next_at(self, name: str) -> float:
        """When a board will be asked next."""
        return max(self._turns[name].next_at, self._gate)

    def deadline(self) -> float:
        """When due() has something next; infinity while that hangs on an answer."""
        if not self._well and any(turn.asking for turn in self._turns.values()):
            return math.inf
        waiting = (turn.next_at for turn in self._turns.values() if not turn.asking)
        return max(min(waiting, default=math.inf), self._gate)

    @property
    def _gate(self) -> float:
        """Until when nobody may ask."""
        return self._forbidden_until if self._well else max(self._forbidden_until, self._closed_until)

    def _end(self, name: str, now: float) -> Turn:
        turn = self._turns[name]
        turn.asking = False
        turn.next_at = now + turn.interval
        return turn

    def _open(self, now: float) -> None:
        """Open the schedule for all boards; those that have waited are spread."""
        if not self._well:
            self._well = True
            for turn in self._turns.values():
                if not turn.asking and turn.next_at < now:
                    turn.next_at = now + self._chance() * min(turn.interval, START_SPREAD)


def _backoff(interval: float) -> Backoff:
    """Double from the interval on, and begin anew with each answer."""
    return Backoff(interval, max(BACKOFF_LIMIT, interval), reset_after=0)
