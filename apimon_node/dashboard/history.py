"""The history: the numbers of a board over the last hour, as this program has heard them. Pure.

A sample holds until the next one: while nothing changes there is none. All times are monotonic seconds.
"""

import math
from collections import deque
from itertools import islice
from typing import NamedTuple

from apimon_node.dashboard.boards import MAX_STATUSES
from apimon_node.dashboard.overview import History, StatusCount

HOUR = 3600.0
EVERY = 10.0
"""Seconds between two samples, at the least."""


class Sample(NamedTuple):
    """The numbers of a board, and since when they are so."""

    at: float
    counts: tuple[StatusCount, ...]


class Hour:
    """The last hour of one board."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque()
        self._waits = False
        self._told: tuple[float, History] | None = None

    def note(self, counts: tuple[StatusCount, ...], now: float) -> None:
        """Note how the numbers are now; what is soon after the last sample waits for its time."""
        last = self._samples[-1] if self._samples else Sample(-math.inf, ())
        news = not self._samples or counts != last.counts
        self._waits = news and now < last.at + EVERY
        if news and not self._waits:
            self._samples.append(Sample(now, counts))
            self._told = None
        while len(self._samples) > 1 and self._samples[1].at <= now - HOUR:  # the first tells how the hour began
            self._samples.popleft()
            self._told = None

    @property
    def due_at(self) -> float:
        """When to note again though nothing changes; infinity for never."""
        ends = [self._samples[-1].at + EVERY] if self._waits else []
        ends += [sample.at + HOUR for sample in islice(self._samples, 1, 2)]
        return min(ends, default=math.inf)

    def rows(self, lead: float) -> History:
        """Return the samples, the oldest first. `lead` is how far wall time is ahead of monotonic time."""
        if self._told is None or self._told[0] != lead:
            self._told = (lead, _rows(self._samples, lead))
        return self._told[1]


def _rows(samples: deque[Sample], lead: float) -> History:
    names = dict.fromkeys(one.name for sample in reversed(samples) for one in sample.counts)
    numbers = [{one.name: one.total for one in sample.counts} for sample in samples]
    return History(
        tuple(sample.at + lead for sample in samples),
        {name: tuple(row.get(name, 0) for row in numbers) for name in sorted(islice(names, MAX_STATUSES + 1))},
        tuple(sum(one.overdue for one in sample.counts) for sample in samples),
    )
