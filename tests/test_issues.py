"""From Jira's issues to tickets: what is asked, what is taken over, and when a ticket becomes overdue."""

import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apimon_node.config.settings import BoardSettings, OverdueSince, PollerSettings
from apimon_node.errors import JiraError, JiraState
from apimon_node.poller.jira import issues as module
from apimon_node.poller.jira.question import Question, question, sla_fields
from apimon_node.tickets.snapshot import ALWAYS, Snapshot, Ticket, dump, parse

EIGHT = 1_795_420_800.0  # 2026-11-23T08:00:00Z
HOUR = 3600.0
NOW = EIGHT + 24 * HOUR
DEFAULT: tuple[str, ...] = PollerSettings._field_defaults["fields"]
ALL = Ticket._fields


def board(after: Mapping[str, float] | None = None, **rules: Any) -> BoardSettings:
    return BoardSettings("ops", "project = OPS", after or {}, **rules)


def tickets(
    issues: Iterable[dict[str, Any]],
    rules: BoardSettings | None = None,
    *,
    fields: tuple[str, ...] = DEFAULT,
    sla: tuple[str, ...] = (),
    now: float = NOW,
    zone: tzinfo | None = UTC,
) -> tuple[Ticket, ...]:
    return module.tickets(issues, rules or board(), fields=fields, sla=sla, now=now, zone=zone)


def issue(key: str = "OPS-7", **fields: Any) -> dict[str, Any]:
    return {
        "id": "10007",
        "key": key,
        "fields": {
            "status": {"name": "Open", "id": "10001", "statusCategory": {"key": "new", "name": "To Do"}},
            "priority": {"name": "High"},
            "created": "2026-11-23T08:00:00.000+0000",
        }
        | fields,
    }


def due(rules: BoardSettings, one: dict[str, Any] | None = None, **given: Any) -> float | None:
    (ticket,) = tickets([one or issue()], rules, **given)
    return ticket.due


# What is taken over


def test_an_issue_becomes_a_ticket_with_nothing_that_was_not_asked_for() -> None:
    found = tickets([issue(summary="a secret", assignee={"displayName": "me"}, labels=["a"])])

    assert found == (Ticket("OPS-7", "Open", "new", "High", EIGHT),)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("category", "new"),
        ("priority", "High"),
        ("created", EIGHT),
        ("due", EIGHT + HOUR),
        ("summary", "The disk is full"),
        ("assignee", "Ann Other"),
        ("labels", ("db", "urgent")),
    ],
)
def test_each_field_leaves_jira_only_where_it_is_listed(name: str, value: Any) -> None:
    one = issue(summary="The disk is full", assignee={"displayName": "Ann Other"}, labels=["urgent", "db", "urgent"])
    rest = tuple(field for field in ALL if field != name)

    (alone,) = tickets([one], board({"Open": HOUR}), fields=(name,))
    (without,) = tickets([one], board({"Open": HOUR}), fields=rest)
    (whole,) = tickets([one], board({"Open": HOUR}), fields=ALL)
    assert alone == Ticket("OPS-7", "Open", **{name: value})
    assert without == whole._replace(**{name: Ticket._field_defaults[name]})
    assert getattr(whole, name) == value


def test_key_and_status_always_leave_jira() -> None:
    assert tickets([issue()], fields=("key",)) == (Ticket("OPS-7", "Open"),)


@pytest.mark.parametrize(
    ("written", "published"),
    [
        ("  The disk\r\n\tis  full ", "The disk is full"),
        ("a\u202eb\x07c\ud800", "abc?"),
        ("Müller\u00a0& Söhne 🔥", "Müller & Söhne 🔥"),
        ("x" * 300, "x" * 255),
        ("x" * 254 + " y", "x" * 254),
        ("", None),
        ("\u200b\n", None),
        (None, None),
        (5, None),
        (["a"], None),
    ],
)
def test_what_people_wrote_becomes_one_printable_line(written: object, published: str | None) -> None:
    one = issue(summary=written, assignee={"displayName": written})
    (ticket,) = tickets([one], fields=("summary", "assignee"))

    assert (ticket.summary, ticket.assignee) == (published, published)


def test_nobody_may_be_assigned() -> None:
    assert tickets([issue(assignee=None)], fields=("assignee",))[0].assignee is None


