"""What keeps us from the broker, and the sentence for it: with a real mosquitto wherever one refuses so."""

import contextlib
import os
import re
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from certificates import FUTURE, HOST, PAST, Authority, Pair, secured
from parts import PATIENCE, Mosquitto, Observer
from ports import free_port
from test_link import HANG, broken, is_down, is_up, until
from test_transports import link_by, serving

from apimon_node.commands.doctor import _unreachable
from apimon_node.config.settings import MqttSettings, Protocol, Settings, TlsSettings, Transport
from apimon_node.errors import BrokerError
from apimon_node.mqtt import link, refusals, transport
from apimon_node.mqtt.link import Link
from apimon_node.mqtt.messages import Down, Publish, Refused
from apimon_node.mqtt.participant import link_to_broker, publish
from apimon_node.picture.effects import Effect
from apimon_node.process import credentials

DATE = r"20\d\d-\d\d-\d\d"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Come back at once, and take no password from outside."""
    monkeypatch.setattr(link, "RECONNECT_FIRST", 0.05)
    monkeypatch.setattr(link, "RECONNECT_LIMIT", 0.2)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.delenv("APIMON_MQTT_PASSWORD", raising=False)


def refusal(settings: MqttSettings) -> str:
    """Give the sentence for the first failure."""
    with link_by(settings) as ours:
        (event,) = [event for event in until(ours, is_down) if is_down(event)]
    assert isinstance(event, Down)
    return event.reason


def whole(mqtt: MqttSettings) -> Settings:
    """Make a configuration that has nothing but a broker."""
    return Settings(mqtt, None, (), (), Effect.PULSE, None, ())


# User and password


class Guarded:
    """A broker that knows users, and can learn of others while it runs."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "users"
        self.set("hall", "first")
        self.broker = Mosquitto(folder, f"user root\nallow_anonymous false\npassword_file {self._file}\n")

    def set(self, user: str, password: str) -> None:
        create = [] if self._file.exists() else ["-c"]
        command = ["mosquitto_passwd", *create, "-b", str(self._file), user, password]
        subprocess.run(command, check=True, capture_output=True)

    def change(self, user: str, password: str) -> None:
        self.set(user, password)
        self.broker.signal(signal.SIGHUP)

    def settings(self, **values: object) -> MqttSettings:
        return MqttSettings("127.0.0.1", self.broker.port, username="hall")._replace(**values)  # type: ignore[arg-type]


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    guarded = Guarded(tmp_path)
    with guarded.broker:
        yield guarded


def signed_in(mqtt: MqttSettings) -> Link:
    return link_to_broker(whole(mqtt), "apimon-node-hall", None, ["apimon/in"])


@pytest.mark.parametrize("protocol", [Protocol.V5, Protocol.V311])
@pytest.mark.parametrize("source", ["file", "credential", "environment"])
def test_a_password_from_everywhere_opens_the_broker(
    tmp_path: Path, guarded: Guarded, monkeypatch: pytest.MonkeyPatch, source: str, protocol: Protocol
) -> None:
    settings = guarded.settings(protocol=protocol)
    if source == "file":
        settings = settings._replace(password_file=tmp_path / "secret")
        (tmp_path / "secret").write_text("first\n")
    elif source == "credential":
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
        (tmp_path / "mqtt-password").write_text("first\n")
    else:
        monkeypatch.setenv("APIMON_MQTT_PASSWORD", "first")

    with signed_in(settings) as ours:
        assert until(ours, is_up)


def test_a_password_that_is_changed_while_we_run_needs_no_restart(tmp_path: Path, guarded: Guarded) -> None:
    secret = tmp_path / "secret"
    secret.write_text("first\n")
    with signed_in(guarded.settings(password_file=secret)) as ours:
        until(ours, is_up)
        guarded.change("hall", "second")
        events = until(ours, lambda event: isinstance(event, Down) and "mqtt.username" in event.reason)
        assert not any(is_up(event) for event in events)

        secret.write_text("second\n")
        assert until(ours, is_up)


@pytest.mark.parametrize("protocol", [Protocol.V5, Protocol.V311])
def test_a_wrong_password_is_told_and_never_repeated(guarded: Guarded, protocol: Protocol) -> None:
    settings = guarded.settings(protocol=protocol)
    with Link(settings, client_id="a", will=None, subscriptions=(), password=lambda: "hunter2") as ours:
        (event,) = until(ours, is_down)

    assert isinstance(event, Down)
    assert event.reason.startswith(f"the broker at {settings.address} ")
    assert event.reason.endswith(": check mqtt.username, its password and the broker's access list")
    assert "hunter2" not in event.reason


