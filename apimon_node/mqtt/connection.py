"""One connection to the broker, from the first name look-up to its loss: the only user of paho.

paho's own thread is not used: an exception in one of its callbacks leaves a process that is connected and deaf.
Here the callbacks only take notes; the program acts on them in its own thread, where a bug ends the process.
Every connection has a paho client of its own, so that nothing of a lost one (a queue, half a packet) lives on.
"""

import contextlib
import math
import select
import time
from collections.abc import Callable, Sequence

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from apimon_node.config.settings import MqttSettings, Protocol
from apimon_node.errors import BrokerError, ConfigError
from apimon_node.mqtt import refusals
from apimon_node.mqtt.messages import Event, Message, Publish, Refused, Up
from apimon_node.mqtt.transport import Stream, dial

GREETING_TIMEOUT = 5.0
"""Seconds for the broker to answer CONNECT and SUBSCRIBE."""

WILL_DELAY = 5
"""Seconds (MQTT 5) that a restart may take before the broker publishes the will."""

BURST = 200
"""Packets read in one turn at the most, so that a flood can not starve the strip."""

BURST_BYTES = 1024 * 1024
"""Bytes of payload in one turn, after which no further packet is begun."""

MAX_PACKET = 4 * 1024 * 1024
"""Bytes (MQTT 5) beyond which the broker shall not even send a message: it would fill a small Pi's memory."""


class Connection:
    """A connection that is dialled, greeted, used and lost once. `events` collects what happens on it."""

    def __init__(
        self,
        settings: MqttSettings,
        protocol: Protocol,
        *,
        client_id: str,
        will: Publish | None,
        subscriptions: Sequence[str],
    ) -> None:
        self._settings = settings
        self._protocol = protocol
        self._client_id = client_id
        self._broker = settings.address
        self._subscriptions = subscriptions
        self._client = _client(settings, protocol, client_id, will)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_publish = self._on_publish
        self._client.on_disconnect = self._on_disconnect
        # Monotonic time of the last packet out and in, noted after paho notes its own: once the keep-alive is over by
        # ours, it is by paho's, and paho sends a ping.
        self._spoke = self._heard = 0.0
        self._greeting_ends = math.inf
        self._answered = False
        self._collected = 0  # bytes of payload in this turn
        self._confirms = False  # whether what paho reads makes it write
        self.events: list[Event] = []
        self.up_since: float | None = None
        """Since when it is connected and subscribed (monotonic seconds), or None."""
        self.lost: str | None = None
        """Why the connection is over: a sentence, or None while it is not."""
        self.wrong_protocol = False
        """Whether it ended in a way in which a broker refuses the version of MQTT."""
        self.unexplained = False
        """Whether it was lost without a reason."""
        self._largest = math.inf  # bytes of a packet that the broker takes
        self._sent: dict[int, str] = {}

    @property
    def up(self) -> bool:
        """Return whether it is connected and subscribed."""
        return self.up_since is not None

    @property
    def in_flight(self) -> int:
        """Messages that the broker has not confirmed yet."""
        return len(self._sent)

    def dial(self, password: Callable[[], str | None]) -> str | None:
        """Look up the name, connect, and send CONNECT. It blocks; return why it failed, or None."""
        options = {} if self._protocol is Protocol.V311 else {"clean_start": True, "properties": _session_properties()}
        try:
            if self._settings.username is not None:
                self._client.username_pw_set(self._settings.username, password())
            self._client.connect(self._settings.host, self._settings.port, self._settings.keepalive, **options)  # type: ignore[arg-type]  # paho's default for clean_start is no bool
        except (ConfigError, BrokerError) as err:
            return str(err)
        return None

    def dialled(self) -> None:
        """Begin to count the time that the broker has for its answer."""
        self._spoke = self._heard = time.monotonic()
        self._greeting_ends = self._spoke + GREETING_TIMEOUT

    def socket(self) -> Stream | None:
        """Return the socket to wait for, or none once it is closed."""
        return self._client.stream if self._client.socket() else None

    def wants_write(self) -> bool:
        """Return whether bytes wait for the socket to take them."""
        return self._client.want_write()

    def deadline(self) -> float:
        """When it must have a turn (monotonic seconds) though its socket is quiet: the next keep-alive."""
        if self.lost is not None or self.events or self._pending:
            return -math.inf  # there may be no socket to wake us, or it knows nothing of it
        return self._keep_alive_at if self.up else self._greeting_ends

    @property
    def _keep_alive_at(self) -> float:
        if not self._client.keepalive:
            return math.inf  # a broker with MQTT 5 can switch it off
        return min(self._spoke, self._heard) + self._client.keepalive

    def turn(self, *, readable: bool, writable: bool) -> None:
        """Read and write what is ready, and keep alive."""
        if readable or self._pending:
            self._read()
        if writable:
            self._client.loop_write()
            self._spoke = time.monotonic()
        now = time.monotonic()
        if not self.up and self.lost is None and now >= self._greeting_ends:
            self.wrong_protocol = not self._answered  # amqtt leaves MQTT 5 without an answer
            self.lost = f"the broker at {self._broker} did not answer within {GREETING_TIMEOUT:.0f} s"
        due = self.up and now >= self._keep_alive_at
        self._client.loop_misc()
        if due:
            self._spoke = self._heard = now
        if self._client.socket() is None and self.lost is None:
            self.lost = f"the connection to the broker at {self._broker} has ended"

    def publish(self, message: Publish) -> None:
        """Hand a message to the socket, at QoS 1. One that is too large would cost the connection, again and again."""
        if _size(message) > self._largest:
            self.events.append(Refused(message.topic, refusals.too_large(message.topic, int(self._largest))))
            return
        sent = self._client.publish(message.topic, message.payload, qos=1, retain=message.retain)
        self._sent[sent.mid] = message.topic
        self._spoke = time.monotonic()

    def disconnect(self) -> None:
        """Leave in the way that keeps the broker from publishing the will."""
        self._client.disconnect()

    def hang_up(self) -> None:
        """Leave without a word: the broker publishes the will. Does no harm to a connection that is over."""
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    def _read(self) -> None:
        """Read packets until the socket is empty: paho takes one at a time."""
        self._collected = 0
        for _ in range(BURST):
            self._confirms = False
            self._client.loop_read()
            self._heard = time.monotonic()
            if self._confirms:
                self._spoke = self._heard
            sock = self.socket()
            if sock is None or self._collected >= BURST_BYTES:
                return
            if not sock.pending() and not select.select([sock], [], [], 0)[0]:
                return

    @property
    def _pending(self) -> bool:
        """Return whether there is something to read of which select() knows nothing: TLS and websockets keep bytes."""
        sock = self.socket()
        return sock is not None and sock.pending() > 0

    # What paho calls while we read. Notes only.

    def _on_connect(
        self, _client: object, _data: object, _flags: object, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._answered = True
        if reason.is_failure:
            name = reason.getName()
            self.wrong_protocol = name == refusals.UNSUPPORTED_PROTOCOL
            self.lost = refusals.refused(self._settings, name, self._client_id)
            return
        self._largest = getattr(properties, "MaximumPacketSize", math.inf)
        self._confirms = True
        if not self._subscriptions:
            self._greeted([])
        elif self._protocol is Protocol.V311:
            self._client.subscribe([(topic, 1) for topic in self._subscriptions])
        else:
            self._client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in self._subscriptions])

    def _on_subscribe(
        self, _client: object, _data: object, _mid: int, reasons: list[ReasonCode], _props: object
    ) -> None:
        self._greeted(reasons)

    def _greeted(self, reasons: list[ReasonCode]) -> None:
        answers = zip(self._subscriptions, reasons, strict=False)
        self.up_since = time.monotonic()
        denied = tuple(topic for topic, reason in answers if reason.is_failure)
        self.events.append(Up(self._broker, self._protocol.value, denied))

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        self._confirms = True
        self._collected += len(message.payload)
        with contextlib.suppress(UnicodeDecodeError):  # a topic that no broker should pass on, and none of ours
            self.events.append(Message(message.topic, bytes(message.payload), message.retain))

    def _on_publish(self, _client: object, _data: object, mid: int, reason: ReasonCode, _props: object) -> None:
        topic = self._sent.pop(mid)
        if reason.is_failure:
            self.events.append(Refused(topic, refusals.not_taken(topic, reason.getName())))

    def _on_disconnect(
        self, _client: object, _data: object, flags: paho.DisconnectFlags, reason: ReasonCode, _props: object
    ) -> None:
        if self.lost is not None:
            return
        stream = self._client.stream
        name = reason.getName()
        if stream is not None and stream.alert:
            self.lost = refusals.tls(self._settings, stream.alert)
        elif not self._answered:
            first = stream.first[:1] if stream is not None else b""
            self.wrong_protocol = first not in refusals.FOREIGN
            self.lost = refusals.unanswered(self._settings, first)
        elif flags.is_disconnect_packet_from_server:
            self.lost = refusals.ended(self._settings, name, self._client_id)
        else:
            self.unexplained = True
            self.lost = f"the connection to the broker at {self._broker} was lost"


