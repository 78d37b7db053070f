"""The link: against a real mosquitto, and against a broker that does what no real one will (paho's traps)."""

import contextlib
import math
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from parts import PATIENCE, Mosquitto, Observer, wait_until
from ports import free_port

from apimon_node.config.settings import MqttSettings, Protocol
from apimon_node.errors import ConfigError
from apimon_node.mqtt import connection, link
from apimon_node.mqtt.link import IN_FLIGHT, Link
from apimon_node.mqtt.messages import Down, Event, Message, Publish, Refused, Up
from apimon_node.timing import Backoff

WILL = Publish("apimon/nodes/hall/availability", b"offline")


def make(port: int, *subscriptions: str, protocol: Protocol = Protocol.AUTO, host: str = "127.0.0.1") -> Link:
    settings = MqttSettings(host=host, port=port, protocol=protocol)
    return Link(settings, client_id="apimon-node-hall", will=WILL, subscriptions=subscriptions or ("apimon/in",))


def until(link: Link, wanted: Callable[[Event], bool], patience: float = PATIENCE) -> list[Event]:
    """Turn a link until an event comes; give all that came."""
    events: list[Event] = []
    end = time.monotonic() + patience
    while time.monotonic() < end:
        events += link.wait(min(end, time.monotonic() + 0.5))
        if any(wanted(event) for event in events):
            return events
    raise AssertionError(f"waited {patience:g} s; what came: {events}")


def until_sent(link: Link) -> None:
    """Turn a link until the broker has confirmed all that was published: leaving, it has only a second for that."""
    end = time.monotonic() + PATIENCE
    while link.unsent and time.monotonic() < end:
        link.wait(min(end, time.monotonic() + 0.5))
    assert not link.unsent, f"waited {PATIENCE:g} s for the broker's confirmation"


def is_up(event: Event) -> bool:
    return isinstance(event, Up)


def is_down(event: Event) -> bool:
    return isinstance(event, Down)


