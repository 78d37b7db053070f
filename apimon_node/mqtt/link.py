"""The link to the broker: held for ever, with one connection after the other. Events out, messages in."""

import math
import random
import select
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol as Interface
from typing import Self

from apimon_node.config.settings import MqttSettings, Protocol
from apimon_node.mqtt import refusals
from apimon_node.mqtt.connection import Connection
from apimon_node.mqtt.messages import Down, Event, Publish
from apimon_node.process.background import Background
from apimon_node.timing import Backoff

RECONNECT_FIRST, RECONNECT_LIMIT, RECONNECT_RESET = 1.0, 30.0, 10.0
"""Seconds (MQTT contract): the first wait, the longest, and how long a connection must hold to begin anew."""

SOON, SUSPICIOUS = 60.0, 5
"""Seconds within which a connection is lost soon, and how many such losses in a row are no accident: two clients with
one id take each other's place, and with MQTT 3.1.1 the broker does not say so.
"""

CLOSE_TIMEOUT = 1.0
"""Seconds that the last messages may take: the whole process has 2 (MQTT contract)."""

LONGEST_SLEEP_S = 3600.0
"""Seconds that one wait may take: deadlines can come from a payload, up to the year 9999, and select() has an end."""

IN_FLIGHT = 20
"""Messages without their PUBACK. More wait in our queue, where the latest of a topic wins."""

QUEUE = 1000
"""Messages that are not retained and wait, at the most. What is retained is bounded by its topics, and must not go."""


class Waitable(Interface):
    """Something that select() can wait for."""

    def fileno(self) -> int:
        """Return its file descriptor."""
        ...


class Link:
    """Holds a connection for ever, and comes back after each loss.

    `wait` is the only place where the program sleeps. The dialling alone happens beside it: names and TCP can hang
    longer than a strip may stand still or a SIGTERM may wait. `password` is asked for at each connection, so that a
    changed file counts.
    """

    def __init__(
        self,
        settings: MqttSettings,
        *,
        client_id: str,
        will: Publish | None,
        subscriptions: Sequence[str],
        password: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._client_id = client_id
        self._will = will
        self._subscriptions = tuple(subscriptions)
        self._password = password
        self._protocol = _first(settings.protocol)
        self._backoff = Backoff(RECONNECT_FIRST, RECONNECT_LIMIT, RECONNECT_RESET, spread=_spread)
        self._background: Background[str | None] = Background("mqtt-dial")
        self._dialling: Connection | None = None
        self._connection: Connection | None = None
        self._dial_at = -math.inf
        self._soon_lost = 0  # connections in a row
        self._queue: OrderedDict[object, Publish] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        """Leave; but after a bug just hang up, so that the broker publishes the will."""
        if error is None:
            self._leave()
        elif self._connection is not None:
            self._connection.hang_up()
        self._background.close()

    @property
    def up(self) -> bool:
        """Return whether messages go out."""
        return self._connection is not None and self._connection.up

    def publish(self, message: Publish) -> None:
        """Queue a message. Of a retained topic only the latest is kept."""
        if message.retain:
            self._queue.pop(message.topic, None)
            self._queue[message.topic] = message
        else:
            self._queue[object()] = message
            self._drop_oldest()

    def wait(self, until: float, *others: Waitable) -> list[Event]:
        """Sleep until a monotonic time, an hour at most, something from the broker, or a readable one of `others`."""
        self._dial()
        self._flush()
        readable, writable = self._select(until, others)
        if self._background.over:
            return self._take_dialled()
        return self._turn(readable=readable, writable=writable)

    @property
    def unsent(self) -> bool:
        """Return whether a message waits, or for its confirmation."""
        return bool(self._queue) or (self._connection is not None and self._connection.in_flight > 0)

    def _leave(self) -> None:
        """Send what waits, for a second at most, and take leave of the broker."""
        until = time.monotonic() + CLOSE_TIMEOUT
        while self.up and self.unsent and time.monotonic() < until:
            self.wait(until)
        if self._connection is None:
            return
        if self.unsent:
            self._connection.hang_up()  # the will says what we could not; a polite leave would take it back
        else:
            self._connection.disconnect()

    def _drop_oldest(self) -> None:
        """Keep the queue bounded, by its oldest message that nobody would miss."""
        passing = [key for key, message in self._queue.items() if not message.retain]
        if len(passing) > QUEUE:
            del self._queue[passing[0]]

    def _dial(self) -> None:
        idle = self._connection is None and self._dialling is None
        if not idle or time.monotonic() < self._dial_at:
            return
        connection = self._dialling = Connection(
            self._settings,
            self._protocol,
            client_id=self._client_id,
            will=self._will,
            subscriptions=self._subscriptions,
        )
        self._background.start(lambda: connection.dial(self._password))

    def _take_dialled(self) -> list[Event]:
        failure = self._background.outcome()
        connection, self._dialling = self._dialling, None
        if failure is not None:
            return [self._down(failure)]
        assert connection is not None
        connection.dialled()
        self._connection = connection
        return []

    def _turn(self, *, readable: bool, writable: bool) -> list[Event]:
        connection = self._connection
        if connection is None:
            return []
        connection.turn(readable=readable, writable=writable)
        events, connection.events = connection.events, []
        if connection.lost is None:
            if connection.up:
                self._backoff.succeeded(time.monotonic())
            return events
        connection.hang_up()
        self._connection = None
        try_older = self._settings.protocol is Protocol.AUTO and connection.wrong_protocol
        if try_older and self._protocol is Protocol.V5:
            self._protocol = Protocol.V311  # at once: nothing is wrong yet
            return events
        self._protocol = _first(self._settings.protocol)
        return [*events, self._down(self._why(connection))]

    def _why(self, connection: Connection) -> str:
        """Return the reason for a loss; think of another one where it was none, again and again."""
        assert connection.lost is not None
        if connection.up_since is not None:
            soon = time.monotonic() - connection.up_since < SOON
            self._soon_lost = self._soon_lost + 1 if soon and connection.unexplained else 0
            if self._soon_lost >= SUSPICIOUS:
                return refusals.lost_again(self._settings, self._client_id)
        return connection.lost

    def _down(self, reason: str) -> Down:
        self._dial_at = self._backoff.failed(time.monotonic())
        return Down(reason)

    def _flush(self) -> None:
        while self._connection is not None and self.up and self._queue and self._connection.in_flight < IN_FLIGHT:
            _, message = self._queue.popitem(last=False)
            self._connection.publish(message)

    def _select(self, until: float, others: Sequence[Waitable]) -> tuple[bool, bool]:
        """Sleep; return whether the broker's socket is readable and writable."""
        sock = self._connection.socket() if self._connection else None
        reads = [self._background, *others, *([sock] if sock else [])]
        writes = [sock] if sock and self._connection and self._connection.wants_write() else []
        timeout = min(max(0.0, min(until, self._deadline()) - time.monotonic()), LONGEST_SLEEP_S)
        readable, writable, _ = select.select(reads, writes, [], timeout)
        return sock in readable, sock in writable

    def _deadline(self) -> float:
        if self._connection is not None:
            return self._connection.deadline()
        return math.inf if self._dialling else self._dial_at


def _first(protocol: Protocol) -> Protocol:
    """Return the version of MQTT to begin with."""
    return Protocol.V5 if protocol is Protocol.AUTO else protocol


def _spread() -> float:
    """Keep a fleet whose broker restarted from coming back as one."""
    return random.uniform(0.75, 1.25)  # noqa: S311 - no secret hangs on it
