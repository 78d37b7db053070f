"""Where log lines go, told by a journal that is a real socket, and what they say at each level."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from journal import Journal
from parts import PATIENCE, Mosquitto, Observer, Program, node_config, wait_until

from apimon_node.commands.cli import main
from apimon_node.process import logs
from apimon_node.process.remarks import LogLevel, Remark

TICKETS = "apimon/tickets/ops"
RESPONSE = "apimon/nodes/hall/response/log_level"


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    journal = Journal(tmp_path)
    monkeypatch.setattr(logs, "SOCKET", str(journal.path))
    yield journal
    journal.close()


@pytest.fixture
def log(journal: Journal) -> logging.Logger:  # noqa: ARG001 - it logs to it
    """Give a logger whose lines go to the journal alone."""
    log = logging.Logger("a.library", logging.DEBUG)  # noqa: LOG001 - one that no other test knows
    log.addHandler(logs.Journal())
    return log


@pytest.fixture(autouse=True)
def _level_as_before() -> Iterator[None]:
    level = logs.log.level
    yield
    logs.log.setLevel(level)


# --- An entry ---


@pytest.mark.parametrize(
    ("level", "priority"),
    [("critical", "2"), ("error", "3"), ("warning", "4"), ("info", "6"), ("debug", "7")],
)
def test_an_entry_says_what_how_grave_and_where(
    journal: Journal, log: logging.Logger, level: str, priority: str
) -> None:
    getattr(log, level)("%d tickets = %s", 3, "grün")

    entry = journal.read()
    assert entry.pop("CODE_LINE").isdecimal()
    assert entry == {
        "MESSAGE": "3 tickets = grün",
        "PRIORITY": priority,
        "SYSLOG_IDENTIFIER": "apimon-node",
        "LOGGER": "a.library",
        "CODE_FILE": __file__,
        "CODE_FUNC": "test_an_entry_says_what_how_grave_and_where",
    }


@pytest.mark.parametrize(
    "text",
    ["one\nPRIORITY=0\nEVIL=1", "\n", "ends\n", "", "a=b", "\0\x1b[31m"],
    ids=["two", "lf", "end", "none", "=", "0"],
)
def test_no_text_can_begin_another_field(journal: Journal, log: logging.Logger, text: str) -> None:
    log.info("%s", text)

    entry = journal.read()
    assert entry["MESSAGE"] == text
    assert entry["PRIORITY"] == "6"
    assert "EVIL" not in entry


def test_half_a_character_is_shown_as_what_it_is(journal: Journal, log: logging.Logger) -> None:
    log.info("\ud800")

    assert journal.read()["MESSAGE"] == r"\ud800"


def test_a_traceback_is_one_entry(journal: Journal, log: logging.Logger) -> None:
    try:
        os.environ["NOT THOUGHT OF"]
    except KeyError:
        log.critical("this is a bug:", exc_info=True)

    lines = journal.read()["MESSAGE"].split("\n")
    assert lines[:2] == ["this is a bug:", "Traceback (most recent call last):"]
    assert lines[-1] == "KeyError: 'NOT THOUGHT OF'"


@pytest.mark.parametrize(
    ("remark", "fields"),
    [
        (
            Remark("no power", bad=True, fault="strip", subject="ops"),
            {"PRIORITY": "4", "APIMON_FAULT": "strip", "APIMON_SUBJECT": "ops"},
        ),
        (Remark("broker: well again", fault="broker"), {"PRIORITY": "6", "APIMON_FAULT": "broker"}),
        (Remark("connected"), {"PRIORITY": "6"}),
    ],
)
def test_the_fault_of_a_remark_comes_as_fields(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, remark: Remark, fields: dict[str, str]
) -> None:
    monkeypatch.setattr(logs.log, "handlers", [logs.Journal()])
    logs.log.setLevel("INFO")
    logs.say(remark)

    entry = journal.read()
    assert entry["MESSAGE"] == remark.text
    assert {name: text for name, text in entry.items() if name == "PRIORITY" or "APIMON" in name} == fields
    assert entry["CODE_FUNC"] == "test_the_fault_of_a_remark_comes_as_fields"


# --- What the journal does not take ---


def test_what_is_too_large_for_a_datagram_goes_to_standard_error_with_its_priority_on_each_line(
    journal: Journal, log: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    large = "x" * 2**20
    log.warning("%s\nand more", large)
    log.warning("small")

    assert capsys.readouterr().err == f"<4>{large}\n<4>and more\n"
    assert journal.read()["MESSAGE"] == "small"


def test_without_a_journal_lines_go_to_standard_error(
    journal: Journal, log: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    journal.path.unlink()
    log.error("here")

    assert capsys.readouterr().err == "<3>here\n"


def test_a_journal_that_hangs_costs_lines_and_one_short_wait_and_the_next_line_says_so(
    journal: Journal, log: logging.Logger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    waits: list[float] = []
    really = logs.send

    def send(datagram: bytes, patience: float) -> None:
        waits.append(patience)
        really(datagram, patience)

    monkeypatch.setattr(logs, "send", send)
    sent = 0
    while not (waits and waits[-1] == 0):  # the socket takes some, whether anybody reads or not
        log.info("line %d", sent)
        sent += 1
    log.info("lost too")
    assert waits == [logs.PATIENCE] * (sent - 1) + [0, 0]

    read = [journal.read()["MESSAGE"] for _ in range(sent - 2)]
    log.info("back")
    log.info("well")
    assert read == [f"line {number}" for number in range(sent - 2)]
    assert journal.read()["MESSAGE"] == "back (3 lines before this one were lost: the journal took none)"
    assert journal.read()["MESSAGE"] == "well"
    assert capsys.readouterr().err == ""


# --- Whether there is one ---

WHERE = "from apimon_node.process import logs; print(logs.under_journal())"


def status(file: int) -> str:
    of = os.fstat(file)
    return f"{of.st_dev}:{of.st_ino}"


@pytest.mark.parametrize(
    ("stream", "expected"), [(status, "True"), (lambda _: "1:2", "False"), (lambda _: "", "False"), (None, "False")]
)
def test_the_journal_is_there_where_standard_error_is_the_stream_that_systemd_names(
    stream: Callable[[int], str] | None, expected: str
) -> None:
    reading, writing = os.pipe()
    environment = {name: value for name, value in os.environ.items() if name != "JOURNAL_STREAM"}
    if stream is not None:
        environment["JOURNAL_STREAM"] = stream(writing)
    done = subprocess.run(
        [sys.executable, "-c", WHERE], env=environment, stdout=subprocess.PIPE, stderr=writing, text=True, check=True
    )
    os.close(reading)
    os.close(writing)

    assert done.stdout == f"{expected}\n"


def test_with_standard_error_closed_there_is_no_journal() -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import os; os.close(2); {WHERE}"],
        env=os.environ | {"JOURNAL_STREAM": "1:2"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )

    assert done.stdout == "False\n"


def test_what_is_wrong_with_the_configuration_is_an_error_in_the_journal(journal: Journal, tmp_path: Path) -> None:
    journal.listen()
    config = node_config(tmp_path, 1)
    text = (
        Path(config).read_text(encoding="utf-8").replace("node: {id: hall}", "node: {id: hall, render_interval: 20ms}")
    )
    Path(config).write_text(f"{text}poller: 3\n", encoding="utf-8")
    with Program(tmp_path, "run", "--config", config, before=journal.before) as program:
        assert program.process.wait(PATIENCE) == 2
    wait_until(lambda: journal.entries, "the entry")

    (message,) = journal.messages(PRIORITY="3")
    assert "poller: expected" in message
    assert program.err == ""


def test_a_warning_of_the_configuration_is_a_warning_in_the_journal(journal: Journal, tmp_path: Path) -> None:
    journal.listen()
    config = node_config(tmp_path, 1)
    text = (
        Path(config).read_text(encoding="utf-8").replace("node: {id: hall}", "node: {id: hall, render_interval: 20ms}")
    )
    Path(config).write_text(text, encoding="utf-8")
    with Program(tmp_path, "check", "--config", config, before=journal.before) as program:
        assert program.process.wait(PATIENCE) == 0
    wait_until(lambda: journal.entries, "the entry")

    (message,) = journal.messages(PRIORITY="4")
    assert message.endswith("(warning)")


# --- Levels ---


@pytest.mark.parametrize("command", ["run", "poll", "strip"])
def test_a_log_level_that_is_none_ends_with_2_and_the_choice(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--log-level", "loud"])

    assert ended.value.code == 2
    assert "invalid choice: 'loud'" in capsys.readouterr().err


def test_a_change_is_said_while_it_can_be(caplog: pytest.LogCaptureFixture) -> None:
    logs.log.setLevel("INFO")
    for level in (LogLevel.INFO, LogLevel.DEBUG, LogLevel.DEBUG, LogLevel.WARNING, LogLevel.ERROR, LogLevel.INFO):
        logs.set_level(level)
        assert logging.getLevelName(logs.log.level) == level.name

    assert caplog.messages == [
        "the log level is debug now; it was info",
        "the log level is warning now; it was debug",
        "the log level is info now; it was error",
    ]


def test_libraries_are_heard_from_a_warning_on_at_every_level() -> None:
    code = (
        "import logging; from apimon_node.process import logs, remarks\n"
        "logs.start(remarks.LogLevel.DEBUG)\n"
        "logging.getLogger('urllib3').info('GET /secret'); logging.getLogger('urllib3').warning('odd')\n"
        "logs.log.debug('ours')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stderr == "WARNING odd\nDEBUG ours\n"


def test_a_node_in_the_journal_tells_each_transition_once_with_its_fields(
    journal: Journal, tmp_path: Path, broker: Mosquitto, observer: Observer
) -> None:
    journal.listen()
    config = node_config(tmp_path, broker.port)
    with Program(tmp_path, "run", "--config", config, before=journal.before) as program:
        wait_until(lambda: journal.messages(PRIORITY="6"), "the connection")
        observer.publish(TICKETS, b"rub\nbish", retain=False)
        wait_until(lambda: journal.messages(APIMON_FAULT="payload"), "the fault")
        observer.publish(TICKETS, b"rub\nbish", retain=False)
        observer.publish(TICKETS, {"counts": {"A": 1}}, retain=False)
        wait_until(lambda: len(journal.messages(APIMON_FAULT="payload", APIMON_SUBJECT="ops")) == 2, "its end")
        assert program.stop()[0] == 0
    wait_until(lambda: "stopped" in journal.messages(), "the last word")

    bad, good = (entry for entry in journal.entries if entry.get("APIMON_FAULT") == "payload")
    assert (bad["PRIORITY"], good["PRIORITY"]) == ("4", "6")
    assert bad["MESSAGE"].startswith("board ops: refused: expected JSON")
    assert good["MESSAGE"] == "payload ops: well again"
    assert journal.messages(PRIORITY="7") == []
    assert program.err == ""


def ask(observer: Observer, payload: object) -> dict[str, object]:
    observer.latest.pop(RESPONSE, None)
    observer.publish(RESPONSE.replace("response", "request"), json.dumps(payload), retain=False)
    answer: dict[str, object] = json.loads(wait_until(lambda: observer.latest.get(RESPONSE), "the answer"))
    return answer


def test_the_level_can_be_changed_while_a_node_runs_and_debug_tells_topics_and_sizes_but_no_contents(
    tmp_path: Path, broker: Mosquitto, observer: Observer
) -> None:
    snapshot = '{"tickets":[{"key":"SECRET-1","status":"A"}]}'
    with Program(tmp_path, "run", "--config", node_config(tmp_path, broker.port), "--log-level", "warning") as program:
        observer.wait_for("apimon/nodes/hall/availability", b"online")
        assert ask(observer, {"level": "debug", "transaction": 9}) == {
            "status": "ok",
            "transaction": 9,
            "was": "warning",
        }
        observer.publish(TICKETS, snapshot, retain=False)
        wait_until(lambda: f"received '{TICKETS}': {len(snapshot)} bytes\n" in program.err, "the message")
        wait_until(
            lambda: observer.json("apimon/nodes/hall/strips/ops").get("pixels", [""])[0] == "ff0000", "the strip"
        )
        assert ask(observer, {"level": "error"}) == {"status": "ok", "was": "debug"}
        assert ask(observer, {"level": 3})["status"] == "error"
        assert program.stop()[0] == 0

    lines = program.err.splitlines()
    below_warning = [line for line in lines if not line.startswith("WARNING")]  # where it starts slowly, the broker's
    assert below_warning[0] == "INFO the log level is debug now; it was warning"
    assert "INFO the log level is error now; it was debug" in lines
    assert any(line.startswith("DEBUG publish 'apimon/nodes/hall/strips/ops': ") for line in lines)
    assert any(line.endswith(" bytes, retained") for line in lines)
    assert "SECRET" not in program.err


def test_at_debug_each_attempt_to_connect_has_its_line(tmp_path: Path) -> None:
    config = node_config(tmp_path, Mosquitto(tmp_path).port)
    with Program(tmp_path, "run", "--config", config, "--log-level", "debug") as program:
        wait_until(lambda: program.err.count("DEBUG no connection: ") >= 2, "the second attempt")
        wait_until(lambda: "WARNING cannot reach the broker" in program.err, "the fault")
        told, warned = (program.err.count(line) for line in ("DEBUG no connection: ", "WARNING "))
        wait_until(lambda: program.err.count("DEBUG no connection: ") > told, "another attempt")
        assert program.stop()[0] == 0

    assert program.err.count("WARNING ") == warned
    assert program.err.count("WARNING cannot reach the broker") == 1


def test_after_a_restart_the_level_is_the_configured_one(tmp_path: Path, broker: Mosquitto, observer: Observer) -> None:
    soon = "from apimon_node.node import node\nnode.RESTART_EVERY = 0"
    with Program(tmp_path, "run", "--config", node_config(tmp_path, broker.port), before=soon) as program:
        observer.wait_for("apimon/nodes/hall/availability", b"online")
        assert ask(observer, {"level": "error"})["was"] == "info"
        observer.publish("apimon/nodes/hall/request/restart", b"", retain=False)
        wait_until(lambda: program.err.count("INFO connected") == 2, "the second start")

        assert ask(observer, {"level": "error"})["was"] == "info"
