"""Looks: the first that matches gives a ticket its colour and effect."""

import pytest

from apimon_node.picture.effects import Effect
from apimon_node.picture.looks import NOWHERE, Group, Look, Match, ages, group, places
from apimon_node.tickets.snapshot import Ticket

TICKET = Ticket("OPS-1", "Open", "new", "High", assignee="me", labels=("urgent", "network"))
BARE = Ticket("OPS-2", "Open")
RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.mark.parametrize(
    ("match", "fits", "fits_bare"),
    [
        (Match(), True, True),
        (Match(status=("Open",)), True, True),
        (Match(status=("Done", "Open")), True, True),
        (Match(status=("open",)), False, False),
        (Match(status=("Done",)), False, False),
        (Match(category=("new",)), True, False),
        (Match(category=("done",)), False, False),
        (Match(priority=("Low", "High")), True, False),
        (Match(priority=("Low",)), False, False),
        (Match(assignee=("me",)), True, False),
        (Match(assignee=("you",)), False, False),
        (Match(label=("network",)), True, False),
        (Match(label=("other", "urgent")), True, False),
        (Match(label=("other",)), False, False),
        (Match(overdue=False), True, True),
        (Match(overdue=True), False, False),
        (Match(status=("Open",), priority=("High",), label=("urgent",), overdue=False), True, False),
        (Match(status=("Open",), priority=("Low",)), False, False),
    ],
)
def test_a_ticket_must_be_all_that_is_asked_for_and_any_of_several_words(
    match: Match, *, fits: bool, fits_bare: bool
) -> None:
    assert match(TICKET, overdue=False) is fits
    assert match(BARE, overdue=False) is fits_bare


def test_overdue_is_what_the_board_says() -> None:
    assert Match(overdue=True)(BARE, overdue=True)
    assert not Match(overdue=False)(BARE, overdue=True)


@pytest.mark.parametrize(
    ("match", "age", "fits"),
    [
        (Match(younger_than=600), 0.0, True),
        (Match(younger_than=600), 599.9, True),
        (Match(younger_than=600), 600.0, False),
        (Match(younger_than=600), None, False),
        (Match(older_than=600), 0.0, False),
        (Match(older_than=600), 599.9, False),
        (Match(older_than=600), 600.0, True),
        (Match(older_than=600), None, False),
        (Match(older_than=60, younger_than=600), 59.9, False),
        (Match(older_than=60, younger_than=600), 60.0, True),
        (Match(older_than=60, younger_than=600), 600.0, False),
        (Match(older_than=60, younger_than=600), None, False),
        (Match(), None, True),
        (Match(status=("Done",), younger_than=600), 0.0, False),
    ],
)
def test_a_ticket_is_younger_until_the_very_age_from_which_it_is_older_and_neither_where_nobody_knows(
    match: Match, *, age: float | None, fits: bool
) -> None:
    assert match(TICKET, overdue=False, age=age) is fits


def test_the_ages_that_looks_ask_for_come_once_each_and_in_order() -> None:
    matches = [Match(older_than=3600), Match(younger_than=600), Match(older_than=600, younger_than=3600), Match()]

    assert ages([Look(match, RED) for match in matches]) == (600, 3600)
    assert ages([Look(Match(overdue=True), RED)]) == ()


@pytest.mark.parametrize(
    ("effect", "asks_for_overdue", "overdue", "expected"),
    [
        (None, None, False, Effect.STEADY),
        (Effect.BLINK, None, False, Effect.BLINK),
        (None, None, True, Effect.PULSE),
        (Effect.STEADY, None, True, Effect.PULSE),
        (Effect.BLINK, None, True, Effect.PULSE),
        (None, True, True, Effect.PULSE),
        (Effect.BLINK, True, True, Effect.BLINK),
        (Effect.STEADY, True, True, Effect.STEADY),
        (Effect.BLINK, False, False, Effect.BLINK),
    ],
)
def test_overdue_tickets_take_the_overdue_effect_unless_their_look_was_made_for_them(
    effect: Effect | None, *, asks_for_overdue: bool | None, overdue: bool, expected: Effect
) -> None:
    look = Look(Match(overdue=asks_for_overdue), RED, effect)

    assert look.effect_of(overdue=overdue, overdue_effect=Effect.PULSE) is expected


def test_a_ticket_takes_the_first_look_that_matches_it_and_the_order_is_that_of_the_looks() -> None:
    urgent, opened = Look(Match(priority=("High",)), RED), Look(Match(status=("Open",)), BLUE)
    tickets = [(BARE, True, None), (TICKET, False, None), (BARE._replace(key="OPS-3"), False, None)]

    assert group([urgent, opened], tickets) == ([Group(urgent, 1, 0), Group(opened, 2, 1)], 0)
    assert group([opened, urgent], tickets) == ([Group(opened, 3, 1), Group(urgent, 0, 0)], 0)


def test_each_ticket_has_its_place_among_the_looks_in_the_order_in_which_they_came() -> None:
    urgent, opened = Look(Match(priority=("High",)), RED), Look(Match(status=("Open",)), BLUE)
    tickets = [
        (BARE, True, None),
        (TICKET, False, None),
        (BARE._replace(status="Done"), False, None),
        (BARE, True, 0.0),
    ]

    assert list(places([urgent, opened], tickets)) == [(1, True), (0, False), (NOWHERE, False), (1, True)]


def test_many_tickets_of_one_kind_are_counted_each() -> None:
    look = Look(Match(status=("Open",)), RED)
    tickets = [(BARE._replace(key=str(number)), number < 30, None) for number in range(100)]

    assert group([look], tickets) == ([Group(look, 100, 30)], 0)


def test_tickets_that_no_look_matches_are_counted_apart() -> None:
    look = Look(Match(status=("Done",)), RED)

    assert group([look], [(TICKET, True, None), (BARE, False, None)]) == ([Group(look, 0, 0)], 2)


def test_tickets_that_differ_in_one_thing_only_are_still_told_apart() -> None:
    differing = [
        BARE,
        BARE._replace(status="Done"),
        BARE._replace(category="new"),
        BARE._replace(priority="High"),
        BARE._replace(assignee="me"),
        BARE._replace(labels=("urgent",)),
    ]
    matches = [
        Match(status=("Done",)),
        Match(category=("new",)),
        Match(priority=("High",)),
        Match(assignee=("me",)),
        Match(label=("urgent",)),
        Match(overdue=True),
        Match(younger_than=60),
        Match(older_than=60),
        Match(),
    ]
    tickets = [
        *((ticket, False, None) for ticket in differing),
        (BARE, True, None),
        (BARE, False, 0.0),
        (BARE, False, 60.0),
    ]

    groups, _ = group([Look(match, RED) for match in matches], tickets)

    assert [found.tickets for found in groups] == [1] * 9
