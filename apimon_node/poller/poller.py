"""The poller's decisions: which board to ask when, and what to publish. Pure: it knows no clock, socket or Jira."""

import math
from dataclasses import dataclass

from apimon_node import __version__, wire
from apimon_node.backoff import Backoff
from apimon_node.errors import JiraError, JiraState, PayloadError
from apimon_node.faults import Faults, Remark
from apimon_node.instant import Instant, WallClock
from apimon_node.mqtt.messages import Down, Event, Message, Publish, Refused, Up
from apimon_node.mqtt.outbox import Outbox
from apimon_node.mqtt.topics import OFFLINE, ONLINE, Topics
from apimon_node.settings import BoardSettings, PollerSettings, Settings
from apimon_node.tickets import snapshot
from apimon_node.tickets.snapshot import Snapshot, Ticket

BACKOFF_LIMIT = 900.0
"""Seconds between two polls of a Jira that fails, at the most."""


@dataclass(slots=True)
class Course:
    """How one board is doing. Times are monotonic, but for those in `snapshot`."""

    board: BoardSettings
    backoff: Backoff
    next_at: float
    snapshot: Snapshot | None = None
    published_at: float = -math.inf
    report: dict[str, object] | None = None


class Poller:
    """Asks one board after the other, each at its interval, and keeps their snapshots on the broker.

    A snapshot is published when its tickets changed, and before half of its validity is over. While Jira fails the
    last one stays, and so becomes stale where the nodes can see it.
    """

    def __init__(self, settings: Settings, now: Instant) -> None:
        assert settings.poller is not None
        self._settings: PollerSettings = settings.poller
        self._topics = Topics(settings.mqtt.base_topic)
        self._own = self._topics.poller(self._settings.id)
        limit = max(BACKOFF_LIMIT, self._settings.interval)
        self._courses = [
            Course(board, Backoff(self._settings.interval, limit, reset_after=0), now.monotonic)
            for board in settings.boards
        ]
        self._faults = Faults()
        self._outbox = Outbox()
        self._started = now.wall
        self._clock = WallClock(now)

    @property
    def will(self) -> Publish:
        """What the broker shall say when the poller is gone."""
        return Publish(self._own.availability, OFFLINE)

    def farewell(self) -> None:
        """Say that it goes."""
        self._outbox.state(self._own.availability, OFFLINE)

    def receive(self, event: Event, now: Instant) -> None:
        """Take in what came from the broker."""
        match event:
            case Up():
                self._faults.set("broker", "", None, now)
                self._faults.forget("access")
                self._faults.remark(f"connected to {event.broker} by MQTT {event.protocol}")
                self._outbox.forget()
                self._outbox.state(self._own.availability, ONLINE)
                for course in self._courses:
                    if course.snapshot is not None:
                        self._publish(course, course.snapshot)
                self._tell_status()
            case Down():
                self._faults.set("broker", "", event.reason, now)
            case Refused():
                text = f"the broker refuses to let this poller write {event.topic}: check its access list"
                self._faults.set("access", event.topic, text, now)
            case Message():
                raise ValueError(f"the poller listens to nothing, and got {event.topic}")

    def due(self, now: Instant) -> BoardSettings | None:
        """Give the board to ask now, if any."""
        course = min(self._courses, key=lambda course: course.next_at)
        return course.board if course.next_at <= now.monotonic else None

    def answered(self, board: BoardSettings, tickets: tuple[Ticket, ...], at: float, now: Instant) -> None:
        """Take in the tickets of a board as they were `at` (seconds since 1970, by Jira's clock)."""
        course = self._course(board)
        next_at = now.monotonic + self._settings.interval
        half = course.published_at + self._settings.valid_for / 2
        if course.snapshot is None or course.snapshot.tickets != tickets or next_at >= half:
            new = Snapshot(tickets, at, at + self._settings.valid_for, self._settings.id)
            try:
                self._publish(course, new)
            except PayloadError as err:
                self.failed(
                    board,
                    JiraError(JiraState.QUERY, f"what Jira found can not be published: {err}; narrow the JQL"),
                    now,
                )
                return
            course.snapshot, course.published_at = new, now.monotonic
        course.next_at = next_at
        course.backoff.succeeded(now.monotonic)
        self._faults.set("jira", board.name, None, now)
        overdue = sum(ticket.due is not None and ticket.due <= at for ticket in tickets)
        self._report(course, JiraState.OK, f"{len(tickets)} tickets, {overdue} overdue", now)

    def failed(self, board: BoardSettings, error: JiraError, now: Instant) -> None:
        """Take in why a board could not be asked."""
        course = self._course(board)
        again = course.backoff.failed(now.monotonic)
        course.next_at = max(again, now.monotonic + error.retry_after)  # the back-off begins with the interval
        self._faults.set("jira", board.name, f"board {board.name}: {error}", now, code=error.state)
        self._report(course, error.state, str(error), now)

    def outbox(self, _now: Instant) -> list[Publish]:
        """Take what is to be published."""
        return self._outbox.drain()

    def remarks(self) -> list[Remark]:
        """Take the lines for the log."""
        return self._faults.remarks()

    def deadline(self) -> float:
        """When (monotonic seconds) a board is to be asked next."""
        return min(course.next_at for course in self._courses)

    def summary(self) -> str:
        """One line on how it is, for people."""
        return "; ".join(fault.text for fault in self._faults) or "all boards are up to date"

    def _course(self, board: BoardSettings) -> Course:
        return next(course for course in self._courses if course.board is board)

    def _report(self, course: Course, state: JiraState, detail: str, now: Instant) -> None:
        self._started += self._clock.jump(now)
        course.report = {
            "state": state,
            "detail": detail,
            "checked_at": wire.format_time(int(now.wall)),
            "next_poll_at": wire.format_time(int(now.wall + course.next_at - now.monotonic)),
        }
        self._tell_status()

    def _tell_status(self) -> None:
        status = {
            "boards": {course.board.name: course.report for course in self._courses if course.report},
            "started_at": wire.format_time(int(self._started)),
            "version": __version__,
        }
        self._outbox.state(self._own.status, wire.dump(status))

    def _publish(self, course: Course, new: Snapshot) -> None:
        self._outbox.state(self._topics.tickets(course.board.name), snapshot.dump(new))