@pytest.mark.parametrize("labels", [None, [], "web", {"a": 1}, [1, None, "", ["a"]]])
def test_labels_of_an_odd_type_are_left_out(labels: object) -> None:
    assert tickets([issue(labels=labels)], fields=("labels",))[0].labels == ()


def test_the_offset_of_jiras_user_counts() -> None:
    assert tickets([issue(created="2026-11-23T10:00:00.000+0200")])[0].created == EIGHT


@pytest.mark.parametrize("priority", [None, {}, {"name": None}])
def test_a_ticket_may_have_no_priority(priority: object) -> None:
    assert tickets([issue(priority=priority)])[0].priority is None


def test_a_jira_without_priorities_leaves_the_field_out() -> None:
    bare = issue()
    del bare["fields"]["priority"]

    assert tickets([bare])[0].priority is None


@pytest.mark.parametrize(
    "status",
    [
        {"name": "Open"},
        {"name": "Open", "statusCategory": None},
        {"name": "Open", "statusCategory": {}},
        {"name": "Open", "statusCategory": {"key": "undefined"}},
        {"name": "Open", "statusCategory": {"key": ["new"]}},
    ],
)
def test_a_category_that_the_contract_does_not_know_is_left_out(status: object) -> None:
    assert tickets([issue(status=status)]) == (Ticket("OPS-7", "Open", None, "High", EIGHT),)


def test_tickets_come_in_the_order_of_their_keys_so_that_equal_answers_are_equal() -> None:
    issues = [issue("OPS-2"), issue("NET-9"), issue("OPS-1")]

    assert [ticket.key for ticket in tickets(issues)] == ["NET-9", "OPS-1", "OPS-2"]
    assert tickets(issues) == tickets(reversed(issues))


def test_the_order_of_labels_makes_no_other_ticket() -> None:
    labels = list("abcdefghij")
    there, back = tickets([issue(labels=labels)], fields=ALL), tickets([issue(labels=labels[::-1])], fields=ALL)

    assert there == back
    assert there[0].labels == tuple(labels)


def test_two_issues_of_one_key_that_differ_in_what_may_be_absent_can_still_be_ordered() -> None:
    assert len(tickets([issue(), issue(status={"name": "Open"})])) == 2


# What Jira owes


@pytest.mark.parametrize(
    ("broken", "lacking"),
    [
        ({"key": "OPS-7"}, "no text in fields.status.name"),
        ({"key": "OPS-7", "fields": None}, "no text in fields.status.name"),
        ({"key": "OPS-7", "fields": "secret"}, "no object in fields"),
        (issue(status=None), "no text in fields.status.name"),
        (issue(status="Open"), "no object in fields.status"),
        (issue(status={}), "no text in fields.status.name"),
        (issue(created=None), "no time in fields.created"),
        (issue(created=5), "no time in fields.created"),
        (issue(created="yesterday"), "no time in fields.created"),
        (issue(created="2026-11-23T08:00:00"), "no time with its offset in fields.created"),
        (issue(priority="High"), "no object in fields.priority"),
        (issue(status={"name": "Open", "statusCategory": "new"}), "no object in fields.status.statusCategory"),
    ],
)
def test_an_issue_that_lacks_what_was_asked_for_is_an_error_of_jira_that_names_it(
    broken: dict[str, Any], lacking: str
) -> None:
    with pytest.raises(JiraError) as caught:
        tickets([issue("OPS-1"), broken])

    assert caught.value.state is JiraState.ERROR
    assert str(caught.value) == f"Jira's answer on OPS-7 lacks what was asked for: {lacking}"
    assert caught.value.retry_after == 0


def test_what_was_not_asked_for_may_be_absent() -> None:
    bare = {"key": "OPS-7", "fields": {"status": {"name": "Open"}}}

    assert tickets([bare], fields=("key", "status", "due", "summary", "assignee", "labels")) == (
        Ticket("OPS-7", "Open"),
    )


def test_an_issue_without_a_key_is_an_error_of_jira() -> None:
    broken = issue()
    del broken["key"]

    with pytest.raises(JiraError, match="Jira's answer on an issue lacks what was asked for: no text in key"):
        tickets([broken])


@pytest.mark.parametrize("name", [7, ["Open"], {"value": "Open"}, ""])
def test_a_status_of_an_odd_type_does_not_end_the_poller(name: object) -> None:
    with pytest.raises(JiraError, match=r"no text in fields\.status\.name"):
        tickets([issue(status={"name": name})], board({"Open": 60}))


