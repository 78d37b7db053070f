"""The ways to the broker, against a real mosquitto on each, and against servers that are mute or break off."""

import base64
import contextlib
import hashlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from certificates import HOST, Authority, Pair, secured
from parts import PATIENCE, Mosquitto, Observer, wait_until
from ports import free_port
from test_link import REFUSED_V5, SUBACK_V311, WELCOME_V311, is_down, is_message, is_up, until

from apimon_node.config.settings import MqttSettings, Protocol, TlsSettings, Transport
from apimon_node.errors import BrokerError
from apimon_node.mqtt import connection, link, transport
from apimon_node.mqtt.link import Link
from apimon_node.mqtt.messages import Down, Event, Message, Publish, Up
from apimon_node.mqtt.websocket import SWITCHING_PROTOCOLS, WebSocket

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
"""Opcodes (RFC 6455, section 11.8)."""

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""What a server adds to a client's key (section 1.3)."""

WAYS = ("tcp", "unix", "tls", "tls with a certificate", "ws", "wss")


class World(NamedTuple):
    """A broker that listens in every way, who signs for it, and the settings of each way."""

    broker: Mosquitto
    authority: Authority
    client: Pair
    ways: dict[str, MqttSettings]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("ways")
    authority = Authority(folder, "ca")
    server, client = authority.issue("server"), authority.issue("client", "hall")
    ports = {way: free_port() for way in WAYS}
    path = folder / "broker.sock"
    more = "".join(
        [
            "user root\n",
            secured(ports["tls"], server),
            secured(ports["tls with a certificate"], server, f"cafile {authority.file}\nrequire_certificate true\n"),
            f"listener {ports['ws']} 127.0.0.1\nprotocol websockets\n",
            secured(ports["wss"], server, "protocol websockets\n"),
            f"listener 0 {path}\n",
        ]
    )
    tls = TlsSettings(ca_file=authority.file)
    with Mosquitto(folder, more) as broker:
        broker.wait_for(ports["ws"])
        broker.wait_for(ports["wss"])
        plain = MqttSettings(host="127.0.0.1", port=broker.port)
        web = plain._replace(transport=Transport.WEBSOCKETS)
        ours = tls._replace(cert_file=client.cert, key_file=client.key)
        ways = {
            "tcp": plain,
            "unix": plain._replace(transport=Transport.UNIX, socket=path),
            "tls": plain._replace(port=ports["tls"], tls=tls),
            "tls with a certificate": plain._replace(port=ports["tls with a certificate"], tls=ours),
            "ws": web._replace(port=ports["ws"]),
            "wss": web._replace(port=ports["wss"], tls=tls),
        }
        yield World(broker, authority, client, ways)


@pytest.fixture
def observer(world: World) -> Iterator[Observer]:
    with Observer(world.broker.port) as observer:
        observer.publish("apimon/marker", b"it listens")  # what is not retained must not come before
        observer.wait_for("apimon/marker", b"it listens")
        yield observer


def link_by(settings: MqttSettings, *subscriptions: str) -> Link:
    return Link(settings, client_id="apimon-node-hall", will=None, subscriptions=subscriptions or ("apimon/in",))


# Every way, with a real broker


@pytest.mark.parametrize("protocol", Protocol)
@pytest.mark.parametrize("way", WAYS)
def test_messages_pass_both_ways(world: World, observer: Observer, way: str, protocol: Protocol) -> None:
    settings = world.ways[way]._replace(protocol=protocol)
    with link_by(settings, "apimon/in") as ours:
        (up,) = until(ours, is_up)
        assert up == Up(settings.address, "3.1.1" if protocol is Protocol.V311 else "5")
        observer.publish("apimon/in", b"fresh", retain=False)
        assert until(ours, is_message) == [Message("apimon/in", b"fresh")]

        payload = f"{way} {protocol}".encode()
        ours.publish(Publish("apimon/out", payload, retain=False))
        ours.wait(time.monotonic() + 0.1)
        observer.wait_for("apimon/out", payload)


