"""One connection to the broker, from the first name look-up to its loss: the only user of paho.

paho's own thread is not used: an exception in one of its callbacks leaves a process that is connected and deaf.
Here the callbacks only take notes; the program acts on them in its own thread, where a bug ends the process.
Every connection has a paho client of its own, so that nothing of a lost one (a queue, half a packet) lives on.
"""

import contextlib
import math
import select
import socket
import time
from collections.abc import Callable, Sequence

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from apimon_node.errors import ConfigError
from apimon_node.mqtt.messages import Event, Message, Publish, Refused, Up
from apimon_node.settings import MqttSettings, Protocol

DIAL_TIMEOUT = 5.0
"""Seconds for a TCP connection to come about."""

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

UNSUPPORTED_PROTOCOL = "Unsupported protocol version"
"""paho's name of CONNACK 132 (MQTT 5) and 1 (3.1.1)."""

REASONS = {
    "Bad user name or password": "refuses the user name or password: check mqtt.username and its password",
    "Not authorized": "does not let us in: check mqtt.username, its password and the broker's access list",
    "Client identifier not valid": "refuses our client id: check its access list",
    "Session taken over": "let another client take our place: each node and poller needs an id of its own",
    UNSUPPORTED_PROTOCOL: "does not speak this version of MQTT: set mqtt.protocol to auto",
}


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
        self._broker = f"{settings.host}:{settings.port}"
        self._subscriptions = subscriptions
        self._client = _client(protocol, client_id, will)
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
        self.up = False
        """Connected and subscribed."""
        self.lost: str | None = None
        """Why the connection is over: a sentence, or None while it is not."""
        self.wrong_protocol = False
        """Whether it ended in a way in which a broker refuses the version of MQTT."""
        self._sent: dict[int, str] = {}

    @property
    def in_flight(self) -> int:
        """Messages that the broker has not confirmed yet."""
        return len(self._sent)

    def dial(self, password: Callable[[], str | None]) -> str | None:
        """Look up the name, connect, and send CONNECT. It blocks; answers why it failed, or None."""
        options = {} if self._protocol is Protocol.V311 else {"clean_start": True, "properties": _session_properties()}
        try:
            if self._settings.username is not None:
                self._client.username_pw_set(self._settings.username, password())
            self._client.connect(self._settings.host, self._settings.port, self._settings.keepalive, **options)  # type: ignore[arg-type]  # paho's default for clean_start is no bool
        except ConfigError as err:
            return str(err)
        except (OSError, ValueError) as err:  # ValueError: a host name that can not be one
            return f"cannot reach the broker at {self._broker}: {getattr(err, 'strerror', None) or err}"
        return None

    def dialled(self) -> None:
        """Begin to count the time that the broker has for its answer."""
        self._spoke = self._heard = time.monotonic()
        self._greeting_ends = self._spoke + GREETING_TIMEOUT

    def socket(self) -> socket.socket | None:
        """Give the socket to wait for; another one, or none, after every turn."""
        return self._client.socket()  # type: ignore[return-value]  # TCP only, so never paho's websocket

    def wants_write(self) -> bool:
        """Tell whether bytes wait for the socket to take them."""
        return self._client.want_write()

    def deadline(self) -> float:
        """When it must have a turn (monotonic seconds) though its socket is quiet: the next keep-alive."""
        if self.lost is not None:
            return -math.inf  # writing can lose a connection too, and then there is no socket to wake us
        if not self.up:
            return self._greeting_ends
        if not self._client.keepalive:
            return math.inf  # a broker with MQTT 5 can switch it off
        return min(self._spoke, self._heard) + self._client.keepalive

    def turn(self, *, readable: bool, writable: bool) -> None:
        """Read and write what is ready, and keep alive."""
        if readable:
            self._read()
        if writable:
            self._client.loop_write()
            self._spoke = time.monotonic()
        now = time.monotonic()
        if not self.up and self.lost is None and now >= self._greeting_ends:
            self.wrong_protocol = not self._answered  # amqtt leaves MQTT 5 without an answer
            self.lost = f"the broker at {self._broker} did not answer within {GREETING_TIMEOUT:.0f} s"
        due = self.up and now >= self.deadline()
        self._client.loop_misc()
        if due:
            self._spoke = self._heard = now
        if self._client.socket() is None and self.lost is None:
            self.lost = f"the connection to the broker at {self._broker} has ended"

    def publish(self, message: Publish) -> None:
        """Hand a message to the socket, at QoS 1."""
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
            sock = self._client.socket()
            if sock is None or self._collected >= BURST_BYTES or not select.select([sock], [], [], 0)[0]:
                return

    # What paho calls while we read. Notes only.

    def _on_connect(self, _client: object, _data: object, _flags: object, reason: ReasonCode, _props: object) -> None:
        self._answered = True
        if reason.is_failure:
            name = reason.getName()
            self.wrong_protocol = name == UNSUPPORTED_PROTOCOL
            self.lost = f"the broker at {self._broker} {REASONS.get(name, f'refuses the connection: {name}')}"
            return
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
        self.up = True
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
            self.events.append(Refused(topic))

    def _on_disconnect(
        self, _client: object, _data: object, flags: paho.DisconnectFlags, reason: ReasonCode, _props: object
    ) -> None:
        if self.lost is not None:
            return
        if not self._answered:
            self.wrong_protocol = True
            self.lost = f"{self._broker} hung up before it answered: is it an MQTT broker?"
        elif reason.getName() in REASONS:
            self.lost = f"the broker at {self._broker} {REASONS[reason.getName()]}"
        elif flags.is_disconnect_packet_from_server:
            self.lost = f"the broker at {self._broker} ended the connection: {reason.getName()}"
        else:
            self.lost = f"the connection to the broker at {self._broker} was lost"


def _client(protocol: Protocol, client_id: str, will: Publish | None) -> paho.Client:
    version = MQTTProtocolVersion.MQTTv311 if protocol is Protocol.V311 else MQTTProtocolVersion.MQTTv5
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=version, reconnect_on_failure=False)
    client.connect_timeout = DIAL_TIMEOUT
    if will is None:
        return client
    properties = None
    if protocol is not Protocol.V311:
        properties = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
        properties.WillDelayInterval = WILL_DELAY
    client.will_set(will.topic, will.payload, qos=1, retain=will.retain, properties=properties)
    return client


def _session_properties() -> Properties:
    """Let the session outlive its connection as long as the will is delayed: a will is due when its session ends."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = WILL_DELAY
    properties.MaximumPacketSize = MAX_PACKET
    return properties
