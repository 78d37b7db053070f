"""The poller's decisions: which board to ask when, and what to publish. Pure: it knows no clock, socket or Jira."""

import math
from collections.abc import Callable, Iterable

from apimon_node import __version__, wire
from apimon_node.clock import Instant, WallClock
from apimon_node.config.settings import BoardSettings, PollerSettings, Settings
from apimon_node.contract.faults import Fault, FaultName
from apimon_node.contract.poller_status import BoardReport, PollerStatus
from apimon_node.contract.topics import OFFLINE, ONLINE, Topics
from apimon_node.errors import JiraError, JiraState, PayloadError
from apimon_node.home_assistant.announcement import Announcement
from apimon_node.home_assistant.poller import discovery
from apimon_node.mqtt.faults import Faults
from apimon_node.mqtt.inbox import Inbox
from apimon_node.mqtt.messages import Down, Event, Message, Publish, Refused, Up
from apimon_node.mqtt.outbox import Outbox
from apimon_node.mqtt.presence import Presence
from apimon_node.mqtt.requests import Requests
from apimon_node.poller.publication import Publication
from apimon_node.poller.schedule import Schedule
from apimon_node.process.remarks import Remark
from apimon_node.tickets import snapshot
from apimon_node.tickets.snapshot import Ticket

TIMES_EVERY = 10.0
"""Seconds between two status messages in which only the times of polls differ."""

FAULTS_EVERY = 1.0
"""Seconds from a status message to one with new faults: anybody can write rubbish to a board's topic, all the time."""


