"""One board as a poller publishes it: what it has found, what stands on the topic, and what is to be said. Pure.

Several pollers may feed a board without knowing of each other. What stands on the topic is the only thing that they
share: whoever finds something else publishes it, and is the one who tells what changed; the others see it standing.
"""

import math
from collections import Counter
from collections.abc import Iterable

from apimon_node import wire
from apimon_node.clock import Instant
from apimon_node.config.settings import BoardSettings, PollerSettings
from apimon_node.contract.topics import Topics
from apimon_node.mqtt.messages import Publish
from apimon_node.poller.changes import Change, Changes
from apimon_node.tickets import snapshot
from apimon_node.tickets.snapshot import Snapshot, Ticket

CLOCK_SLACK_S = 60.0
"""Seconds by which the clocks of a Jira's machines, and what pollers make of them, may differ without being wrong."""


class Publication:
    """A board on its topics: tickets, summary and events."""

    def __init__(self, board: BoardSettings, settings: PollerSettings, topics: Topics) -> None:
        self._board = board
        self._settings = settings
        self._topics = topics
        self._found: Snapshot | None = None
        self._payload = b""  # of what was found, where that is new; else it is made when it is needed
        self._standing: Snapshot | None = None
        self._lead = 0.0  # how far Jira's clock is ahead of our monotonic one
        self._changes = Changes()
        self._summary: object = None
        self._late_at = math.inf
        self._unsettled = False

    def polled(self, tickets: tuple[Ticket, ...], at: float, now: Instant) -> list[Publish]:
        """Take in an answer of Jira, true `at` (seconds since 1970, by its clock). Gives events.

        Raises PayloadError for tickets that the contract does not allow; the last ones then stay.
        """
        found = Snapshot(tickets, at, at + self._settings.valid_for, self._settings.id)
        changed = self._found is None or self._found.tickets != tickets
        self._payload = snapshot.dump(found) if changed else b""
        self._found, self._lead = found, at - now.monotonic
        self._unsettled, self._late_at = True, -math.inf
        return self._events(self._changes.polled(tickets), now)

    def stands(self, standing: Snapshot | None) -> None:
        """Take in what has come on the topic; None for nothing, or nothing that can be read."""
        self._standing = self._found if standing == self._found else standing  # one copy in memory is enough
        if standing is not None and not self._is_ours:
            self._changes.heard(standing.tickets)

    def renew(self) -> None:
        """Note that the broker may have lost everything."""
        self._standing, self._unsettled = None, True
        self.repeat()

    def repeat(self) -> None:
        """Note that somebody listens who has not heard the numbers of the board."""
        self._summary, self._late_at = None, -math.inf

    def settle(self, next_at: float, now: Instant) -> list[Publish]:
        """Publish what was found, if that is news; and tell what changed by it. The next poll is at a monotonic time.

        Once after each poll and connection: two pollers that answer each other's snapshots would never end.
        """
        found, unsettled, self._unsettled = self._found, self._unsettled, False
        if found is None or not unsettled or not self._is_owed(found, next_at, now):
            return []
        payload, self._payload = self._payload or snapshot.dump(found), b""
        self._standing = found
        tickets = Publish(self._topics.tickets(self._board.name), payload)
        return [tickets, *self._events(self._changes.published(found.tickets), now)]

    def tell(self, now: Instant) -> list[Publish]:
        """Return events for tickets that became overdue by themselves, and the board's summary where it changed.

        Of several pollers only the one whose snapshot stands tells.
        """
        if self._found is None or now.monotonic < self._late_at:
            return []
        time, tickets = self._time(now), self._found.tickets
        self._late_at = min((ticket.due for ticket in tickets if ticket.due and ticket.due > time), default=math.inf)
        self._late_at -= self._lead
        late = self._changes.turned_overdue(tickets, time)
        return [*self._events(late, now), *self._summarise(tickets, time)] if self._is_ours else []

    def deadline(self) -> float:
        """When (monotonic seconds) tell() has something next."""
        return math.inf if self._found is None else self._late_at

    def overdue(self, now: Instant) -> int:
        """Count the tickets that are overdue."""
        return sum(_is_late(ticket, self._time(now)) for ticket in self._found.tickets) if self._found else 0

    def _time(self, now: Instant) -> float:
        """Seconds since 1970 by Jira's clock: this machine's may be wrong."""
        return now.monotonic + self._lead

    @property
    def _is_ours(self) -> bool:
        return self._standing is not None and self._standing.source == self._settings.id

    def _is_owed(self, found: Snapshot, next_at: float, now: Instant) -> bool:
        """Return whether what was found should stand on the topic in place of what does."""
        standing, time = self._standing, self._time(now)
        assert found.at is not None
        if standing is None:
            return True
        if standing.at is not None and found.at < standing.at <= time:
            return False  # somebody has asked after us; a time to come is nobody's, and must not silence us
        if standing.tickets != found.tickets or self._outlasts(standing, time):
            return True
        if standing.at is None or standing.valid_until is None or standing.at == found.at:
            return False
        half = (standing.at + standing.valid_until) / 2
        return half <= (next_at + self._lead if self._is_ours else time)

    def _outlasts(self, standing: Snapshot, time: float) -> bool:
        """Return whether a snapshot has times beyond what we reckon: a clock was wrong, or somebody else made it.

        Such an `at` makes nodes take tickets for overdue, such a `valid_until` keeps them from noticing that nobody
        polls, for as long as the tickets stay the same. A lack of `valid_until` is for ever.
        """
        latest = time + CLOCK_SLACK_S
        until = math.inf if standing.valid_until is None else standing.valid_until
        return (standing.at or 0) > latest or until > latest + self._settings.valid_for

    def _summarise(self, tickets: Iterable[Ticket], time: float) -> list[Publish]:
        total = Counter(ticket.status for ticket in tickets)
        late = Counter(ticket.status for ticket in tickets if _is_late(ticket, time))
        summary = {
            "total": total.total(),
            "overdue": late.total(),
            "statuses": {
                status: {"total": number, "overdue": late[status]} for status, number in sorted(total.items())
            },
        }
        if summary == self._summary:
            return []
        self._summary = summary
        payload = wire.dump(summary | {"at": wire.format_time(int(time))})
        return [Publish(self._topics.summary(self._board.name), payload)]

    def _events(self, changes: Iterable[Change], now: Instant) -> list[Publish]:
        at, topic = wire.format_time(int(self._time(now))), self._topics.event(self._board.name)
        return [Publish(topic, wire.dump(self._event(change, at)), retain=False) for change in changes]

    def _event(self, change: Change, at: str) -> dict[str, object]:
        event: dict[str, object] = {"event_type": change.type, "board": self._board.name, "at": at}
        event |= snapshot.body_of(change.ticket) | {"url": self._settings.jira.browse + change.ticket.key}
        return event if change.before is None else event | {"from": change.before}


def _is_late(ticket: Ticket, time: float) -> bool:
    return ticket.due is not None and ticket.due <= time
