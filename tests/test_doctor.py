"""`apimon-node doctor`: with a real broker, a real node, and a Jira over real HTTP."""

import importlib.util
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from parts import Mosquitto, Observer, Program, node_config, wait_until

from apimon_node.commands import doctor
from apimon_node.commands.doctor import examine
from apimon_node.config import schema
from apimon_node.demo.jira import Account, Answer, Hang, JiraServer
from apimon_node.demo.site import Site
from apimon_node.machine.checks import Finding, Level, line
from apimon_node.mqtt.messages import Down, Up

SECRET = "s3cret-token"

CONFIG = """\
mqtt: {{host: 127.0.0.1, port: {port}{mqtt}}}
node: {{id: hall}}
strips: [{{name: ops, driver: memory, pixels: 10, boards: [ops]}}]
looks: [{{match: {{}}, color: red}}]
"""

POLLER = """\
mqtt: {{host: 127.0.0.1, port: {port}}}
poller: {{jira: {{url: '{jira}', auth: {auth}}}}}
boards:
  - {{name: ops, jql: project = OPS, overdue_after: {{Open: 1h}}}}
  - {{name: dev, jql: {jql}}}
"""

STATUS, AVAILABILITY, TICKETS = "apimon/nodes/hall/status", "apimon/nodes/hall/availability", "apimon/tickets/ops"


def told(text: str) -> list[str]:
    """Examine, and give the lines."""
    return [line(finding) for finding in examine(schema.parse(text)[0])]


def node(port: int, mqtt: str = "") -> str:
    return CONFIG.format(port=port, mqtt=mqtt)


def ready(observer: Observer) -> bool:
    return bool(observer.json(STATUS).get("boards", {}).get("ops", {}).get("tickets"))


# --- secrets ---


@pytest.mark.parametrize(
    ("file", "folder", "verbs", "more"),
    [
        (0o644, 0o755, "read", ""),
        (0o666, 0o1777, "read and write", ""),
        (0o600, 0o777, "replace", ", chmod o-w {0}"),
        (0o666, 0o777, "read and write and replace", ", chmod o-w {0}"),
        (0o600, 0o755, "", ""),
        (0o640, 0o775, "", ""),
        (0o600, 0o1777, "", ""),
    ],
)
@pytest.mark.parametrize("key", ["password_file: {}", "tls: {{cert_file: c, key_file: {}}}", "jira"])
def test_secrets_that_everybody_can_get_at_are_told(
    tmp_path: Path, key: str, file: int, folder: int, verbs: str, more: str
) -> None:
    secret = tmp_path / "folder/secret"
    secret.parent.mkdir()
    secret.touch()
    secret.chmod(file)
    secret.parent.chmod(folder)
    mqtt = "" if key == "jira" else ", " + key.format(secret)
    text = POLLER.format(port=1, jira="https://jira", auth=f"{{type: pat, token_file: {secret}}}", jql="x")
    lines = told(text if key == "jira" else f"mqtt: {{host: 127.0.0.1, port: 1{mqtt}}}")
    expected = (
        f"warning  secrets     everybody can {verbs} {secret} → let it belong to the user of apimon-node, chmod 600 "
    )

    found = [line for line in lines if "everybody can" in line]
    assert found == ([f"{expected}{secret}{more.format(secret.parent)}"] if verbs else [])


@pytest.mark.parametrize("file", ["/dev/null", "/nonexistent/secret"])
def test_what_is_no_file_is_no_open_secret(file: str) -> None:
    assert not any(
        "everybody can" in line for line in told(f"mqtt: {{host: 127.0.0.1, port: 1, password_file: {file}}}")
    )


# --- broker, node, boards ---


def test_a_fresh_installation_is_told_what_comes_next(broker: Mosquitto) -> None:
    lines = told(node(broker.port))

    assert lines[0].startswith("ok       machine     ")
    assert lines[1:] == [
        "ok       strip ops   shows nothing, it only remembers: that needs nothing",
        f"ok       broker      127.0.0.1:{broker.port} lets us in, by MQTT 5",
        "warning  node hall   is not running → start it: apimon-node run",
        "warning  board ops   nobody has published its tickets → try it by hand: apimon-node publish ops Open=3",
    ]


def test_a_broker_alone_is_tried_too(broker: Mosquitto) -> None:
    assert told(f"mqtt: {{host: 127.0.0.1, port: {broker.port}, protocol: 3.1.1}}") == [
        f"ok       broker      127.0.0.1:{broker.port} lets us in, by MQTT 3.1.1"
    ]


