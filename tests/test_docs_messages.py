"""docs/troubleshooting.md against the programs: it quotes what they say, all of it, and nothing else."""

import ast
import re
import signal
import subprocess
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import messages
import pytest

from apimon_node.contract.faults import FaultName
from apimon_node.dashboard.advice import FAULTS, STATES
from apimon_node.errors import JiraState

PAGE = Path("docs/troubleshooting.md").read_text(encoding="utf-8")
SAID = messages.everything()

ANYTHING = "…"
"""What differs from case to case, on the page."""

MODULES = (
    "machine.checks",
    "node.diagnosis",
    "install.host",
    "mqtt.refusals",
    "poller.jira.client",
    "poller.jira.oauth2",
    "poller.jira.paging",
    "poller.jira.password",
    "poller.jira.question",
    "poller.jira.refusals",
    "poller.jira.sign_in",
    "poller.jira.transport",
    "node.pollers",
    "mqtt.presence",
    "strip.codes",
    "strip.spi",
    "strip.ws281x",
)
"""Those that have words for people, and nearly none for others."""

NO_MESSAGES = {
    "machine.checks": {
        "a Pi 1",
        "a Pi 2",
        "a Pi 3",
        "a Pi 4",
        "a Pi 5",
        "a Pi Zero",
        "a Pi Zero W",
        "a Pi Zero 2",
        "no Raspberry Pi",
        "an unknown Raspberry Pi",
        "can be opened, and takes",
        "pixels at once",
        "nothing is seen that keeps ws281x from GPIO",
        "is drawn in the terminal, which needs nothing",
        "shows nothing, it only remembers: that needs nothing",
    },
    "mqtt.refusals": {
        "Bad user name or password",
        "Client identifier not valid",
        "Not authorized",
        "Packet too large",
        "QoS not supported",
        "Retain not supported",
        "Session taken over",
        "Unsupported protocol version",
        "private key",
    },
    "mqtt.presence": {"connected to", "by MQTT"},
    "poller.jira.refusals": {"it gave no reason"},
    "node.pollers": {
        "expected online or offline",
    },
}
"""Words of these modules that are others', or stand where all is well, or where the page has `…`."""


