"""What happens to tickets between two polls, and that nothing is told that did not happen."""

from collections.abc import Iterable

from apimon_node.contract.events import EventType
from apimon_node.poller.changes import Change, Changes
from apimon_node.tickets.snapshot import Ticket

OPEN, MOVED = Ticket("OPS-1", "Open"), Ticket("OPS-1", "Review")
OTHER = Ticket("OPS-2", "Open")


def step(changes: Changes, *tickets: Ticket) -> list[str]:
    """Poll, and publish what was found; give what is told, in short."""
    return told([*changes.polled(tickets), *changes.published(tickets)])


def told(changes: Iterable[Change]) -> list[str]:
    return [f"{change.ticket.key} {change.type}" for change in changes]


def started(*tickets: Ticket) -> Changes:
    changes = Changes()
    assert step(changes, *tickets) == []
    return changes


def test_the_first_poll_tells_nothing_whatever_stood_there_before() -> None:
    changes = Changes()
    changes.heard([OTHER])

    assert step(changes, OPEN) == []
    assert changes.turned_overdue([Ticket("OPS-9", "Open", due=5.0)], 10.0) == []


def test_a_ticket_comes() -> None:
    assert step(started(OPEN), OPEN, OTHER) == ["OPS-2 created"]


def test_a_ticket_moves_and_it_is_told_from_where() -> None:
    changes = started(OPEN)
    changes.polled([MOVED])

    assert changes.published([MOVED]) == [Change(EventType.STATUS_CHANGED, MOVED, "Open")]


def test_other_changes_of_a_ticket_are_no_event() -> None:
    assert step(started(OPEN), OPEN._replace(priority="High", due=7.0)) == []


def test_a_ticket_that_goes_is_told_at_the_second_poll_without_it_and_once() -> None:
    changes = started(OPEN, OTHER)

    assert [step(changes, OTHER) for _ in range(4)] == [[], ["OPS-1 closed"], [], []]


def test_a_ticket_that_vanishes_for_one_poll_is_told_neither_as_closed_nor_as_new() -> None:
    changes = started(OPEN, OTHER)

    assert step(changes, OTHER) == []
    assert step(changes, OPEN, OTHER) == []
    assert step(changes, OTHER) == []
    assert step(changes, OTHER) == ["OPS-1 closed"]


def test_a_ticket_that_comes_back_in_another_status_has_moved() -> None:
    changes = started(OPEN, OTHER)
    step(changes, OTHER)

    assert step(changes, MOVED, OTHER) == ["OPS-1 status_changed"]


def test_a_ticket_that_comes_back_after_it_was_told_closed_is_new() -> None:
    changes = started(OPEN)
    for _ in range(3):
        step(changes)

    assert step(changes, OPEN) == ["OPS-1 created"]


def test_what_another_poller_has_published_is_not_told_again() -> None:
    changes = started(OPEN)
    changes.heard([MOVED, OTHER])

    assert step(changes, MOVED, OTHER) == []


def test_a_ticket_that_another_poller_took_off_is_its_to_tell_and_not_new_when_it_comes_back_soon() -> None:
    changes = started(OPEN)
    changes.heard([])

    assert step(changes, OPEN) == []
    changes.heard([])
    assert [told(changes.polled([])) for _ in range(3)] == [[], [], []]
    changes.published([])
    assert step(changes, OPEN) == ["OPS-1 created"]


def test_a_ticket_that_we_took_off_and_another_put_back_is_not_closed() -> None:
    changes = started(OPEN)
    step(changes)
    changes.heard([OPEN])

    assert told(changes.polled([OPEN])) == []
    assert told(changes.polled([OPEN])) == []


def test_a_ticket_turns_overdue_once() -> None:
    late = OPEN._replace(due=100.0)
    changes = started(late)
    changes.turned_overdue([late], 50.0)

    assert [told(changes.turned_overdue([late], time)) for time in (99.9, 100.0, 101.0)] == [[], ["OPS-1 overdue"], []]


def test_a_ticket_that_was_put_off_turns_overdue_again() -> None:
    changes = started(OPEN)
    changes.turned_overdue([], 0.0)
    assert told(changes.turned_overdue([OPEN._replace(due=10.0)], 11.0)) == ["OPS-1 overdue"]
    assert told(changes.turned_overdue([OPEN._replace(due=20.0)], 12.0)) == []

    assert told(changes.turned_overdue([OPEN._replace(due=20.0)], 20.0)) == ["OPS-1 overdue"]


def test_an_overdue_ticket_that_vanishes_for_one_poll_is_not_told_as_overdue_again() -> None:
    late = OPEN._replace(due=10.0)
    changes = started(late, OTHER)
    changes.turned_overdue([late, OTHER], 5.0)
    assert told(changes.turned_overdue([late, OTHER], 10.0)) == ["OPS-1 overdue"]

    step(changes, OTHER)
    assert told(changes.turned_overdue([OTHER], 70.0)) == []
    step(changes, late, OTHER)
    assert told(changes.turned_overdue([late, OTHER], 130.0)) == []
