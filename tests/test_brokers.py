"""A node and a poller on every broker: the same promises, and the differences that docs/brokers.md names."""

import itertools
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from brokers import BROKERS, EVERY_BROKER, Account, Broker, Mosquitto20, Mosquitto21
from paho.mqtt.enums import MQTTProtocolVersion
from parts import PATIENCE, Observer, Program, wait_until

from apimon_node.config.settings import MqttSettings, Protocol
from apimon_node.demo.jira import Account as JiraAccount
from apimon_node.demo.jira import JiraServer
from apimon_node.demo.site import Site
from apimon_node.mqtt.link import Link
from apimon_node.mqtt.messages import Down, Publish, Refused

WORLDS = itertools.count()

CONFIG = """\
mqtt: {{host: 127.0.0.1, port: {port}, base_topic: {base}{mqtt}}}
node: {{id: hall}}
strips: [{{name: ops, driver: memory, pixels: 10, boards: [ops]}}]
looks: [{{match: {{status: Open}}, color: red}}, {{color: blue}}]
poller: {{interval: 1s, jira: {{url: '{jira}', auth: {{type: pat}}}}}}
boards: [{{name: ops, jql: project = OPS}}]
"""


class Kind(NamedTuple):
    """One of our two programs: its command, the end of its topics, and what it can be asked."""

    command: str
    own: str
    request: str
    keeps: tuple[str, ...]


NODE = Kind("run", "nodes/hall", "identify", ("nodes/hall/availability", "nodes/hall/status", "nodes/hall/strips/ops"))
POLLER = Kind(
    "poll",
    "pollers/main",
    "poll",
    ("pollers/main/availability", "pollers/main/status", "tickets/ops", "boards/ops/summary"),
)
KINDS = [pytest.param(NODE, id="node"), pytest.param(POLLER, id="poller")]


class World(NamedTuple):
    """A broker with a base topic that no other test uses, and a Jira with two tickets."""

    broker: Broker
    base: str
    folder: Path
    jira: str

    def program(self, kind: Kind, *, mqtt: str = "", environment: dict[str, str] | None = None) -> Program:
        text = CONFIG.format(port=self.broker.port, base=self.base, mqtt=mqtt, jira=self.jira)
        (self.folder / "config.yaml").write_text(text, encoding="utf-8")
        secrets = {"APIMON_JIRA_TOKEN": "token", **(environment or {})}
        return Program(self.folder, kind.command, "--config", str(self.folder / "config.yaml"), environment=secrets)

    def observer(self, *topics: str) -> Observer:
        version = MQTTProtocolVersion.MQTTv5 if self.broker.speaks == "5" else MQTTProtocolVersion.MQTTv311
        wanted = [f"{self.base}/{topic}" for topic in topics or ("#",)]
        account = self.broker.account
        return Observer(self.broker.port, *wanted, protocol=version, account=account)

    def heard(self, observer: Observer, topic: str) -> bytes | None:
        return observer.latest.get(f"{self.base}/{topic}")

    def wait_for(self, observer: Observer, topic: str, payload: bytes) -> None:
        observer.wait_for(f"{self.base}/{topic}", payload)

    def until_kept(self, kind: Kind) -> None:
        """Wait until who comes later finds all that a program retains, whatever else it is sent.

        amqtt sends to each new client all retained messages for which there is a subscription, whoever's it is.
        """
        keeps = {f"{self.base}/{topic}" for topic in kind.keeps}

        def complete() -> bool:
            with self.observer(*kind.keeps) as late:
                until = time.monotonic() + 2
                while time.monotonic() < until:
                    kept = {topic: payload for topic, payload, retained in late.messages if retained}
                    if keeps <= kept.keys():
                        return kept[f"{self.base}/{kind.own}/availability"] == b"online"
                    time.sleep(0.01)
                return False

        wait_until(complete, f"all of {kind.keeps}")


@pytest.fixture(scope="module")
def jira() -> Iterator[str]:
    site = Site()
    for name in ("one", "two"):
        site.create(name, time.time())
    with JiraServer(site, cloud=False, account=JiraAccount("me", "token")) as server:
        yield server.url