@pytest.mark.parametrize("way", WAYS)
def test_a_burst_arrives_whole_in_order_and_at_once(world: World, observer: Observer, way: str) -> None:
    """The broker packs it into few records of TLS; of what is left of one, select() knows nothing."""
    with link_by(world.ways[way]) as ours:
        until(ours, is_up)
        for number in range(1000):
            observer._client.publish("apimon/in", str(number), qos=1)
        events = until(ours, lambda event: event == Message("apimon/in", b"999"), patience=PATIENCE)

    assert [event.payload for event in events if isinstance(event, Message)] == [b"%d" % n for n in range(1000)]


@pytest.mark.parametrize("way", WAYS)
def test_messages_that_no_socket_takes_at_once_arrive_whole(world: World, observer: Observer, way: str) -> None:
    """Of paho's own websocket, all but the first are lost."""
    with link_by(world.ways[way]) as ours:
        until(ours, is_up)
        for number in range(4):
            ours.publish(Publish("apimon/out", str(number).encode() * 4_000_000, retain=False))
        end = time.monotonic() + PATIENCE
        while ours.unsent and time.monotonic() < end:
            ours.wait(end)
        payloads = [str(number).encode() * 4_000_000 for number in range(4)]
        wait_until(lambda: [p for t, p, _ in observer.messages if t == "apimon/out"] == payloads, "the messages")


@pytest.mark.parametrize("way", WAYS)
def test_large_messages_come_in_whole(world: World, observer: Observer, way: str) -> None:
    size = (
        100_000 if way.startswith("ws") else 3_000_000
    )  # mosquitto 2.0 sends 4 kB in a tenth of a second by websockets
    with link_by(world.ways[way]) as ours:
        until(ours, is_up)
        observer.publish("apimon/in", b"x" * size, retain=False)
        observer.publish("apimon/in", b"end", retain=False)
        events = until(ours, lambda event: event == Message("apimon/in", b"end"))

    assert [len(event.payload) for event in events if isinstance(event, Message)] == [size, 3]


@pytest.mark.parametrize("way", WAYS)
def test_it_wakes_for_nothing_while_nothing_happens(world: World, way: str) -> None:
    with link_by(world.ways[way]) as ours:
        until(ours, is_up)
        ours.wait(time.monotonic() + 0.2)
        turns, end = 0, time.monotonic() + 0.5
        while time.monotonic() < end:
            ours.wait(end)
            turns += 1

    assert turns == 1


@pytest.mark.parametrize("way", WAYS)
def test_it_keeps_alive_what_is_silent(world: World, way: str) -> None:
    with link_by(world.ways[way]._replace(keepalive=1)) as ours:
        until(ours, is_up)
        end, events = time.monotonic() + 3, []
        while time.monotonic() < end:
            events += ours.wait(end)

    assert events == []


def test_another_name_than_that_of_the_host_can_be_asked_for(world: World) -> None:
    tls = TlsSettings(ca_file=world.authority.file, server_name=HOST)
    settings = world.ways["tls"]._replace(tls=tls)
    with link_by(settings) as ours:
        assert until(ours, is_up)


def test_the_authorities_of_the_system_count_where_none_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(world.authority.file))
    with link_by(world.ways["tls"]._replace(tls=TlsSettings())) as ours:
        assert until(ours, is_up)


@pytest.mark.parametrize("way", ["unix", "tls", "wss"])
def test_a_broker_that_restarts_is_found_again(tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "RECONNECT_FIRST", 0.1)
    authority = Authority(tmp_path, "ca")
    port, path = free_port(), tmp_path / "broker.sock"
    more = secured(port, authority.issue("server"), "protocol websockets\n" if way == "wss" else "")
    kind = {"unix": Transport.UNIX, "wss": Transport.WEBSOCKETS}.get(way, Transport.TCP)
    settings = MqttSettings(host="127.0.0.1", port=port, transport=kind, tls=TlsSettings(authority.file))
    if way == "unix":
        settings = settings._replace(socket=path, tls=None)
    with Mosquitto(tmp_path, f"user root\nlistener 0 {path}\n{more}") as broker, link_by(settings) as ours:
        until(ours, is_up)
        broker.kill()
        (down,) = until(ours, is_down)
        assert down == Down(f"the connection to the broker at {settings.address} was lost")
        broker.start()
        until(ours, is_up)


