"""The tickets of the demo's Jira, what is told of them, and the life on its board."""

from datetime import date
from random import Random
from typing import Any

import pytest
from asking import NOON, four_tickets

from apimon_node.demo.life import FEWEST, KEPT, MOST, NEXT, Life
from apimon_node.demo.site import Site
from apimon_node.demo.sla import Cycle, Sla


@pytest.fixture
def site() -> Site:
    return four_tickets()


@pytest.fixture
def with_slas() -> Site:
    return four_tickets(Site(slas=("Time to resolution", "Time to first response")))


# --- the tickets ---


def test_a_ticket_moves_and_keeps_the_rest(site: Site) -> None:
    issue = site.move("OPS-1", "Done", NOON + 60)
    assert (issue.status, issue.category, issue.created, issue.updated) == ("Done", "done", NOON, NOON + 60)
    assert issue.summary == "Printer on fire"
    assert issue in site.issues


def test_a_deleted_ticket_is_gone_and_its_key_is_not_used_again(site: Site) -> None:
    site.delete("OPS-4")
    assert site.create("Next", NOON).key == "OPS-5"
    assert len(site.issues) == 4


def test_what_there_is_not_cannot_be_moved_to_or_deleted(site: Site) -> None:
    with pytest.raises(KeyError):
        site.move("OPS-1", "Lost", NOON)
    with pytest.raises(KeyError):
        site.create("Lost", NOON, status="Lost")
    with pytest.raises(KeyError):
        site.delete("OPS-9")


# --- what is told of them ---


def test_the_history_tells_what_changed_and_when(site: Site) -> None:
    site.move("OPS-3", "Done", NOON + 60, priority="Low")
    site.edit("OPS-3", NOON + 120, assignee="Ada", duedate=date(2026, 11, 23))
    site.edit("OPS-3", NOON + 180, assignee=None, summary="Backup fuller")
    site.edit("OPS-3", NOON + 240, summary="Backup fullest")  # the history is not kept of a summary
    history = [entry.content() for entry in site.issues[2].history]
    assert history == [
        {
            "id": "20001",
            "created": "2026-11-23T12:01:00.000+0000",
            "items": [
                {
                    "field": "status",
                    "fieldtype": "jira",
                    "from": "10001",
                    "fromString": "Review",
                    "to": "10002",
                    "toString": "Done",
                },
                {"field": "priority", "fieldtype": "jira", "to": "4", "toString": "Low"},
            ],
        },
        {
            "id": "20002",
            "created": "2026-11-23T12:02:00.000+0000",
            "items": [
                {"field": "assignee", "fieldtype": "jira", "to": "Ada", "toString": "Ada"},
                {"field": "duedate", "fieldtype": "jira", "to": "2026-11-23", "toString": "2026-11-23 00:00:00.0"},
            ],
        },
        {
            "id": "20003",
            "created": "2026-11-23T12:03:00.000+0000",
            "items": [{"field": "assignee", "fieldtype": "jira", "from": "Ada", "fromString": "Ada"}],
        },
    ]
    assert site.issues[2].updated == NOON + 240


def test_a_due_date_is_a_date(site: Site) -> None:
    issue = site.create("Due", NOON, duedate=date(2026, 11, 23))
    assert issue.fields(NOON)["duedate"] == "2026-11-23"


def moment(time_of_day: str, epoch: float) -> dict[str, Any]:
    return {
        "epochMillis": int(epoch * 1000),
        "iso8601": f"2026-11-23T{time_of_day}+0000",
        "jira": f"2026-11-23T{time_of_day}.000+0000",
    }


def test_an_sla_that_runs_looks_as_jira_writes_it(with_slas: Site) -> None:
    issue = with_slas.sla("OPS-1", "Time to resolution", Sla(Cycle(NOON, 3600)))
    fields = issue.fields(NOON + 600.5)
    assert fields["customfield_10030"] == {
        "id": "1",
        "name": "Time to resolution",
        "completedCycles": [],
        "ongoingCycle": {
            "startTime": moment("12:00:00", NOON),
            "breachTime": moment("13:00:00", NOON + 3600),
            "breached": False,
            "paused": False,
            "withinCalendarHours": True,
            "goalDuration": {"millis": 3_600_000},
            "elapsedTime": {"millis": 600_500},
            "remainingTime": {"millis": 2_999_500},
        },
    }
    assert fields["customfield_10031"] is None


def test_an_sla_that_has_stopped_has_no_ongoing_cycle(with_slas: Site) -> None:
    cycles = ((Cycle(NOON, 60), NOON + 30), (Cycle(NOON + 90, 60), NOON + 180))
    value = with_slas.sla("OPS-1", "Time to first response", Sla(completed=cycles)).fields(NOON)["customfield_10031"]
    assert value.keys() == {"id", "name", "completedCycles"}
    first, second = value["completedCycles"]
    assert first == {
        "startTime": moment("12:00:00", NOON),
        "stopTime": moment("12:00:30", NOON + 30),
        "breachTime": moment("12:01:00", NOON + 60),
        "breached": False,
        "goalDuration": {"millis": 60_000},
        "elapsedTime": {"millis": 30_000},
        "remainingTime": {"millis": 30_000},
    }
    assert (second["breached"], second["remainingTime"]) == (True, {"millis": -30_000})