def is_message(event: Event) -> bool:
    return isinstance(event, Message)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Come back after a tenth of a second rather than one."""
    monkeypatch.setattr(link, "RECONNECT_FIRST", 0.1)


class Broken:
    """A broker that is scripted: for each connection a list of replies, sent after as many packets."""

    def __init__(self, *connections: list[bytes]) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.received: list[bytes] = []
        self._script = connections
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            for replies in self._script:
                sock, _ = self._server.accept()
                with sock:
                    for reply in replies:
                        self.received.append(sock.recv(65536))
                        if reply == HANG:
                            sock.settimeout(PATIENCE)
                            while sock.recv(65536):
                                pass
                            break
                        sock.sendall(reply)

    def close(self) -> None:
        self._server.close()


HANG = b"\0hang"
REFUSED_V5 = bytes([0x20, 3, 0, 132, 0])  # CONNACK of MQTT 5: unsupported protocol version
REFUSED_BY_OLD = bytes([0x20, 2, 0, 1])  # CONNACK of a broker that knows 3.1.1 only
WELCOME_V5 = bytes([0x20, 3, 0, 0, 0])
SUBACK_V5 = bytes([0x90, 4, 0, 1, 0, 1])
WELCOME_V311 = bytes([0x20, 2, 0, 0])
SUBACK_V311 = bytes([0x90, 3, 0, 1, 1])


@contextlib.contextmanager
def broken(*connections: list[bytes]) -> Iterator[Broken]:
    broker = Broken(*connections)
    try:
        yield broker
    finally:
        broker.close()


# With a real broker


@pytest.mark.parametrize(("protocol", "spoken"), [(Protocol.AUTO, "5"), (Protocol.V5, "5"), (Protocol.V311, "3.1.1")])
def test_it_connects_subscribes_and_passes_messages_both_ways(
    broker: Mosquitto, observer: Observer, protocol: Protocol, spoken: str
) -> None:
    observer.publish("apimon/in", b"kept")
    with make(broker.port, protocol=protocol) as ours:
        events = until(ours, is_message)
        assert events[0] == Up(f"127.0.0.1:{broker.port}", spoken)
        assert Message("apimon/in", b"kept", retained=True) in events

        observer.publish("apimon/in", b"fresh", retain=False)
        assert until(ours, is_message) == [Message("apimon/in", b"fresh", retained=False)]

        ours.publish(Publish("apimon/out", b"hello"))
        until_sent(ours)
        observer.wait_for("apimon/out", b"hello")


def test_what_is_published_before_the_connection_goes_out_with_it(broker: Mosquitto, observer: Observer) -> None:
    with make(broker.port) as ours:
        ours.publish(Publish("apimon/out", b"early"))
        until(ours, is_up)
        until_sent(ours)
        observer.wait_for("apimon/out", b"early")


def test_of_a_retained_topic_only_the_latest_waits(broker: Mosquitto, observer: Observer) -> None:
    with make(broker.port) as ours:
        for number in range(5000):
            ours.publish(Publish("apimon/out", str(number).encode()))
        ours.publish(Publish("apimon/event", b"one", retain=False))
        ours.publish(Publish("apimon/event", b"two", retain=False))
        until(ours, is_up)
        until_sent(ours)
    wait_until(lambda: len(observer.messages) == 3, "the messages")

    assert [payload for _, payload, _ in observer.messages] == [b"4999", b"one", b"two"]


def test_what_was_said_again_comes_after_what_was_said_meanwhile(broker: Mosquitto, observer: Observer) -> None:
    with make(broker.port) as ours:
        for topic, payload in (("apimon/a", b"1"), ("apimon/b", b"2"), ("apimon/a", b"3")):
            ours.publish(Publish(topic, payload))
        until(ours, is_up)
        until_sent(ours)
    wait_until(lambda: len(observer.messages) == 2, "the messages")

    assert [payload for _, payload, _ in observer.messages] == [b"2", b"3"]


def test_what_the_broker_has_not_confirmed_is_bounded_and_the_rest_stays_replaceable(broker: Mosquitto) -> None:
    with make(broker.port) as ours:
        until(ours, is_up)
        broker.signal(signal.SIGSTOP)
        try:
            for number in range(100):
                ours.publish(Publish(f"apimon/{number}", b"x"))
            ours.wait(time.monotonic() + 0.1)

            assert ours._connection
            assert ours._connection.in_flight == link.IN_FLIGHT
            assert len(ours._queue) == 100 - link.IN_FLIGHT
        finally:
            broker.signal(signal.SIGCONT)


def test_a_confirmation_counts_as_a_word_of_ours(broker: Mosquitto, observer: Observer) -> None:
    """Else our note of the last packet out falls behind paho's, and a ping is missed."""
    with make(broker.port) as ours:
        until(ours, is_up)
        observer.publish("apimon/in", b"x", retain=False)
        until(ours, is_message)

        assert ours._connection
        assert ours._connection._spoke == ours._connection._heard


def test_the_queue_is_bounded_and_drops_the_oldest(broker: Mosquitto, observer: Observer) -> None:
    with make(broker.port) as ours:
        for number in range(link.QUEUE + 5):
            ours.publish(Publish("apimon/event", str(number).encode(), retain=False))
        until(ours, is_up)
        until_sent(ours)
    wait_until(lambda: len(observer.messages) == link.QUEUE, "the messages")

    assert observer.messages[0][1] == b"5"


def test_a_clean_leave_keeps_the_broker_from_publishing_the_will(broker: Mosquitto, observer: Observer) -> None:
    with make(broker.port, protocol=Protocol.V311) as ours:
        until(ours, is_up)
        ours.publish(Publish(WILL.topic, b"gone"))
    observer.wait_for(WILL.topic, b"gone")

    observer.publish("apimon/marker", b"later")
    observer.wait_for("apimon/marker", b"later")
    assert observer.latest[WILL.topic] == b"gone"


@pytest.mark.parametrize("protocol", [Protocol.V5, Protocol.V311])
def test_after_a_bug_it_hangs_up_and_the_broker_publishes_the_will(
    broker: Mosquitto, observer: Observer, protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "WILL_DELAY", 1)

    def fail() -> None:
        with make(broker.port, protocol=protocol) as ours:
            until(ours, is_up)
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError):
        fail()

    observer.wait_for(WILL.topic, b"offline")


