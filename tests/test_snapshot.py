"""The snapshot: both forms on the wire, and everything that the contract refuses."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimon_node.errors import PayloadError
from apimon_node.tickets.snapshot import ALWAYS, CATEGORIES, MAX_TICKETS, Snapshot, Ticket, dump, parse
from apimon_node.wire import MAX_PAYLOAD

TEN = 1_795_428_000.0  # 2026-11-23T10:00:00Z

DESIGN = """
{"tickets": [{"key": "OPS-7", "status": "Open", "category": "new", "priority": "High",
              "created": "2026-11-23T08:00:00Z", "due": "2026-11-23T11:00:00Z", "summary": "…", "assignee": "…"}],
 "at": "2026-11-23T10:00:00Z", "valid_until": "2026-11-23T11:00:00Z", "source": "main"}
"""

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAME = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
TIME = st.none() | st.integers(0, 253_402_300_799).map(float)
TICKETS = st.lists(
    st.builds(
        Ticket,
        key=NAME,
        status=NAME,
        category=st.none() | st.sampled_from(CATEGORIES),
        priority=st.none() | TEXT,
        created=TIME,
        due=TIME,
        summary=st.none() | TEXT,
        assignee=st.none() | TEXT,
        labels=st.lists(TEXT, max_size=3).map(tuple),
    ),
    unique_by=lambda ticket: ticket.key,
    max_size=5,
).map(tuple)
COUNTED = st.dictionaries(NAME, st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=4).map(
    lambda counts: tuple(
        ticket
        for status, (well, late) in counts.items()
        for ticket in (*(Ticket("", status),) * well, *(Ticket("", status, due=ALWAYS),) * late)
    )
)


def payload(**body: object) -> bytes:
    return json.dumps(body).encode()


def refusal(content: bytes) -> str:
    with pytest.raises(PayloadError) as caught:
        parse(content)
    return str(caught.value)


def test_the_example_of_the_contract_is_read_in_full() -> None:
    assert parse(DESIGN.encode()) == Snapshot(
        (Ticket("OPS-7", "Open", "new", "High", TEN - 7200, TEN + 3600, "…", "…"),), TEN, TEN + 3600, "main"
    )


def test_the_counts_of_the_contract_become_tickets_of_which_the_last_are_overdue() -> None:
    snapshot = parse(b'{"counts": {"Open": 3, "In Progress": {"total": 2, "overdue": 1}}}')

    assert snapshot == Snapshot(
        (*(Ticket("", "Open"),) * 3, Ticket("", "In Progress"), Ticket("", "In Progress", due=ALWAYS))
    )


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({}, []),
        ({"Open": 0}, []),
        ({"Open": {"total": 0}}, []),
        ({"Open": {"total": 2, "overdue": None}}, [("Open", False)] * 2),
        ({"Open": {"total": 2, "overdue": 2, "note": "ignored"}}, [("Open", True)] * 2),
        ({"B": 1, "A": 1}, [("B", False), ("A", False)]),
    ],
)
def test_counts_expand_in_the_order_in_which_they_stand(counts: object, expected: list[tuple[str, bool]]) -> None:
    tickets = parse(payload(counts=counts)).tickets

    assert [(ticket.status, ticket.due is not None) for ticket in tickets] == expected


def test_a_board_without_tickets_is_a_good_snapshot() -> None:
    assert parse(b'{"tickets": []}') == Snapshot(())


def test_only_key_and_status_are_required() -> None:
    assert parse(payload(tickets=[{"key": "A-1", "status": "Open"}])).tickets == (Ticket("A-1", "Open"),)


def test_null_is_as_good_as_absent() -> None:
    optional = ("category", "priority", "created", "due", "summary", "assignee", "labels")
    ticket = {"key": "A-1", "status": "Open"} | dict.fromkeys(optional)

    snapshot = parse(payload(tickets=[ticket], counts=None, at=None, valid_until=None, source=None))

    assert snapshot == Snapshot((Ticket("A-1", "Open"),))


def test_unknown_keys_are_ignored_whatever_they_hold() -> None:
    ticket = {"key": "A-1", "status": "Open", "points": {"deep": [1, None]}, "Status": 7}

    assert parse(payload(tickets=[ticket], version=2, Tickets=7)) == Snapshot((Ticket("A-1", "Open"),))


def test_labels_may_stand_on_a_ticket() -> None:
    assert parse(payload(tickets=[{"key": "A-1", "status": "O", "labels": ["x", "y"]}])).tickets[0].labels == ("x", "y")


@pytest.mark.parametrize(
    "value", ["", "now", "2026-11-23T10:00:00", "10000-01-01T00:00:00Z", "1969-12-31T23:59:59Z", 7]
)
@pytest.mark.parametrize("path", ["at", "valid_until", "tickets[0].created", "tickets[0].due"])
def test_a_time_that_is_none_with_an_offset_is_refused_by_name(path: str, value: object) -> None:
    ticket: dict[str, object] = {"key": "A-1", "status": "Open"}
    body: dict[str, object] = {"tickets": [ticket]}
    (ticket if "." in path else body)[path.rpartition(".")[2]] = value

    message = refusal(json.dumps(body).encode())

    got = json.dumps(value)
    assert message == f"{path}: expected a time with its offset such as 2026-11-23T10:00:00Z, got {got}"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "snapshot: expected an object with tickets or counts, got []"),
        (7, "snapshot: expected an object with tickets or counts, got 7"),
        (None, "snapshot: expected an object with tickets or counts, got null"),
        ({}, "snapshot: expected either tickets or counts, got neither"),
        ({"tickets": None}, "snapshot: expected either tickets or counts, got neither"),
        ({"tickets": [], "counts": {}}, "snapshot: expected either tickets or counts, got both"),
        ({"tickets": {}}, "tickets: expected a list, got {}"),
        ({"tickets": "many"}, 'tickets: expected a list, got "many"'),
        ({"tickets": [], "source": 7}, "source: expected text, got 7"),
        ({"tickets": [], "source": ["a"]}, 'source: expected text, got ["a"]'),
        ({"counts": [3]}, 'counts: expected an object such as {"Open": 3}, got [3]'),
        ({"counts": 3}, 'counts: expected an object such as {"Open": 3}, got 3'),
        ({"counts": {"": 3}}, "counts: expected a status as the key, got an empty text"),
        ({"counts": {"Open": True}}, "counts.Open: expected 0 to 10000 tickets, got true"),
        ({"counts": {"Open": None}}, "counts.Open: expected 0 to 10000 tickets, got null"),
        ({"counts": {"Open": -1}}, "counts.Open: expected 0 to 10000 tickets, got -1"),
        ({"counts": {"Open": 3.0}}, "counts.Open: expected 0 to 10000 tickets, got 3.0"),
        ({"counts": {"Open": "3"}}, 'counts.Open: expected 0 to 10000 tickets, got "3"'),
        ({"counts": {"Open": 10_001}}, "counts.Open: expected 0 to 10000 tickets, got 10001"),
        ({"counts": {"A": 10_000, "B": 1}}, "counts: expected at most 10000 tickets, got 10001"),
        ({"counts": {"Open": {}}}, "counts.Open.total: expected 0 to 10000 tickets, got null"),
        ({"counts": {"Open": {"overdue": 1}}}, "counts.Open.total: expected 0 to 10000 tickets, got null"),
        (
            {"counts": {"Open": {"total": 2, "overdue": 3}}},
            "counts.Open.overdue: expected at most its total of 2, got 3",
        ),
        (
            {"counts": {"Open": {"total": 2, "overdue": True}}},
            "counts.Open.overdue: expected 0 to 10000 tickets, got true",
        ),
        ({"counts": {"a\nb": -1}}, r"counts.a\nb: expected 0 to 10000 tickets, got -1"),
    ],
)
def test_a_wrong_snapshot_is_refused_with_the_place_and_what_was_expected(body: object, message: str) -> None:
    assert refusal(json.dumps(body).encode()) == message


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("OPS-1", ': expected an object with key and status, got "OPS-1"'),
        (None, ": expected an object with key and status, got null"),
        ({"status": "Open"}, ".key: expected text, got null"),
        ({"key": "", "status": "Open"}, '.key: expected text, got ""'),
        ({"key": 7, "status": "Open"}, ".key: expected text, got 7"),
        ({"key": "A-4"}, ".status: expected text, got null"),
        ({"key": "A-4", "status": ""}, '.status: expected text, got ""'),
        ({"key": "A-4", "status": 7}, ".status: expected text, got 7"),
        ({"key": "A-4", "status": True}, ".status: expected text, got true"),
        ({"key": "A-4", "status": "O", "category": "old"}, '.category: expected new, indeterminate or done, got "old"'),
        ({"key": "A-4", "status": "O", "category": 1}, ".category: expected text, got 1"),
        ({"key": "A-4", "status": "O", "priority": {"name": "P"}}, '.priority: expected text, got {"name": "P"}'),
        ({"key": "A-4", "status": "O", "summary": 7}, ".summary: expected text, got 7"),
        ({"key": "A-4", "status": "O", "assignee": 7}, ".assignee: expected text, got 7"),
        ({"key": "A-4", "status": "O", "labels": "x"}, '.labels: expected a list of texts, got "x"'),
        ({"key": "A-4", "status": "O", "labels": ["x", 7]}, ".labels[1]: expected text, got 7"),
        ({"key": "A-4", "status": "O", "labels": [None]}, ".labels[0]: expected text, got null"),
    ],
)
def test_a_wrong_ticket_is_refused_with_its_place_in_the_list(item: object, message: str) -> None:
    good = [{"key": f"A-{number}", "status": "Open"} for number in range(3)]

    assert refusal(payload(tickets=[*good, item])) == f"tickets[3]{message}"


def test_the_same_ticket_twice_is_refused() -> None:
    tickets = [{"key": key, "status": "Open"} for key in ("A-1", "A-2", "A-1")]

    assert refusal(payload(tickets=tickets)) == 'tickets: expected each ticket once, got "A-1" 2 times'


def test_ten_thousand_tickets_are_read_and_one_more_is_not() -> None:
    tickets = tuple(Ticket(f"OPERATIONS-{number}", "Open", due=TEN + 3600) for number in range(MAX_TICKETS))

    assert parse(dump(Snapshot(tickets, TEN, TEN + 3600, "main"))).tickets == tickets
    one_more = [{"key": str(number), "status": "Open"} for number in range(10_001)]
    assert refusal(payload(tickets=one_more)) == "tickets: expected at most 10000, got 10001"


def test_ten_thousand_tickets_with_all_that_a_poller_publishes_are_read_with_the_longest_of_usual_words() -> None:
    tickets = tuple(
        Ticket(
            f"INFRASTRUCTURE-{number:05}", "Waiting for customer", "indeterminate", "Highest", TEN + 0.001, TEN + 0.002
        )
        for number in range(MAX_TICKETS)
    )
    assert len(tickets[0].key) == 20
    payload = dump(Snapshot(tickets, TEN, TEN + 3600, "main"))

    assert parse(payload).tickets == tickets
    assert len(payload) + 20 * MAX_TICKETS < MAX_PAYLOAD, "there is room for words that are longer still"


def test_ten_thousand_counted_tickets_are_read() -> None:
    assert len(parse(payload(counts={"Open": 9_999, "Done": {"total": 1, "overdue": 1}})).tickets) == 10_000


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "expected JSON"),
        (b'{"counts": {"Open": NaN}}', "NaN is no JSON number"),
        (b'{"counts": {"Open": Infinity}}', "Infinity is no JSON number"),
        (b'{"counts": {"Open": 1e400}}', "1e400 is too large a number"),
        (b'{"counts": {"Open": ' + b"9" * 5000 + b"}}", "Exceeds the limit"),
        (b'{"counts": {"Open": 1, "Open": 1}}', 'the key "Open" comes twice'),
        (b'{"tickets": [], "tickets": []}', 'the key "tickets" comes twice'),
        (b'\xef\xbb\xbf{"tickets": []}', "BOM"),
        (b'{"tickets": [], "source": "\xff"}', "expected UTF-8"),
        (rb'{"tickets": [], "source": "\ud800"}', "half of a surrogate pair"),
        (b'{"tickets": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"tickets": []' + b" " * 2_097_152 + b"}", "expected at most 2097152 bytes"),
    ],
)
def test_what_is_no_strict_json_is_refused(content: bytes, reason: str) -> None:
    assert reason in refusal(content)


def test_totals_whose_sum_has_too_many_digits_to_be_written_are_refused() -> None:
    nines = b"9" * 4300

    assert refusal(b'{"counts": {"a": %b, "b": %b}}' % (nines, nines)).startswith("counts.a: expected 0 to 10000")


@pytest.mark.parametrize(
    "around", ['{"tickets": %s}', '{"counts": {"a": {"total": %s}}}', '{"tickets": [{"key": %s}]}']
)
def test_no_depth_of_nesting_is_anything_but_a_payload_error(around: str) -> None:
    for depth in range(850, 1010):
        for opening, closing in (("[", "]"), ('{"a":', "}")):
            inner = opening * depth + "1" + closing * depth
            assert refusal((around % inner).encode())


@given(st.binary() | st.text('[]{},:"ticketscounts0123456789').map(str.encode))
def test_any_bytes_are_either_a_snapshot_or_a_payload_error(content: bytes) -> None:
    try:
        snapshot = parse(content)
    except PayloadError:
        return
    assert parse(dump(snapshot)) == snapshot


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 20_000) | st.floats() | TEXT | st.just("2026-11-23T10:00:00Z"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["tickets", "counts", "key", "status", "due", "labels", "total", "overdue", "at", "category"]
            ),
            inner,
        )
    ),
)


@given(st.fixed_dictionaries({}, optional={"tickets": JUNK, "counts": JUNK, "at": JUNK, "source": JUNK}))
def test_anything_under_the_names_of_the_contract_is_either_a_snapshot_or_a_payload_error(body: object) -> None:
    try:
        snapshot = parse(json.dumps(body).encode())
    except PayloadError:
        return
    assert parse(dump(snapshot)) == snapshot


@given(st.builds(Snapshot, tickets=TICKETS | COUNTED, at=TIME, valid_until=TIME, source=st.none() | TEXT))
def test_a_snapshot_survives_being_published(snapshot: Snapshot) -> None:
    assert parse(dump(snapshot)) == snapshot


def test_keys_without_a_value_are_not_published() -> None:
    assert dump(Snapshot((Ticket("A-1", "Open"),))) == b'{"tickets":[{"key":"A-1","status":"Open"}]}'
    assert dump(Snapshot((Ticket("", "Open", due=ALWAYS),))) == b'{"counts":{"Open":{"total":1,"overdue":1}}}'
    assert dump(Snapshot(())) == b'{"tickets":[]}'


def test_a_word_that_many_tickets_share_is_kept_once() -> None:
    tickets = parse(payload(tickets=[{"key": str(number), "status": "In Progress"} for number in range(3)])).tickets

    assert all(one.status is other.status for one, other in itertools.pairwise(tickets))