class _Client(paho.Client):
    """paho, over a stream of our own: it cannot tell why TLS or a websocket fails, nor name another server to TLS."""

    def __init__(self, settings: MqttSettings, client_id: str, version: MQTTProtocolVersion) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=version, reconnect_on_failure=False)
        self._settings = settings
        self.stream: Stream | None = None
        """The socket, also once paho has closed it."""

    def _create_socket(self) -> Stream:  # type: ignore[override]  # it has of a socket what paho uses
        self.stream = dial(self._settings)
        return self.stream


def _client(settings: MqttSettings, protocol: Protocol, client_id: str, will: Publish | None) -> _Client:
    version = MQTTProtocolVersion.MQTTv311 if protocol is Protocol.V311 else MQTTProtocolVersion.MQTTv5
    client = _Client(settings, client_id, version)
    if will is None:
        return client
    properties = None
    if protocol is not Protocol.V311:
        properties = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
        properties.WillDelayInterval = WILL_DELAY
    client.will_set(will.topic, will.payload, qos=1, retain=will.retain, properties=properties)
    return client


def _session_properties() -> Properties:
    """Return CONNECT properties: the session lasts as long as the will's delay, since its end triggers the will."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = WILL_DELAY
    properties.MaximumPacketSize = MAX_PACKET
    return properties


def _size(message: Publish) -> int:
    """Count the bytes of its packet with MQTT 5 (sections 2.1 and 3.3): no other broker tells its limit."""
    rest = 2 + len(message.topic.encode()) + 2 + 1 + len(message.payload)
    return 1 + (rest.bit_length() + 6) // 7 + rest