@pytest.fixture(scope="module", params=EVERY_BROKER)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Give a broker for all tests that do not end it."""
    make: type[Broker] = request.param
    with make(tmp_path_factory.mktemp(make.__name__)) as broker:
        yield broker


@pytest.fixture
def world(running: Broker, jira: str, tmp_path: Path) -> World:
    return World(running, f"apimon{next(WORLDS)}", tmp_path, jira)


@pytest.mark.parametrize("make", BROKERS)
def test_each_make_of_broker_is_here(make: type[Broker]) -> None:
    """Tell, once, which are not."""
    if why := make.missing():
        pytest.skip(f"no {make.__name__}; {why}")


# While the broker runs


@pytest.mark.parametrize("kind", KINDS)
def test_auto_speaks_the_newest_version_that_the_broker_does(world: World, kind: Kind) -> None:
    with world.program(kind) as program:
        wait_until(lambda: "connected to" in program.err, "the connection")

    connected = f"connected to 127.0.0.1:{world.broker.port} by MQTT {world.broker.speaks}\n"
    assert connected in program.err


@pytest.mark.parametrize("kind", KINDS)
def test_a_version_by_name_is_spoken_or_told(world: World, kind: Kind) -> None:
    with world.program(kind, mqtt=", protocol: '3.1.1'") as program:
        wait_until(lambda: "by MQTT 3.1.1" in program.err, "the connection")
    with world.program(kind, mqtt=", protocol: '5'") as program:
        wait_until(lambda: any(word in program.err for word in ("by MQTT 5", "broker")), "an answer")

    assert ("by MQTT 5" in program.err) is (world.broker.speaks == "5")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_retained_is_there_for_who_comes_later(world: World, kind: Kind) -> None:
    with world.program(POLLER), world.program(kind) if kind is NODE else world.observer():
        world.until_kept(kind)


def test_a_wildcard_gets_what_is_retained_where_the_broker_can(world: World) -> None:
    with world.observer() as early:
        early.publish(f"{world.base}/nodes/x/status", b"kept")
        world.wait_for(early, "nodes/x/status", b"kept")
    with world.observer("nodes/+/status", "marker") as late:
        late.publish(f"{world.base}/marker", b"now", retain=False)
        world.wait_for(late, "marker", b"now")
        if world.broker.wildcards:
            world.wait_for(late, "nodes/x/status", b"kept")

    assert (world.heard(late, "nodes/x/status") is not None) is world.broker.wildcards


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_program_is_told_by_its_will(world: World, kind: Kind) -> None:
    with world.observer() as observer, world.program(kind) as program:
        world.wait_for(observer, f"{kind.own}/availability", b"online")
        program.process.kill()
        world.wait_for(observer, f"{kind.own}/availability", b"offline")
    with world.observer(f"{kind.own}/availability") as late:
        world.wait_for(late, f"{kind.own}/availability", b"offline")


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_is_answered(world: World, kind: Kind) -> None:
    with world.observer() as observer, world.program(kind):
        world.wait_for(observer, f"{kind.own}/availability", b"online")
        topic = f"{world.base}/{kind.own}/request/{kind.request}"
        observer.publish(topic, {"transaction": 7}, retain=False)
        answer = wait_until(lambda: world.heard(observer, f"{kind.own}/response/{kind.request}"), "the answer")

    assert json.loads(answer) == {"status": "ok", "transaction": 7}


def test_a_message_is_confirmed(world: World) -> None:
    """`publish` ends with 0 only after the PUBACK."""
    publish = Kind("publish", "", "", ())
    with world.program(publish) as first:
        assert first.process.wait(PATIENCE) == 2  # without a board; it has written the configuration
    config = str(world.folder / "config.yaml")
    with world.observer() as observer, Program(world.folder, "publish", "--config", config, "ops", "A=1") as program:
        assert program.process.wait(PATIENCE) == 0
        wait_until(lambda: world.heard(observer, "tickets/ops"), "the message")


def ten_thousand(size: int) -> bytes:
    """Make a snapshot of 10,000 tickets, of so many bytes."""
    tickets: list[dict[str, Any]] = [{"key": f"OPS-{number}", "status": "Open"} for number in range(10_000)]
    rest = size - len(json.dumps({"tickets": tickets}, separators=(",", ":")))
    each = rest // len(tickets) - len(',"summary":""')
    for ticket in tickets:
        ticket["summary"] = "x" * each
    tickets[0]["summary"] += "x" * (rest - len(tickets) * (each + len(',"summary":""')))
    payload = json.dumps({"tickets": tickets}, separators=(",", ":")).encode()
    assert len(payload) == size
    return payload


def test_ten_thousand_tickets_reach_a_node_that_is_there_and_one_that_comes_later(world: World) -> None:
    def reached() -> bool:
        return b'"tickets":10000' in (world.heard(observer, "nodes/hall/status") or b"")

    with world.observer("nodes/hall/#") as observer:
        with world.program(NODE):
            world.wait_for(observer, "nodes/hall/availability", b"online")
            observer.publish(f"{world.base}/tickets/ops", ten_thousand(1_800_000))
            wait_until(reached, "the node that is there")
            world.wait_for(observer, "nodes/hall/availability", b"online")
        world.wait_for(observer, "nodes/hall/availability", b"offline")
        observer.latest.clear()
        with world.program(NODE):
            wait_until(reached, "the node that comes later")


# The largest snapshot of the contract


@pytest.mark.parametrize("make", EVERY_BROKER)
def test_the_largest_snapshot_of_the_contract_passes_where_the_broker_takes_it(
    tmp_path: Path, jira: str, make: type[Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    if issubclass(make, Mosquitto20):
        monkeypatch.setattr(make, "limit", "max_packet_size 4194304")
    with make(tmp_path) as broker:
        world = World(broker, "apimon", tmp_path, jira)
        with world.observer("nodes/hall/status") as observer, world.program(NODE):
            observer.publish("apimon/tickets/ops", ten_thousand(2 * 1024 * 1024))
            wait_until(lambda: b'"tickets":10000' in (world.heard(observer, "nodes/hall/status") or b""), "the tickets")


@pytest.mark.skipif(bool(Mosquitto21.missing()), reason=str(Mosquitto21.missing()))
def test_mosquitto_21_tells_that_it_takes_two_million_bytes_and_is_sent_no_more(tmp_path: Path) -> None:
    with Mosquitto21(tmp_path) as broker, large(broker, Protocol.V5) as link:
        link.publish(Publish("large", b"x" * 2_000_000))
        events = wait_until(
            lambda: [event for event in link.wait(time.monotonic() + 0.1) if isinstance(event, Refused)], "the refusal"
        )
        assert "is larger than the broker takes (2000000 bytes)" in events[0].reason
        assert link.up


@pytest.mark.skipif(bool(Mosquitto21.missing()), reason=str(Mosquitto21.missing()))
def test_mosquitto_21_hangs_up_on_more_where_it_can_not_tell(tmp_path: Path) -> None:
    with Mosquitto21(tmp_path) as broker, large(broker, Protocol.V311) as link:
        link.publish(Publish("large", b"x" * 2_000_000))
        assert "the connection to the broker" in wait_until(lambda: next_down(link), "the loss")


@contextmanager
def large(broker: Mosquitto21, protocol: Protocol) -> Iterator[Link]:
    """Give a link that has just published almost as much as the broker takes."""
    settings = MqttSettings(host="127.0.0.1", port=broker.port, protocol=protocol)
    with Link(settings, client_id="large", will=None, subscriptions=()) as link:
        link.publish(Publish("large", b"x" * 1_990_000))
        assert wait_until(lambda: next_down(link) if link.unsent else "confirmed", "an answer") == "confirmed"
        yield link


@pytest.mark.parametrize("kind", KINDS)
def test_what_somebody_else_listens_to_harms_nobody(world: World, kind: Kind) -> None:
    """amqtt sends to each new client all retained messages for which there is a subscription, whoever's it is."""
    with world.observer("#") as observer:
        for topic in (f"{kind.own}/request/{kind.request}", f"{kind.own}/response/x", "nodes/x/status", "tickets/web"):
            observer.publish(f"{world.base}/{topic}", b"rubbish")
        with world.program(kind):
            world.wait_for(observer, f"{kind.own}/availability", b"online")
            observer.publish(f"{world.base}/{kind.own}/request/{kind.request}", b"{}", retain=False)
            wait_until(lambda: world.heard(observer, f"{kind.own}/response/{kind.request}"), "the answer")
            wait_until(
                lambda: well(observer.json(f"{world.base}/{kind.own}/status")), "no fault but a board that is not fed"
            )

    answers = [topic for topic, _, _ in observer.messages if topic.endswith(f"response/{kind.request}")]
    assert len(answers) == 1