class Poller:
    """Asks each board at its interval, keeps its snapshot on the broker, and tells what happens.

    A snapshot is published when it differs from what stands on its topic, and before half of its validity is over.
    While Jira fails the last one stays, and so becomes stale where the nodes can see it. `chance` gives numbers from 0
    to 1.
    """

    def __init__(self, settings: Settings, now: Instant, chance: Callable[[], float]) -> None:
        assert settings.poller is not None
        self._settings: PollerSettings = settings.poller
        self._boards = {board.name: board for board in settings.boards}
        self._topics = Topics(settings.mqtt.base_topic)
        self._own = self._topics.poller(self._settings.id)
        intervals = {name: board.interval or self._settings.interval for name, board in self._boards.items()}
        self._schedule = Schedule(intervals, now.monotonic, chance)
        self._publications = {
            name: Publication(board, self._settings, self._topics) for name, board in self._boards.items()
        }
        self._by_topic = {self._topics.tickets(name): name for name in self._boards}
        self._reports: dict[str, BoardReport] = {}
        self._inbox = Inbox()
        self._faults = Faults()
        self._outbox = Outbox()
        self.requests = Requests(self._own, settings, self._faults, self._outbox, {"poll": self._poll_now})
        self._configured = settings
        self._statuses: dict[str, set[str]] = {name: set() for name in self._boards}
        self._announcement = Announcement(settings.home_assistant, chance)
        self._announcement.describe(discovery(settings, self._statuses, __version__), now.monotonic)
        self._presence = Presence("this poller", self._own, self._faults, now)
        self._status_at = math.inf  # when the status is to be told
        self._told_at = -math.inf
        self._told_faults: tuple[Fault, ...] = ()
        self._held_until = -math.inf  # until when the password is not sent
        self._started = now.wall
        self._clock = WallClock(now)

    @property
    def will(self) -> Publish:
        """What the broker shall say when the poller is gone."""
        return Publish(self._own.availability, OFFLINE)

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """The topic filters that it listens to."""
        return (*self._by_topic, self._own.request("+"), *self._announcement.subscriptions)

    def farewell(self) -> None:
        """Queue the farewell."""
        self._outbox.state(self._own.availability, OFFLINE)

    # The broker

    def receive(self, event: Event, now: Instant) -> None:
        """Take in what came from the broker."""
        self._heed_clock(now)
        if self._announcement.receive(event, now.monotonic):
            return
        match event:
            case Message() if event.topic.startswith(self._own.request("")):
                self.requests.take(event, now)
            case Message() if event.topic in self._by_topic:  # amqtt sends what others have subscribed to, too
                self._inbox.put(event, now.monotonic)
            case Up():
                self._take_connection(event, now)
            case Down():
                self._presence.went(event.reason, now)
            case Refused():
                self._presence.refused(event, now)

    def _take_connection(self, up: Up, now: Instant) -> None:
        self._presence.came(up, self.subscriptions, now)
        for publication in self._publications.values():
            publication.renew()
        self._say_all(now)

    def _say_all(self, now: Instant) -> None:
        """Queue all retained state again, whether the broker should still have it or not."""
        self._outbox.forget()
        self._outbox.state(self._own.availability, ONLINE)
        self._status_at = now.monotonic

    def _poll_now(self, now: Instant) -> None:
        at = self._schedule.hurry(now.monotonic)
        if at > now.monotonic:
            time = wire.format_time(int(now.wall + at - now.monotonic))
            raise JiraError(JiraState.RATE_LIMITED, f"Jira wants no requests before {time}: it is polled then")
        if self._held_until > now.monotonic:
            time = wire.format_time(int(now.wall + self._held_until - now.monotonic))
            text = f"Jira refused the password twice: the next try is at {time} unless the password changes"
            raise JiraError(JiraState.AUTH, text)

    def _read(self, now: Instant) -> None:
        """Take in what has come on the boards' topics; of each the newest message is what stands there."""
        for topic, messages in self._inbox.drain().items():
            name, payload = self._by_topic[topic], messages[-1].message.payload
            text = None
            try:
                self._publications[name].stands(snapshot.parse(payload) if payload else None)
            except PayloadError as err:
                self._publications[name].stands(None)
                text = f"board {name}: somebody has published what nodes refuse: {err}"
            self._faults.set(FaultName.PAYLOAD, name, text, now)

    # Jira

    def due(self, now: Instant) -> list[BoardSettings]:
        """Return the boards to ask now. Each must be told of: answered or failed."""
        return [self._boards[name] for name in self._schedule.due(now.monotonic)]

    def answered(self, board: BoardSettings, tickets: tuple[Ticket, ...], at: float | None, now: Instant) -> None:
        """Take in the tickets of a board as they were `at`: seconds since 1970 by Jira's clock, if it told them."""
        publication = self._publications[board.name]
        try:
            self._say(publication.polled(tickets, now.wall if at is None else at, now))
        except PayloadError as err:
            text = f"what Jira found can not be published: {err}; narrow the JQL"
            self.failed(board, JiraError(JiraState.QUERY, text), now)
            return
        self._schedule.answered(board.name, now.monotonic)
        self._held_until = -math.inf
        self._faults.set(FaultName.JIRA, "", None, now)
        self._faults.set(FaultName.JIRA, board.name, None, now)
        self._learn(board.name, {ticket.status for ticket in tickets}, now)
        clock = "" if at is not None else "; Jira told no sensible time, so this machine's clock counts"
        self._report(
            [board.name], JiraState.OK, f"{len(tickets)} tickets, {publication.overdue(now)} overdue{clock}", now
        )

    def failed(self, board: BoardSettings, error: JiraError, now: Instant) -> None:
        """Take in why a board could not be asked."""
        self._schedule.failed(board.name, error, now.monotonic)
        self._held_until = now.monotonic + error.held
        if error.everywhere:
            self._faults.set(FaultName.JIRA, "", str(error), now, code=error.state)
            self._report(self._boards, error.state, str(error), now)
        else:
            self._faults.set(FaultName.JIRA, "", None, now)
            self._faults.set(FaultName.JIRA, board.name, f"board {board.name}: {error}", now, code=error.state)
            self._report([board.name], error.state, str(error), now)

    # What follows from it

    def outbox(self, now: Instant) -> list[Publish]:
        """Take what is to be published."""
        self._heed_clock(now)
        self._announce(now)
        self._read(now)
        self._presence.update(now)
        if self._presence.up and self._presence.settled(now):  # what stands on the topics is known
            for name, publication in self._publications.items():
                self._say(publication.settle(self._schedule.next_at(name), now))
                self._say(publication.tell(now))
        if self._own_faults != self._told_faults:
            self._status_at = min(self._status_at, max(now.monotonic, self._told_at + FAULTS_EVERY))
        if now.monotonic >= self._status_at:
            self._tell_status(now)
        return self._outbox.drain()

    def remarks(self) -> list[Remark]:
        """Take the lines for the log."""
        return self._faults.remarks()

    def deadline(self) -> float:
        """When (monotonic seconds) it has to be asked again though nothing came in."""
        told = min(publication.deadline() for publication in self._publications.values())
        ours = (self._schedule.deadline(), self._status_at, self._announcement.deadline(), self._presence.deadline())
        return min(*ours, max(self._presence.settled_at, told) if self._presence.up else math.inf)

    def summary(self) -> str:
        """One line on how it is, for people."""
        waiting = ", ".join(sorted(self._boards.keys() - self._reports.keys()))
        well = f"waiting for Jira's first answer for {waiting}" if waiting else "all boards are up to date"
        return "; ".join(fault.text for fault in self._faults) or well

    @property
    def _own_faults(self) -> tuple[Fault, ...]:
        """The faults that the status tells as a node's does; what is wrong with Jira stands with the boards."""
        return tuple(fault for fault in self._faults if fault.name != FaultName.JIRA)

    def _heed_clock(self, now: Instant) -> None:
        """Put right what was noted by the old time, where the wall clock was set."""
        if jump := self._clock.jump(now):
            self._started += jump
            self._faults.shift(jump)

    def _learn(self, board: str, statuses: set[str], now: Instant) -> None:
        """Announce a sensor for each status that was ever seen on a board."""
        if not statuses <= self._statuses[board]:
            self._statuses[board] |= statuses
            self._announcement.describe(discovery(self._configured, self._statuses, __version__), now.monotonic)

    def _announce(self, now: Instant) -> None:
        announcement, everything = self._announcement.due(now.monotonic)
        if announcement is not None:
            self._outbox.add(announcement)
        if everything:
            self._say_all(now)
            for publication in self._publications.values():
                publication.repeat()

    def _say(self, messages: Iterable[Publish]) -> None:
        for message in messages:
            self._outbox.add(message)

    def _report(self, boards: Iterable[str], state: JiraState, detail: str, now: Instant) -> None:
        """Note how the last poll of some boards went; what has changed is told at once, new times alone later."""
        for name in boards:
            old = self._reports.get(name, BoardReport())
            again = now.wall + self._schedule.next_at(name) - now.monotonic
            self._reports[name] = BoardReport(state, detail, now.wall, again)
            same = (old.state, old.detail) == (state, detail)
            self._status_at = min(self._status_at, self._told_at + TIMES_EVERY if same else now.monotonic)

    def _tell_status(self, now: Instant) -> None:
        self._status_at, self._told_at, self._told_faults = math.inf, now.monotonic, self._own_faults
        status = PollerStatus(self._reports, self._told_faults, self._settings.jira.browse, self._started, __version__)
        self._outbox.state(self._own.status, status.dump())
