"""The status of a poller on the wire: read as it was written, and as much of it as can be read."""

import json
from typing import Any

import pytest
from faulty import FAULTS, TIMES
from hypothesis import given
from hypothesis import strategies as st

from apimon_node.contract.lenient import MOST
from apimon_node.contract.poller_status import BoardReport, PollerStatus, parse
from apimon_node.errors import JiraState, PayloadError

IDS = st.from_regex(r"[a-z0-9_-]{1,20}", fullmatch=True)
REPORTS = st.builds(
    BoardReport,
    state=st.sampled_from(JiraState).map(str) | st.text(),
    detail=st.text(),
    checked_at=TIMES,
    next_poll_at=TIMES,
)
STATUSES = st.builds(
    PollerStatus,
    boards=st.dictionaries(IDS, REPORTS, max_size=5),
    faults=st.lists(FAULTS, max_size=3).map(tuple),
    browse=st.text(),
    started_at=TIMES,
    version=st.text(),
)


def payload(body: object) -> bytes:
    return json.dumps(body).encode()


@given(STATUSES)
def test_a_status_is_read_as_it_was_written(status: PollerStatus) -> None:
    assert parse(status.dump()) == parse(status.dump(), status.boards.keys()) == status


def test_it_is_written_with_the_keys_of_the_contract() -> None:
    report = BoardReport(JiraState.OK, "3 tickets", 1_795_435_200.9, 1_795_435_260.9)
    status = PollerStatus({"ops": report}, (), "https://jira/browse/", 1_795_435_200.0, "1")

    assert status.dump() == (
        b'{"boards":{"ops":{"state":"ok","detail":"3 tickets","checked_at":"2026-11-23T12:00:00Z",'
        b'"next_poll_at":"2026-11-23T12:01:00Z"}},"faults":[],"browse":"https://jira/browse/",'
        b'"started_at":"2026-11-23T12:00:00Z","version":"1"}'
    )


@pytest.mark.parametrize("body", [[], 7, None, {}, {"boards": 7}, {"boards": ["ops"]}])
def test_without_boards_it_is_refused(body: object) -> None:
    with pytest.raises(PayloadError, match="expected an object with boards"):
        parse(payload(body))


def test_what_is_wrong_is_left_out_but_of_boards_that_matter_it_is_refused() -> None:
    body: dict[str, Any] = {
        "boards": {"ops": {"state": 7, "detail": [], "checked_at": "today"}, "Ops!": {}, "net": 7},
        "browse": 7,
        "version": None,
        "started_at": "2026-11-23T12:00:00",
    }

    assert parse(payload(body)) == PollerStatus({"ops": BoardReport()})
    assert parse(payload(body), {"web"}) == PollerStatus()
    with pytest.raises(PayloadError, match=r"boards\.ops: expected an object with a state"):
        parse(payload(body), {"ops"})


def test_of_boards_without_end_some_are_read_or_those_that_matter() -> None:
    body = {"boards": {f"b{number:05}": {"state": "ok"} for number in range(10_000)}}

    assert len(parse(payload(body)).boards) == MOST
    assert list(parse(payload(body), {"b09999"}).boards) == ["b09999"]
