"""The commands: what they print, and with which code they end."""

import json
import logging
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from parts import PATIENCE, Mosquitto, Observer

from apimon_node import __version__
from apimon_node.commands.cli import main
from apimon_node.config import schema
from apimon_node.config.settings import Settings
from apimon_node.demo import demo
from apimon_node.errors import BrokerError
from apimon_node.mqtt import participant
from apimon_node.mqtt.messages import Publish
from apimon_node.node import app
from apimon_node.process import logs

SHIPPED = str(Path(__file__).parent.parent / "config.yaml")


@pytest.fixture
def written(tmp_path: Path) -> str:
    """Give the name of a configuration for `publish`."""
    path = tmp_path / "config.yaml"
    path.write_text("mqtt: {base_topic: home/apimon}\n")
    return str(path)


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[Publish]:
    """Collect what would go to the broker."""
    messages: list[Publish] = []
    monkeypatch.setattr(participant, "publish", lambda _settings, message: messages.append(message))
    return messages


def refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must end with 2, and give what it says."""
    assert main(argv) == 2
    output = capsys.readouterr()
    assert output.out == ""
    return output.err.rstrip("\n")


def test_check_tells_what_the_configuration_means(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--config", SHIPPED]) == 0

    output = capsys.readouterr()
    assert output.out.startswith(f"config    {SHIPPED}\nbroker    localhost:1883, MQTT auto, topics below apimon/\n")
    assert output.err == ""


def test_check_tells_warnings_beside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("node: {id: hall, render_interval: 100ms}\n")

    assert main(["check", "--config", str(path)]) == 0
    assert capsys.readouterr().err == (
        f"{path}:1: node.render_interval: below 0.5s the node and the strip work harder than they need to (warning)\n"
    )


@pytest.mark.parametrize("command", [["check"], ["run"], ["poll"], ["publish", "ops", "Open=1"]])
def test_a_wrong_configuration_is_told_in_full_and_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("mqtt:\n  port: 0\n  hots: a\n")

    assert refused([*command, "--config", str(path)], capsys).splitlines() == [
        f"{path}:2: mqtt.port: expected 1 to 65535, got 0",
        f"{path}:3: mqtt.hots: unknown key: did you mean 'host'?",
    ]


def test_without_a_configuration_it_says_where_it_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schema, "PATHS", (tmp_path / "a", tmp_path / "b"))

    assert refused(["check"], capsys) == f"no configuration: expected {tmp_path}/a or {tmp_path}/b, or --config FILE"


def test_the_configuration_beside_one_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text("mqtt: {host: here}")
    monkeypatch.chdir(tmp_path)

    assert main(["check"]) == 0
    assert capsys.readouterr().out.startswith(f"config    {tmp_path}/config.yaml\nbroker    here:1883")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("run", "strips: is missing: a node needs a strip to light"),
        ("poll", "poller: is missing: a poller needs a Jira to ask"),
    ],
)
def test_a_program_without_its_part_of_the_configuration_does_not_start(
    written: str, capsys: pytest.CaptureFixture[str], command: str, message: str
) -> None:
    assert refused([command, "--config", written], capsys) == message


@pytest.mark.parametrize(
    ("command", "program"), [("run", "apimon_node.node.app.run_node"), ("poll", "apimon_node.poller.app.run_poller")]
)
def test_a_program_starts_with_the_settings_of_the_file(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, command: str, program: str
) -> None:
    started: list[Settings] = []
    monkeypatch.setattr(program, started.append)
    caplog.set_level(logging.INFO, "apimon_node")

    assert main([command, "--config", SHIPPED]) == 0
    assert started == [schema.load(Path(SHIPPED))[0]]
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("command", "program"), [("run", "apimon_node.node.app.run_node"), ("poll", "apimon_node.poller.app.run_poller")]
)
def test_a_program_says_which_file_it_has_found_where_none_was_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, command: str, program: str
) -> None:
    monkeypatch.setattr(schema, "PATHS", (Path(SHIPPED),))
    monkeypatch.setattr(program, lambda _: None)
    caplog.set_level(logging.INFO, "apimon_node")

    assert main([command]) == 0
    assert caplog.messages == [f"configuration: {SHIPPED}"]


@pytest.mark.parametrize(("argv", "seconds"), [(["demo"], None), (["demo", "--seconds", "2.5"], 2.5)])
def test_the_demo_needs_no_configuration_and_may_end_by_itself(
    monkeypatch: pytest.MonkeyPatch, argv: list[str], seconds: float | None
) -> None:
    started: list[float | None] = []
    monkeypatch.setattr(demo, "run", started.append)

    assert main(argv) == 0
    assert started == [seconds]


def test_publish_sends_counts_with_their_time_retained(
    written: str, published: list[Publish], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["publish", "ops", "Open=3", "In Progress=2/1", "a=b=0", "--config", written]) == 0

    (message,) = published
    body = json.loads(message.payload)
    assert message.topic == "home/apimon/tickets/ops"
    assert message.retain
    assert body["counts"] == {
        "Open": {"total": 3, "overdue": 0},
        "In Progress": {"total": 2, "overdue": 1},
        "a=b": {"total": 0, "overdue": 0},
    }
    assert set(body) == {"counts", "at"}
    assert capsys.readouterr().out == "published to ops\n"


@pytest.mark.parametrize(
    "argument",
    [
        "Open",
        "Open=",
        "=3",
        "Open=x",
        "Open=-1",
        "Open=1.5",
        "Open=1/",
        "Open=1/x",
        "Open=1/2/3",
        "Open=²",
        "Open=" + "9" * 5000,
    ],
)
def test_publish_takes_no_counts_but_numbers(
    written: str, published: list[Publish], capsys: pytest.CaptureFixture[str], argument: str
) -> None:
    assert refused(["publish", "ops", "Done=1", argument, "--config", written], capsys) == (
        f"expected STATUS=NUMBER or STATUS=NUMBER/OVERDUE such as 'In Progress=2/1', got {argument!r}"
    )
    assert published == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Open=1/2"], "counts.Open.overdue: expected at most its total of 1, got 2"),
        (["Open=10001"], "counts.Open: expected 0 to 10000 tickets, got 10001"),
        (["Open=9999", "Done=2"], "counts: expected at most 10000 tickets, got 10001"),
        (["Open=1", "Open=2"], "expected each status once, got Open=1 Open=2"),
    ],
)
def test_publish_sends_nothing_that_a_node_would_refuse(
    written: str, published: list[Publish], capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert refused(["publish", "ops", *arguments, "--config", written], capsys).replace(".total:", ":") == message
    assert published == []


def test_publish_sends_no_status_that_is_no_text(
    written: str, published: list[Publish], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["publish", "ops", os.fsdecode(b"\xff=1"), "--config", written]) == 2
    assert "utf-8" in capsys.readouterr().err
    assert published == []


@pytest.mark.parametrize("board", ["Ops", "a/b", "+", "", "é"])
def test_publish_names_a_board_that_cannot_be_one(
    written: str, published: list[Publish], capsys: pytest.CaptureFixture[str], board: str
) -> None:
    assert refused(["publish", board, "Open=1", "--config", written], capsys) == (
        f"board: expected an id of a to z, 0 to 9, _ and - only, got {board!r}"
    )
    assert published == []


NOBODY = "node, poller: both are missing: there is nobody to announce to Home Assistant"
NODE = "node: {id: hall}\n"
POLLER = "poller: {jira: {url: 'https://jira', auth: {type: none}}}\nboards: [{name: ops, jql: x}]\n"
NODE_TOPIC = "homeassistant/device/apimon_node_hall/config"
POLLER_TOPIC = "homeassistant/device/apimon_poller_main/config"


@pytest.mark.parametrize(
    ("text", "topics"),
    [(NODE, [NODE_TOPIC]), (POLLER, [POLLER_TOPIC]), (NODE + POLLER, [NODE_TOPIC, POLLER_TOPIC])],
)
def test_discovery_clear_empties_the_topics_of_the_configuration_and_no_others(
    tmp_path: Path, published: list[Publish], capsys: pytest.CaptureFixture[str], text: str, topics: list[str]
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)

    assert main(["discovery", "clear", "--config", str(path)]) == 0
    assert published == [Publish(topic, b"", retain=True) for topic in topics]
    assert capsys.readouterr().out.splitlines() == [
        *[f"cleared {topic}" for topic in topics],
        (
            "a node or poller that runs announces itself again at its next connection: "
            "stop it, or set home_assistant.enabled to false and restart it, before you clear"
        ),
    ]


def test_discovery_clear_has_no_more_to_say_where_nobody_announces_anything(
    tmp_path: Path, published: list[Publish], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"{NODE}home_assistant: {{enabled: false}}\n")

    assert main(["discovery", "clear", "--config", str(path)]) == 0
    assert published == [Publish(NODE_TOPIC, b"")]
    assert capsys.readouterr().out == f"cleared {NODE_TOPIC}\n"


def test_discovery_clear_tells_how_far_it_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(NODE + POLLER)

    def publish(_settings: Settings, message: Publish) -> None:
        if message.topic == POLLER_TOPIC:
            raise BrokerError("the broker does not answer")

    monkeypatch.setattr(participant, "publish", publish)

    assert main(["discovery", "clear", "--config", str(path)]) == 1
    assert capsys.readouterr() == (f"cleared {NODE_TOPIC}\n", "apimon-node: the broker does not answer\n")


def test_discovery_clear_leaves_nothing_on_a_real_broker(
    tmp_path: Path, broker: Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"mqtt: {{host: 127.0.0.1, port: {broker.port}}}\n{NODE}")
    other = NODE_TOPIC.replace("hall", "other")
    with Observer(broker.port, "homeassistant/#") as observer:
        for topic in (NODE_TOPIC, other):
            observer.publish(topic, "{}")
            observer.wait_for(topic, b"{}")
        assert main(["discovery", "clear", "--config", str(path)]) == 0
        observer.wait_for(NODE_TOPIC, b"")

    assert capsys.readouterr().out.startswith(f"cleared {NODE_TOPIC}\n")
    with Observer(broker.port, "homeassistant/#") as later:
        later.wait_for(other, b"{}")
        assert NODE_TOPIC not in later.latest


@pytest.mark.parametrize(
    ("text", "topics"),
    [(NODE, [NODE_TOPIC]), (POLLER, [POLLER_TOPIC]), (NODE + POLLER, [NODE_TOPIC, POLLER_TOPIC])],
)
def test_discovery_show_prints_what_home_assistant_is_told(
    tmp_path: Path, published: list[Publish], capsys: pytest.CaptureFixture[str], text: str, topics: list[str]
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)

    assert main(["discovery", "show", "--config", str(path)]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert list(shown) == topics
    assert all(payload["dev"]["sw"] == __version__ for payload in shown.values())
    assert published == []


@pytest.mark.parametrize("verb", ["show", "clear"])
def test_discovery_needs_a_node_or_a_poller(
    written: str, published: list[Publish], capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    assert refused(["discovery", verb, "--config", written], capsys) == NOBODY
    assert published == []


def test_a_broker_that_is_not_there_ends_publish_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and not listened to
        path.write_text(f"mqtt: {{host: 127.0.0.1, port: {taken.getsockname()[1]}}}")
        assert main(["publish", "ops", "Open=1", "--config", str(path)]) == 1

    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("apimon-node: ")
    assert "127.0.0.1" in output.err


def test_what_is_expected_to_go_wrong_ends_with_1_and_one_line(
    written: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def publish(*_: object) -> None:
        raise BrokerError("the broker does not answer")

    monkeypatch.setattr(participant, "publish", publish)

    assert main(["publish", "ops", "Open=1", "--config", written]) == 1
    assert capsys.readouterr().err == "apimon-node: the broker does not answer\n"


def test_a_bug_ends_with_70_and_its_traceback(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def run_node(_: Settings) -> None:
        raise KeyError("not thought of")

    monkeypatch.setattr(app, "run_node", run_node)

    assert main(["run", "--config", SHIPPED]) == 70
    record = caplog.records[-1]
    assert record.levelno == logging.CRITICAL
    assert "this is a bug in apimon-node" in caplog.text
    assert "KeyError: 'not thought of'" in caplog.text


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["frobnicate"],
        ["check", "extra"],
        ["run", "--wrong"],
        ["publish"],
        ["publish", "ops"],
        ["check", "--config"],
        ["discovery"],
        ["discovery", "frobnicate"],
    ],
)
def test_wrong_arguments_end_with_2_and_the_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(argv)

    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: apimon-node")


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])

    assert ended.value.code == 0
    assert capsys.readouterr().out == f"{__version__}\n"


def test_the_package_runs_as_a_module_and_logs_to_standard_error() -> None:
    process = subprocess.run(
        [sys.executable, "-c", (
            "import sys, logging\n"
            "from apimon_node.commands import cli\n"
            "from apimon_node.node import app\n"
            "app.run_node = lambda _: logging.getLogger('apimon_node').info('hello') or 1 / 0\n"
            f"sys.exit(cli.main(['run', '--config', {SHIPPED!r}]))"
        )],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip

    assert process.returncode == 70
    assert process.stdout == ""
    assert process.stderr.startswith("INFO hello\nCRITICAL this is a bug in apimon-node:\nTraceback")
    assert process.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_python_m_apimon_node_is_the_command() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "apimon_node", "check", "--config", SHIPPED],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip

    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.startswith("config ")


def test_log_lines_go_to_whatever_standard_error_is_at_the_moment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = logs.Stderr()
    handler.handle(logging.makeLogRecord({"msg": "before"}))
    monkeypatch.setattr(sys, "stderr", sys.stdout)
    handler.handle(logging.makeLogRecord({"msg": "after"}))

    assert capsys.readouterr() == ("after\n", "before\n")


def test_whoever_has_read_enough_of_the_output_is_no_bug() -> None:
    command = f"'{sys.executable}' -m apimon_node check --config '{SHIPPED}' | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)

    assert done.stderr == ""
    assert done.returncode in (0, 1)


def test_ctrl_c_ends_a_command_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(participant, "publish", interrupted)

    assert main(["publish", "--config", SHIPPED, "ops", "A=1"]) == 130
    assert capsys.readouterr() == ("", "")
