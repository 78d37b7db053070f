"""Looks: which colour and effect a ticket takes, by the first entry of an ordered list that matches it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from apimon_node.picture.effects import Effect
from apimon_node.tickets.snapshot import Ticket

Color: TypeAlias = tuple[int, int, int]
"""Red, green and blue, 0 to 255 each."""

Seen: TypeAlias = tuple[Ticket, bool, float | None]
"""A ticket as a board gives it: with whether it is overdue, and its age."""


class Match(NamedTuple):
    """What a ticket must be. An empty tuple, or None, asks for nothing; of several words one must fit.

    Ages are seconds since the ticket was created: `younger_than` ends at the very age at which `older_than` begins.
    """

    status: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    priority: tuple[str, ...] = ()
    assignee: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    overdue: bool | None = None
    younger_than: float | None = None
    older_than: float | None = None

    def __call__(self, ticket: Ticket, *, overdue: bool, age: float | None = None) -> bool:
        """Return whether the ticket is one of these. Without an age it is neither younger nor older than any."""
        return (
            (not self.status or ticket.status in self.status)
            and (not self.category or ticket.category in self.category)
            and (not self.priority or ticket.priority in self.priority)
            and (not self.assignee or ticket.assignee in self.assignee)
            and (not self.label or not set(self.label).isdisjoint(ticket.labels))
            and (self.overdue is None or self.overdue == overdue)
            and (self.younger_than is None or (age is not None and age < self.younger_than))
            and (self.older_than is None or (age is not None and age >= self.older_than))
        )


class Look(NamedTuple):
    """How the tickets that match are drawn. `effect` None is steady, but for overdue ones.

    `always`: they shine at night and in quiet hours as by day.
    """

    match: Match
    color: Color
    effect: Effect | None = None
    always: bool = False

    def effect_of(self, *, overdue: bool, overdue_effect: Effect) -> Effect:
        """Return the effect of one of its tickets. A look made for overdue ones may name one of its own."""
        if not overdue:
            return self.effect or Effect.STEADY
        return (self.effect if self.match.overdue else None) or overdue_effect


class Group(NamedTuple):
    """The tickets of one look: how many, and how many of them are overdue."""

    look: Look
    tickets: int
    overdue: int


NOWHERE = -1
"""Where a ticket is that no look matches."""


def ages(looks: Iterable[Look]) -> tuple[float, ...]:
    """Return the ages at which a ticket may come to match another look, in order."""
    asked = {age for look in looks for age in (look.match.younger_than, look.match.older_than)}
    return tuple(sorted(age for age in asked if age is not None))


def group(looks: Sequence[Look], tickets: Iterable[Seen]) -> tuple[list[Group], int]:
    """Sort tickets under the looks, in their order; count those that match none. For the tickets see places()."""
    numbers = Counter(places(looks, tickets))
    late = [numbers[at, True] for at in range(len(looks))]
    groups = [Group(look, numbers[at, False] + late[at], late[at]) for at, look in enumerate(looks)]
    return groups, numbers[NOWHERE, False] + numbers[NOWHERE, True]


def places(looks: Sequence[Look], tickets: Iterable[Seen]) -> Iterator[tuple[int, bool]]:
    """Yield for each ticket which look it has, or NOWHERE, and whether it is overdue.

    Each comes with whether it is overdue, and with its age, which may be rounded down to one of `ages(looks)`: the
    fewer kinds of tickets, the less work.
    """
    found: dict[tuple[object, ...], tuple[int, bool]] = {}
    for ticket, overdue, age in tickets:
        kind = (ticket.status, ticket.category, ticket.priority, ticket.assignee, ticket.labels, overdue, age)
        try:
            yield found[kind]
        except KeyError:
            fits = (at for at, look in enumerate(looks) if look.match(ticket, overdue=overdue, age=age))
            yield found.setdefault(kind, (next(fits, NOWHERE), overdue))
