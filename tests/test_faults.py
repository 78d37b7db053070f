"""Faults: raised and cleared by name; the log tells transitions, not repetitions."""

import json
from typing import Any

import pytest
from faulty import FAULTS
from hypothesis import given

from apimon_node.clock import Instant
from apimon_node.contract import faults as contract
from apimon_node.contract.faults import Fault
from apimon_node.mqtt.faults import Faults
from apimon_node.process.remarks import Remark

NOON = Instant(0, 1_795_435_200.0)  # 2026-11-23T12:00:00Z


def later(seconds: float) -> Instant:
    return Instant(NOON.monotonic + seconds, NOON.wall + seconds)


@pytest.fixture
def faults() -> Faults:
    return Faults()


def test_a_fault_is_there_from_its_raising_to_its_clearing(faults: Faults) -> None:
    assert "strip" not in faults
    faults.set("strip", "ops", "no power", NOON)
    assert "strip" in faults
    assert "broker" not in faults
    faults.set("strip", "ops", None, later(5))
    assert "strip" not in faults
    assert list(faults) == []


def test_the_log_tells_the_beginning_and_the_end_but_no_repetition(faults: Faults) -> None:
    for second in range(3600):
        faults.set("strip", "ops", "no power", later(second), attempts=second)
    faults.set("strip", "ops", None, later(3600))
    for second in range(3600):
        faults.set("strip", "ops", None, later(3600 + second))

    assert faults.remarks() == [
        Remark("no power", bad=True, fault="strip", subject="ops"),
        Remark("strip ops: well again", fault="strip", subject="ops"),
    ]


def test_a_new_reason_is_a_new_line(faults: Faults) -> None:
    faults.set("broker", "", "refused", NOON)
    faults.set("broker", "", "timed out", later(1))

    assert faults.remarks() == [
        Remark("refused", bad=True, fault="broker"),
        Remark("timed out", bad=True, fault="broker"),
    ]


def test_lines_are_taken_once(faults: Faults) -> None:
    faults.remark("connected")
    faults.remark("odd", bad=True)

    assert faults.remarks() == [Remark("connected"), Remark("odd", bad=True)]
    assert faults.remarks() == []


def test_a_fault_keeps_the_time_at_which_it_began_and_takes_all_else_from_the_last_word(faults: Faults) -> None:
    faults.set("strip", "ops", "no power", NOON, code=-6, attempts=1, retry_at=NOON.wall + 1)
    faults.set("strip", "ops", "no signal", later(1), code=-7, attempts=2, retry_at=NOON.wall + 3)

    assert list(faults) == [Fault("strip", "no signal", NOON.wall, "ops", -7, 2, NOON.wall + 3)]


def test_a_fault_that_comes_back_begins_anew(faults: Faults) -> None:
    faults.set("strip", "ops", "no power", NOON)
    faults.set("strip", "ops", None, later(5))
    faults.set("strip", "ops", "no power", later(9))

    assert [fault.since for fault in faults] == [NOON.wall + 9]
    assert len(faults.remarks()) == 3


def test_faults_of_one_name_are_told_apart_by_their_subject(faults: Faults) -> None:
    faults.set("stale", "ops", "old", NOON)
    faults.set("stale", "net", "old", NOON)
    faults.set("stale", "ops", None, NOON)

    assert [(fault.name, fault.subject) for fault in faults] == [("stale", "net")]
    assert "stale" in faults


def test_faults_may_be_cleared_while_they_are_walked_through(faults: Faults) -> None:
    faults.set("stale", "ops", "old", NOON)
    faults.set("stale", "net", "old", NOON)
    for fault in faults:
        faults.set(fault.name, fault.subject, None, NOON)

    assert list(faults) == []


def test_the_status_topic_shows_a_fault_with_the_keys_of_the_contract(faults: Faults) -> None:
    faults.set("strip", "ops", "no power", NOON, code=-6, attempts=3, retry_at=NOON.wall + 4.7)
    faults.set("broker", "", "refused", later(0.9))

    assert [fault.dump() for fault in faults] == [
        {
            "name": "strip",
            "text": "no power",
            "code": -6,
            "since": "2026-11-23T12:00:00Z",
            "attempts": 3,
            "retry_at": "2026-11-23T12:00:04Z",
            "subject": "ops",
        },
        {
            "name": "broker",
            "text": "refused",
            "code": None,
            "since": "2026-11-23T12:00:00Z",
            "attempts": 0,
            "retry_at": None,
        },
    ]


# --- on the wire ---


@given(FAULTS)
def test_a_fault_is_read_as_it_was_written(fault: Fault) -> None:
    assert contract.parse(json.loads(json.dumps(fault.dump()))) == fault


def test_a_fault_of_an_older_program_has_no_subject() -> None:
    old = {"name": "stale", "text": "board ops: old", "code": None, "since": None, "attempts": 0, "retry_at": None}

    assert contract.parse(old) == Fault("stale", "board ops: old")


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        ({}, Fault("unknown", "unknown")),
        ({"name": "strip"}, Fault("strip", "strip")),
        ({"name": 7, "text": [], "subject": {}, "code": True, "attempts": -1, "since": 5}, Fault("unknown", "unknown")),
        ({"text": "no", "code": 1.5, "attempts": True, "retry_at": "soon"}, Fault("unknown", "no")),
    ],
)
def test_what_is_wrong_in_a_fault_is_left_out(raw: dict[str, Any], fault: Fault) -> None:
    assert contract.parse(raw) == fault


def test_of_a_list_of_faults_the_first_ones_are_read_and_what_is_none_is_left_out() -> None:
    found = contract.parse_all([7, None, *({"name": f"n{number}"} for number in range(99))])

    assert [fault.name for fault in found] == [f"n{number}" for number in range(contract.MAX_FAULTS)]
    assert contract.parse_all({"name": "strip"}) == contract.parse_all(None) == ()