def well(status: dict[str, Any]) -> bool:
    """Tell whether a status has no fault but that nobody publishes the tickets."""
    return bool(status) and {fault["name"] for fault in status.get("faults", ())} <= {"stale"}


def next_down(link: Link) -> str | None:
    """Turn a link; tell why it is down."""
    downs = [event.reason for event in link.wait(time.monotonic() + 0.1) if isinstance(event, Down)]
    return downs[0] if downs else None


# Passwords


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("make", EVERY_BROKER)
def test_a_wrong_password_is_told_and_the_right_one_is_taken_without_a_restart(
    tmp_path: Path, jira: str, make: type[Broker], kind: Kind
) -> None:
    account = Account("hall", "right-secret")
    password = tmp_path / "password"
    password.write_text("wrong-secret")
    with make(tmp_path, account=account) as broker:
        world = World(broker, "apimon", tmp_path, jira)
        with world.program(kind, mqtt=f", username: hall, password_file: {password}") as program:
            wait_until(lambda: "check mqtt.username" in program.err, "the refusal")
            password.write_text("right-secret\n")
            wait_until(lambda: f"by MQTT {broker.speaks}" in program.err, "the connection")

    assert "-secret" not in program.err


# The broker goes and comes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("memory", [True, False], ids=["remembers", "forgets"])
@pytest.mark.parametrize("make", EVERY_BROKER)
def test_the_broker_restarts(tmp_path: Path, jira: str, make: type[Broker], kind: Kind, *, memory: bool) -> None:
    if memory and not make.remembers:
        pytest.skip(f"{make.__name__} keeps nothing over a restart")
    with make(tmp_path, memory=memory) as broker:
        world = World(broker, "apimon", tmp_path, jira)
        with world.observer() as observer:
            observer.publish("apimon/mark", b"before")
            observer.publish("apimon/tickets/ops", {"counts": {"Open": 1}})
        with world.program(kind) as program:
            world.until_kept(kind)
            broker.stop()
            wait_until(lambda: "broker" in program.err.split("connected to", 1)[1], "the loss")
            broker.start()
            world.until_kept(kind)
        with world.observer("mark") as observer:
            if memory:
                world.wait_for(observer, "mark", b"before")
            else:
                observer.publish("apimon/mark", b"after", retain=False)
                world.wait_for(observer, "mark", b"after")
                assert all(payload != b"before" for _, payload, _ in observer.messages)
