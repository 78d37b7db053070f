"""The command `watch`: hears the fleet from the broker and draws it in the terminal until a signal says to stop."""

import math
from contextlib import ExitStack

from apimon_node.config.settings import Settings
from apimon_node.dashboard.fleet import Fleet
from apimon_node.mqtt.participant import guest_link
from apimon_node.process.clock import clock
from apimon_node.process.service import Service
from apimon_node.watch.screen import Screen

LOOK_EVERY = 0.5
"""Seconds between two looks at the size of the terminal."""


def watch(settings: Settings, node: str | None) -> None:
    """Draw all nodes, or the one named, until a signal says to stop."""
    fleet = Fleet(settings.mqtt.base_topic)
    with ExitStack() as stack:
        service = stack.enter_context(Service())
        link = stack.enter_context(guest_link(settings, "watch", fleet.subscriptions))
        screen = stack.enter_context(Screen(node))
        changes_at = -math.inf
        while not service.stopping:
            now = clock()
            if now.monotonic >= screen.due_at(changes_at):
                screen.show(fleet.overview(now), now)
                changes_at = fleet.deadline(now)
            for event in link.wait(min(screen.due_at(changes_at), now.monotonic + LOOK_EVERY), service):
                fleet.receive(event, clock())
                changes_at = -math.inf
