"""The board: which snapshot is current, which tickets are overdue, how old, whether it is stale, what changes next."""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from apimon_node import wire
from apimon_node.clock import Instant
from apimon_node.tickets.snapshot import Snapshot, Ticket


class Board:
    """What a node knows of one board. The latest snapshot to arrive wins.

    All times of a snapshot are compared with `time(now)`: the wall clock, but never less than the snapshot's own `at`
    plus what has passed since it came. A Pi that booted without a clock so still turns tickets overdue on time.

    `ages` are those that looks ask for, in order; without any, nobody needs to know when a ticket was created.
    """

    def __init__(self, name: str, ages: Sequence[float] = ()) -> None:
        self.name = name
        self._ages = ages
        self.snapshot: Snapshot | None = None
        self._lead = -math.inf  # how far wall time is ahead of monotonic time, at the least, by the snapshot's `at`
        self._ends: list[float] = []
        self._births: list[float] = []

    def apply(self, snapshot: Snapshot, now: Instant) -> None:
        """Take in a snapshot that arrived at `now`."""
        snapshot = snapshot._replace(tickets=_needed(snapshot.tickets, aged=bool(self._ages)))
        lead = -math.inf if snapshot.at is None else snapshot.at - now.monotonic
        # The broker sends the same snapshot again at each reconnect: time must not go back to when it was made.
        self._lead = max(lead, self._lead) if snapshot == self.snapshot else lead
        self.snapshot = snapshot
        self._ends = _in_order((snapshot.valid_until, *(ticket.due for ticket in snapshot.tickets)))
        self._births = _in_order(ticket.created for ticket in snapshot.tickets)

    def forget(self) -> None:
        """Nothing is known of the board any more."""
        self.snapshot, self._lead, self._ends, self._births = None, -math.inf, [], []

    def time(self, now: Instant) -> float:
        """Seconds since 1970, as this board sees them."""
        return max(now.wall, now.monotonic + self._lead)

    def tickets(self, now: Instant) -> list[tuple[Ticket, bool, float | None]]:
        """Every ticket, whether it is overdue, and its age, rounded down to 0 or one of the board's ages, if known."""
        if self.snapshot is None:
            return []
        time, ages, rounded = self.time(now), self._ages, (0.0, *self._ages)
        return [
            (
                ticket,
                ticket.due is not None and ticket.due <= time,
                None if ticket.created is None else rounded[bisect_right(ages, time - ticket.created)],
            )
            for ticket in self.snapshot.tickets
        ]

    def expired(self, now: Instant) -> bool:
        """Return whether there is a snapshot that holds no longer."""
        until = None if self.snapshot is None else self.snapshot.valid_until
        return until is not None and until <= self.time(now)

    def stale(self, now: Instant) -> bool:
        """Return whether what is shown of this board may be wrong: nothing is known, or what is known has expired."""
        return self.snapshot is None or self.expired(now)

    def deadline(self, now: Instant) -> float:
        """When (monotonic seconds) a ticket turns overdue or reaches an age, or the board stale; infinity for never.

        True until the wall clock is set: then ask anew.
        """
        time = self.time(now)
        waits = [_wait(self._births, age, time) for age in self._ages]
        return now.monotonic + min(_wait(self._ends, 0.0, time), *waits, math.inf)

    def report(self, now: Instant) -> dict[str, object]:
        """Return the board's part of the status topic."""
        tickets = self.tickets(now)
        at = None if self.snapshot is None else self.snapshot.at
        return {
            "tickets": len(tickets),
            "overdue": sum(overdue for _, overdue, _ in tickets),
            "stale": self.stale(now),
            "at": None if at is None else wire.format_time(at),
        }


def _in_order(times: Iterable[float | None]) -> list[float]:
    return sorted({time for time in times if time is not None})


def _wait(moments: list[float], age: float, time: float) -> float:
    """Seconds until the next of the moments is `age` ago. It subtracts as tickets() does, so that both agree."""
    index = bisect_right(moments, -age, key=lambda moment: moment - time)
    return math.inf if index == len(moments) else moments[index] - time + age


def _needed(tickets: tuple[Ticket, ...], *, aged: bool) -> tuple[Ticket, ...]:
    """Keep what looks can match, like tickets as one: a board of 10,000 must not fill the memory of a Pi Zero."""
    bare = (
        Ticket(
            "",
            ticket.status,
            ticket.category,
            ticket.priority,
            ticket.created if aged else None,
            ticket.due,
            None,
            ticket.assignee,
            ticket.labels,
        )
        for ticket in tickets
    )
    shared: dict[Ticket, Ticket] = {}
    return tuple(shared.setdefault(ticket, ticket) for ticket in bare)
