"""`apimon-node doctor`: with a real broker, a node that runs and one that does not, a Jira that refuses."""

import signal
import time
from pathlib import Path

import pytest
from parts import PATIENCE, Mosquitto, Observer, Program, node_config, wait_until

from apimon_node import config, doctor
from apimon_node.checks import Finding, Level
from apimon_node.demo.jira import Account, Hang, JiraServer
from apimon_node.demo.site import Site
from apimon_node.mqtt.messages import Up

TOKEN = "s3cret-token"
AVAILABILITY, STATUS = "apimon/nodes/hall/availability", "apimon/nodes/hall/status"


def examined(folder: Path, path: str, token: str = TOKEN) -> tuple[int, list[str]]:
    """Run it; give its exit code and its lines, without what only lines them up."""
    environment = {"APIMON_JIRA_TOKEN": token}
    with Program(folder, "doctor", "--config", path, environment=environment) as program:
        code = program.process.wait(PATIENCE + 20)
    assert "Traceback" not in program.err
    assert TOKEN not in program.out + program.err
    return code, [" ".join(line.split()) for line in program.out.splitlines()]


def beginning(lines: list[str], start: str) -> list[str]:
    return [line for line in lines if line.startswith(start)]


def test_of_a_node_that_runs_and_is_well_it_says_so(tmp_path: Path, broker: Mosquitto, observer: Observer) -> None:
    observer.publish("apimon/tickets/ops", {"counts": {"A": 3}})
    path = node_config(tmp_path, broker.port)
    with Program(tmp_path, "run", "--config", path):
        wait_until(lambda: observer.json(STATUS).get("state") == "ok", "the node")
        code, lines = examined(tmp_path, path)

    assert code == 0
    assert lines == [
        "ok strip ops 10 pixels on a terminal: nothing stands in the way",
        f"ok broker 127.0.0.1:{broker.port} lets us in, by MQTT 5",
        "ok node hall is running, version 0.1.0",
        "ok board ops 3 tickets, published by hand",
    ]


def test_of_a_node_whose_strip_fails_it_says_what_the_node_says(
    tmp_path: Path, broker: Mosquitto, observer: Observer
) -> None:
    path = node_config(tmp_path, broker.port, driver="spi, device: /dev/spidev9.9")
    with Program(tmp_path, "run", "--config", path) as node:
        wait_until(lambda: observer.json(STATUS).get("state") == "error", "the fault")
        code, lines = examined(tmp_path, path)
        assert "strip ops: /dev/spidev9.9 is missing; switch SPI on" in node.err

    assert code == 1
    assert beginning(lines, "PROBLEM strip ops /dev/spidev9.9 is missing; switch SPI on")
    assert beginning(lines, "PROBLEM node hall strip ops: /dev/spidev9.9: No such file or directory")


def test_of_a_node_that_does_not_run_and_a_board_without_tickets_it_says_what_to_start(
    tmp_path: Path, broker: Mosquitto
) -> None:
    code, lines = examined(tmp_path, node_config(tmp_path, broker.port))

    assert code == 0
    assert "warning node hall is not running; start it: apimon-node run" in lines
    line = "warning board ops nobody has published its tickets; try it by hand: apimon-node publish ops Open=3"
    assert line in lines


def test_without_a_broker_it_says_where_it_looked(tmp_path: Path) -> None:
    port = Mosquitto(tmp_path).port
    code, lines = examined(tmp_path, node_config(tmp_path, port))

    assert code == 1
    assert lines[-1] == (
        f"PROBLEM broker cannot reach the broker at 127.0.0.1:{port}: Connection refused;"
        " start it there (sudo systemctl start mosquitto), or correct mqtt.host and mqtt.port"
    )


def test_a_password_file_that_is_missing_is_told_before_anything_is_tried(tmp_path: Path, broker: Mosquitto) -> None:
    path = node_config(tmp_path, broker.port, mqtt=", username: me, password_file: nowhere")
    code, lines = examined(tmp_path, path)

    assert code == 1
    assert len(beginning(lines, "PROBLEM broker")) == 1
    assert "nowhere" in lines[-1]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", "warning board ops nobody has published its tickets"),
        (b"rubbish", "PROBLEM board ops its tickets are refused: expected JSON"),
        ({"tickets": [], "source": "main"}, "ok board ops 0 tickets, from main"),
        (
            {"tickets": [], "source": "main", "valid_until": "2020-01-01T00:00:00Z"},
            (
                "warning board ops its tickets, from main, have expired at 2020-01-01T00:00:00Z;"
                " see whether the poller main runs"
            ),
        ),
        (
            {"tickets": [], "valid_until": "2099-01-01T00:00:00Z"},
            "ok board ops 0 tickets, published by hand, hold until 2099-01-01T00:00:00Z",
        ),
    ],
)
def test_what_stands_on_a_boards_topic_is_judged(
    tmp_path: Path, broker: Mosquitto, observer: Observer, payload: bytes | dict[str, object], expected: str
) -> None:
    observer.publish("apimon/tickets/ops", payload)
    _, lines = examined(tmp_path, node_config(tmp_path, broker.port))

    assert beginning(lines, expected)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (b"", "warning node hall is running; its status cannot be read: there is none; restart it"),
        (b"[]", "warning node hall is running; its status cannot be read: expected an object with faults"),
        (b'{"faults":7}', "warning node hall is running; its status cannot be read: expected an object with faults"),
        (b'{"faults":[{"text":"a\\nb"}],"version":"9"}', "PROBLEM node hall a b"),
        (b'{"faults":[7],"version":"9"}', "PROBLEM node hall None"),
    ],
)
def test_a_status_that_somebody_else_wrote_cannot_upset_it(
    tmp_path: Path, broker: Mosquitto, observer: Observer, status: bytes, expected: str
) -> None:
    observer.publish(AVAILABILITY, b"online")
    observer.publish(STATUS, status)
    _, lines = examined(tmp_path, node_config(tmp_path, broker.port))

    assert beginning(lines, expected)