def test_who_leaves_before_the_broker_has_answered_leaves_the_will_behind(
    broker: Mosquitto, observer: Observer
) -> None:
    """A polite leave would take the will back, and nobody would ever say that the node is gone."""
    observer.publish(WILL.topic, b"online")
    broker.signal(signal.SIGSTOP)
    try:
        with make(broker.port, protocol=Protocol.V311) as ours:
            while ours._connection is None:
                assert ours.wait(time.monotonic() + 0.5) == []
            ours.publish(WILL)
    finally:
        broker.signal(signal.SIGCONT)

    observer.wait_for(WILL.topic, b"offline")


@pytest.mark.usefixtures("quick")
def test_it_comes_back_after_the_broker_was_killed_and_subscribes_again(broker: Mosquitto) -> None:
    with make(broker.port) as ours:
        until(ours, is_up)
        broker.kill()
        downs = until(ours, is_down)
        assert downs == [Down(f"the connection to the broker at 127.0.0.1:{broker.port} was lost")]

        refused = until(ours, is_down)
        assert refused == [Down(f"cannot reach the broker at 127.0.0.1:{broker.port}: Connection refused")]

        broker.start()
        until(ours, is_up)
        with Observer(broker.port) as observer:
            observer.publish("apimon/in", b"again")
            assert until(ours, is_message)[-1] == Message("apimon/in", b"again", retained=False)


def test_a_connection_that_is_lost_by_writing_is_told_at_once(broker: Mosquitto) -> None:
    """There is no socket to wake us then, and the next keep-alive is a minute away."""
    with make(broker.port) as ours:
        until(ours, is_up)
        broker.kill()
        start = time.monotonic()
        for number in range(IN_FLIGHT):
            ours.publish(Publish(f"apimon/{number}", b"x" * 1000))
        events: list[Event] = []
        while not any(map(is_down, events)) and time.monotonic() < start + PATIENCE:
            events += ours.wait(start + PATIENCE)

    assert time.monotonic() - start < PATIENCE / 2


def test_the_waits_between_two_tries_double(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "RECONNECT_FIRST", 0.05)
    monkeypatch.setattr(link, "_spread", lambda: 1.0)
    failures, planned = [], []
    really = Backoff.failed

    def failed(self: Backoff, now: float) -> float:
        again = really(self, now)
        failures.append(now)
        planned.append(again)
        return again

    monkeypatch.setattr(Backoff, "failed", failed)
    with make(free_port()) as ours:
        for _ in range(5):
            until(ours, is_down)

    waits = [again - failure for failure, again in zip(failures, planned, strict=True)]
    assert waits == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8])
    assert all(failure >= again for failure, again in zip(failures[1:], planned, strict=False))


def test_it_wakes_for_nothing_while_nothing_happens(broker: Mosquitto) -> None:
    with make(broker.port) as ours:
        until(ours, is_up)
        ours.wait(time.monotonic() + 0.2)
        turns = 0
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            ours.wait(end)
            turns += 1

    assert turns == 1


@pytest.mark.parametrize("seconds", [math.inf, 250e9])
def test_a_wait_has_an_end_that_the_system_can_count_to(seconds: float) -> None:
    """The year 9999 is 250e9 seconds away, and may stand in any payload. No keep-alive wakes who dials."""
    ours, theirs = socket.socketpair()
    with broken([HANG]) as broker, make(broker.port) as link, ours, theirs:
        theirs.send(b".")

        assert link.wait(time.monotonic() + seconds, ours) == []


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param("9006000102ee0101", id="SUBACK with a property that is none"),
        pytest.param("300800016103120161", id="PUBLISH with a property of another packet"),
        pytest.param("3001ff", id="PUBLISH cut short"),
        pytest.param("e0023f00", id="DISCONNECT with a reason that is none"),
        pytest.param("30060001610302aa", id="PUBLISH with half of a property"),
    ],
)
@pytest.mark.usefixtures("quick")
def test_a_packet_that_is_wrong_costs_the_connection_at_most(packet: str) -> None:
    replies = [WELCOME_V5, SUBACK_V5 + bytes.fromhex(packet)]
    with broken(replies, [WELCOME_V5, SUBACK_V5, HANG]) as broker, make(broker.port) as link:
        until(link, is_down)
        until(link, is_up)


