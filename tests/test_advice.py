"""What to do, in plain words: for each fault and state that the documentation names, and each that may come."""

from pathlib import Path

import pytest

from apimon_node.dashboard.advice import UNKNOWN, about_fault, about_state
from apimon_node.errors import JiraState

PAGE = (Path(__file__).parent.parent / "docs/mqtt.md").read_text(encoding="utf-8")


def names(heading: str) -> list[str]:
    table = PAGE.partition(heading)[2].partition("\n\n")[0]
    return [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")]


FAULTS, STATES = names("| fault | when |"), names("| state | cause |")


def test_the_documentation_names_what_there_is() -> None:
    assert len(FAULTS) == 7
    assert list(JiraState) == STATES


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_advice_of_its_own(fault: str) -> None:
    assert about_fault(fault, "offline") not in ("", UNKNOWN)
    assert len({about_fault(name, "offline") for name in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize("state", STATES)
def test_each_state_has_advice_of_its_own_and_where_all_is_well_none(state: str) -> None:
    assert about_state(state) != UNKNOWN
    assert (about_state(state) == "") == (state == "ok")
    assert len({about_state(name) for name in STATES}) == len(STATES)


def test_trouble_with_jira_is_mended_as_the_poller_s_state_is() -> None:
    assert about_fault("jira", "auth") == about_state("auth")


@pytest.mark.parametrize("code", ["later", None, 7])
def test_what_a_later_version_may_say_has_an_answer_too(code: object) -> None:
    assert about_fault("jira", code) == about_fault("later", code) == about_state("later") == UNKNOWN