def test_a_broker_that_denies_a_topic_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, _ = config.parse(Path(node_config(tmp_path, 1)).read_text(encoding="utf-8"))
    up = Up("broker:1883", "5", ("apimon/tickets/ops",))
    monkeypatch.setattr(doctor, "_listen", lambda _link, _wanted: doctor.Heard(up, {}))

    findings = list(doctor.doctor(settings))

    text = "it refuses to let us read apimon/tickets/ops"
    assert Finding("broker", Level.PROBLEM, text, "allow that in the broker's access list") in findings


def test_a_broker_that_says_nothing_is_not_waited_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "BROKER_TIMEOUT", 0.2)
    with Mosquitto(tmp_path) as broker:
        broker.signal(signal.SIGSTOP)
        settings, _ = config.parse(Path(node_config(tmp_path, broker.port)).read_text(encoding="utf-8"))
        findings = list(doctor.doctor(settings))

    assert findings[-1].text == "the broker did not answer within 0.2 s"


POLLER = """\
mqtt: {{host: 127.0.0.1, port: {port}}}
poller:
  jira: {{url: '{jira}', timeout: 2s, auth: {{type: pat{more}}}}}
boards:
  - {{name: ops, jql: project = OPS}}
  - {{name: web, jql: project = OPS AND statusCategory = Done}}
"""


def poller_config(folder: Path, broker: Mosquitto, jira: JiraServer, more: str = "") -> str:
    path = folder / "poller.yaml"
    path.write_text(POLLER.format(port=broker.port, jira=jira.url, more=more), encoding="utf-8")
    return str(path)


@pytest.fixture
def site() -> Site:
    return Site()


def test_jira_is_asked_for_each_board(tmp_path: Path, broker: Mosquitto, site: Site) -> None:
    site.create("one", time.time())
    with JiraServer(site, cloud=False, account=Account("me", TOKEN)) as jira:
        code, lines = examined(tmp_path, poller_config(tmp_path, broker, jira))

    assert code == 0
    assert [line for line in lines if " jira " in line] == [
        "ok jira the query of board ops finds 1 tickets, 0 of them overdue",
        "ok jira the query of board web finds 0 tickets, 0 of them overdue",
    ]


def test_a_token_that_jira_refuses_is_tried_once(tmp_path: Path, broker: Mosquitto, site: Site) -> None:
    with JiraServer(site, cloud=False, account=Account("me", "another")) as jira:
        code, lines = examined(tmp_path, poller_config(tmp_path, broker, jira))

    assert code == 1
    assert len(beginning(lines, "PROBLEM jira auth: Jira refused the sign-in (401)")) == 1


@pytest.mark.parametrize(("more", "where"), [("", "name its file"), (", token_file: empty", "write it into")])
def test_without_a_token_jira_is_not_asked(
    tmp_path: Path, broker: Mosquitto, site: Site, more: str, where: str
) -> None:
    (tmp_path / "empty").write_text("\n", encoding="utf-8")
    with JiraServer(site, cloud=False, account=Account("me", TOKEN)) as jira:
        code, lines = examined(tmp_path, poller_config(tmp_path, broker, jira, more), token="")

    assert code == 1
    assert beginning(lines, f"PROBLEM jira there is no token to sign in with; {where}")


def test_a_token_file_that_is_missing_is_told(tmp_path: Path, broker: Mosquitto, site: Site) -> None:
    with JiraServer(site, cloud=False, account=Account("me", TOKEN)) as jira:
        code, lines = examined(tmp_path, poller_config(tmp_path, broker, jira, ", token_file: nowhere"))

    assert code == 1
    assert "nowhere" in beginning(lines, "PROBLEM jira")[0]


def test_a_query_that_jira_refuses_is_told_with_its_board(tmp_path: Path, broker: Mosquitto, site: Site) -> None:
    with JiraServer(site, cloud=False, account=Account("me", TOKEN)) as jira:
        path = Path(poller_config(tmp_path, broker, jira))
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("project = OPS", "projekt ~~ OPS", 1), encoding="utf-8")
        code, lines = examined(tmp_path, str(path))

    assert code == 1
    assert beginning(lines, "PROBLEM jira query: Jira does not take the query")
    assert lines[-2].endswith("; correct the jql of board ops")
    assert lines[-1].startswith("ok jira the query of board web")


def test_without_the_extra_it_names_the_command(
    tmp_path: Path, broker: Mosquitto, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apimon_node.extras.find_spec", lambda _name: None)
    with JiraServer(site, cloud=False, account=Account("me", TOKEN)) as jira:
        text = Path(poller_config(tmp_path, broker, jira)).read_text(encoding="utf-8")
    findings = list(doctor.doctor(config.parse(text)[0]))

    assert findings[-1] == Finding("jira", Level.PROBLEM, "jira not installed", "pip install 'apimon-node[jira]'")


def test_a_jira_that_takes_for_ever_is_not_waited_for(
    tmp_path: Path, broker: Mosquitto, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "JIRA_TIMEOUT", 0.2)
    monkeypatch.setenv("APIMON_JIRA_TOKEN", TOKEN)
    with JiraServer(site, cloud=False, account=Account("me", TOKEN)) as jira:
        jira.fail(Hang(30))
        text = Path(poller_config(tmp_path, broker, jira)).read_text(encoding="utf-8")
        findings = list(doctor.doctor(config.parse(text)[0]))

    assert findings[-1].text == "no whole answer to the query of board ops within 0.2 s"
