"""From Jira's issues to tickets."""

from typing import Any

import pytest

from apimon_node.errors import JiraError, JiraState
from apimon_node.poller.issues import FIELDS, tickets
from apimon_node.tickets.snapshot import Snapshot, Ticket, dump, parse

EIGHT = 1_795_420_800.0  # 2026-11-23T08:00:00Z


def issue(key: str = "OPS-7", **fields: Any) -> dict[str, Any]:
    return {
        "id": "10007",
        "key": key,
        "fields": {
            "status": {"name": "Open", "statusCategory": {"key": "new", "name": "To Do"}},
            "priority": {"name": "High"},
            "created": "2026-11-23T08:00:00.000+0000",
        }
        | fields,
    }


def test_an_issue_becomes_a_ticket_with_nothing_that_was_not_asked_for() -> None:
    found = tickets([issue(summary="a secret", assignee={"name": "me"})], {})

    assert found == (Ticket("OPS-7", "Open", "new", "High", EIGHT),)
    assert set(FIELDS) == {"status", "priority", "created"}


def test_the_offset_of_jiras_user_counts() -> None:
    assert tickets([issue(created="2026-11-23T10:00:00.000+0200")], {})[0].created == EIGHT


def test_a_ticket_is_due_so_long_after_its_creation_as_its_status_allows() -> None:
    slow = {"name": "In Progress", "statusCategory": {"key": "indeterminate"}}
    found = tickets([issue("A-1"), issue("A-2", status=slow)], {"Open": 3 * 3600, "Done": 1})

    assert [ticket.due for ticket in found] == [EIGHT + 3 * 3600, None]


def test_a_ticket_may_be_due_at_once() -> None:
    assert tickets([issue()], {"Open": 0})[0].due == EIGHT


@pytest.mark.parametrize("priority", [None, {}, {"name": None}])
def test_a_ticket_may_have_no_priority(priority: object) -> None:
    assert tickets([issue(priority=priority)], {})[0].priority is None


def test_a_jira_without_priorities_leaves_the_field_out() -> None:
    bare = issue()
    del bare["fields"]["priority"]

    assert tickets([bare], {})[0].priority is None


@pytest.mark.parametrize(
    "status",
    [
        {"name": "Open"},
        {"name": "Open", "statusCategory": None},
        {"name": "Open", "statusCategory": {}},
        {"name": "Open", "statusCategory": {"key": "undefined"}},
    ],
)
def test_a_category_that_the_contract_does_not_know_is_left_out(status: object) -> None:
    assert tickets([issue(status=status)], {}) == (Ticket("OPS-7", "Open", None, "High", EIGHT),)


def test_tickets_come_in_the_order_of_their_keys_so_that_equal_answers_are_equal() -> None:
    issues = [issue("OPS-2"), issue("NET-9"), issue("OPS-1")]

    assert [ticket.key for ticket in tickets(issues, {})] == ["NET-9", "OPS-1", "OPS-2"]
    assert tickets(issues, {}) == tickets(reversed(issues), {})


def test_two_issues_of_one_key_that_differ_in_what_may_be_absent_can_still_be_ordered() -> None:
    assert len(tickets([issue(), issue(status={"name": "Open"})], {})) == 2


@pytest.mark.parametrize(
    "broken",
    [
        {"key": "OPS-7"},
        {"key": "OPS-7", "fields": None},
        issue(status=None),
        issue(status="Open"),
        issue(status={}),
        issue(created=None),
        issue(created="yesterday"),
        issue(created="2026-11-23T08:00:00"),
        issue(priority="High"),
        issue(status={"name": "Open", "statusCategory": "new"}),
    ],
)
def test_an_issue_that_lacks_what_was_asked_for_is_an_error_of_jira_that_names_it(broken: dict[str, Any]) -> None:
    with pytest.raises(JiraError) as caught:
        tickets([issue("OPS-1"), broken], {})

    assert caught.value.state is JiraState.ERROR
    assert str(caught.value) == "Jira's answer on OPS-7 lacks its key, status or creation"
    assert caught.value.retry_after == 0


def test_an_issue_without_a_key_is_an_error_of_jira() -> None:
    broken = issue()
    del broken["key"]

    with pytest.raises(JiraError, match="Jira's answer on an issue lacks"):
        tickets([broken], {})


@pytest.mark.parametrize("name", [7, ["Open"], {"value": "Open"}, ""])
def test_a_status_of_an_odd_type_does_not_end_the_poller(name: object) -> None:
    with pytest.raises(JiraError, match="lacks its key, status or creation"):
        tickets([issue(status={"name": name})], {"Open": 60})


@pytest.mark.parametrize("key", [None, "", 7, ["OPS-7"]])
def test_a_key_of_an_odd_type_does_not_become_a_ticket(key: object) -> None:
    with pytest.raises(JiraError, match="lacks its key, status or creation"):
        tickets([issue() | {"key": key}], {})


@pytest.mark.parametrize("name", [3, [1], float("nan"), {}])
def test_a_priority_of_an_odd_type_is_left_out(name: object) -> None:
    (ticket,) = tickets([issue(priority={"name": name})], {})

    assert ticket.priority is None


def test_a_key_with_half_a_character_can_be_told() -> None:
    with pytest.raises(JiraError) as caught:
        tickets([issue("OPS-\ud800", status=None)], {})

    assert str(caught.value).encode()


def test_what_is_made_of_issues_can_be_published_and_read() -> None:
    found = tickets([issue("OPS-1"), issue("OPS-2", priority=None)], {"Open": 3600})

    assert parse(dump(Snapshot(found))).tickets == found
