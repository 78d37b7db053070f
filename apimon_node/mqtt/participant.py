"""What node, poller and commands share as MQTT participants: the link that the configuration asks for, and its use."""

import logging
import secrets
import time
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from apimon_node.clock import Instant
from apimon_node.config.settings import Settings
from apimon_node.errors import BrokerError
from apimon_node.mqtt import refusals
from apimon_node.mqtt.link import Link, Waitable
from apimon_node.mqtt.messages import Down, Event, Message, Publish, Refused
from apimon_node.mqtt.requests import Requests
from apimon_node.process import credentials, logs
from apimon_node.process.clock import clock
from apimon_node.process.remarks import Remark

log = logging.getLogger("apimon_node")

PUBLISH_TIMEOUT = 30.0
"""Seconds that one message by hand may take."""


def publish(settings: Settings, message: Publish) -> None:
    """Publish one message and wait until the broker has it. Raises BrokerError."""
    until = time.monotonic() + PUBLISH_TIMEOUT
    with guest_link(settings, "publish") as link:
        link.publish(message)
        while link.unsent and time.monotonic() < until:
            for event in link.wait(until):
                if isinstance(event, Down):
                    raise BrokerError(event.reason)
                if isinstance(event, Refused):
                    raise BrokerError(event.reason or refusals.denied("us", "write", event.topic))
        if link.unsent:
            raise BrokerError(f"the broker did not confirm the message within {PUBLISH_TIMEOUT:.0f} s")


def link_to_broker(settings: Settings, client_id: str, will: Publish | None, subscriptions: Sequence[str]) -> Link:
    """Make the link that the configuration asks for. Its password is read at each connection."""
    password = partial(credentials.read, "mqtt-password", settings.mqtt.password_file)
    return Link(settings.mqtt, client_id=client_id, will=will, subscriptions=subscriptions, password=password)


def guest_link(settings: Settings, what: str, subscriptions: Sequence[str] = ()) -> Link:
    """Make the link of a command that may run many times at once, and has no will.

    Chance gives its client id: two with one id take each other's place, and process ids are alike in containers.
    """
    return link_to_broker(settings, f"apimon-{what}-{secrets.token_hex(4)}", None, subscriptions)


def hear(link: Link, until: float, *others: Waitable) -> list[Event]:
    """Wait for what comes from the broker. At debug the log has each message: topic and size, never what it says."""
    events = link.wait(until, *others)
    for event in events:
        if isinstance(event, Message):
            kept = ", retained" if event.retained else ""
            log.debug("received %.200r: %d bytes%s", event.topic, len(event.payload), kept)
        elif isinstance(event, Down):
            log.debug("no connection: %s", event.reason)  # each time, where the fault has a line only for what is new
    return events


class Program(Protocol):
    """What decides, and has something to say: a node or a poller."""

    requests: Requests
    """What it is asked for."""

    def outbox(self, now: Instant, /) -> list[Publish]:
        """Take what is to be published."""
        ...

    def remarks(self) -> list[Remark]:
        """Take the lines for the log."""
        ...


def pass_on(program: Program, link: Link) -> None:
    """Send what the program has to say, to the broker and to the log."""
    for message in program.outbox(clock()):
        log.debug("publish %r: %d bytes%s", message.topic, len(message.payload), ", retained" if message.retain else "")
        link.publish(message)
    for remark in program.remarks():
        logs.say(remark)
    logs.set_level(program.requests.log_level)