def test_no_version_of_paho_that_raises_at_such_packets_is_allowed() -> None:
    asked = [Requirement(text) for text in metadata.requires("apimon-node") or ()]
    (paho,) = (requirement for requirement in asked if requirement.name == "paho-mqtt")

    assert list(paho.specifier.filter(["2.0.0", "2.1.0", "2.2.0"])) == ["2.2.0"]


def test_it_keeps_alive_what_is_silent(broker: Mosquitto) -> None:
    """The broker cuts a connection after 1.5 keep-alives; 5 s is the least that we take, 1 s makes a shorter test."""
    settings = MqttSettings(host="127.0.0.1", port=broker.port, keepalive=1)
    with Link(settings, client_id="apimon-node-hall", will=WILL, subscriptions=("apimon/in",)) as ours:
        until(ours, is_up)
        end = time.monotonic() + 4
        events, turns = [], 0
        while time.monotonic() < end:
            events += ours.wait(end)
            turns += 1

    assert events == []
    assert 3 <= turns <= 12  # a ping and its answer each second; mosquitto itself takes longer to hang up


def test_a_broker_that_answers_no_ping_is_given_up(broker: Mosquitto) -> None:
    settings = MqttSettings(host="127.0.0.1", port=broker.port, keepalive=1)
    with Link(settings, client_id="apimon-node-hall", will=WILL, subscriptions=("apimon/in",)) as ours:
        until(ours, is_up)
        broker.signal(signal.SIGSTOP)
        try:
            until(ours, is_down, patience=10)
        finally:
            broker.signal(signal.SIGCONT)


def test_a_flood_is_read_in_portions(broker: Mosquitto, observer: Observer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BURST", 10)
    with make(broker.port) as ours:
        until(ours, is_up)
        for number in range(50):
            observer.publish("apimon/in", str(number).encode(), retain=False)
        portions: list[int] = []
        while sum(portions) < 50:
            portions.append(len(ours.wait(time.monotonic() + PATIENCE)))

    assert max(portions) <= 10


def test_large_messages_are_read_in_portions_too(broker: Mosquitto, observer: Observer) -> None:
    with make(broker.port) as ours:
        until(ours, is_up)
        for _ in range(10):
            observer.publish("apimon/in", b"x" * 500_000, retain=False)
        portions: list[int] = []
        while sum(portions) < 10:
            portions.append(len(ours.wait(time.monotonic() + PATIENCE)))

    assert max(portions) <= 3


def test_a_message_that_would_fill_a_small_machine_is_not_even_sent(broker: Mosquitto, observer: Observer) -> None:
    observer.publish("apimon/in", b"x" * (connection.MAX_PACKET + 1))
    with make(broker.port) as ours:
        until(ours, is_up)
        observer.publish("apimon/in", b"small", retain=False)
        events = until(ours, is_message)

    assert events == [Message("apimon/in", b"small", retained=False)]


def test_what_is_retained_is_not_dropped_for_what_is_not(broker: Mosquitto, observer: Observer) -> None:
    with make(broker.port) as ours:
        ours.publish(Publish("apimon/kept", b"x"))
        for number in range(2 * link.QUEUE):
            ours.publish(Publish("apimon/event", str(number).encode(), retain=False))
        until(ours, is_up)
        until_sent(ours)
    observer.wait_for("apimon/kept", b"x")


def test_a_message_that_the_broker_does_not_take_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite apimon/mine\ntopic read #\n")
    conf = f"user root\nlistener {{port}} 127.0.0.1\nallow_anonymous true\nacl_file {acl}\n"
    monkeypatch.setattr("apimon_node.demo.broker.MOSQUITTO_CONF", conf)
    with Mosquitto(tmp_path) as mosquitto, make(mosquitto.port, protocol=Protocol.V5) as ours:
        until(ours, is_up)
        ours.publish(Publish("apimon/mine", b"x"))
        ours.publish(Publish("apimon/other", b"x"))
        events = until(ours, lambda event: isinstance(event, Refused))

        assert events == [Refused("apimon/other")]
        assert not ours.unsent


def test_a_signal_ends_the_wait_at_once(broker: Mosquitto) -> None:
    """A handler that only sets a flag would not (PEP 475): whoever waits must name the socket that it wakes."""
    ours, theirs = socket.socketpair()
    timer = threading.Timer(0.2, lambda: theirs.send(b"."))
    with make(broker.port) as link_, ours, theirs:
        until(link_, is_up)
        timer.start()
        start = time.monotonic()
        while not select.select([ours], [], [], 0)[0]:
            link_.wait(start + PATIENCE, ours)

    assert time.monotonic() - start < PATIENCE / 2


def test_a_refused_password_is_told_and_tried_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "RECONNECT_FIRST", 0.05)
    mosquitto = Mosquitto(tmp_path)
    monkeypatch.setattr("apimon_node.demo.broker.MOSQUITTO_CONF", "listener {port} 127.0.0.1\nallow_anonymous false\n")
    password = "wrong"
    with mosquitto:
        settings = MqttSettings(host="127.0.0.1", port=mosquitto.port, username="hall")
        with Link(settings, client_id="n", will=WILL, subscriptions=("x",), password=lambda: password) as ours:
            for _ in range(3):
                (event,) = until(ours, is_down)
                assert isinstance(event, Down)
                assert "check mqtt.username" in event.reason
                assert password not in event.reason


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (142, "let another client take our place: check who else uses the id apimon-node-hall"),
        (149, "ended the connection because a message was too large: check its limit for packets"),
        (139, "ended the connection: Server shutting down"),
    ],
)
def test_a_broker_that_says_why_it_ends_a_connection_is_quoted(reason: int, text: str) -> None:
    """Scripted: mosquitto 2.0 hangs up without a word."""
    welcome, suback, farewell = bytes([0x20, 3, 0, 0, 0]), bytes([0x90, 4, 0, 1, 0, 1]), bytes([0xE0, 2, reason, 0])
    with broken([welcome, suback + farewell, HANG]) as broker, make(broker.port, protocol=Protocol.V5) as ours:
        events = until(ours, is_down)

    assert events[-1] == Down(f"the broker at 127.0.0.1:{broker.port} {text}")