@pytest.mark.parametrize("key", [None, "", 7, ["OPS-7"]])
def test_a_key_of_an_odd_type_does_not_become_a_ticket(key: object) -> None:
    with pytest.raises(JiraError, match="no text in key"):
        tickets([issue() | {"key": key}])


@pytest.mark.parametrize("name", [3, [1], float("nan"), {}])
def test_a_priority_of_an_odd_type_is_left_out(name: object) -> None:
    (ticket,) = tickets([issue(priority={"name": name})])

    assert ticket.priority is None


def test_a_key_with_half_a_character_can_be_told() -> None:
    with pytest.raises(JiraError) as caught:
        tickets([issue("OPS-\ud800", status=None)])

    assert str(caught.value).encode()


# Overdue by age


def test_a_ticket_is_due_so_long_after_its_creation_as_its_status_allows() -> None:
    slow = {"name": "In Progress", "statusCategory": {"key": "indeterminate"}}
    found = tickets([issue("A-1"), issue("A-2", status=slow)], board({"Open": 3 * HOUR, "Done": 1}))

    assert [ticket.due for ticket in found] == [EIGHT + 3 * HOUR, None]


def test_a_ticket_may_be_due_at_once() -> None:
    assert due(board({"Open": 0})) == EIGHT


@pytest.mark.parametrize(
    ("after", "seconds"),
    [
        ({"Open": 1, "10001": 2, "new": 3}, 1),
        ({"new": 3, "10001": 2, "Open": 1}, 1),
        ({"new": 3, "10001": 2}, 2),
        ({"new": 3, "Done": 4}, 3),
        ({"open": 1, "10002": 2, "indeterminate": 3, "To Do": 4, "": 5}, None),
    ],
)
def test_the_name_of_a_status_wins_over_its_id_and_that_over_its_category(
    after: dict[str, float], seconds: float | None
) -> None:
    assert due(board(after)) == (None if seconds is None else EIGHT + seconds)


@pytest.mark.parametrize("odd", [{"id": 10001}, {"id": None}, {"id": ["10001"]}, {"statusCategory": {"key": 4}}, {}])
def test_a_status_without_id_and_category_still_has_its_name(odd: dict[str, Any]) -> None:
    one = issue(status={"name": "Open", **odd})

    assert due(board({"10001": 2, "": 3, "new": 4}), one) is None
    assert due(board({"Open": 1}), one) == EIGHT + 1


def test_the_creation_counts_even_where_it_does_not_leave_jira() -> None:
    assert tickets([issue()], board({"Open": HOUR}), fields=("due",)) == (Ticket("OPS-7", "Open", due=EIGHT + HOUR),)


def entry(hour: float, *fields: object) -> dict[str, Any]:
    """An entry of a changelog, so many hours after eight."""
    moment = datetime.fromtimestamp(EIGHT + hour * HOUR, UTC)
    return {
        "id": "1",
        "created": moment.strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
        "items": [{"field": field, "fromString": "a", "toString": "b"} for field in fields],
    }


def changed(*histories: Any, total: Any = None) -> dict[str, Any]:
    total = len(histories) if total is None else total
    return issue() | {"changelog": {"startAt": 0, "total": total, "histories": list(histories)}}


SINCE_STATUS = board({"Open": HOUR}, overdue_since=OverdueSince.STATUS)


@pytest.mark.parametrize(
    ("one", "hours"),
    [
        pytest.param(changed(entry(1, "status"), entry(5, "labels", "status"), entry(7, "labels")), 5, id="oldest 1st"),
        pytest.param(changed(entry(7, "labels"), entry(5, "status"), entry(1, "status")), 5, id="newest first"),
        pytest.param(changed(entry(7), entry(5, "status"), total=40), 5, id="found on a page"),
        pytest.param(changed(entry(7, "labels"), entry(5, "labels")), 0, id="never, in a whole changelog"),
        pytest.param(changed(), 0, id="no changes at all"),
        pytest.param(changed(entry(7, "labels"), entry(5, "labels"), total=3), 5, id="not on the page"),
        pytest.param(changed(entry(5, "labels"), entry(7, "labels"), total=3), 5, id="not on the page, oldest first"),
        pytest.param(changed(total=3), 0, id="an empty page"),
        pytest.param(changed(entry(7, "Status", None, ["status"])), 0, id="other fields"),
        pytest.param(changed(entry(7), total="many"), 0, id="an odd total"),
    ],
)
def test_age_may_count_from_the_last_change_of_status(one: dict[str, Any], hours: float) -> None:
    assert due(SINCE_STATUS, one) == EIGHT + (hours + 1) * HOUR
    assert due(board({"Open": HOUR}), one) == EIGHT + HOUR


