"""The page as a program: wiring, and the turn. What is known is worked out here, and handed over as finished text."""

import logging
import math
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Self

from apimon_node import wire
from apimon_node.config.settings import Settings
from apimon_node.dashboard.fleet import Fleet
from apimon_node.dashboard.sections import Sections
from apimon_node.mqtt.link import Waitable
from apimon_node.mqtt.participant import guest_link
from apimon_node.process.clock import clock
from apimon_node.process.service import Service
from apimon_node.view.address import Address, Names
from apimon_node.view.feed import PACE, Feed
from apimon_node.view.server import Server, Tour, application, listen, port_of

log = logging.getLogger("apimon_node")

SETTLE = 0.1
"""Seconds between what came in and what is told: a board comes before what its nodes make of it, and until then no
strip matches its tickets. Told together it is half the work, for us and for all browsers, and nothing flickers.
"""

TOUR_EVERY = 0.5
"""Seconds after which the buttons of a tour are looked at again: what they break is not ours."""


def run_view(settings: Settings, address: Address, names: Sequence[str], tell: Callable[[str], None]) -> None:
    """Serve the page until a signal says to stop; `tell` where it is. Raises ApimonError where it cannot listen."""
    with Service() as service, View(settings, address, names=names) as view:
        tell(view.url)
        if not address.loopback:
            log.warning("whoever reaches %s sees all tickets: there is no sign-in", view.url)
        service.ready()
        while not service.stopping:
            view.turn(service.deadline(), service)
            service.alive()
    log.info("stopped")


class View:
    """The page, from the broker to the browsers. The program calls `turn` again and again; it alone sleeps."""

    def __init__(
        self, settings: Settings, address: Address, *, names: Sequence[str] = (), tour: Tour | None = None
    ) -> None:
        """`names`: by which browsers may ask for the page, beside those of this machine. `tour`: see Tour."""
        self._settings = settings
        self._address = address
        self._names = (*names, *(() if address.loopback else _own_names()))
        self._tour = tour
        self._fleet = Fleet(settings.mqtt.base_topic)
        self._sections = Sections()
        self._feed = Feed()
        self._told: dict[str, object] = {}
        self._tell_at = self._not_before = -math.inf
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            sock = listen(self._address)
            self._address = self._address._replace(port=port_of(sock))
            app = application(self._feed, Names(self._address, self._names), self._tour)
            self._server = stack.enter_context(Server(app, sock, self._feed.close))
            self._link = stack.enter_context(guest_link(self._settings, "view", self._fleet.subscriptions))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]  # what Python gave us

    @property
    def url(self) -> str:
        """Return the address of the page, for people."""
        anywhere = self._address.host in ("0.0.0.0", "::")  # noqa: S104 - no binding
        return f"http://{self._address._replace(host=socket.gethostname()) if anywhere else self._address}"

    def turn(self, until: float, *others: Waitable) -> None:
        """Send browsers what is due, sleep until something comes in or one of `others` is readable, take it in."""
        self._tell()
        for event in self._link.wait(min(until, max(self._tell_at, self._not_before)), *others, self._server):
            now = clock()
            self._fleet.receive(event, now)
            self._tell_at = min(self._tell_at, now.monotonic + SETTLE)
        self._server.check()

    def _tell(self) -> None:
        """Hand over what has changed, where anything can have, and not too often."""
        now = clock()
        if now.monotonic < max(self._tell_at, self._not_before):
            return
        sections = self._sections.of(self._fleet.overview(now))
        if self._tour is not None:
            sections["tour"] = self._tour.buttons()
        if changed := differences(self._told, sections):
            self._server.call(self._feed.publish, changed)
        self._told = sections
        self._not_before = now.monotonic + PACE
        self._tell_at = min(self._fleet.deadline(now), math.inf if self._tour is None else now.monotonic + TOUR_EVERY)


def differences(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, bytes | None]:
    """Return the sections of `after` that are others than `before`, as JSON, and None for those that are gone."""
    changed: dict[str, bytes | None] = {name: None for name in before if name not in after}
    for name, section in after.items():
        old = before.get(name)
        if old is not section and old != section:
            changed[name] = wire.dump(section)
    return changed


def _own_names() -> tuple[str, ...]:
    """Return the names that this machine goes by in its network."""
    name = socket.gethostname()
    return name, f"{name}.local"