def test_a_password_file_that_is_gone_is_told_not_fatal(broker: Mosquitto) -> None:
    def password() -> str:
        raise ConfigError("/etc/apimon/mqtt: cannot be read")

    settings = MqttSettings(host="127.0.0.1", port=broker.port, username="hall")
    with Link(settings, client_id="n", will=WILL, subscriptions=("x",), password=password) as ours:
        assert until(ours, is_down) == [Down("/etc/apimon/mqtt: cannot be read")]


def test_a_subscription_that_is_denied_is_named() -> None:
    """Scripted, since mosquitto grants every subscription and then delivers nothing."""
    denied = bytes([0x90, 4, 0, 1, 1, 0x80])
    topics = ("apimon/in", "secret/#")
    with broken([WELCOME_V311, denied, HANG]) as broker, make(broker.port, *topics, protocol=Protocol.V311) as ours:
        (event,) = until(ours, is_up)

    assert event == Up(f"127.0.0.1:{broker.port}", "3.1.1", denied=("secret/#",))


def test_without_subscriptions_it_is_up_at_once(broker: Mosquitto) -> None:
    settings = MqttSettings(host="127.0.0.1", port=broker.port)
    with Link(settings, client_id="n", will=None, subscriptions=()) as ours:
        assert until(ours, is_up)


# Names and ports


@pytest.mark.parametrize("host", ["nohost.invalid", "a..b"])
def test_a_name_that_is_none_is_told(host: str) -> None:
    with make(1883, host=host) as ours:
        (event,) = until(ours, is_down)

    assert isinstance(event, Down)
    assert event.reason.startswith(f"cannot reach the broker at {host}:1883: ")


def test_a_dial_that_hangs_holds_up_neither_the_loop_nor_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(connection.Connection, "dial", lambda *_: str(release.wait(PATIENCE)))
    start = time.monotonic()
    with make(1883) as ours:
        for _ in range(3):
            assert ours.wait(time.monotonic() + 0.05) == []
    release.set()

    assert time.monotonic() - start < PATIENCE / 2


# A broker that misbehaves


@pytest.mark.parametrize("refusal", [REFUSED_V5, REFUSED_BY_OLD], ids=["in MQTT 5", "in 3.1.1"])
def test_auto_speaks_the_older_version_to_a_broker_that_refuses_the_newer(refusal: bytes) -> None:
    with broken([refusal], [WELCOME_V311, SUBACK_V311, HANG]) as broker, make(broker.port) as ours:
        events = until(ours, is_up)

    assert events == [Up(f"127.0.0.1:{broker.port}", "3.1.1")]


