"""Under the access list: both programs can do what they do, and what a refused action looks like."""

import contextlib
import re
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as paho
import pytest
from access import FLEET, HALL, LIST, MAIN, TESTER, install, password
from brokers import MOSQUITTOS, Mosquitto20
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode
from parts import PATIENCE, Observer, Program, wait_until

from apimon_node.clock import Instant
from apimon_node.demo.jira import Account as JiraAccount
from apimon_node.demo.jira import JiraServer
from apimon_node.demo.site import Site
from apimon_node.node.node import Node
from apimon_node.poller.poller import Poller

V5, V311 = MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311
VERSIONS = [pytest.param(V5, id="MQTT 5"), pytest.param(V311, id="MQTT 3.1.1")]

SUCCESS = "0 Success"


@pytest.fixture(scope="module", params=MOSQUITTOS)
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto20]:
    folder = tmp_path_factory.mktemp("guarded")
    broker: Mosquitto20 = request.param(folder)
    broker.lines = install(LIST, folder, broker.port)
    with broker:
        yield broker


class Client:
    """A client that notes what the broker answers: each code with MQTT's name for it."""

    def __init__(
        self, broker: Mosquitto20, user: str | None, version: MQTTProtocolVersion, *, name: str = "", will: str = ""
    ) -> None:
        messages = self.messages = dict[str, bytes]()
        answers = self.answers = list[str]()
        ends = self.ends = list[str]()
        client = self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=version, reconnect_on_failure=False
        )
        if user is not None:
            client.username_pw_set(user, password(user))
        if will:
            client.will_set(will, b"gone", 1, retain=True)
        client.on_connect = lambda _c, _d, _f, reason, _p: answers.append(code(reason))
        client.on_subscribe = lambda _c, _d, _m, reasons, _p: answers.append(code(reasons[0]))
        client.on_publish = lambda _c, _d, _m, reason, _p: answers.append(code(reason))
        client.on_disconnect = lambda _c, _d, _f, reason, _p: ends.append(code(reason))
        client.on_message = lambda _c, _d, message: messages.update({message.topic: bytes(message.payload)})
        client.connect("127.0.0.1", broker.port)
        self.welcome = self._answer(0)

    def turn_until(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"answers {self.answers}, messages {self.messages}"
            self._client.loop(0.1)

    def _answer(self, before: int) -> str:
        self.turn_until(lambda: len(self.answers) > before)
        return self.answers[before]

    def publish(self, topic: str, payload: bytes = b"x", *, retain: bool = False) -> str:
        before = len(self.answers)
        self._client.publish(topic, payload, 1, retain=retain)
        return self._answer(before)

    def subscribe(self, topic: str) -> str:
        before = len(self.answers)
        self._client.subscribe(topic, 1)
        return self._answer(before)

    def vanish(self) -> None:
        """End without a word, so that the broker publishes the will."""
        sock = self._client.socket()
        assert isinstance(sock, socket.socket)
        sock.shutdown(socket.SHUT_RDWR)
        self.turn_until(lambda: self.ends)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()


def code(reason: ReasonCode) -> str:
    return f"{reason.value} {reason.getName()}"


SUBSCRIPTIONS = [
    *(("apimon-node-hall", topic) for topic in Node(FLEET[0], Instant(0, 0), lambda: 0.0).subscriptions),
    *(("apimon-poller-main", topic) for topic in Poller(FLEET[2], Instant(0, 0), lambda: 0.0).subscriptions),
    ("ada", "apimon/#"),
    ("assistant", "apimon/#"),
    ("assistant", "homeassistant/+/+/config"),
]


@pytest.mark.parametrize(("user", "topic"), SUBSCRIPTIONS)
def test_what_is_subscribed_to_is_delivered(broker: Mosquitto20, user: str, topic: str) -> None:
    concrete = topic.replace("+", "some").replace("#", "some")
    with Client(broker, user, V5) as reader, Client(broker, TESTER, V5) as tester:
        assert reader.subscribe(topic) == "1 Granted QoS 1"
        assert tester.publish(concrete, topic.encode()) == SUCCESS
        reader.turn_until(lambda: reader.messages.get(concrete) == topic.encode())


WRITTEN = [
    ("apimon-node-hall", "apimon/nodes/hall/light"),
    ("apimon-node-hall", "apimon/nodes/hall/strips/ops/image"),
    ("apimon-node-hall", "homeassistant/device/apimon_node_hall/config"),
    ("apimon-poller-main", "homeassistant/device/apimon_poller_main/config"),
    ("ada", "apimon/nodes/hall/light/set"),
    ("ada", "apimon/nodes/lab/request/identify"),
    ("ada", "apimon/pollers/main/request/poll"),
    ("assistant", "apimon/nodes/hall/light/set"),
    ("assistant", "homeassistant/status"),
    ("assistant", "homeassistant/device/apimon_node_hall/config"),
]


@pytest.mark.parametrize(("user", "topic"), WRITTEN)
def test_what_commands_them_and_what_they_will_say_may_be_written(broker: Mosquitto20, user: str, topic: str) -> None:
    with Client(broker, user, V5) as writer, Client(broker, TESTER, V5) as tester:
        tester.subscribe(topic)
        assert writer.publish(topic) == SUCCESS


FORBIDDEN = [
    ("apimon-node-hall", "apimon/nodes/lab/availability"),
    ("apimon-node-hall", "apimon/nodes/lab/status"),
    ("apimon-node-hall", "apimon/nodes/lab/strips/ops"),
    ("apimon-node-hall", "apimon/nodes/lab/light/set"),
    ("apimon-node-hall", "apimon/nodes/lab/request/identify"),
    ("apimon-node-hall", "apimon/nodes/lab/response/identify"),
    ("apimon-node-hall", "apimon/nodes/hall/request/identify"),
    ("apimon-node-hall", "apimon/tickets/ops"),
    ("apimon-node-hall", "apimon/boards/ops/event"),
    ("apimon-node-hall", "apimon/pollers/main/request/poll"),
    ("apimon-node-hall", "apimon/pollers/main/status"),
    ("apimon-node-hall", "homeassistant/device/apimon_node_lab/config"),
    ("apimon-node-hall", "homeassistant/status"),
    ("apimon-poller-main", "apimon/tickets/web"),
    ("apimon-poller-main", "apimon/boards/web/summary"),
    ("apimon-poller-main", "apimon/pollers/spare/availability"),
    ("apimon-poller-main", "apimon/nodes/hall/status"),
    ("apimon-poller-main", "apimon/nodes/hall/request/identify"),
    ("apimon-poller-main", "apimon/nodes/hall/light/set"),
    ("apimon-poller-main", "homeassistant/device/apimon_node_hall/config"),
    ("ada", "apimon/tickets/ops"),
    ("ada", "apimon/nodes/hall/status"),
    ("assistant", "apimon/nodes/hall/availability"),
]


@pytest.mark.parametrize(("version", "answer"), [(V5, "135 Not authorized"), (V311, SUCCESS)])
@pytest.mark.parametrize(("user", "topic"), FORBIDDEN)
def test_what_may_not_be_written_reaches_nobody_and_only_mqtt_5_tells(
    broker: Mosquitto20, user: str, topic: str, version: MQTTProtocolVersion, answer: str
) -> None:
    with Client(broker, user, version) as writer, Client(broker, TESTER, V5) as tester:
        tester.subscribe("#")
        assert writer.publish(topic, b"forged", retain=True) == answer
        tester.publish("marker")
        tester.turn_until(lambda: "marker" in tester.messages)

    assert b"forged" not in tester.messages.values()
    assert re.search(rf"Denied PUBLISH from .*'{topic}'", broker.log)


SECRET = [
    ("apimon-node-hall", "apimon/nodes/lab/request/+", "apimon/nodes/lab/request/identify"),
    ("apimon-node-hall", "apimon/nodes/+/light/set", "apimon/nodes/lab/light/set"),
    ("apimon-node-hall", "apimon/nodes/lab/status", "apimon/nodes/lab/status"),
    ("apimon-node-hall", "#", "apimon/tickets/web"),
    ("apimon-poller-main", "apimon/tickets/+", "apimon/tickets/web"),
    ("apimon-poller-main", "apimon/pollers/+/request/+", "apimon/pollers/spare/request/poll"),
    ("apimon-poller-main", "apimon/#", "apimon/nodes/hall/request/identify"),
    ("ada", "#", "homeassistant/status"),
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("user", "topics", "topic"), SECRET)
def test_what_may_not_be_read_is_granted_and_never_comes(
    broker: Mosquitto20, user: str, topics: str, topic: str, version: MQTTProtocolVersion
) -> None:
    allowed = {"apimon-node-hall": "nodes/hall", "apimon-poller-main": "pollers/main", "ada": "nodes/lab"}[user]
    with Client(broker, user, version) as reader, Client(broker, TESTER, V5) as tester:
        tester.publish(topic, b"kept", retain=True)
        reader.subscribe(f"apimon/{allowed}/request/+")
        assert reader.subscribe(topics) == "1 Granted QoS 1"
        tester.publish(topic, b"fresh")
        tester.publish(f"apimon/{allowed}/request/marker", b"now")
        reader.turn_until(lambda: f"apimon/{allowed}/request/marker" in reader.messages)
        tester.publish(topic, b"", retain=True)

    assert topic not in reader.messages


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("user", [None, "stranger", "wrong"])
def test_nobody_without_a_password_is_let_in(
    broker: Mosquitto20, user: str | None, version: MQTTProtocolVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    if user == "wrong":
        monkeypatch.setattr("test_access.password", lambda _user: "wrong")
    with Client(broker, "apimon-node-hall" if user == "wrong" else user, version) as client:
        assert client.welcome == "135 Not authorized"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_will_on_anothers_topic_is_taken_and_never_published(
    broker: Mosquitto20, version: MQTTProtocolVersion
) -> None:
    with Client(broker, TESTER, V5) as tester:
        tester.subscribe("apimon/nodes/+/availability")
        for node in ("hall", "lab"):
            with Client(broker, "apimon-node-lab", version, will=f"apimon/nodes/{node}/availability") as client:
                assert client.welcome == SUCCESS
                client.vanish()
        tester.turn_until(lambda: "apimon/nodes/lab/availability" in tester.messages)
        tester.publish("apimon/nodes/lab/availability", b"", retain=True)

    assert "apimon/nodes/hall/availability" not in tester.messages


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_id_is_anybodys_unless_it_is_the_users(
    broker: Mosquitto20, tmp_path: Path, version: MQTTProtocolVersion
) -> None:
    ours = Client(broker, "apimon-node-hall", version, name="apimon-node-hall")
    with ours, Client(broker, "apimon-node-lab", version, name="apimon-node-hall"):
        ours.turn_until(lambda: ours.ends)

    bound = type(broker)(tmp_path)
    lines = install(LIST, tmp_path, bound.port)
    bound.lines = (lines[0], "use_username_as_clientid true", *lines[1:])
    with bound, Client(bound, "apimon-node-hall", version, name="apimon-node-hall") as ours:
        with Client(bound, "apimon-node-lab", version, name="apimon-node-hall"):
            assert ours.subscribe("marker") == "1 Granted QoS 1"
        assert ours.ends == []


# The programs themselves


@pytest.fixture
def programs(broker: Mosquitto20, tmp_path: Path) -> Iterator[tuple[Program, Program, Site, dict[str, str]]]:
    """Give a node and a poller who have signed in as the list's comments say, their Jira, and their configurations."""
    site = Site()
    site.create("one", time.time() - 60)
    configs = {}
    with contextlib.ExitStack() as stack:
        jira = stack.enter_context(JiraServer(site, cloud=False, account=JiraAccount("me", "token")))
        started = []
        for command, text, user in (("run", HALL, "apimon-node-hall"), ("poll", MAIN, "apimon-poller-main")):
            (tmp_path / user).write_text(password(user))
            path = tmp_path / f"{command}.yaml"
            mqtt = f", username: {user}, password_file: {tmp_path}/{user}"
            path.write_text(text.format(port=broker.port, mqtt=mqtt, jira=jira.url))
            configs[command] = str(path)
            environment = {"APIMON_JIRA_TOKEN": "token"}
            started.append(
                stack.enter_context(Program(tmp_path, command, "--config", str(path), environment=environment))
            )
        yield started[0], started[1], site, configs


def test_the_programs_do_all_that_they_do_and_nothing_is_refused(
    broker: Mosquitto20, programs: tuple[Program, Program, Site, dict[str, str]], tmp_path: Path
) -> None:
    node, poller, site, configs = programs
    refused = broker.log.count("Denied PUBLISH")
    account = ("ada", password("ada"))
    with Observer(broker.port, "apimon/#", account=account) as ada:
        wait_until(lambda: ada.json("apimon/nodes/hall/status").get("boards", {}).get("ops", {}).get("tickets"), "one")
        asked = [("nodes/hall", what) for what in ("identify", "self_test", "refresh")] + [("pollers/main", "poll")]
        for own, what in asked:
            ada.publish(f"apimon/{own}/request/{what}", b"", retain=False)
            wait_until(partial(ada.latest.get, f"apimon/{own}/response/{what}"), f"the answer to {what}")
        site.move("OPS-1", "In Progress", time.time())
        wait_until(lambda: "apimon/boards/ops/event" in ada.latest, "an event")
        with Program(tmp_path, "doctor", "--config", configs["run"]) as doctor:
            doctor.process.wait(PATIENCE)
        assert node.stop()[0] == poller.stop()[0] == 0
        ada.wait_for("apimon/nodes/hall/availability", b"offline")
        ada.wait_for("apimon/pollers/main/availability", b"offline")

    assert broker.log.count("Denied PUBLISH") == refused
    assert "access list" not in node.err + poller.err
    assert "ok       node hall   is running" in doctor.out
    documented = re.findall(r"^### `(apimon/[^`]+)`", Path("docs/mqtt.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert {topic.split("/")[1] for topic in documented} == {topic.split("/")[1] for topic in ada.latest}


def test_a_killed_program_is_still_told_by_its_will(
    broker: Mosquitto20, programs: tuple[Program, Program, Site, dict[str, str]]
) -> None:
    with Observer(broker.port, "apimon/#", account=("ada", password("ada"))) as ada:
        for program, topic in zip(programs[:2], ("nodes/hall", "pollers/main"), strict=True):
            ada.wait_for(f"apimon/{topic}/availability", b"online")
            program.process.kill()
            ada.wait_for(f"apimon/{topic}/availability", b"offline")


def test_what_a_program_may_not_do_is_in_its_status_and_its_log(
    broker: Mosquitto20, programs: tuple[Program, Program, Site, dict[str, str]], tmp_path: Path
) -> None:
    """A second strip that the list does not know, and a node that publishes tickets by hand."""
    config_ = Path(programs[3]["run"])
    text = config_.read_text().replace("strips: [", "strips: [{name: new, driver: memory, pixels: 1, boards: [ops]}, ")
    config_.write_text(text)
    programs[0].stop()
    told = "the broker refuses to let this node write apimon/nodes/hall/strips/new: check its access list"
    ada = Observer(broker.port, "apimon/#", account=("ada", password("ada")))
    with ada, Program(tmp_path, "run", "--config", str(config_)) as node:
        wait_until(lambda: told in ada.latest.get("apimon/nodes/hall/status", b"").decode(), "the fault")
        wait_until(lambda: told in node.err, "the line of the log")
    with Program(tmp_path, "publish", "--config", str(config_), "ops", "Open=1") as publish:
        assert publish.process.wait(PATIENCE) == 1
    assert "the broker refuses to let us write apimon/tickets/ops" in publish.err


def test_a_board_that_a_poller_may_not_write_is_a_fault_of_its_status(
    broker: Mosquitto20, programs: tuple[Program, Program, Site, dict[str, str]], tmp_path: Path
) -> None:
    """A second board that the list does not know."""
    config_ = Path(programs[3]["poll"])
    config_.write_text(config_.read_text().replace("boards: [", "boards: [{name: new, jql: project = OPS}, "))
    programs[1].stop()
    ada = Observer(broker.port, "apimon/#", account=("ada", password("ada")))
    environment = {"APIMON_JIRA_TOKEN": "token"}
    with ada, Program(tmp_path, "poll", "--config", str(config_), environment=environment) as poller:

        def fault() -> Any:
            faults = ada.json("apimon/pollers/main/status").get("faults", [])
            return next((fault for fault in faults if fault.get("subject") == "apimon/tickets/new"), None)

        told = wait_until(fault, "the fault")
        assert told["name"] == "access"
        assert told["text"] == "the broker refuses to let this poller write apimon/tickets/new: check its access list"
        wait_until(lambda: told["text"] in poller.err, "the line of the log")