def test_who_has_no_user_is_told_to_name_one(guarded: Guarded) -> None:
    settings = guarded.settings(username=None)

    assert refusal(settings) == (
        f"the broker at {settings.address} does not let us in without a user: set mqtt.username and its password"
    )


@pytest.mark.parametrize("protocol", [Protocol.V5, Protocol.V311])
def test_a_user_needs_no_password_where_the_broker_asks_for_none(broker: Mosquitto, protocol: Protocol) -> None:
    mqtt = MqttSettings("127.0.0.1", broker.port, username="hall", protocol=protocol)
    with signed_in(mqtt) as ours:
        assert until(ours, is_up)


def test_a_password_file_that_cannot_be_read_is_named(tmp_path: Path, guarded: Guarded) -> None:
    missing = tmp_path / "missing"
    settings = guarded.settings(password_file=missing)
    password = partial(credentials.read, "mqtt-password", missing)
    with Link(settings, client_id="a", will=None, subscriptions=(), password=password) as ours:
        (event,) = until(ours, is_down)

    assert event == Down(f"{missing}: cannot read the secret mqtt-password: No such file or directory")


# The id


@pytest.mark.parametrize("protocol", [Protocol.V5, Protocol.V311])
def test_it_takes_several_losses_to_think_of_another_client(broker: Mosquitto, protocol: Protocol) -> None:
    """MQTT 3.1.1 has no way to say it, and mosquitto 2.0 does not use that of MQTT 5."""
    settings = MqttSettings("127.0.0.1", broker.port, protocol=protocol)
    reasons: list[str] = []
    with link_by(settings) as ours, link_by(settings) as other:
        until(ours, is_up)
        until(other, is_up)
        for _ in range(link.SUSPICIOUS):
            (down,) = until(ours, is_down)
            assert isinstance(down, Down)
            reasons.append(down.reason)
            until(ours, is_up)
            until(other, is_up)

    assert reasons[:-1] == [f"the connection to the broker at {settings.address} was lost"] * (link.SUSPICIOUS - 1)
    assert reasons[-1] == (
        f"the connection to the broker at {settings.address} is lost again and again soon after it came about: "
        "check whether another client uses the id apimon-node-hall, or a message is too large, and what its log says"
    )


def test_a_connection_that_held_ends_the_suspicion(broker: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = MqttSettings("127.0.0.1", broker.port, protocol=Protocol.V311)
    with link_by(settings) as ours:
        for number in range(link.SUSPICIOUS + 1):
            until(ours, is_up)
            monkeypatch.setattr(link, "SOON", 0.0 if number == 2 else 60.0)
            with link_by(settings) as other:
                until(other, is_up)
                (down,) = until(ours, is_down)

    assert down == Down(f"the connection to the broker at {settings.address} was lost")


# Messages


def test_a_message_that_is_larger_than_the_broker_takes_is_told_and_not_sent(tmp_path: Path) -> None:
    """Mosquitto 2.1 would hang up, and the message would come again with the next connection, for ever."""
    topic = "apimon/out"
    with Mosquitto(tmp_path, "max_packet_size 1000\n") as broker, Observer(broker.port) as observer:
        settings = MqttSettings("127.0.0.1", broker.port)
        rest = 1000 - 1 - 2 - 2 - len(topic) - 2 - 1
        with link_by(settings) as ours:
            until(ours, is_up)
            ours.publish(Publish(topic, b"x" * (rest + 1)))
            start = time.monotonic()
            events = ours.wait(start + PATIENCE)
            assert events == [Refused(topic, f"{topic} is larger than the broker takes (1000 bytes)")]
            assert time.monotonic() - start < PATIENCE / 2
            assert not ours.unsent

            ours.publish(Publish(topic, b"x" * rest))
            ours.wait(time.monotonic() + 0.1)
            observer.wait_for(topic, b"x" * rest)
            assert ours.wait(time.monotonic() + 0.1) == []


def test_publishing_by_hand_tells_what_is_too_large(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path, "max_packet_size 1000\n") as broker,
        pytest.raises(BrokerError, match=r"^a is larger than the broker takes \(1000 bytes\)$"),
    ):
        publish(whole(MqttSettings("127.0.0.1", broker.port)), Publish("a", b"x" * 1000))