def test_a_node_that_runs_well_is_one_line_and_stays_undisturbed(
    tmp_path: Path, broker: Mosquitto, observer: Observer
) -> None:
    path = node_config(tmp_path, broker.port, driver="memory")
    observer.publish(TICKETS, {"counts": {"A": 3}})
    with Program(tmp_path, "run", "--config", path) as program:
        wait_until(lambda: ready(observer), "the node")
        lines = told(Path(path).read_text())

        assert lines[3].startswith("ok       node hall   is running, version ")
        assert lines[4:] == ["ok       board ops   3 tickets, published by hand"]
        assert program.process.poll() is None
        assert observer.latest[AVAILABILITY] == b"online"


def test_what_the_node_says_of_its_strips_is_told_by_the_doctor(
    tmp_path: Path, broker: Mosquitto, observer: Observer
) -> None:
    path = node_config(tmp_path, broker.port, driver="spi, device: /dev/spidev9.9")
    observer.publish(TICKETS, {"counts": {"A": 3}})
    with Program(tmp_path, "run", "--config", path):
        wait_until(lambda: observer.json(STATUS).get("faults"), "the fault")
        lines = told(Path(path).read_text())

    assert any(text.startswith("PROBLEM  strip ops   /dev/spidev9.9 is missing → ") for text in lines)
    assert any(text.startswith("PROBLEM  node hall   strip ops: /dev/spidev9.9: No such file") for text in lines)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (b"", "there is none"),
        (b"[]", "expected an object with faults"),
        (b'{"faults": 1}', "expected an object with faults"),
        (b"{", "expected JSON"),
    ],
)
def test_a_status_that_nobody_can_read_is_told(
    broker: Mosquitto, observer: Observer, status: bytes, words: str
) -> None:
    observer.publish(AVAILABILITY, b"online")
    observer.publish(STATUS, status)

    (text,) = [text for text in told(node(broker.port)) if "node hall" in text]
    assert text.startswith(f"warning  node hall   is running; its status cannot be read: {words}")
    assert text.endswith(" → restart it")


def test_faults_of_whatever_shape_that_may_be_faults_make_a_line_each(broker: Mosquitto, observer: Observer) -> None:
    observer.publish(AVAILABILITY, b"online")
    observer.publish(STATUS, {"version": "9", "faults": [{"text": "a\x1b[2Jb"}, {}, 7]})

    assert [text for text in told(node(broker.port)) if "node hall" in text] == [
        "ok       node hall   is running, version 9",
        "PROBLEM  node hall   a [2Jb",
        "PROBLEM  node hall   unknown",
    ]


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (
            '{"counts": {"A": 3}, "source": "main", "valid_until": "2999-01-01T00:00:00Z"}',
            "ok       board ops   3 tickets, from main, hold until 2999-01-01T00:00:00Z",
        ),
        (
            '{"counts": {"A": 3}, "source": "main", "valid_until": "2001-01-01T00:00:00Z"}',
            (
                "warning  board ops   its tickets, from main, have expired at 2001-01-01T00:00:00Z"
                " → see whether the poller main runs"
            ),
        ),
        (
            '{"counts": {"A": 3}, "valid_until": "2001-01-01T00:00:00Z"}',
            (
                "warning  board ops   its tickets, published by hand, have expired at 2001-01-01T00:00:00Z"
                " → start the poller: apimon-node poll"
            ),
        ),
        (
            '{"counts": 7}',
            (
                'PROBLEM  board ops   its tickets are refused: counts: expected an object such as {"Open": 3}, got 7'
                " → publish them as docs/mqtt.md says"
            ),
        ),
        ("", "warning  board ops   nobody has published its tickets → start the poller: apimon-node poll"),
    ],
)
def test_of_each_board_the_doctor_tells_what_the_broker_has(
    broker: Mosquitto, observer: Observer, monkeypatch: pytest.MonkeyPatch, payload: str, text: str
) -> None:
    monkeypatch.setattr(doctor, "_check_jira", lambda *_: ())
    observer.publish(TICKETS, payload)
    poller = POLLER.format(port=0, jira="http://127.0.0.1", auth="{type: none}", jql="a = b").partition("\n")[2]

    assert [line for line in told(node(broker.port) + poller) if "board" in line] == [text]