@pytest.mark.parametrize(
    ("changelog", "lacking"),
    [
        (None, "no list in changelog.histories"),
        ({}, "no list in changelog.histories"),
        ("text", "no object in changelog"),
        ({"histories": {}}, "no list in changelog.histories"),
        ({"histories": [{}]}, "no time in created"),
        ({"histories": [5]}, "no time in created"),
        ({"histories": [entry(1) | {"items": None}]}, "no list in items"),
        ({"histories": [entry(1) | {"items": ["status"]}]}, "no object in it"),
    ],
)
def test_a_changelog_that_was_asked_for_and_is_none_is_an_error_of_jira(changelog: object, lacking: str) -> None:
    with pytest.raises(JiraError) as caught:
        due(SINCE_STATUS, issue() | {"changelog": changelog})

    assert caught.value.state is JiraState.ERROR
    assert str(caught.value) == f"Jira's answer on OPS-7 lacks what was asked for: {lacking}"


def test_a_status_that_no_rule_names_needs_no_changelog() -> None:
    assert due(board({"Done": HOUR}, overdue_since=OverdueSince.STATUS)) is None


# Overdue by the due date


@pytest.mark.parametrize(
    ("day", "zone", "expected"),
    [
        ("2026-11-23", UTC, "2026-11-24T00:00:00+00:00"),
        ("2026-11-23", ZoneInfo("Europe/Berlin"), "2026-11-24T00:00:00+01:00"),
        ("2026-07-31", ZoneInfo("Europe/Berlin"), "2026-08-01T00:00:00+02:00"),
        ("2026-03-28", ZoneInfo("Europe/Berlin"), "2026-03-29T00:00:00+01:00"),  # the clocks change in the night
        ("2028-02-28", ZoneInfo("America/New_York"), "2028-02-29T00:00:00-05:00"),
        ("2026-12-31", ZoneInfo("Pacific/Kiritimati"), "2027-01-01T00:00:00+14:00"),
        ("2026-04-23", ZoneInfo("Africa/Cairo"), "2026-04-24T00:00:00+02:00"),  # a day that begins at one o'clock
    ],
)
def test_a_ticket_is_overdue_when_its_due_date_has_ended(day: str, zone: tzinfo, expected: str) -> None:
    assert due(board(due_date=True), issue(duedate=day), zone=zone) == datetime.fromisoformat(expected).timestamp()