def test_a_message_that_is_too_large_with_3_1_1_is_thought_of(tmp_path: Path) -> None:
    """There a broker can only hang up."""
    with Mosquitto(tmp_path, "max_packet_size 200\n") as broker:
        settings = MqttSettings("127.0.0.1", broker.port, protocol=Protocol.V311)
        with link_by(settings) as ours:
            for _ in range(link.SUSPICIOUS):
                until(ours, is_up)
                ours.publish(Publish("apimon/out", b"x" * 300))
                (down,) = until(ours, is_down)

    assert isinstance(down, Down)
    assert "or a message is too large" in down.reason


@pytest.mark.parametrize(
    ("reason", "text"), [(0x87, ""), (0x97, "the broker does not take apimon/out: Quota exceeded")]
)
def test_a_reason_for_which_a_message_is_not_taken_is_told(reason: int, text: str) -> None:
    """Scripted: mosquitto 2.0 takes a message, says that we may not write it, or hangs up."""
    welcome, suback, puback = bytes([0x20, 3, 0, 0, 0]), bytes([0x90, 4, 0, 1, 0, 1]), bytes([0x40, 3, 0, 2, reason])
    with broken([welcome, suback, puback, HANG]) as broker:
        settings = MqttSettings("127.0.0.1", broker.port, protocol=Protocol.V5)
        with link_by(settings) as ours:
            ours.publish(Publish("apimon/out", b"x"))
            events = until(ours, lambda event: isinstance(event, Refused))

    assert events[-1] == Refused("apimon/out", text)


# TLS


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ca")


def by_tls(port: int, tls: TlsSettings) -> MqttSettings:
    return MqttSettings("127.0.0.1", port, tls=tls)


@contextlib.contextmanager
def tls_broker(folder: Path, pair: Pair, more: str = "") -> Iterator[int]:
    port = free_port()
    with Mosquitto(folder, "user root\n" + secured(port, pair, more)) as broker:
        broker.wait_for(port)
        yield port


@pytest.mark.parametrize("way", [Transport.TCP, Transport.WEBSOCKETS])
def test_an_unknown_authority_is_refused(tmp_path: Path, authority: Authority, way: Transport) -> None:
    other = Authority(tmp_path, "other")
    more = "protocol websockets\n" if way is Transport.WEBSOCKETS else ""
    with tls_broker(tmp_path, authority.issue("server"), more) as port:
        of_system = refusal(by_tls(port, TlsSettings())._replace(transport=way))
        of_file = refusal(by_tls(port, TlsSettings(other.file))._replace(transport=way))

    broker = f"the certificate of the broker at 127.0.0.1:{port}"
    assert of_system == (
        f"{broker} is signed by nobody whom this system knows: set mqtt.tls.ca_file to the certificate of who did"
    )
    assert of_file == f"{broker} is not signed by {other.file}: check mqtt.tls.ca_file"


def test_a_certificate_for_another_host_is_refused(tmp_path: Path, authority: Authority) -> None:
    with tls_broker(tmp_path, authority.issue("server", "elsewhere.test")) as port:
        by_address = refusal(by_tls(port, TlsSettings(authority.file)))
        by_name = refusal(by_tls(port, TlsSettings(authority.file, server_name=HOST)))

    text = (
        f"the certificate of the broker at 127.0.0.1:{port} is not for {{}}: set mqtt.tls.server_name to the name that"
    )
    assert by_address == text.format("127.0.0.1") + " it bears"
    assert by_name == text.format(HOST) + " it bears"


def test_a_certificate_that_has_expired_is_refused_and_the_clock_told(tmp_path: Path, authority: Authority) -> None:
    pair = authority.issue("server", not_before=PAST.replace(year=1999), not_after=PAST)
    with tls_broker(tmp_path, pair) as port:
        text = refusal(by_tls(port, TlsSettings(authority.file)))

    assert re.fullmatch(
        rf"the certificate of the broker at 127\.0\.0\.1:{port} has expired; the clock of this machine says {DATE}: "
        "check whether it is right, or renew it",
        text,
    )