# Servers that break off


class Server:
    """A server that treats each connection by a function of the test's."""

    def __init__(
        self, treat: Callable[[socket.socket], None], address: str | tuple[str, int] = ("127.0.0.1", 0)
    ) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self._sock = socket.socket(family)
        self._sock.bind(address)
        self._sock.listen()
        self._treat = treat
        self.address = self._sock.getsockname()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._sock.accept()
            except OSError:
                return
            with sock, contextlib.suppress(OSError):
                sock.settimeout(PATIENCE)
                self._treat(sock)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()
        self._thread.join(PATIENCE)


@contextlib.contextmanager
def serving(
    treat: Callable[[socket.socket], None], address: str | tuple[str, int] = ("127.0.0.1", 0)
) -> Iterator[Server]:
    server = Server(treat, address)
    try:
        yield server
    finally:
        server.close()


def listen(sock: socket.socket) -> None:
    """Say nothing until the client hangs up."""
    while sock.recv(65536):
        pass


def dribble(sock: socket.socket) -> None:
    """Answer without an end, so that every single byte comes in time."""
    sock.recv(65536)
    sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nX: ")
    while True:
        sock.sendall(b"x")
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("kind", "tls", "treat"),
    [
        (Transport.TCP, None, listen),
        (Transport.UNIX, None, listen),
        (Transport.TCP, TlsSettings(), listen),
        (Transport.WEBSOCKETS, None, listen),
        (Transport.WEBSOCKETS, None, dribble),
        (Transport.WEBSOCKETS, TlsSettings(), listen),
    ],
)
def test_a_server_that_takes_the_connection_and_says_nothing_is_given_up(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: Transport,
    tls: TlsSettings | None,
    treat: Callable[[socket.socket], None],
) -> None:
    monkeypatch.setattr(transport, "DIAL_TIMEOUT", 0.3)
    monkeypatch.setattr(connection, "GREETING_TIMEOUT", 0.3)
    path = str(tmp_path / "mute.sock")
    with serving(treat, path if kind is Transport.UNIX else ("127.0.0.1", 0)) as server:
        settings = MqttSettings("127.0.0.1", transport=kind, tls=tls)
        if kind is Transport.UNIX:
            settings = settings._replace(socket=Path(path))
        else:
            settings = settings._replace(port=server.address[1])
        with link_by(settings) as ours:
            (event,) = until(ours, is_down)

    assert isinstance(event, Down)
    assert "within 0.3 s" in event.reason or "did not answer within 0 s" in event.reason