@pytest.mark.parametrize(
    ("cycle", "breached", "remaining"),
    [
        (Cycle(NOON, 60), False, 1),
        (Cycle(NOON - 1, 60), True, 0),
        (Cycle(NOON - 9, 60), True, -8),
        (Cycle(NOON - 9, 60, elapsed=20, paused=True), False, 40),
        (Cycle(NOON - 9, 60, breach=NOON + 3600, elapsed=20, within_calendar_hours=False), False, 40),
        (Cycle(NOON, 60, breach=NOON + 59, elapsed=60), True, 0),
    ],
)
def test_an_sla_is_breached_when_its_time_has_come_and_nobody_has_paused_it(
    cycle: Cycle, *, breached: bool, remaining: int
) -> None:
    content = cycle.content(NOON + 59)
    assert (content["breached"], content["remainingTime"]["millis"]) == (breached, remaining * 1000)
    assert content["paused"] is cycle.paused
    assert content["withinCalendarHours"] is cycle.within_calendar_hours


def test_an_sla_can_be_taken_away_and_must_be_one_of_the_sites(with_slas: Site) -> None:
    with_slas.sla("OPS-1", "Time to resolution", Sla())
    assert with_slas.sla("OPS-1", "Time to resolution", None).fields(NOON)["customfield_10030"] is None
    with pytest.raises(KeyError):
        with_slas.sla("OPS-1", "Time to nothing", Sla())
    with pytest.raises(KeyError):
        with_slas.sla("OPS-9", "Time to resolution", Sla())


# --- the life on the board ---


def lived(seed: int, steps: int) -> tuple[Site, list[str]]:
    site = Site()
    life = Life(site, Random(seed))
    life.populate(NOON, 12)
    return site, [life.step(NOON + number) for number in range(steps)]


def test_the_same_random_lives_the_same_life() -> None:
    one, other = lived(7, 500), lived(7, 500)
    assert (one[0].issues, one[1]) == (other[0].issues, other[1])
    assert one[1] != lived(8, 500)[1]


def test_a_board_stays_within_its_bounds_for_10_000_steps() -> None:
    site = Site()
    life = Life(site, Random(1))
    life.populate(NOON, 12)
    counts = set()
    for step in range(10_000):
        life.step(NOON + step)
        counts.add(sum(issue.category != "done" for issue in site.issues))
    assert min(counts) >= FEWEST
    assert max(counts) == MOST
    assert len(counts) > 8  # it does not stick to a limit
    assert len(site.issues) <= MOST + KEPT
    assert len({issue.key for issue in site.issues}) == len(site.issues)


def test_an_empty_board_fills_and_an_overfull_one_empties() -> None:
    for count in (0, 40):
        site = Site()
        life = Life(site, Random(3))
        life.populate(NOON, count)
        for step in range(200):
            life.step(NOON + step)
        assert FEWEST <= len(site.search("statusCategory != Done")) <= MOST


def test_a_populated_board_has_tickets_in_all_open_statuses_and_overdue_ones() -> None:
    site, _ = lived(5, 0)
    assert {issue.status for issue in site.issues} == set(NEXT)
    assert any(NOON - issue.created > 60 for issue in site.issues)
    assert any(NOON - issue.created < 30 for issue in site.issues)


def test_each_step_tells_what_happened() -> None:
    site, sentences = lived(5, 200)
    summaries = {issue.key: issue.summary for issue in site.issues}
    key = next(reversed(summaries))
    assert f"{key} created: {summaries[key]} (Open)" in sentences
    for old, new in NEXT.items():
        assert any(sentence.endswith(f"({old} -> {new})") for sentence in sentences)


def test_a_flood_comes_beside_the_life_which_leaves_it_alone_and_goes_as_a_whole() -> None:
    site = Site()
    life = Life(site, Random(2))
    life.populate(NOON, 12)
    assert not life.flooded
    life.flood(NOON, 3000)
    flood = {issue for issue in site.issues if "monitoring" in issue.labels}
    assert life.flooded
    assert len(flood) == 3000
    for step in range(300):
        life.step(NOON + step)
    assert flood <= set(site.issues)
    life.drain()
    assert not life.flooded
    assert FEWEST <= len(site.search("statusCategory != Done")) <= MOST


def test_a_ticket_that_moves_has_somebody_and_some_are_sent_back() -> None:
    site, sentences = lived(5, 500)
    assert any(sentence.endswith("(Review -> In Progress)") for sentence in sentences)
    assert all(issue.assignee for issue in site.issues if issue.status == "Done")