def test_a_certificate_that_is_not_valid_yet_is_refused_and_the_clock_told(
    tmp_path: Path, authority: Authority
) -> None:
    pair = authority.issue("server", not_before=FUTURE, not_after=FUTURE.replace(year=2101))
    with tls_broker(tmp_path, pair) as port:
        text = refusal(by_tls(port, TlsSettings(authority.file)))

    broker = rf"the certificate of the broker at 127\.0\.0\.1:{port}"
    assert re.fullmatch(
        rf"{broker} is not valid yet; the clock of this machine says {DATE}: check whether it is right", text
    )


def test_a_certificate_that_is_renewed_needs_no_restart_of_either(tmp_path: Path, authority: Authority) -> None:
    pair = authority.issue("server", not_before=PAST.replace(year=1999), not_after=PAST)
    port = free_port()
    with Mosquitto(tmp_path, "user root\n" + secured(port, pair)) as broker:
        broker.wait_for(port)
        with link_by(by_tls(port, TlsSettings(authority.file))) as ours:
            until(ours, is_down)
            authority.issue("server")
            broker.signal(signal.SIGHUP)
            assert until(ours, is_up)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("way", [Transport.TCP, Transport.WEBSOCKETS])
def test_a_broker_that_asks_for_a_certificate_gets_one_or_a_sentence_says_so(
    tmp_path: Path, authority: Authority, version: ssl.TLSVersion, way: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With TLS 1.3 it refuses us when we think that all is well."""
    context = transport._context

    def bounded(tls: TlsSettings) -> ssl.SSLContext:
        made = context(tls)
        made.maximum_version = version
        return made

    monkeypatch.setattr(transport, "_context", bounded)
    more = f"cafile {authority.file}\nrequire_certificate true\n"
    more += "protocol websockets\n" if way is Transport.WEBSOCKETS else ""
    other = Authority(tmp_path, "other").issue("stranger", "hall")
    with tls_broker(tmp_path, authority.issue("server"), more) as port:
        none = refusal(by_tls(port, TlsSettings(authority.file))._replace(transport=way))
        strange = refusal(by_tls(port, TlsSettings(authority.file, *other))._replace(transport=way))

    assert none == (
        f"the broker at 127.0.0.1:{port} asks for a certificate of ours: set mqtt.tls.cert_file and key_file"
    )
    assert strange == (
        f"the broker at 127.0.0.1:{port} refuses our certificate (unknown ca): "
        "check mqtt.tls.cert_file, and who signed it"
    )


def test_tls_to_a_port_without_it_is_told(broker: Mosquitto) -> None:
    mend = "check mqtt.port (8883 as a rule), or set mqtt.tls to null"

    assert refusal(by_tls(broker.port, TlsSettings())) == f"127.0.0.1:{broker.port} does not speak TLS: {mend}"


@pytest.mark.parametrize(
    ("way", "text"),
    [
        (Transport.TCP, "hung up before it answered: check that an MQTT broker listens there, without TLS"),
        (
            Transport.WEBSOCKETS,
            "does not speak websockets: check mqtt.port and mqtt.transport, and whether it wants TLS",
        ),
    ],
)
def test_a_port_for_tls_without_it_is_told(tmp_path: Path, authority: Authority, way: Transport, text: str) -> None:
    """Mosquitto just hangs up."""
    with tls_broker(tmp_path, authority.issue("server")) as port:
        assert refusal(MqttSettings("127.0.0.1", port, transport=way)) == f"127.0.0.1:{port} {text}"


@pytest.mark.parametrize("way", [Transport.TCP, Transport.WEBSOCKETS])
def test_a_server_that_answers_with_an_alert_speaks_tls(way: Transport) -> None:
    with broken([b"\x15\x03\x01\0\x02\x02\x46"]) as server:  # fatal, protocol version
        text = refusal(MqttSettings("127.0.0.1", server.port, transport=way))

    assert text == f"127.0.0.1:{server.port} speaks TLS: set mqtt.tls, or another mqtt.port"


@pytest.mark.parametrize(
    ("ca", "cert", "key", "text"),
    [
        ("missing", None, None, "ca_file {0}/missing: cannot be read: No such file or directory"),
        ("empty", None, None, "ca_file {0}/empty: there is no certificate in it (PEM, which begins with -----BEGIN)"),
        (".", None, None, "ca_file {0}: cannot be read: Is a directory"),
        ("ca.pem", "missing", "a.key", "cert_file {0}/missing: cannot be read: No such file or directory"),
        ("ca.pem", "a.crt", "missing", "key_file {0}/missing: cannot be read: No such file or directory"),
        (
            "ca.pem",
            "empty",
            "a.key",
            "cert_file {0}/empty: there is no certificate in it (PEM, which begins with -----BEGIN)",
        ),
        (
            "ca.pem",
            "a.crt",
            "empty",
            "key_file {0}/empty: there is no private key in it (PEM, which begins with -----BEGIN)",
        ),
        (
            "ca.pem",
            "a.crt",
            "b.key",
            "key_file {0}/b.key: it is not the key of cert_file: check which of the two is wrong",
        ),
        (
            "ca.pem",
            "a.crt",
            "secret.key",
            "key_file {0}/secret.key: " + refusals.ENCRYPTED,
        ),
    ],
)
def test_a_file_that_is_wrong_is_named_and_can_be_mended_while_we_run(
    tmp_path: Path, authority: Authority, ca: str, cert: str | None, key: str | None, text: str
) -> None:
    good = authority.issue("a", "a")
    authority.issue("b", "b")
    (tmp_path / "empty").touch()
    encrypt = ["openssl", "pkey", "-aes256", "-passout", "pass:hunter2"]
    encrypt += ["-in", str(good.key), "-out", str(tmp_path / "secret.key")]
    subprocess.run(encrypt, check=True, capture_output=True)
    files = TlsSettings(*(None if name is None else tmp_path / name for name in (ca, cert, key)))  # type: ignore[arg-type]  # paths
    with tls_broker(tmp_path, authority.issue("server")) as port, link_by(by_tls(port, files)) as ours:
        (event,) = until(ours, is_down)
        assert event == Down("mqtt.tls." + text.format(tmp_path))

        if ca != ".":
            for name, content in ((ca, authority.file), (cert, good.cert), (key, good.key)):
                if name is not None:
                    (tmp_path / name).write_bytes(content.read_bytes())
            assert until(ours, is_up)


def test_a_server_that_hangs_up_on_tls_speaks_none() -> None:
    def slam(sock: socket.socket) -> None:
        sock.recv(1)

    with serving(slam) as server:
        text = refusal(by_tls(server.address[1], TlsSettings()))

    assert " does not speak TLS: check mqtt.port" in text


# Websockets


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "has nothing at /mqtt (HTTP 404): check mqtt.path"),
        (
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
            "does not open a websocket at /mqtt (HTTP 403): check mqtt.path and mqtt.port",
        ),
        (
            b"HTTP/1.1 101 OK\r\nSec-WebSocket-Accept: c3RhbGU=\r\n\r\n",
            "does not speak websockets: check mqtt.port and mqtt.transport, and whether it wants TLS",
        ),
        (
            b"220 mail.example.com\r\n\r\n",
            "does not speak websockets: check mqtt.port and mqtt.transport, and whether it wants TLS",
        ),
        (
            b"HTTP/1.1 101 OK\r\n" + b"X: y\r\n" * 5000,
            "does not speak websockets: check mqtt.port and mqtt.transport, and whether it wants TLS",
        ),
        (b"", "does not speak websockets: check mqtt.port and mqtt.transport, and whether it wants TLS"),
    ],
)
def test_what_opens_no_websocket_is_told(answer: bytes, text: str) -> None:
    with broken([answer]) as server:
        settings = MqttSettings("127.0.0.1", server.port, transport=Transport.WEBSOCKETS)
        assert refusal(settings) == f"127.0.0.1:{server.port} {text}"


def test_a_websocket_to_a_port_without_it_is_told(broker: Mosquitto) -> None:
    settings = MqttSettings("127.0.0.1", broker.port, transport=Transport.WEBSOCKETS)

    assert (
        refusal(settings)
        == f"{settings.address} does not speak websockets: check mqtt.port and mqtt.transport, and whether it wants TLS"
    )


def test_a_web_server_where_a_broker_should_be_is_told() -> None:
    with broken([b"HTTP/1.1 400 Bad Request\r\n\r\n"]) as server:
        text = refusal(MqttSettings("127.0.0.1", server.port))

    assert text == f"127.0.0.1:{server.port} speaks HTTP: check mqtt.port, or set mqtt.transport to websockets"


# Unix sockets


def unix(path: Path) -> MqttSettings:
    return MqttSettings(transport=Transport.UNIX, socket=path)


@contextlib.contextmanager
def an_ordinary_user() -> Iterator[None]:
    """Be one for a while, where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_socket_that_is_missing_dead_or_locked_is_told(tmp_path: Path) -> None:
    path = tmp_path / "broker.sock"
    assert refusal(unix(path)) == (
        f"there is no socket {path}: check mqtt.socket, and whether the broker runs and listens there"
    )

    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert refusal(unix(path)) == f"nobody listens on the socket {path}: check whether the broker runs"

    path.chmod(0)
    with an_ordinary_user(), pytest.raises(BrokerError) as caught:
        transport.dial(unix(path))
    assert str(caught.value) == f"we may not use the socket {path}: check its mode, its group, and that of its folder"


def test_a_path_that_is_too_long_for_a_socket_is_told(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 120)

    assert refusal(unix(path)) == f"cannot reach the broker at {path}: AF_UNIX path too long"


# The sentences by themselves


PLAIN = MqttSettings("b", 1)
SECURE = PLAIN._replace(tls=TlsSettings())
SHOWN = PLAIN._replace(tls=TlsSettings(None, Path("hall.crt"), Path("hall.key")))
ALL = [
    *(refusals.refused(PLAIN, reason, "id") for reason in refusals.REASONS),
    *(refusals.ended(PLAIN, reason, "id") for reason in refusals.REASONS),
    refusals.unanswered(PLAIN, b"\x15"),
    refusals.unanswered(PLAIN, b"H"),
    refusals.unanswered(SECURE, b""),
    refusals.lost_again(PLAIN, "id"),
    *(refusals.unreachable(unix(Path("s")), error()) for error in refusals.UNIX),
    refusals.mute(SECURE, 5),
    refusals.mute(PLAIN, 5),
    *(refusals.websocket(PLAIN, status) for status in (0, 403, 404)),
    *(refusals.certificate(SECURE, code, "message", 0) for code in (7, 9, 10, 20, 62, 64)),
    refusals.tls(SECURE, "TLSV13_ALERT_CERTIFICATE_REQUIRED"),
    refusals.tls(SHOWN, "SSLV3_ALERT_CERTIFICATE_EXPIRED"),
    refusals.tls(SHOWN, "SSLV3_ALERT_HANDSHAKE_FAILURE"),
    refusals.tls(SECURE, "TLSV1_ALERT_PROTOCOL_VERSION"),
    refusals.tls(SECURE, "WRONG_VERSION_NUMBER"),
]


@pytest.mark.parametrize("sentence", ALL)
def test_every_sentence_says_what_to_do_and_the_doctor_finds_it(sentence: str) -> None:
    finding = _unreachable(sentence, "b")

    assert finding.text
    assert finding.mend.startswith(("check ", "set "))
    assert f"{finding.text}: {finding.mend}" == sentence
    assert "{" not in sentence


@pytest.mark.parametrize(
    ("sentence", "text"),
    [
        (refusals.refused(PLAIN, "Banned", "id"), "the broker at b:1 refuses the connection: Banned"),
        (
            refusals.certificate(SECURE, 7, "certificate signature failure", 0),
            "the certificate of the broker at b:1 does not count: check it (certificate signature failure)",
        ),
        (
            refusals.tls(SHOWN, "SSLV3_ALERT_CERTIFICATE_EXPIRED"),
            (
                "the broker at b:1 refuses our certificate (certificate expired): "
                "check mqtt.tls.cert_file, and who signed it"
            ),
        ),
        (
            refusals.tls(SECURE, "TLSV1_ALERT_PROTOCOL_VERSION"),
            (
                "the broker at b:1 and we do not agree on TLS (tlsv1 alert protocol version): "
                "check which versions of TLS and which ciphers the broker has"
            ),
        ),
        (
            refusals.unanswered(SHOWN, b""),
            "b:1 hung up before it answered: check that an MQTT broker listens there",
        ),
        (
            refusals.unanswered(SECURE, b""),
            "b:1 hung up before it answered: check whether it asks for a certificate of ours (mqtt.tls.cert_file)",
        ),
        (
            refusals.unreachable(MqttSettings("::1", 1), TimeoutError("a dial that lasted")),
            "cannot reach the broker at [::1]:1: timed out",
        ),
        (
            refusals.mute(SECURE, 5),
            "b:1 took the connection, and said nothing within 5 s: check that its port is one for TLS (8883 as a rule)",
        ),
    ],
)
def test_a_sentence_in_full(sentence: str, text: str) -> None:
    assert sentence == text
