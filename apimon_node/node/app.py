"""The node as a program: wiring, the turn, and the clock. Everything that decides is in node.py."""

import logging
import random
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial

from apimon_node.config.settings import Settings
from apimon_node.errors import StripError
from apimon_node.mqtt.link import Link
from apimon_node.mqtt.participant import hear, link_to_broker, pass_on
from apimon_node.node.device import devices
from apimon_node.node.drivers import open_drivers
from apimon_node.node.node import Node
from apimon_node.process.clock import clock
from apimon_node.process.service import Service, start_anew
from apimon_node.strip.driver import Driver, Shown
from apimon_node.strip.drivers import HARDWARE

log = logging.getLogger("apimon_node")


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
    """Log at the start what stands in the way of real strips: the drivers' own errors know less of it."""
    if any(strip.driver in HARDWARE for strip in settings.strips):
        from apimon_node.machine.checks import Level, check_strips, files  # noqa: PLC0415 - only on a machine with strips
        from apimon_node.machine.probe import look  # noqa: PLC0415 - as above

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
