"""The boards: their tickets as they are at a moment, and what people read of them. Pure."""

import math
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from apimon_node.clock import Instant
from apimon_node.dashboard import overview, words
from apimon_node.dashboard.overview import BoardState, StatusCount
from apimon_node.picture.looks import Seen
from apimon_node.tickets.board import Board
from apimon_node.tickets.snapshot import Snapshot, Ticket

MAX_STATUSES = 30
"""Statuses of a board that are told apart: its rarer ones are counted together."""

OTHERS = "others"

CARDS = 20_000
"""Tickets that are kept in words: those of two boards as large as may be."""


class Tickets(NamedTuple):
    """The tickets of a board at a moment, as looks want them, whether they have expired, and where they lead to."""

    board: str
    browse: str | None
    tickets: tuple[Seen, ...]


class Watched:
    """A board with its snapshot, and when that came. `ages` are those that looks ask for, as tickets.Board has them."""

    def __init__(self, name: str, snapshot: Snapshot, arrived: Instant, ages: tuple[float, ...]) -> None:
        self._name = name
        self._snapshot = snapshot
        self._board = Board(name, ages)
        self._board.apply(snapshot, arrived)
        self._tickets: tuple[Seen, ...] = ()
        self.part = overview.Board(name)
        """What people read of it."""
        self.until = -math.inf
        """When (monotonic seconds) what it gave last stops being true."""

    def update(self, now: Instant) -> None:
        """Work out anew what may have changed by now."""
        if now.monotonic < self.until:
            return
        self.until = self._board.deadline(now)
        states = self._board.tickets(now)
        whole = zip(self._snapshot.tickets, states, strict=True)  # the board keeps of a ticket what looks need
        self._tickets = tuple((ticket, overdue, age) for ticket, (_, overdue, age) in whole)
        self.part = self._read(expired=self._board.expired(now))

    def tickets(self, browse: str | None) -> Tickets:
        """Return the tickets; `browse` is where their addresses begin."""
        return Tickets(self._name, browse, self._tickets)

    def _read(self, *, expired: bool) -> overview.Board:
        return overview.Board(
            self._name,
            BoardState.STALE if expired else BoardState.OK,
            len(self._tickets),
            sum(overdue for _, overdue, _ in self._tickets),
            count((ticket.status, overdue) for ticket, overdue, _ in self._tickets),
            self._snapshot.at,
            self._snapshot.valid_until,
            None if self._snapshot.source is None else words.line(self._snapshot.source),
            counts_only=bool(self._tickets) and not self._tickets[0][0].key,
        )


def count(tickets: Iterable[tuple[str, bool]]) -> tuple[StatusCount, ...]:
    """Count tickets and overdue ones by status, in the order of the names; the rarest ones together, at the end."""
    numbers = Counter(tickets)
    total: Counter[str] = Counter()
    late: Counter[str] = Counter()
    for (status, overdue), number in numbers.items():
        total[status] += number
        late[status] += number * overdue
    shown = [status for status, _ in total.most_common(MAX_STATUSES)]
    counts = [StatusCount(words.line(status), total[status], late[status]) for status in sorted(shown)]
    if rest := total.total() - sum(one.total for one in counts):
        counts.append(StatusCount(OTHERS, rest, late.total() - sum(one.overdue for one in counts)))
    return tuple(counts)


@lru_cache(maxsize=CARDS)
def card(board: str, browse: str | None, ticket: Ticket, overdue: bool) -> overview.Ticket:  # noqa: FBT001 - a cache
    """Write a ticket as people read it."""
    return overview.Ticket(
        words.line(ticket.key) if ticket.key else None,
        words.line(ticket.status),
        None if ticket.priority is None else words.line(ticket.priority),
        None if ticket.assignee is None else words.line(ticket.assignee),
        None if ticket.summary is None else words.line(ticket.summary, words.SUMMARY),
        ticket.created,
        ticket.due or None,  # ALWAYS is no time
        overdue,
        words.address_of(browse, ticket.key) if ticket.key else None,
        board,
    )