@pytest.fixture
def tokyo() -> Iterator[None]:
    """Move the machine to Tokyo."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("tokyo")
def test_without_a_time_zone_a_day_ends_where_the_machine_is() -> None:
    one, midnight = issue(duedate="2026-11-23"), datetime.fromisoformat("2026-11-24T00:00:00+09:00")

    assert due(board(due_date=True), one, zone=None) == midnight.timestamp()


@pytest.mark.parametrize(
    "day",
    [None, "", "soon", "20266-11-23", "2026-02-30", "9999-12-31", "2026-11-23T08:00:00", 5, True, ["2026-11-23"], {}],
)
@pytest.mark.parametrize("zone", [UTC, None])
def test_a_due_date_that_is_none_is_no_rule(day: object, zone: tzinfo | None) -> None:
    assert due(board({"Open": HOUR}, due_date=True), issue(duedate=day), zone=zone) == EIGHT + HOUR
    assert due(board(due_date=True), issue()) is None


@pytest.mark.parametrize("day", ["0001-01-01", "0026-11-23", "1969-12-30"])
def test_a_due_date_long_ago_is_over(day: str) -> None:
    assert due(board(due_date=True), issue(duedate=day)) == 0


def test_a_due_date_counts_only_where_it_shall() -> None:
    assert due(board(), issue(duedate="2026-11-23")) is None


# Overdue by SLA

SLA = "customfield_10030"


def cycle(breach: float | None = EIGHT + HOUR, **more: Any) -> dict[str, Any]:
    moment = {"epochMillis": int((breach or 0) * 1000), "iso8601": "…", "jira": "…"}
    time: dict[str, Any] = {} if breach is None else {"breachTime": moment}
    return {"id": "1", "name": "SLA", "completedCycles": [], "ongoingCycle": time | more}


ODD_TIMES: list[Any] = [None, 5, "soon", [], {}, {"epochMillis": None}, {"iso8601": "2026-11-23"}]
ODD_MILLIS: list[Any] = ["1795420800000", True, [], -1, 10**400, float("nan"), float("inf"), 10**18]


def by_sla(value: object, now: float = EIGHT) -> float | None:
    fields: dict[str, Any] = {SLA: value}
    return due(board(sla=("SLA",)), issue(**fields), sla=(SLA,), now=now)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (cycle(breached=False, paused=False), EIGHT + HOUR),
        (cycle(), EIGHT + HOUR),
        (cycle(breached=False, paused=True), None),
        (cycle(EIGHT - HOUR, breached=True, paused=False), EIGHT - HOUR),
        (cycle(EIGHT - HOUR, breached=True, paused=True), EIGHT - HOUR),
        (cycle(EIGHT - HOUR, breached=False, paused=False), EIGHT - HOUR),
        (cycle(EIGHT + HOUR, breached=True), ALWAYS),
        (cycle(EIGHT + 0.125), EIGHT + 0.125),
    ],
)
def test_an_ongoing_sla_says_when(value: object, expected: float | None) -> None:
    assert by_sla(value) == expected


def test_what_is_breached_without_a_time_stays_the_same_from_poll_to_poll() -> None:
    assert by_sla(cycle(None, breached=True), now=EIGHT) == by_sla(cycle(None, breached=True), now=EIGHT + 60)


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"completedCycles": [{"breached": True}]},
        {"ongoingCycle": None},
        {"ongoingCycle": {}},
        {"ongoingCycle": [cycle()]},
        [cycle()],
        "2h",
        7,
        cycle(None, breached=False),
        cycle(None, breached="yes"),
        *({"ongoingCycle": {"breachTime": time}} for time in ODD_TIMES),
        *({"ongoingCycle": {"breachTime": {"epochMillis": time}}} for time in ODD_MILLIS),
    ],
)
def test_an_sla_that_says_nothing_is_no_rule(value: object) -> None:
    assert by_sla(value) is None


@pytest.mark.parametrize("odd", [*ODD_TIMES, *({"epochMillis": time} for time in ODD_MILLIS)])
def test_a_breach_without_a_time_is_overdue_since_ever(odd: object) -> None:
    assert by_sla({"ongoingCycle": {"breached": True, "breachTime": odd}}) == ALWAYS


def test_an_sla_that_an_issue_does_not_have_is_no_rule() -> None:
    assert due(board(sla=("SLA",)), sla=(SLA, "customfield_2")) is None


@pytest.mark.parametrize(("hours", "first"), [((1, 2, 3), 1), ((3, 1, 2), 1), ((3, 2, 1), 1), ((None, 3, None), 3)])
def test_the_earliest_rule_wins(hours: tuple[float | None, ...], first: float) -> None:
    age, date, breach = hours
    zone = timezone(timedelta(hours=16 - (date or 16)))  # in which the day of the 23rd ends so many hours after eight
    fields: dict[str, Any] = {"duedate": date and "2026-11-23", SLA: breach and cycle(EIGHT + breach * HOUR)}
    one = issue(**fields)
    rules = board({"Open": age * HOUR} if age else {}, due_date=True, sla=("SLA",))

    assert due(rules, one, sla=(SLA,), zone=zone) == EIGHT + first * HOUR


# What survives a snapshot


def test_what_is_made_of_issues_can_be_published_and_read() -> None:
    found = tickets([issue("OPS-1"), issue("OPS-2", priority=None)], board({"Open": HOUR}))

    assert parse(dump(Snapshot(found))).tickets == found


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("2026-11-23T08:00:00.123+0000", EIGHT + 0.123),
        ("2026-11-23T08:00:00.123456+0000", EIGHT + 0.123),
        ("1969-12-31T23:00:00.000+0000", 0),
        ("9999-12-31T23:59:59.999-1200", 253_402_300_799),
        ("9000-01-01T00:00:00.123+0000", 221_845_392_000),
    ],
)
def test_a_time_is_as_a_snapshot_can_hold_it(written: str, seconds: float) -> None:
    found = tickets([issue(created=written)])

    assert found[0].created == seconds
    assert parse(dump(Snapshot(found))).tickets == found


TEXTS = st.text(st.characters(), max_size=300)  # with halves of characters
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
MOMENTS = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-12)), timezone(timedelta(hours=14))]))
TIMES = MOMENTS.map(lambda moment: moment.isoformat(timespec="milliseconds"))
DAYS = st.dates().map(str) | st.none() | JSON
CYCLES = st.fixed_dictionaries(
    {},
    optional={
        "breached": st.booleans() | JSON,
        "paused": st.booleans() | JSON,
        "breachTime": st.fixed_dictionaries({"epochMillis": st.integers() | st.integers(0, 2**43)}) | JSON,
    },
)
HISTORIES = st.lists(
    st.fixed_dictionaries(
        {"created": TIMES, "items": st.lists(st.fixed_dictionaries({"field": st.sampled_from(["status", "x"])}))}
    ),
    max_size=3,
)


@st.composite
def answers(draw: st.DrawFn, odd: st.SearchStrategy[Any]) -> list[dict[str, Any]]:
    """What a Jira might give; `odd` takes the place of anything now and then."""
    name, text = st.fixed_dictionaries({"name": TEXTS | odd}), TEXTS | odd
    status = st.fixed_dictionaries(
        {"name": st.sampled_from(["Open", "Done", "\ud800"]) | odd},
        optional={"id": text, "statusCategory": st.fixed_dictionaries({"key": st.sampled_from(["new", "x"])}) | odd},
    )
    fields = st.fixed_dictionaries(
        {"status": status | odd, "created": TIMES | odd},
        optional={
            "priority": name | odd,
            "summary": text,
            "assignee": st.fixed_dictionaries({"displayName": text}) | odd,
            "labels": st.lists(text) | odd,
            "duedate": DAYS,
            SLA: st.fixed_dictionaries({"ongoingCycle": CYCLES | odd}) | odd,
        },
    )
    changelog = st.fixed_dictionaries({"histories": HISTORIES | odd, "total": st.integers(0, 5) | odd})
    return [
        {"key": f"OPS-{number}", "fields": draw(fields | odd), "changelog": draw(changelog | odd)}
        for number in range(draw(st.integers(0, 3)))
    ]


RULES = st.builds(
    board,
    st.dictionaries(st.sampled_from(["Open", "new", "10001"]), st.floats(0, 520 * 604_800)),
    overdue_since=st.sampled_from(OverdueSince),
    due_date=st.booleans(),
)
NOWS = st.floats(0, 253_402_300_799)


@given(answers(st.nothing()), RULES, NOWS)
def test_all_tickets_survive_a_snapshot_unchanged(
    issues: list[dict[str, Any]], rules: BoardSettings, now: float
) -> None:
    found = tickets(issues, rules, fields=ALL, sla=(SLA,), now=now)

    assert len(found) == len(issues)
    assert parse(dump(Snapshot(found))).tickets == found
    assert tickets(reversed(issues), rules, fields=ALL, sla=(SLA,), now=now) == found


@given(answers(JSON), RULES, NOWS)
@example([issue(assignee=[])], board(), 0)
def test_whatever_jira_answers_becomes_tickets_that_survive_or_an_error_of_jira(
    issues: list[dict[str, Any]], rules: BoardSettings, now: float
) -> None:
    try:
        found = tickets(issues, rules, fields=ALL, sla=(SLA,), now=now)
    except JiraError as err:
        assert (err.state, "OPS-" in str(err)) == (JiraState.ERROR, True)  # noqa: PT017 - either is right
    else:
        assert parse(dump(Snapshot(found))).tickets == found


# What to ask


def test_a_question_has_the_query_the_fields_and_the_limit_of_its_board() -> None:
    rules = BoardSettings("ops", "project = OPS ORDER BY created", {"Open": 60}, max_tickets=500)

    assert question(rules, DEFAULT) == Question(
        "(project = OPS) ORDER BY key", ("status", "priority", "created"), "", 500
    )


@pytest.mark.parametrize(
    ("leaving", "rules", "asked"),
    [
        (("key", "status", "category", "due"), {}, ("status",)),
        (("due",), {"after": {"Open": 1}}, ("status", "created")),
        (("priority",), {"after": {"Open": 1}, "due_date": True, "sla": ("x",)}, ("status", "priority")),
        (("due",), {"due_date": True}, ("status", "duedate")),
        (("due",), {"sla": ("x",)}, ("status", SLA)),
        (
            ALL,
            {"due_date": True, "sla": ("x",)},
            ("status", "priority", "created", "summary", "assignee", "labels", "duedate", SLA),
        ),
    ],
)
def test_no_more_is_asked_than_is_needed(
    leaving: tuple[str, ...], rules: dict[str, Any], asked: tuple[str, ...]
) -> None:
    assert question(board(**rules), leaving, (SLA,) if "sla" in rules else ()).fields == asked


@pytest.mark.parametrize(
    ("leaving", "rules", "expand"),
    [
        (DEFAULT, SINCE_STATUS, "changelog"),
        (("created",), SINCE_STATUS, ""),
        (DEFAULT, board(overdue_since=OverdueSince.STATUS), ""),
        (DEFAULT, board({"Open": 1}), ""),
    ],
)
def test_changelogs_are_asked_for_only_where_they_count(
    leaving: tuple[str, ...], rules: BoardSettings, expand: str
) -> None:
    assert question(rules, leaving).expand == expand


# SLA fields


def field(id_: object, name: object, custom: object = "com.atlassian.servicedesk:sd-sla-field") -> dict[str, Any]:
    schema = {"type": "sd-servicelevelagreement", "custom": custom, "customId": 1}
    return {"id": id_, "name": name, "custom": True, "schema": schema}


CATALOGUE = [
    {"id": "status", "name": "Status", "custom": False, "schema": {"type": "status", "system": "status"}},
    {"id": "thumbnail", "name": "Images", "custom": False},
    field("customfield_10010", "Time to resolution", "com.example:other"),
    field("customfield_10030", "Time to resolution"),
    field("customfield_10031", "Time to first response"),
    field("customfield_10032", "Time to resolution"),
]
ODD: list[Any] = [
    None,
    5,
    "x",
    [],
    {},
    {"schema": 5},
    field(None, "a"),
    field("customfield_1", 5),
    field("x", "b", ["x"]),
]


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ((), ()),
        (("Time to first response",), ("customfield_10031",)),
        (("customfield_10031", "Time to first response"), ("customfield_10031",)),
        (("customfield_10032", "customfield_10030"), ("customfield_10030", "customfield_10032")),
        (("Time to resolution",), ("customfield_10030", "customfield_10032")),
        (("all",), ("customfield_10030", "customfield_10031", "customfield_10032")),
    ],
)
def test_sla_fields_are_found_by_name_or_id(wanted: tuple[str, ...], ids: tuple[str, ...]) -> None:
    assert sla_fields(CATALOGUE, wanted) == ids
    assert sla_fields([*ODD, *CATALOGUE], wanted) == ids


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        (("Time to fix",), "Time to fix"),
        (("Time to resolution", "time to resolution"), "time to resolution"),
        (("customfield_10010",), "customfield_10010"),
        (("all", "Status"), "Status"),
    ],
)
def test_an_sla_that_there_is_not_is_an_error_that_names_those_there_are(wanted: tuple[str, ...], name: str) -> None:
    with pytest.raises(JiraError) as caught:
        sla_fields(CATALOGUE, wanted)

    assert caught.value.state is JiraState.QUERY
    assert str(caught.value) == (
        f"this Jira has no SLA {name}: expected one of Time to resolution (customfield_10030), "
        "Time to first response (customfield_10031), Time to resolution (customfield_10032)"
    )


@pytest.mark.parametrize("wanted", [("all",), ("Time to resolution",)])
@pytest.mark.parametrize("catalogue", [[], CATALOGUE[:3], ODD])
def test_a_jira_without_slas_says_so(catalogue: list[Any], wanted: tuple[str, ...]) -> None:
    with pytest.raises(JiraError, match="this Jira shows no SLA fields: is it") as caught:
        sla_fields(catalogue, wanted)

    assert caught.value.state is JiraState.QUERY


@pytest.mark.parametrize("catalogue", [None, {}, "x", 5])
def test_a_catalogue_that_is_none_is_an_error_of_jira(catalogue: object) -> None:
    with pytest.raises(JiraError, match="is no list") as caught:
        sla_fields(catalogue, ("all",))

    assert caught.value.state is JiraState.ERROR


def test_without_a_wish_no_catalogue_is_needed() -> None:
    assert sla_fields(None, ()) == ()
