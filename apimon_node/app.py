"""The node as a program: wiring, the turn, and the clock. Everything that decides is in node.py."""

import logging
import random
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Protocol

from apimon_node import credentials, logs
from apimon_node.device import devices
from apimon_node.errors import BrokerError, StripError
from apimon_node.faults import Remark
from apimon_node.instant import Instant
from apimon_node.mqtt import refusals
from apimon_node.mqtt.link import Link, Waitable
from apimon_node.mqtt.messages import Down, Event, Message, Publish, Refused
from apimon_node.node import Node
from apimon_node.request import Requests
from apimon_node.service import Service, start_anew
from apimon_node.settings import Settings
from apimon_node.strip.driver import Driver, Shown
from apimon_node.strip.drivers import HARDWARE, open_drivers

log = logging.getLogger("apimon_node")

PUBLISH_TIMEOUT = 30.0
"""Seconds that one message by hand may take."""


def clock() -> Instant:
    """Read both clocks: the only place that does so for the node and the poller."""
    return Instant(time.monotonic(), time.time())


def run_node(settings: Settings) -> None:
    """Be a node until a signal says to stop."""
    assert settings.node is not None
    node = Node(settings, clock(), random.random)
    with ExitStack() as stack:
        service = stack.enter_context(Service())
        made = open_drivers(devices(settings.strips), settings.ws281x, stack)
        drivers = dict(zip(node.devices, made, strict=True))
        link = stack.enter_context(
            link_to_broker(settings, f"apimon-node-{settings.node.id}", node.will, node.subscriptions)
        )
        service.ready()
        _check_strips(settings)
        while not service.stopping and not node.restarting:
            _node_turn(node, drivers, link, service)
        for name, frame in node.farewell().items():
            _tell(node, name, partial(drivers[name].show, frame))
        pass_on(node, link)
    if node.restarting and not service.stopping:
        log.info("starting anew, as requested")
        start_anew()
    log.info("stopped")


def _check_strips(settings: Settings) -> None:
    """Say at the start what stands in the way of real strips: the drivers' own errors know less of it."""
    if any(strip.driver in HARDWARE for strip in settings.strips):
        from apimon_node.checks import Level, check_strips, files  # noqa: PLC0415 - only on a machine with strips
        from apimon_node.machine import look  # noqa: PLC0415 - as above

        for finding in check_strips(settings, look(files(settings))):
            if finding.level is not Level.OK:
                log.warning("%s: %s → %s", finding.subject, finding.text, finding.mend)


def _node_turn(node: Node, drivers: Mapping[str, Driver], link: Link, service: Service) -> None:
    """Show what is due, say what is new, and sleep until something comes in or falls due."""
    for name, frame in node.frames(clock()).items():
        _tell(node, name, partial(drivers[name].show, frame))
    pass_on(node, link)
    if service.managed:
        service.status(node.summary())
    service.alive()
    until = min(node.deadline(), service.deadline(), *(driver.deadline() for driver in drivers.values()))
    waiting = [driver for driver in drivers.values() if driver.fileno() >= 0]
    for event in hear(link, until, service, *waiting):
        node.receive(event, clock())
    for name, driver in drivers.items():
        _tell(node, name, driver.answer)


def _tell(node: Node, name: str, ask: Callable[[], Shown | None]) -> None:
    """Ask a driver, and tell the node what became of the frame, once that is known."""
    try:
        shown = ask()
    except StripError as err:
        node.frame_failed(name, err, clock())
    else:
        if shown is not None:
            node.frame_shown(name, shown, clock())


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