def table(begin: str) -> list[list[str]]:
    """Give the cells of the rows of a table, by how its head begins."""
    _, _, rest = PAGE.partition(f"\n{begin}")
    rows = rest.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def quoted(page: str) -> list[str]:
    """Give the messages that a page quotes: lines of its text blocks, and first cells of its tables of messages."""
    lines = [
        line
        for block in re.findall(r"^```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]
    tables = re.findall(r"^\| message \|.*?\n\n", page, re.MULTILINE | re.DOTALL)
    return lines + [cell for rows in tables for cell in re.findall(r"^\| `(.*?)` \|", rows, re.MULTILINE)]


def pattern(quotation: str) -> re.Pattern[str]:
    return re.compile(".+?".join(map(re.escape, quotation.split(ANYTHING))))


def invented(quotations: Iterable[str], said: Collection[str]) -> list[str]:
    """Give the quotations that nobody says."""
    return [quotation for quotation in quotations if not any(map(pattern(quotation).fullmatch, said))]


def unquoted(said: Iterable[str], quotations: Iterable[str]) -> list[str]:
    """Give what is said, and not quoted."""
    patterns = [pattern(quotation) for quotation in quotations]
    return [text for text in said if not any(found.fullmatch(text) for found in patterns)]


def words(code: str) -> set[str]:
    """Give all that a module has in quotes and that reads like words: its pieces, where values go between them."""
    tree = ast.parse(code)
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents
    ]
    pieces = (piece.strip() for text in texts for piece in re.split(r"\{[^}]*\}", text))
    return {piece for piece in pieces if re.search(r"[A-Za-z] +[A-Za-z(]", piece)}


QUOTED = quoted(PAGE)


@pytest.mark.parametrize("quotation", sorted(set(QUOTED)))
def test_every_message_on_the_page_is_one_that_the_programs_print(quotation: str) -> None:
    assert invented([quotation], set().union(*SAID.values())) == []
    assert len(quotation.replace(ANYTHING, "")) > 8, "this would stand for anything"


@pytest.mark.parametrize("who", SAID)
def test_every_message_of_the_programs_is_on_the_page(who: str) -> None:
    assert sorted(unquoted(SAID[who], QUOTED)) == []


@pytest.mark.parametrize("module", MODULES)
def test_no_words_of_these_modules_are_missing_on_the_page(module: str) -> None:
    page = "\n".join(QUOTED)
    there = words(Path("apimon_node", *module.split(".")).with_suffix(".py").read_text(encoding="utf-8"))
    known = NO_MESSAGES.get(module, set())

    assert sorted(piece for piece in there - known if piece not in page) == []
    assert sorted(known - there) == [], "these are gone"


def test_a_message_that_changes_is_noticed_on_both_sides() -> None:
    said = {"the strip ops is tired: let it rest"}

    assert invented(["the strip … is tired: let it rest"], said) == []
    assert unquoted(said, ["the strip … is tired: let it rest"]) == []
    assert invented(["the strip … is tired: wake it"], said) == ["the strip … is tired: wake it"]
    assert unquoted(said, ["the strip … is tired: wake it"]) == [*said]
    assert quoted("```text\na message\n```\n\n| message | x |\n|---|---|\n| `another …` | y |\n\n") == [
        "a message",
        "another …",
    ]


def test_words_are_found_wherever_a_module_has_them() -> None:
    code = '"""A module."""\nX = f"the strip {1} is tired"\nY = {"word": "go to {x} now"}\n"""X is no message."""\n'

    assert words(code) == {"the strip", "is tired", "go to"}


# Names


def test_every_fault_of_a_node_has_its_row_with_what_to_do() -> None:
    rows = {name.strip("`"): (pixel, mend) for name, pixel, mend in table("| fault | the first pixel |")}

    assert set(rows) == set(FaultName)
    assert {name: rows[name][1] for name in FAULTS} == FAULTS


def test_every_fault_of_a_node_has_the_pixel_that_a_node_shows() -> None:
    shown = {name.strip("`"): pixel for name, pixel, _ in table("| fault | the first pixel |")}
    statuses = {"ok": "nothing", "connection": "orange", "error": "red"}

    assert {name: statuses[messages.status_pixel(name)] for name in shown} == shown


def test_every_story_ends_in_its_fault() -> None:
    told = {name: set(messages.faults(*events)) for name, events in messages.STORIES.items() if name in FAULTS}

    assert all(name in found for name, found in told.items())


def test_every_state_of_a_poller_has_its_row_with_what_to_do() -> None:
    rows = {state.strip("`"): mend for state, mend in table("| state | what to do |")}

    assert list(rows) == list(JiraState)
    assert {state: rows[state] for state in STATES if STATES[state]} == {s: text for s, text in STATES.items() if text}


def test_every_state_of_a_poller_has_its_messages() -> None:
    jira = PAGE.partition("\n## Jira\n")[2].partition("\n### ")[0]
    found = re.findall(r"^`(\w+)`:\n\n```text\n(.*?)^```", jira, re.MULTILINE | re.DOTALL)
    states = {state: block.splitlines() for state, block in found}

    assert [*states] == [state for state in JiraState if state is not JiraState.OK]
    for state, texts in messages.jira_by_state():
        assert unquoted([texts], states[state]) == [], state


# systemd


def exits() -> Iterator[tuple[int, str]]:
    for number, name in re.findall(r"`status=(\d+)/(\w+)`", PAGE):
        yield int(number), name


@pytest.mark.parametrize(("number", "name"), sorted(set(exits())))
def test_every_status_has_the_name_that_systemd_gives_it(number: int, name: str) -> None:
    if name in ("SEGV", "ABRT"):
        assert signal.Signals(number).name == f"SIG{name}"
        return
    command = ["systemd-analyze", "exit-status", str(number)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]

    assert said.split()[:2] == [name, str(number)]


def test_the_units_are_as_the_page_says() -> None:
    unit = Path("systemd/apimon-node.service").read_text(encoding="utf-8")

    assert "Watchdog timeout (limit 30s)!" in PAGE
    assert "WatchdogSec=30s\n" in unit
    assert "RestartPreventExitStatus=2\n" in unit
    assert "It comes back by itself after 5 s" in PAGE
    assert "RestartSec=5s\n" in unit
