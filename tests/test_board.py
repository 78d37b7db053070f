"""The board: which tickets are overdue and whether it is stale, on clocks that may be years wrong."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimon_node.clock import Instant
from apimon_node.tickets.board import Board
from apimon_node.tickets.snapshot import Snapshot, Ticket

NOON = 1_795_435_200.0


def at(seconds: float, wrong_by: float = 0.0) -> Instant:
    """Give the moment some seconds after noon, on a machine that has run for 1,000 s by then."""
    return Instant(1000 + seconds, NOON + seconds + wrong_by)


def ticket(status: str, due_after: float | None = None) -> Ticket:
    """Make a ticket that its status tells from the others: a board keeps no keys."""
    return Ticket(f"X-{status}", status, due=None if due_after is None else NOON + due_after)


def overdue(board: Board, now: Instant) -> list[str]:
    return [ticket.status for ticket, late, _ in board.tickets(now) if late]


def ages(board: Board, now: Instant) -> dict[str, float | None]:
    return {ticket.status: age for ticket, _, age in board.tickets(now)}


def born(status: str, seconds: float, due_after: float | None = None) -> Ticket:
    """Make a ticket that was created some seconds after noon."""
    return ticket(status, due_after)._replace(created=NOON + seconds)


@pytest.fixture
def board() -> Board:
    return Board("ops")


def test_a_board_of_which_nothing_is_known_is_stale_and_empty_but_has_not_expired(board: Board) -> None:
    assert board.stale(at(0))
    assert not board.expired(at(0))
    assert board.tickets(at(0)) == []
    assert board.deadline(at(0)) == math.inf


def test_a_snapshot_without_a_limit_holds_for_ever(board: Board) -> None:
    board.apply(Snapshot((ticket("A"),)), at(0))

    assert not board.stale(at(10 * 365 * 86400))
    assert overdue(board, at(10 * 365 * 86400)) == []
    assert board.deadline(at(0)) == math.inf


def test_a_ticket_turns_overdue_at_the_very_second_it_is_due_with_nobody_saying_so(board: Board) -> None:
    board.apply(Snapshot((ticket("A", 60), ticket("B"), ticket("C", 30))), at(0))

    assert overdue(board, at(29.9)) == []
    assert overdue(board, at(30)) == ["C"]
    assert overdue(board, at(60)) == ["A", "C"]


def test_a_board_is_stale_from_the_moment_until_which_it_was_valid(board: Board) -> None:
    board.apply(Snapshot((ticket("A"),), valid_until=NOON + 3600), at(0))

    assert not board.stale(at(3599.9))
    assert board.stale(at(3600))
    assert board.expired(at(3600))
    assert [ticket.status for ticket, _, _ in board.tickets(at(3600))] == ["A"]


def test_it_says_when_it_changes_next_and_never_a_moment_that_is_over(board: Board) -> None:
    board.apply(Snapshot((ticket("A", 60), ticket("B", 30), ticket("C", 60)), valid_until=NOON + 90), at(0))

    moments, now = [], at(0)
    while (deadline := board.deadline(now)) < math.inf:
        now = at(deadline - 1000)
        moments.append((deadline - 1000, overdue(board, now), board.stale(now)))

    assert moments == [(30, ["B"], False), (60, ["A", "B", "C"], False), (90, ["A", "B", "C"], True)]


def test_the_newest_to_arrive_wins_whatever_it_says_of_its_time(board: Board) -> None:
    board.apply(Snapshot((ticket("NEW"),), at=NOON), at(0))
    board.apply(Snapshot((ticket("OLD"),), at=NOON - 3600), at(1))

    assert [ticket.status for ticket, _, _ in board.tickets(at(2))] == ["OLD"]


def test_a_clock_that_is_years_behind_is_led_by_the_time_of_the_snapshot(board: Board) -> None:
    years = -5 * 365 * 86400.0
    board.apply(Snapshot((ticket("A", 60),), at=NOON, valid_until=NOON + 120), at(0, years))

    assert board.deadline(at(0, years)) == 1060
    assert overdue(board, at(59, years)) == []
    assert overdue(board, at(60, years)) == ["A"]
    assert not board.stale(at(119, years))
    assert board.stale(at(120, years))


def test_a_snapshot_from_the_past_does_not_hold_the_clock_back(board: Board) -> None:
    board.apply(Snapshot((ticket("A", -60),), at=NOON - 3600, valid_until=NOON - 1800), at(0))

    assert overdue(board, at(0)) == ["A"]
    assert board.expired(at(0))


def test_a_snapshot_with_a_wrong_time_from_the_future_is_healed_by_the_next(board: Board) -> None:
    board.apply(Snapshot((ticket("A", 60),), at=NOON + 86400), at(0))
    assert overdue(board, at(1)) == ["A"]

    board.apply(Snapshot((ticket("A", 60),), at=NOON + 2), at(2))

    assert overdue(board, at(3)) == []


def test_a_wrong_time_leads_its_own_board_only() -> None:
    ops, net = Board("ops"), Board("net")
    ops.apply(Snapshot((ticket("A", 60),), at=NOON + 86400), at(0))
    net.apply(Snapshot((ticket("B", 60),), at=NOON), at(0))

    assert overdue(ops, at(1)) == ["A"]
    assert overdue(net, at(1)) == []


def test_the_same_snapshot_again_after_a_reconnect_does_not_turn_time_back(board: Board) -> None:
    years = -5 * 365 * 86400.0
    snapshot = Snapshot((ticket("A", 60),), at=NOON)
    board.apply(snapshot, at(0, years))
    board.apply(snapshot, at(70, years))

    assert overdue(board, at(70, years)) == ["A"]


def test_what_is_forgotten_is_as_if_it_had_never_been(board: Board) -> None:
    board.apply(Snapshot((ticket("A", 60),), at=NOON + 86400, valid_until=NOON + 90), at(0))
    board.forget()

    assert board.snapshot is None
    assert board.stale(at(1))
    assert not board.expired(at(1))
    assert board.time(at(1)) == NOON + 1
    assert board.deadline(at(1)) == math.inf


def test_a_day_without_jira_turns_each_ticket_overdue_once_and_on_time(board: Board) -> None:
    board.apply(Snapshot(tuple(ticket(str(hour), hour * 3600) for hour in range(24)), at=NOON), at(0))

    seen: dict[str, int] = {}
    for second in range(0, 86_400, 60):
        for key in overdue(board, at(second)):
            seen.setdefault(key, second)

    assert seen == {str(hour): hour * 3600 for hour in range(24)}


def test_a_board_keeps_of_its_tickets_only_what_looks_can_match(board: Board) -> None:
    full = Ticket("X-1", "Open", "new", "High", NOON, NOON + 60, "a summary", "Ada", ("a", "b"))
    board.apply(Snapshot((full, full._replace(key="X-2", summary="another"))), at(0))

    (first, _, _), (second, _, _) = board.tickets(at(0))
    assert first == full._replace(key="", created=None, summary=None)
    assert first is second, "like tickets are one: 10,000 must not fill the memory of a Pi Zero"


def test_a_board_whose_looks_ask_for_ages_keeps_when_its_tickets_were_created_and_like_ones_as_one() -> None:
    board = Board("ops", (600,))
    full = Ticket("X-1", "Open", "new", "High", NOON, NOON + 60, "a summary", "Ada", ("a", "b"))
    board.apply(Snapshot((full, full._replace(key="X-2", summary="another"))), at(0))

    (first, _, _), (second, _, _) = board.tickets(at(0))
    assert first == full._replace(key="", summary=None)
    assert first is second


def test_without_ages_nobody_knows_how_old_a_ticket_is_and_nothing_changes_with_it(board: Board) -> None:
    board.apply(Snapshot((born("A", 0),)), at(0))

    assert ages(board, at(3600)) == {"A": None}
    assert board.deadline(at(0)) == math.inf


def test_an_age_is_the_last_one_that_a_ticket_has_reached() -> None:
    board = Board("ops", (60, 600))
    board.apply(Snapshot((born("NEW", 0), born("OLD", -90), ticket("UNKNOWN"))), at(0))

    assert ages(board, at(0)) == {"NEW": 0, "OLD": 60, "UNKNOWN": None}
    assert ages(board, at(59.9)) == {"NEW": 0, "OLD": 60, "UNKNOWN": None}
    assert ages(board, at(60)) == {"NEW": 60, "OLD": 60, "UNKNOWN": None}
    assert ages(board, at(510)) == {"NEW": 60, "OLD": 600, "UNKNOWN": None}
    assert ages(board, at(10**9)) == {"NEW": 600, "OLD": 600, "UNKNOWN": None}


def test_a_ticket_from_the_future_is_new_and_its_birth_changes_nothing() -> None:
    board = Board("ops", (60,))
    board.apply(Snapshot((born("A", 30),)), at(0))

    assert ages(board, at(0)) == {"A": 0}
    assert board.deadline(at(0)) == 1090
    assert ages(board, at(89.9)) == {"A": 0}
    assert ages(board, at(90)) == {"A": 60}


def test_it_says_when_a_ticket_reaches_an_age_beside_all_else_that_changes() -> None:
    board = Board("ops", (20, 50))
    board.apply(Snapshot((born("A", 0, 30), born("B", -10)), valid_until=NOON + 90), at(0))

    moments, now = [], at(0)
    while (deadline := board.deadline(now)) < math.inf:
        now = at(deadline - 1000)
        moments.append((deadline - 1000, ages(board, now), overdue(board, now), board.stale(now)))

    assert moments == [
        (10, {"A": 0, "B": 20}, [], False),
        (20, {"A": 20, "B": 20}, [], False),
        (30, {"A": 20, "B": 20}, ["A"], False),
        (40, {"A": 20, "B": 50}, ["A"], False),
        (50, {"A": 50, "B": 50}, ["A"], False),
        (90, {"A": 50, "B": 50}, ["A"], True),
    ]


@given(st.floats(0, 4e9), st.floats(1, 3e8), st.floats(0, 1e4))
def test_no_rounding_comes_between_the_moment_of_an_age_and_the_age(created: float, age: float, before: float) -> None:
    """Whoever asks at the deadline must find the ticket changed, or be told another: else it would never change."""
    board = Board("ops", (age,))
    board.apply(Snapshot((Ticket("X-1", "A", created=created),)), Instant(0, created))
    now = Instant(0.0, max(created, created + age - before))

    while (deadline := board.deadline(now)) < math.inf:
        assert ages(board, now) == {"A": 0}
        later = now.wall + deadline - now.monotonic
        now = Instant(deadline, later if later > now.wall else math.nextafter(now.wall, math.inf))

    assert ages(board, now) == {"A": age}


def test_a_clock_that_is_years_behind_is_led_to_the_age_of_a_ticket_too() -> None:
    years = -5 * 365 * 86400.0
    board = Board("ops", (60,))
    board.apply(Snapshot((born("A", 0),), at=NOON), at(0, years))

    assert board.deadline(at(0, years)) == 1060
    assert ages(board, at(59, years)) == {"A": 0}
    assert ages(board, at(60, years)) == {"A": 60}


def test_what_is_forgotten_reaches_no_age() -> None:
    board = Board("ops", (60,))
    board.apply(Snapshot((born("A", 0),)), at(0))
    board.forget()

    assert board.tickets(at(0)) == []
    assert board.deadline(at(0)) == math.inf


def test_a_board_reports_how_many_tickets_it_has_and_of_when_they_are() -> None:
    board = Board("ops")
    assert board.report(at(0)) == {"tickets": 0, "overdue": 0, "stale": True, "at": None}

    board.apply(Snapshot((ticket("A", 60), ticket("B")), at=NOON), at(0))

    assert board.report(at(60)) == {"tickets": 2, "overdue": 1, "stale": False, "at": "2026-11-23T12:00:00Z"}
