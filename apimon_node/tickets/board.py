"""The board: which snapshot is current, which tickets are overdue, whether it is stale, and what changes next."""

import math
from bisect import bisect_right

from apimon_node import wire
from apimon_node.instant import Instant
from apimon_node.tickets.snapshot import Snapshot, Ticket


class Board:
    """What a node knows of one board. The latest snapshot to arrive wins.

    All times of a snapshot are compared with `time(now)`: the wall clock, but never less than the snapshot's own `at`
    plus what has passed since it came. A Pi that booted without a clock so still turns tickets overdue on time.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.snapshot: Snapshot | None = None
        self._lead = -math.inf  # how far wall time is ahead of monotonic time, at the least, by the snapshot's `at`
        self._changes: list[float] = []

    def apply(self, snapshot: Snapshot, now: Instant) -> None:
        """Take in a snapshot that arrived at `now`."""
        snapshot = snapshot._replace(tickets=_needed(snapshot.tickets))
        lead = -math.inf if snapshot.at is None else snapshot.at - now.monotonic
        # The broker sends the same snapshot again at each reconnect: time must not go back to when it was made.
        self._lead = max(lead, self._lead) if snapshot == self.snapshot else lead
        self.snapshot = snapshot
        times = {ticket.due for ticket in snapshot.tickets} | {snapshot.valid_until}
        self._changes = sorted(time for time in times if time is not None)

    def forget(self) -> None:
        """Nothing is known of the board any more."""
        self.snapshot, self._lead, self._changes = None, -math.inf, []

    def time(self, now: Instant) -> float:
        """Seconds since 1970, as this board sees them."""
        return max(now.wall, now.monotonic + self._lead)

    def tickets(self, now: Instant) -> list[tuple[Ticket, bool]]:
        """Every ticket, and whether it is overdue."""
        if self.snapshot is None:
            return []
        time = self.time(now)
        return [(ticket, ticket.due is not None and ticket.due <= time) for ticket in self.snapshot.tickets]

    def expired(self, now: Instant) -> bool:
        """Tell whether there is a snapshot that holds no longer."""
        until = None if self.snapshot is None else self.snapshot.valid_until
        return until is not None and until <= self.time(now)

    def stale(self, now: Instant) -> bool:
        """Tell whether what is shown of this board may be wrong: nothing is known, or what is known has expired."""
        return self.snapshot is None or self.expired(now)

    def deadline(self, now: Instant) -> float:
        """When (monotonic seconds) a ticket turns overdue or the board stale next; infinity for never.

        True until the wall clock is set: then ask anew.
        """
        time = self.time(now)
        index = bisect_right(self._changes, time)
        return math.inf if index == len(self._changes) else now.monotonic + self._changes[index] - time

    def report(self, now: Instant) -> dict[str, object]:
        """Give the board's part of the status topic."""
        tickets = self.tickets(now)
        at = None if self.snapshot is None else self.snapshot.at
        return {
            "tickets": len(tickets),
            "overdue": sum(overdue for _, overdue in tickets),
            "stale": self.stale(now),
            "at": None if at is None else wire.format_time(at),
        }


def _needed(tickets: tuple[Ticket, ...]) -> tuple[Ticket, ...]:
    """Keep what looks can match, like tickets as one: a board of 10,000 must not fill the memory of a Pi Zero."""
    bare = (
        Ticket(
            "", ticket.status, ticket.category, ticket.priority, None, ticket.due, None, ticket.assignee, ticket.labels
        )
        for ticket in tickets
    )
    shared: dict[Ticket, Ticket] = {}
    return tuple(shared.setdefault(ticket, ticket) for ticket in bare)
