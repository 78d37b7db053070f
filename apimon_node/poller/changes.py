"""What happens to the tickets of a board between two polls: the events that are worth telling. Pure."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from apimon_node.contract.events import EventType
from apimon_node.tickets.snapshot import Ticket

PATIENCE = 2
"""Polls after which a ticket that somebody else has taken off the board counts as new when it comes back."""


class Change(NamedTuple):
    """One thing that happened to a ticket; `before` is the status that it had, where that changed."""

    type: EventType
    ticket: Ticket
    before: str | None = None


class Known(NamedTuple):
    """A ticket as it was seen last. `missing` counts the polls without it, `ours` tells whether we noticed first."""

    ticket: Ticket
    missing: int = 0
    ours: bool = False


class Changes:
    """Remembers the tickets of a board, and tells what is new of them.

    A ticket that is missing is not closed yet: Jira Cloud's index lags, and tickets vanish from it for a poll. Whoever
    publishes a snapshot tells what changed by it; what others have published is only taken note of.
    """

    def __init__(self) -> None:
        self._known: dict[str, Known] | None = None
        self._overdue: set[str] | None = None

    def polled(self, tickets: Iterable[Ticket]) -> list[Change]:
        """Take in an answer of Jira; return the tickets that are gone for good. The first answer returns none."""
        if self._known is None:
            self._known = {ticket.key: Known(ticket) for ticket in tickets}
            return []
        here = {ticket.key for ticket in tickets}
        closed = []
        for key, known in list(self._known.items()):
            if known.missing and key not in here:
                if known.ours or known.missing >= PATIENCE:
                    del self._known[key]
                else:
                    self._known[key] = known._replace(missing=known.missing + 1)
                if known.ours:
                    closed.append(Change(EventType.CLOSED, known.ticket))
        return closed

    def published(self, tickets: Iterable[Ticket]) -> list[Change]:
        """Take in what we publish; return what changed by it."""
        return list(self._take(tickets, ours=True))

    def heard(self, tickets: Iterable[Ticket]) -> None:
        """Take in what another poller has published, and told of."""
        for _ in self._take(tickets, ours=False):
            pass

    def turned_overdue(self, tickets: Iterable[Ticket], time: float) -> list[Change]:
        """Return which tickets have become overdue since the last call; the first one only teaches which are."""
        late = {ticket.key: ticket for ticket in tickets if ticket.due is not None and ticket.due <= time}
        told = late.keys() if self._overdue is None else self._overdue
        missing = {key for key, known in (self._known or {}).items() if known.missing}
        self._overdue = late.keys() | (told & missing)
        return [Change(EventType.OVERDUE, ticket) for key, ticket in late.items() if key not in told]

    def _take(self, tickets: Iterable[Ticket], *, ours: bool) -> Iterator[Change]:
        if self._known is None:
            return
        gone = {key: known for key, known in self._known.items() if not known.missing}
        for ticket in tickets:
            known = self._known.get(ticket.key)
            gone.pop(ticket.key, None)
            self._known[ticket.key] = Known(ticket)
            if known is None:
                yield Change(EventType.CREATED, ticket)
            elif known.ticket.status != ticket.status:
                yield Change(EventType.STATUS_CHANGED, ticket, known.ticket.status)
        for key, known in gone.items():
            self._known[key] = Known(known.ticket, missing=1, ours=ours)