def upgraded(replies: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    """Open a websocket, then go on."""

    def treat(sock: socket.socket) -> None:
        request = sock.recv(65536)
        sock.sendall(opened(request))
        replies(sock)

    return treat


def opened(request: bytes, more: bytes = b"") -> bytes:
    """Write the answer that opens a websocket; `more` are headers of it."""
    key = next(line[19:] for line in request.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key: "))
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    head = b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nconnection:keep-alive, upgrade\r\nsec-websocket-accept:"
    return head + accept + b"\r\n" + more + b"\r\n"


def unmasked(data: bytes, opcode: int = BINARY, flags: int = 0x80) -> bytes:
    """Write a frame as a server does."""
    size = len(data)
    length = (
        bytes([size]) if size <= 125 else b"\x7e" + size.to_bytes(2) if size < 65536 else b"\x7f" + size.to_bytes(8)
    )
    return bytes([flags | opcode]) + length + data


def web(port: int, protocol: Protocol = Protocol.V311) -> MqttSettings:
    return MqttSettings("127.0.0.1", port, transport=Transport.WEBSOCKETS, protocol=protocol)


def publication(payload: bytes) -> bytes:
    body = b"\0\x09apimon/in" + payload
    return b"\x30" + bytes([len(body)]) + body


def test_packets_may_lie_in_frames_as_they_like() -> None:
    """Two in one, one in two, a ping between the parts of one, and an empty frame."""

    def replies(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(unmasked(WELCOME_V311))
        sock.recv(65536)
        sock.sendall(unmasked(SUBACK_V311 + publication(b"1") + publication(b"2")))
        third = publication(b"3")
        sock.sendall(unmasked(third[:5], flags=0) + unmasked(b"there?", PING) + unmasked(b"", CONTINUATION, flags=0))
        pongs.append(sock.recv(65536))
        sock.sendall(unmasked(third[5:], CONTINUATION))
        listen(sock)

    pongs: list[bytes] = []
    with serving(upgraded(replies)) as server, link_by(web(server.address[1])) as ours:
        events = until(ours, lambda event: event == Message("apimon/in", b"3"))

    assert [event.payload for event in events if isinstance(event, Message)] == [b"1", b"2", b"3"]
    (pong,) = pongs
    assert pong[:2] == bytes([0x80 | PONG, 0x80 | 6])
    assert bytes(a ^ b for a, b in zip(pong[6:], pong[2:6] * 2, strict=False)) == b"there?"


@pytest.mark.parametrize("way", ["tls", "ws"])
def test_what_comes_in_one_piece_is_taken_at_once_and_nothing_is_left(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record of TLS, or a frame, is off the socket as a whole: select() does not know that packets of it wait."""
    monkeypatch.setattr(connection, "BURST", 200)
    burst = b"".join(publication(b"%03d" % number) for number in range(300))

    def speak(sock: socket.socket, wrap: Callable[[bytes], bytes]) -> None:
        sock.recv(65536)
        sock.sendall(wrap(WELCOME_V311))
        sock.recv(65536)
        sock.sendall(wrap(SUBACK_V311 + burst))
        listen(sock)

    authority = Authority(tmp_path, "ca")
    rules = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    rules.load_cert_chain(*authority.issue("server"))

    def secure(sock: socket.socket) -> None:
        with rules.wrap_socket(sock, server_side=True) as inner:
            speak(inner, bytes)

    with serving(secure if way == "tls" else upgraded(lambda sock: speak(sock, unmasked))) as server:
        settings = MqttSettings("127.0.0.1", server.address[1], tls=TlsSettings(authority.file))
        settings = settings if way == "tls" else web(server.address[1])
        with link_by(settings._replace(protocol=Protocol.V311)) as ours:
            portions: list[list[Event]] = []
            start = time.monotonic()
            while sum(map(len, portions)) < 301:
                portions += [events] if (events := ours.wait(start + PATIENCE)) else []

    assert time.monotonic() - start < PATIENCE / 2
    assert len(portions) == 2
    events = [event for portion in portions for event in portion]
    assert [event.payload for event in events if isinstance(event, Message)] == [b"%03d" % n for n in range(300)]


def test_a_large_frame_comes_in_whole() -> None:
    """Its length takes eight bytes, which come one by one."""
    body = b"\0\x09apimon/in" + b"x" * 2_000_000
    size, length = len(body), b""
    while size:
        length, size = length + bytes([size % 128 | (0x80 if size >= 128 else 0)]), size // 128

    def replies(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(unmasked(WELCOME_V311))
        sock.recv(65536)
        whole = unmasked(SUBACK_V311) + unmasked(b"\x30" + length + body)
        for at in range(20):
            sock.sendall(whole[at : at + 1])
        sock.sendall(whole[20:])
        listen(sock)

    with serving(upgraded(replies)) as server, link_by(web(server.address[1])) as ours:
        events = until(ours, is_message)

    assert events[-1] == Message("apimon/in", b"x" * 2_000_000)


def test_what_comes_with_the_answer_to_the_handshake_is_not_lost() -> None:
    """Nobody sends before CONNECT; a proxy may hold back its answer, though."""

    def treat(sock: socket.socket) -> None:
        real = sock.sendall
        upgraded(listen)(_Late(sock, real, unmasked(WELCOME_V311)))  # type: ignore[arg-type]

    with serving(treat) as server, link_by(web(server.address[1]), "apimon/in") as ours:
        end = time.monotonic() + PATIENCE
        while not (ours._connection and ours._connection._answered) and time.monotonic() < end:
            ours.wait(end)

        assert ours._connection is not None
        assert ours._connection._answered


class _Late:
    """A socket whose first words have something behind them."""

    def __init__(self, sock: socket.socket, send: Callable[[bytes], None], more: bytes) -> None:
        self._send, self._more = send, more
        self.recv = sock.recv

    def sendall(self, data: bytes) -> None:
        self._send(data + self._more)


@pytest.mark.parametrize(
    "rubbish",
    [
        unmasked(b"", CLOSE),
        unmasked(b"text", 0x1),
        unmasked(b"x" * 126, PING),
        bytes([0x82, 0x81, 0, 0, 0, 0, 0x20]),  # masked, which servers must not
    ],
    ids=["close", "text", "a long ping", "masked"],
)
def test_a_server_that_closes_or_breaks_the_rules_is_left(rubbish: bytes) -> None:
    def replies(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(unmasked(WELCOME_V311))
        sock.recv(65536)
        sock.sendall(unmasked(SUBACK_V311) + rubbish)
        listen(sock)

    with serving(upgraded(replies)) as server, link_by(web(server.address[1])) as ours:
        (down,) = [event for event in until(ours, is_down) if is_down(event)]

    assert down == Down(f"the connection to the broker at 127.0.0.1:{server.address[1]} was lost")


class Below:
    """The socket below a websocket: what comes is a list, and it takes `room` bytes before it would block."""

    def __init__(self, *comes: bytes) -> None:
        self.comes = list(comes)
        self.room = 1_000_000
        self.sent = bytearray()

    def recv(self, _size: int, /) -> bytes:
        if not self.comes:
            raise BlockingIOError
        return self.comes.pop(0)

    def send(self, data: bytes, /) -> int:
        if not self.room:
            raise BlockingIOError
        taken = data[: min(self.room, 1000)]
        self.room -= len(taken)
        self.sent += taken
        return len(taken)


def websocket(*comes: bytes, early: bytes = b"") -> tuple[WebSocket, Below]:
    """Open a websocket over a socket that exists in here alone."""
    below = Below(*comes)
    ours = WebSocket(below, "b:1", "/mqtt")
    assert ours.answer(opened(ours.request) + early) == SWITCHING_PROTOCOLS
    return ours, below


def in_bytes(stream: bytes) -> Iterator[bytes]:
    return (stream[at : at + 1] for at in range(len(stream)))


def payload(ours: WebSocket) -> bytes:
    """Read until nothing is left."""
    read = b""
    with contextlib.suppress(BlockingIOError):
        while data := ours.recv(1000):
            read += data
    return read


def frames(stream: bytes | bytearray) -> Iterator[tuple[int, bytes]]:
    """Read frames of a client, each of them masked: opcodes and payloads."""
    while stream:
        assert stream[0] & 0xF0 == 0x80
        assert stream[1] & 0x80
        start, size = (4, int.from_bytes(stream[2:4])) if stream[1] == 0xFE else (2, stream[1] & 0x7F)
        mask, masked = stream[start : start + 4], stream[start + 4 : start + 4 + size]
        assert len(masked) == size
        yield stream[0] & 0x0F, bytes(byte ^ mask[at % 4] for at, byte in enumerate(masked))
        stream = stream[start + 4 + size :]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_frames_may_come_in_any_pieces(size: int) -> None:
    first = unmasked(b"x" * size, flags=0)
    stream = first + unmasked(b"there?", PING) + unmasked(b"y", CONTINUATION) + unmasked(b"", CLOSE)
    ours, below = websocket(*in_bytes(stream))

    assert payload(ours) == b"x" * size + b"y"
    assert list(frames(below.sent)) == [(PONG, b"there?"), (CLOSE, b"")]
    assert ours.recv(1) == b""
    assert ours.pending


def test_a_frame_of_ours_can_be_read_by_who_knows_its_mask() -> None:
    for size in (1, 125, 126, 65_535):
        data = bytes(range(256)) * 256
        ours, below = websocket()

        assert ours.send(data[:size]) == size
        assert list(frames(below.sent)) == [(BINARY, data[:size])]


def test_no_frame_of_ours_is_larger_than_it_must_be_to_be_masked_at_little_cost() -> None:
    ours, below = websocket()
    data = b"x" * 100_000
    sent = ours.send(data)

    assert sent == 65_535
    assert sent + ours.send(data[sent:]) == len(data)
    assert [len(part) for _, part in frames(below.sent)] == [65_535, 34_465]


def test_a_frame_that_does_not_fit_goes_on_where_it_stopped_and_a_pong_waits_for_its_end() -> None:
    """A frame in another one would be bytes of it; the caller comes again with the same data, and it counts once."""
    ours, below = websocket(unmasked(b"1", PING) + unmasked(b"2", PING) + unmasked(b"in"))
    below.room = 10
    with pytest.raises(BlockingIOError):
        ours.send(b"out" * 100)
    assert ours.recv(1) == b"i"
    assert ours.pending == 1
    below.room = 200
    with pytest.raises(BlockingIOError):
        ours.send(b"out" * 100)
    below.room = 1000

    assert ours.send(b"out" * 100) == 300
    assert list(frames(below.sent)) == [(BINARY, b"out" * 100), (PONG, b"2")]


def test_who_pings_and_does_not_read_fills_no_memory() -> None:
    """Only the last of many pings is owed a pong (section 5.5.3)."""
    ours, below = websocket(*[unmasked(b"%03d" % number, PING) * 100 for number in range(100)])
    below.room = 0
    assert payload(ours) == b""
    below.room = 1_000_000
    ours.send(b"out")

    assert list(frames(below.sent)) == [(PONG, b"000"), (BINARY, b"out"), (PONG, b"099")]


def test_the_payload_of_a_frame_is_passed_on_before_its_end_and_not_kept() -> None:
    head = bytes([0x82, 127]) + (2**62).to_bytes(8)
    ours, _ = websocket(head + b"x" * 500, b"y" * 500, b"z")

    assert ours.recv(1000) == b"x" * 500
    assert ours.recv(1000) == b"y" * 500
    assert ours.pending == 0


def test_what_came_before_the_end_is_read_and_nothing_is_sent_after_it() -> None:
    """The answer to a message, which is sent before the next one is read: it must not hide why the broker ends."""
    ours, below = websocket(unmasked(b"first") + unmasked(b"last") + unmasked(b"\x03\xe9going", CLOSE) + unmasked(b"-"))

    assert ours.recv(5) == b"first"
    assert ours.send(b"answer") == 6
    assert payload(ours) == b"last"
    assert list(frames(below.sent)) == [(CLOSE, b"\x03\xe9going")]


def test_a_ping_before_the_end_is_owed_nothing_after_it() -> None:
    ours, below = websocket(unmasked(b"there?", PING) + unmasked(b"", CLOSE))

    assert payload(ours) == b""
    assert list(frames(below.sent)) == [(CLOSE, b"")]


def test_who_hangs_up_has_ended_it_too() -> None:
    ours, _ = websocket(unmasked(b"last") + unmasked(b"half of a frame")[:5], b"")

    assert ours.recv(100) == b"lasthal"
    assert ours.recv(100) == b""


@pytest.mark.parametrize(
    ("rubbish", "code"),
    [
        (unmasked(b"text", TEXT), 1003),
        (unmasked(b"te", TEXT, flags=0), 1003),
        (unmasked(b"\xff", TEXT), 1007),
        (unmasked(b"x" * 126, PING), 1002),
        (unmasked(b"x", PING, flags=0), 1002),
        (unmasked(b"x", CONTINUATION), 1002),
        (unmasked(b"x", 0x3), 1002),
        (unmasked(b"x", flags=0xC0), 1002),
        (unmasked(b"x", CLOSE), 1002),
        (unmasked(b"\x03\xee", CLOSE), 1002),
        (unmasked(b"\x03\xe8\xff", CLOSE), 1007),
        (bytes([0x82, 0x81, 0, 0, 0, 0, 0x20]), 1002),
        (bytes([0x82, 127]) + b"\xff" * 8, 1002),
        (bytes([0x82, 126, 0, 1, 0x20]), 1002),
    ],
)
def test_who_breaks_the_rules_is_told_and_left(rubbish: bytes, code: int) -> None:
    """The codes are those of section 7.4.1; the payload of a message before counts."""
    for stream in ([unmasked(b"good") + rubbish + unmasked(b"late")], in_bytes(unmasked(b"good") + rubbish)):
        ours, below = websocket(*stream)

        assert payload(ours) == b"good"
        ((opcode, told),) = frames(below.sent)
        assert (opcode, int.from_bytes(told[:2])) == (CLOSE, code)
        assert ours.recv(1) == b""


# How a websocket begins


def test_what_asks_for_a_websocket_says_where_and_for_what() -> None:
    request = WebSocket(Below(), "[::1]:9001", "/mqtt/v5?a=b").request
    first, *headers = request.removesuffix(b"\r\n\r\n").split(b"\r\n")
    (key,) = (header for header in headers if header.startswith(b"Sec-WebSocket-Key: "))

    assert first == b"GET /mqtt/v5?a=b HTTP/1.1"
    assert len(base64.b64decode(key[19:])) == 16
    assert {header.lower() for header in headers if header != key} == {
        b"host: [::1]:9001",
        b"upgrade: websocket",
        b"connection: upgrade",
        b"sec-websocket-version: 13",
        b"sec-websocket-protocol: mqtt",
    }


@pytest.mark.parametrize(
    ("host", "written"), [("küche", b"xn--kche-0ra:9001"), ("a" * 57, b"a" * 57 + b":9001"), ("::1", b"[::1]:9001")]
)
def test_the_host_is_named_in_ascii_and_its_port_is_no_part_of_the_name(
    monkeypatch: pytest.MonkeyPatch, host: str, written: bytes
) -> None:
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(transport, "_connect", lambda _: ours)
    theirs.sendall(b"HTTP/1.1 404 No\r\n\r\n")
    with theirs:
        with pytest.raises(BrokerError, match="HTTP 404"):
            transport.dial(web(9001)._replace(host=host))
        assert b"\r\nHost: " + written + b"\r\n" in theirs.recv(65536)


def test_a_name_that_leaves_no_room_for_its_port_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """wsproto takes the port for letters of the last label, which may have 63: a name alone may, few ever have."""
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(transport, "_connect", lambda _: ours)
    with theirs, pytest.raises(BrokerError, match=r"^cannot reach the broker at a{59}:9001: "):
        transport.dial(web(9001)._replace(host="a" * 59))


@pytest.mark.parametrize("more", [b"", b"Sec-WebSocket-Protocol: mqtt\r\n", b"X: caf\xe9\r\n"])
def test_the_answer_may_come_in_single_bytes_with_frames_behind_it(more: bytes) -> None:
    """Also without our sub-protocol, which old brokers do not name."""
    ours = WebSocket(Below(), "b:1", "/mqtt")
    *before, last = in_bytes(opened(ours.request, more))

    assert {ours.answer(byte) for byte in before} == {None}
    assert ours.answer(last + unmasked(b"early")) == SWITCHING_PROTOCOLS
    assert ours.pending == 5
    assert payload(ours) == b"early"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n", 100),
        (b"HTTP/1.1 200 OK\r\n\r\n", 200),
        (b"HTTP/1.0 301 Moved\r\nLocation: /mqtt/\r\n\r\n", 301),
        (b"HTTP/1.1 401 \r\nContent-Length: 5\r\n\r\nplease", 401),
        (b"HTTP/1.1 503\nTransfer-Encoding: chunked\n\n", 503),
        (b"HTTP/1.1 999999 x\r\n\r\n", 0),
        (b"HTTP/1.1 404 Not Found\r\n", 0),
        (b"HTTP/1.1 404", 0),
        (b"", 0),
        (b"\0" * 300, 0),
        (b"X" * 20_000, 0),
        (b"HTTP/1.1 404 No\r\n" + b"X: y\r\n" * 5000, 0),
    ],
)
def test_an_answer_that_opens_none_has_a_status_or_none(answer: bytes, status: int) -> None:
    """An end is an answer too."""
    for parts in ([answer], in_bytes(answer)):
        ours = WebSocket(Below(), "b:1", "/mqtt")
        found = None
        for part in (*parts, b""):
            found = ours.answer(part) if found is None else found

        assert found == status


@pytest.mark.parametrize(
    ("answered", "instead"),
    [
        (b"keep-alive, upgrade", b"close"),
        (b"keep-alive, upgrade", b"caf\xe9"),
        (b"connection:keep-alive, upgrade\r\n", b""),
        (b"websocket\r\n", b"h2c\r\n"),
        (b"sec-websocket-accept:", b"sec-websocket-accept:x"),
        (b"sec-websocket-accept:", b"x:"),
        (b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: chat\r\n\r\n"),
        (b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: \xe9\r\n\r\n"),
        (b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
    ],
)
def test_an_answer_that_agrees_to_something_else_opens_none(answered: bytes, instead: bytes) -> None:
    """Which is no websocket of ours, though its status is 101 (section 4.1)."""
    ours = WebSocket(Below(), "b:1", "/mqtt")
    answer = opened(ours.request)
    assert answered in answer

    assert ours.answer(answer.replace(answered, instead)) == 0


def test_auto_speaks_the_older_version_by_websockets_too() -> None:
    seen: list[int] = []

    def replies(sock: socket.socket) -> None:
        packet = sock.recv(65536)
        mask, body = packet[2:6], packet[6:]
        seen.append(body[8] ^ mask[0])
        if seen[-1] == 5:
            sock.sendall(unmasked(REFUSED_V5))
            return
        sock.sendall(unmasked(WELCOME_V311))
        sock.recv(65536)
        sock.sendall(unmasked(SUBACK_V311))
        listen(sock)

    with serving(upgraded(replies)) as server, link_by(web(server.address[1], Protocol.AUTO)) as ours:
        (up,) = until(ours, is_up)

    assert isinstance(up, Up)
    assert up.protocol == "3.1.1"
    assert seen == [5, 4]


@pytest.mark.parametrize("kind", ["unix", "tls"])
def test_auto_speaks_the_older_version_by_the_others_too(tmp_path: Path, kind: str) -> None:
    seen: list[int] = []

    def speak(sock: socket.socket) -> None:
        seen.append(sock.recv(65536)[8])
        if seen[-1] == 5:
            sock.sendall(REFUSED_V5)
            return
        sock.sendall(WELCOME_V311)
        sock.recv(65536)
        sock.sendall(SUBACK_V311)
        listen(sock)

    authority = Authority(tmp_path, "ca")
    pair = authority.issue("server")
    rules = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    rules.load_cert_chain(*pair)

    def secure(sock: socket.socket) -> None:
        with rules.wrap_socket(sock, server_side=True) as inner:
            speak(inner)

    path = str(tmp_path / "broker.sock")
    with serving(secure if kind == "tls" else speak, ("127.0.0.1", 0) if kind == "tls" else path) as server:
        settings = MqttSettings(transport=Transport.UNIX, socket=Path(path))
        if kind == "tls":
            settings = MqttSettings("127.0.0.1", server.address[1], tls=TlsSettings(authority.file))
        with link_by(settings) as ours:
            (up,) = until(ours, is_up)

    assert isinstance(up, Up)
    assert up.protocol == "3.1.1"
    assert seen == [5, 4]
