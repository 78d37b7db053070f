"""The command `watch`: hears the fleet from the broker and draws it in the terminal until a signal says to stop."""

import math
import os
from contextlib import ExitStack
from typing import Self

from rich.console import Console
from rich.live import Live

from apimon_node.app import clock, link_to_broker
from apimon_node.dashboard.fleet import Fleet
from apimon_node.dashboard.overview import Overview
from apimon_node.instant import Instant
from apimon_node.service import Service
from apimon_node.settings import Settings
from apimon_node.watch.drawing import Canvas, draw, moves

FRAME_EVERY = 0.25
"""Seconds between two drawings: a pulse looks alive, and a Pi Zero has most of its time for its strip."""

AT_REST_EVERY = 60.0
"""Seconds between two drawings where nothing moves: they say how long ago things were."""


def watch(settings: Settings, node: str | None) -> None:
    """Draw all nodes, or the one named, until a signal says to stop."""
    fleet = Fleet(settings.mqtt.base_topic)
    with ExitStack() as stack:
        service = stack.enter_context(Service())
        link = stack.enter_context(link_to_broker(settings, f"apimon-watch-{os.getpid()}", None, fleet.subscriptions))
        screen = stack.enter_context(Screen(node))
        changes_at = -math.inf
        while not service.stopping:
            now = clock()
            if now.monotonic >= screen.due_at(changes_at):
                screen.show(fleet.overview(now), now)
                changes_at = fleet.deadline(now)
            for event in link.wait(screen.due_at(changes_at), service):
                fleet.receive(event, clock())
                changes_at = -math.inf


class Screen:
    """What it is drawn on: a whole terminal, drawn anew in place; elsewhere all of it whenever it has changed."""

    def __init__(self, node: str | None, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._node = node
        alive = self._console.is_terminal and not self._console.is_dumb_terminal
        self._live = Live(console=self._console, screen=True, auto_refresh=False) if alive else None
        self._colors = self._console.color_system is not None and not self._console.no_color
        self._shown: Overview | None = None
        self._shown_at = -math.inf

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def due_at(self, changes_at: float) -> float:
        """When (monotonic seconds) to draw next, where there is something new at `changes_at`."""
        moving = self._live is not None and self._shown is not None and moves(self._shown, self._node)
        wanted = -math.inf if moving else min(changes_at, self._shown_at + AT_REST_EVERY)
        return max(wanted, self._shown_at + FRAME_EVERY)

    def show(self, overview: Overview, now: Instant) -> None:
        """Draw an overview."""
        picture = draw(overview, Canvas(self._console.width, self._colors), now, self._node)
        if self._live is not None:
            self._live.update(picture, refresh=True)
        elif overview != self._shown:
            self._console.print(picture)
            self._console.file.flush()
        self._shown, self._shown_at = overview, now.monotonic