def test_auto_tries_the_older_version_with_a_broker_that_hangs_up() -> None:
    with broken([b""], [WELCOME_V311, SUBACK_V311, HANG]) as broker, make(broker.port) as ours:
        assert until(ours, is_up) == [Up(f"127.0.0.1:{broker.port}", "3.1.1")]


@pytest.mark.usefixtures("quick")
def test_auto_begins_with_the_newer_version_at_each_new_connection() -> None:
    connections = ([REFUSED_V5], [WELCOME_V311, SUBACK_V311], [REFUSED_V5], [WELCOME_V311, SUBACK_V311, HANG])
    with broken(*connections) as broker, make(broker.port) as ours:
        until(ours, is_down)
        until(ours, is_up)

    versions = [packet[8] for packet in broker.received if packet[:1] == b"\x10"]
    assert versions == [5, 4, 5, 4]


@pytest.mark.parametrize(
    ("protocol", "refusal"), [(Protocol.V5, REFUSED_V5), (Protocol.V311, REFUSED_BY_OLD)], ids=["5", "3.1.1"]
)
def test_a_version_by_name_is_not_replaced(protocol: Protocol, refusal: bytes) -> None:
    with broken([refusal]) as broker, make(broker.port, protocol=protocol) as ours:
        (event,) = until(ours, is_down)

    assert isinstance(event, Down)
    assert "mqtt.protocol" in event.reason


def test_what_is_no_broker_is_told() -> None:
    with broken([b""], [b""]) as broker, make(broker.port) as ours:
        (event,) = until(ours, is_down)

    assert event == Down(
        f"127.0.0.1:{broker.port} hung up before it answered: check that an MQTT broker listens there, without TLS"
    )


def test_a_broker_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "GREETING_TIMEOUT", 0.3)
    with broken([HANG], [HANG]) as broker, make(broker.port) as ours:
        (event,) = until(ours, is_down)

    assert isinstance(event, Down)
    assert "did not answer within" in event.reason


def test_auto_tries_the_older_version_with_a_broker_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with broken([HANG], [WELCOME_V311, SUBACK_V311, HANG]) as broker, make(broker.port) as ours:
        with monkeypatch.context() as patch:
            patch.setattr(connection, "GREETING_TIMEOUT", 0.3)
            while ours._protocol is Protocol.V5:
                assert ours.wait(time.monotonic() + 0.5) == []

        assert until(ours, is_up) == [Up(f"127.0.0.1:{broker.port}", "3.1.1")]


def test_rubbish_instead_of_mqtt_is_a_lost_connection() -> None:
    with broken([b"HTTP/1.1 400 Bad Request\r\n\r\n"], [b"\xff" * 100]) as broker, make(broker.port) as ours:
        (event,) = until(ours, is_down)

    assert isinstance(event, Down)
    assert str(broker.port) in event.reason


def test_a_broker_that_switches_the_keep_alive_off_is_not_asked_all_the_time() -> None:
    welcome = bytes([0x20, 6, 0, 0, 3, 0x13, 0, 0])  # with the property Server Keep Alive of 0
    suback = bytes([0x90, 4, 0, 1, 0, 1])
    with broken([welcome, suback, HANG]) as broker, make(broker.port, protocol=Protocol.V5) as ours:
        until(ours, is_up)
        turns, end = 0, time.monotonic() + 0.5
        while time.monotonic() < end:
            ours.wait(end)
            turns += 1

    assert turns == 1


def test_a_topic_that_is_no_text_is_passed_over() -> None:
    odd = bytes([0x30, 5, 0, 2, 0xFF, 0xFE, 0x78])
    good = bytes([0x30, 12, 0, 9, *b"apimon/in", 0x78])
    with (
        broken([WELCOME_V311, SUBACK_V311 + odd + good, HANG]) as broker,
        make(broker.port, protocol=Protocol.V311) as ours,
    ):
        events = until(ours, is_message)

    assert [event for event in events if is_message(event)] == [Message("apimon/in", b"x")]
