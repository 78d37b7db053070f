"""Example tickets: some for each look of a configuration, found by the rule that sorts real ones. Pure."""

from collections.abc import Iterator, Sequence
from itertools import islice, product
from typing import NamedTuple

from apimon_node.picture.looks import Look, Match, Seen, ages, group
from apimon_node.tickets.snapshot import Ticket

TRIES = 2_000
"""Tickets that are tried for a look, at the most: lists of words may be long, and nearly always the first will do."""


class Examples(NamedTuple):
    """A ticket of a look that is on time, and one that is overdue; None where it takes no such ticket."""

    on_time: Seen | None
    overdue: Seen | None


def examples(looks: Sequence[Look]) -> list[Examples]:
    """Find tickets for each look. There are none where those before it take all of them."""
    return [Examples(_find(looks, at, overdue=False), _find(looks, at, overdue=True)) for at in range(len(looks))]


def mix(found: Sequence[Examples], pixels: int) -> list[Seen]:
    """Mix tickets of all looks, so that they take about two thirds of a strip; a third of them is overdue."""
    kinds = [kind for kind in found if any(kind)][:pixels]
    each = max(1, pixels * 2 // 3 // max(1, len(kinds)))
    return [ticket for kind in kinds for ticket in _some(kind, each)]


def crowd(tickets: Sequence[Seen], pixels: int) -> list[Seen]:
    """Take the same tickets so often that there are twice as many as a strip has pixels, or some more."""
    return list(tickets) * (2 * pixels // max(1, len(tickets)) + 1)


def _some(kind: Examples, number: int) -> list[Seen]:
    late = number // 3 if kind.on_time else number
    tickets = [kind.on_time] * (number - late) + [kind.overdue or kind.on_time] * late
    return [ticket for ticket in tickets if ticket]


def _find(looks: Sequence[Look], at: int, *, overdue: bool) -> Seen | None:
    """Find a ticket that takes look `at` and none before it."""
    tried = islice(_candidates(looks[at].match, ages(looks), overdue=overdue), TRIES)
    return next((seen for seen in tried if group(looks[: at + 1], [seen])[0][at].tickets), None)


def _candidates(match: Match, ages: Sequence[float], *, overdue: bool) -> Iterator[Seen]:
    """Yield tickets, one of each kind that may make a difference. What is not asked for they do without."""
    labels: list[tuple[str, ...]] = [(label,) for label in match.label] or [()]
    for age, status, category, priority, assignee, label in product(
        (None, 0.0, *ages),
        match.status or ("",),
        match.category or (None,),
        match.priority or (None,),
        match.assignee or (None,),
        labels,
    ):
        yield Ticket("", status, category, priority, assignee=assignee, labels=label), overdue, age