def test_what_an_access_list_forbids_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    up = Up("broker:1883", "5", (TICKETS,))
    monkeypatch.setattr(doctor, "_listen", lambda *_: doctor.Heard(up, {}))

    assert (
        "PROBLEM  broker      it refuses to let us read apimon/tickets/ops → allow that in the broker's access list"
        in (told(node(1)))
    )


# --- no broker ---


def unreachable(text: str) -> str:
    (found,) = [line for line in told(text) if "broker" in line]
    return found


def test_a_broker_that_does_not_run_is_to_be_started() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and not listened to
        port = taken.getsockname()[1]
        assert unreachable(node(port)) == (
            f"PROBLEM  broker      cannot reach the broker at 127.0.0.1:{port}: Connection refused → start it there"
            " (sudo systemctl start mosquitto), or correct mqtt.host and mqtt.port"
        )


@pytest.mark.parametrize(
    ("reason", "host", "text", "mend"),
    [
        (
            "cannot reach the broker at b:1: Connection refused",
            "b",
            "cannot reach the broker at b:1: Connection refused",
            (
                "start it there (sudo systemctl start mosquitto), or correct mqtt.host and mqtt.port;"
                " mosquitto listens to other machines only where its configuration has a listener for them"
            ),
        ),
        (
            "cannot reach the broker at b:1: Name or service not known",
            "b",
            "cannot reach the broker at b:1: Name or service not known",
            "correct mqtt.host and mqtt.port, look at the network and firewalls",
        ),
        (
            "the broker at b:1 refuses the user name or password: check mqtt.username and its password",
            "b",
            "the broker at b:1 refuses the user name or password",
            "check mqtt.username and its password",
        ),
        ("the broker at b:1 ended the connection: Banned", "b", "the broker at b:1 ended the connection: Banned", ""),
    ],
)
def test_every_reason_comes_with_what_helps(reason: str, host: str, text: str, mend: str) -> None:
    assert doctor._unreachable(reason, host) == Finding("broker", Level.PROBLEM, text, mend)


def test_what_is_no_broker_is_told() -> None:
    def hang_up() -> None:
        for _ in range(2):  # by MQTT 5, and by 3.1.1
            listener.accept()[0].close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=hang_up)
        thread.start()
        text = unreachable(node(listener.getsockname()[1]))
        thread.join()

    assert text.endswith(" hung up before it answered → check that an MQTT broker listens there, without TLS")


def test_a_broker_that_says_nothing_is_waited_for_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "BROKER_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        begin = time.monotonic()
        text = unreachable(node(listener.getsockname()[1]))

    assert "the broker did not answer within 0.2 s → correct mqtt.host" in text
    assert time.monotonic() - begin < 4


def test_a_password_that_cannot_be_read_is_told_before_the_broker_is_asked(tmp_path: Path) -> None:
    missing = tmp_path / "password"

    assert unreachable(node(1, f", username: me, password_file: {missing}")) == (
        f"PROBLEM  broker      {missing}: cannot read the secret mqtt-password: No such file or directory"
        " → put it there, for the user of apimon-node to read"
    )


def test_ctrl_c_ends_it_without_a_traceback(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        path = tmp_path / "config.yaml"
        path.write_text(node(listener.getsockname()[1]))
        with Program(tmp_path, "doctor", "--config", str(path)) as program, listener.accept()[0]:
            code, seconds = program.stop(signal.SIGINT)

    assert (code, program.err) == (130, "")
    assert "strip ops" in program.out  # line by line
    assert seconds < 5


# --- Jira ---


@pytest.fixture
def jira() -> Iterator[JiraServer]:
    with JiraServer(Site(), cloud=False, account=Account("me", SECRET)) as server:
        server.site.create("old", time.time() - 7200)
        server.site.create("new", time.time())
        yield server


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the broker out of it."""
    monkeypatch.setenv("APIMON_JIRA_TOKEN", SECRET)
    monkeypatch.setattr(doctor, "_check_broker", lambda _: iter([Finding("broker", Level.OK, "")]))


def of_jira(jira: JiraServer, auth: str = "{type: pat}", jql: str = "project = OPS") -> list[str]:
    lines = told(POLLER.format(port=1, jira=jira.url, auth=auth, jql=jql))
    assert SECRET not in "\n".join(lines)
    return lines[1:]


@pytest.mark.usefixtures("asked")
def test_each_query_is_asked_once(jira: JiraServer) -> None:
    assert of_jira(jira) == [
        "ok       jira        the query of board ops finds 2 tickets, 1 overdue",
        "ok       jira        the query of board dev finds 2 tickets, 0 overdue",
    ]
    assert len(jira.requests) == 3  # one sign-in


@pytest.mark.usefixtures("asked")
def test_a_wrong_query_is_that_of_one_board(jira: JiraServer) -> None:
    (first, second) = of_jira(jira, jql="project = = OPS")

    assert first.startswith("ok ")
    assert second.startswith("PROBLEM  jira        query: Jira does not take the query: ")
    assert second.endswith(" → correct the jql of board dev")


@pytest.mark.usefixtures("asked")
def test_after_a_refused_sign_in_jira_is_left_alone(jira: JiraServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APIMON_JIRA_TOKEN", "wrong")

    assert of_jira(jira) == [
        "PROBLEM  jira        auth: Jira refused the sign-in (401): is the token or password right, and not expired?"
    ]
    assert len(jira.requests) == 1


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("captcha", [False, True])
def test_a_refused_password_is_sent_once_however_many_boards_there_are(
    jira: JiraServer, monkeypatch: pytest.MonkeyPatch, *, captcha: bool
) -> None:
    monkeypatch.setenv("APIMON_JIRA_PASSWORD", "wrong")
    for _ in range(3 * captcha):
        jira.lockout.note("me", good=False)

    (line,) = of_jira(jira, "{type: basic, user: me}")

    assert ("Jira asks this user for a CAPTCHA" if captcha else "Jira refused the sign-in (401)") in line
    assert len(jira.requests) == 1


@pytest.mark.usefixtures("asked")
def test_a_jira_in_trouble_is_told_once(jira: JiraServer) -> None:
    jira.fail(Answer(503))

    assert of_jira(jira) == [
        "PROBLEM  jira        error: Jira is in trouble (503): nothing to do here, polling goes on"
    ]


@pytest.mark.usefixtures("asked")
def test_a_jira_that_hangs_is_waited_for_only_so_long(jira: JiraServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "JIRA_TIMEOUT", 0.3)
    jira.fail(Hang(5))

    assert of_jira(jira) == [
        (
            "PROBLEM  jira        no whole answer to the query of board ops within 0.3 s"
            " → find out why Jira is so slow, or narrow the jql"
        )
    ]


@pytest.mark.usefixtures("asked")
def test_without_the_library_it_is_to_be_installed(jira: JiraServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apimon_node.process.extras.find_spec", lambda _: None)

    assert importlib.util.find_spec("jira")
    assert of_jira(jira) == ["PROBLEM  jira        jira not installed → pip install 'apimon-node[jira]'"]


@pytest.mark.usefixtures("asked")
def test_a_secret_that_is_not_there_is_told_before_jira_is_asked(
    jira: JiraServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("APIMON_JIRA_TOKEN")
    file = tmp_path / "secret"

    assert of_jira(jira) == [
        (
            "PROBLEM  jira        there is no token to sign in with"
            " → name its file in poller.jira.auth.token_file, or set APIMON_JIRA_TOKEN"
        )
    ]
    assert of_jira(jira, f"{{type: basic, user: me, password_file: {file}}}") == [
        (
            f"PROBLEM  jira        {file}: cannot read the secret jira-password: No such file or directory"
            " → put it there, for the user of apimon-node to read"
        )
    ]
    file.touch(0o600)
    file.write_text("\n")
    assert of_jira(jira, f"{{type: basic, user: me, password_file: {file}}}") == [
        f"PROBLEM  jira        there is no password to sign in with → write it into {file}"
    ]
    assert of_jira(jira, f"{{type: oauth2, client_id: me, token_url: '{jira.url}'}}") == [
        (
            "PROBLEM  jira        there is no client secret to sign in with"
            " → name its file in poller.jira.auth.client_secret_file, or set APIMON_JIRA_CLIENT_SECRET"
        )
    ]
    assert not jira.requests


@pytest.mark.usefixtures("asked")
def test_a_jira_without_sign_in_needs_no_secret(jira: JiraServer) -> None:
    jira.account = None

    assert len(of_jira(jira, "{type: none}")) == 2


def test_a_connection_that_ends_at_once_counts_as_none() -> None:
    class Ending:
        def wait(self, _until: float) -> list[Up | Down]:
            return [Up("b:1", "5"), Down("the connection was lost")]

    assert doctor._listen(Ending(), ["a"]) == doctor.Heard(Down("the connection was lost"), {})  # type: ignore[arg-type]
