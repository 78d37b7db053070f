"""The node's decisions: events in, frames and messages out. Pure: it knows no clock, socket or driver."""

import math
from collections import deque

from apimon_node import __version__, request, wire
from apimon_node.device import Device, devices
from apimon_node.display import Display
from apimon_node.errors import PayloadError, StripError
from apimon_node.faults import Faults, Remark
from apimon_node.instant import Instant, WallClock
from apimon_node.mqtt.inbox import Inbox, Letter
from apimon_node.mqtt.messages import Down, Event, Message, Publish, Refused, Up
from apimon_node.mqtt.outbox import Outbox
from apimon_node.mqtt.topics import OFFLINE, ONLINE, Topics
from apimon_node.picture.layout import lay_out
from apimon_node.picture.looks import ages, group
from apimon_node.picture.painting import Status
from apimon_node.picture.patterns import Patterns
from apimon_node.pollers import Pollers
from apimon_node.settings import Settings
from apimon_node.strip.driver import Shown
from apimon_node.tickets import snapshot
from apimon_node.tickets.board import Board

GRACE = 1.0
"""Seconds that a connection may be missing, or the retained tickets may take to come, before it is called a fault."""

COUNTERS_EVERY = 300.0
"""Seconds between two messages in which nothing but counters changed."""

PACE = 0.5
"""Seconds between two updates at the most, however seldom the strip may be written."""

BURST = 2
"""Updates that may follow another at once after a while of quiet: a connection, then what the broker had kept."""


class Node:
    """Takes events, knows what is true, and says what to show and publish, and when it must be asked again.

    Updates keep the pace of the strip, or 0.5 s where that is slower; only a few may follow another at once. A flood of
    messages so costs two frames a second at the default render interval.
    """

    def __init__(self, settings: Settings, now: Instant) -> None:
        assert settings.node is not None
        self._settings = settings
        self._pace = min(settings.node.render_interval, PACE)
        self._topics = Topics(settings.mqtt.base_topic)
        self._own = self._topics.node(settings.node.id)
        self._displays = {strip.name: Display(strip, settings.node) for strip in settings.strips}
        together = ([self._displays[strip.name] for strip in strips] for strips in devices(settings.strips))
        self._devices = {device.name: device for device in (Device(displays, settings.node) for displays in together)}
        self._patterns = Patterns(settings.node.render_interval)
        self._boards = {name: Board(name, ages(settings.looks)) for strip in settings.strips for name in strip.boards}
        self._boards_by_topic = {self._topics.tickets(name): board for name, board in self._boards.items()}
        self._pollers = Pollers(self._topics, self._boards)
        self._inbox = Inbox()
        self._faults = Faults()
        self._outbox = Outbox()
        self._actions: request.Actions = {
            "identify": self._identify,
            "self_test": self._self_test,
            "refresh": self._refresh,
        }
        self._up_since: float | None = None
        self._down_since = now.monotonic
        self._down_reason = "not connected yet"
        self._started = now.wall
        self._clock = WallClock(now)
        self._stale_at = -math.inf  # when the last update stops being true; what comes in makes it now
        self._not_before = -math.inf
        self._told: object = None
        self._told_at = -math.inf

    # What the node needs, and says at its end

    @property
    def devices(self) -> tuple[str, ...]:
        """The names of what is written at once, in the order of device.devices()."""
        return tuple(self._devices)

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """The topic filters that it listens to."""
        pollers = self._topics.poller("+")
        return (*self._boards_by_topic, pollers.availability, pollers.status, self._own.request("+"))

    @property
    def will(self) -> Publish:
        """What the broker shall say when the node is gone."""
        return Publish(self._own.availability, OFFLINE)

    def farewell(self) -> dict[str, bytes]:
        """Say that it goes; answer the last frame of each device: dark."""
        self._outbox.state(self._own.availability, OFFLINE)
        return {name: device.dark() for name, device in self._devices.items()}

    # Events in

    def receive(self, event: Event, now: Instant) -> None:
        """Take in what came from the broker."""
        match event:
            case Message() if event.topic.startswith(self._own.request("")):
                self._take_request(event, now)
            case Message():
                self._inbox.put(event, now.monotonic)
            case Up():
                self._up_since = now.monotonic
                self._faults.remark(f"connected to {event.broker} by MQTT {event.protocol}")
                self._faults.forget("access", keep=self.subscriptions)
                for topic in self.subscriptions:
                    text = _denied("read", topic) if topic in event.denied else None
                    self._faults.set("access", topic, text, now)
                self._say_all()
            case Refused():
                response = event.topic.startswith(self._own.response(""))
                topic = self._own.response("+") if response else event.topic
                self._faults.set("access", topic, event.reason or _denied("write", topic), now)
            case Down():
                if self._up_since is not None:
                    self._up_since, self._down_since = None, now.monotonic
                self._down_reason = event.reason
        self._stale_at = now.monotonic

    def frame_shown(self, name: str, shown: Shown, now: Instant) -> None:
        """Note that the driver of a device took the frame."""
        self._devices[name].shown(shown, now)
        if "strip" in self._faults:
            self._faults.set("strip", name, None, now)
            self._stale_at = now.monotonic

    def frame_failed(self, name: str, error: StripError, now: Instant) -> None:
        """Note that the driver of a device did not take the frame, or that the device failed by itself."""
        device = self._devices[name]
        retry = device.failed(error, now)
        text = f"strip {name.replace('+', ' and ')}: {error}"
        if retry.reboot:
            text += "; it has failed so often that only a restart of the Pi may help"
        again = now.wall + retry.at - now.monotonic
        self._faults.set("strip", name, text, now, code=error.code, attempts=device.attempts, retry_at=again)
        self._stale_at = now.monotonic

    # Decisions out

    def frames(self, now: Instant) -> dict[str, bytes]:
        """Give the frame that is due now for each device that needs one. Each must be told of: shown or failed."""
        self._update(now)
        due = ((name, device.due(now)) for name, device in self._devices.items())
        return {name: frame for name, frame in due if frame is not None}

    def outbox(self, now: Instant) -> list[Publish]:
        """Take what is to be published."""
        self._update(now)
        return self._outbox.drain()

    def remarks(self) -> list[Remark]:
        """Take the lines for the log."""
        return self._faults.remarks()

    def deadline(self) -> float:
        """When (monotonic seconds) it has to be asked again though nothing came in."""
        update = max(self._stale_at, self._not_before)
        return min(update, *(device.deadline() for device in self._devices.values()))

    def summary(self) -> str:
        """One line on how it is, for people."""
        tickets = sum(len(board.snapshot.tickets) for board in self._boards.values() if board.snapshot)
        faults = "; ".join(fault.text for fault in self._faults)
        return f"{tickets} tickets" + (f"; {faults}" if faults else "")

    # What came

    def _read(self, now: Instant) -> None:
        """Take in what has come since the last update."""
        for topic, messages in self._inbox.drain().items():
            board = self._boards_by_topic.get(topic)
            if board is not None:
                self._take_newest(board, messages, now)
            else:
                for message, _ in messages:
                    self._pollers.take(message)

    def _take_newest(self, board: Board, messages: deque[Letter], now: Instant) -> None:
        """Take the newest message that can be read; what is wrong with a newer one is a fault."""
        text = None
        for message, at in reversed(messages):
            try:
                self._take_tickets(board, message.payload, Instant(at, at + now.wall - now.monotonic))
                break
            except PayloadError as err:
                text = text or f"board {board.name}: refused: {err}"
        self._faults.set("payload", board.name, text, now)

    def _take_tickets(self, board: Board, payload: bytes, now: Instant) -> None:
        if payload:
            board.apply(snapshot.parse(payload), now)
        else:
            board.forget()

    def _take_request(self, message: Message, now: Instant) -> None:
        what = message.topic.removeprefix(self._own.request(""))
        ignored = request.why_ignored(message, what, self._settings.mqtt)
        if ignored is not None:
            self._faults.remark(ignored, bad=True)
        else:
            self._outbox.once(self._own.response(what), request.answer(what, message.payload, self._actions, now))

    def _identify(self, now: Instant) -> None:
        self._patterns.identify(now.monotonic)

    def _self_test(self, now: Instant) -> None:
        """Show the test, on whatever strips there are; whoever asks is told which of them are not well."""
        self._patterns.self_test(now.monotonic)
        broken = "; ".join(fault.text for fault in self._faults if fault.name == "strip")
        if broken:
            raise StripError(broken)

    def _refresh(self, _now: Instant) -> None:
        for device in self._devices.values():
            device.forget()
        self._say_all()

    def _say_all(self) -> None:
        """Publish everything that is retained, whether the broker should still have it or not."""
        self._outbox.forget()
        self._outbox.state(self._own.availability, ONLINE)
        self._told_at = -math.inf

    # What follows from it

    def _update(self, now: Instant) -> None:
        """Work out faults, pictures and messages anew, where something may have changed."""
        if jump := self._clock.jump(now):
            self._started += jump
            self._faults.shift(jump)
            self._stale_at = now.monotonic
        if now.monotonic < max(self._stale_at, self._not_before):
            return
        self._not_before = max(self._not_before, now.monotonic - BURST * self._pace) + self._pace
        self._read(now)
        self._update_faults(now)
        for device in self._devices.values():
            changed = [self._draw(display, now) for display in device.displays]
            if any(changed):
                device.repaint()
        for name, display in self._displays.items():
            if (content := display.content()) is not None:
                self._outbox.state(self._own.strip(name), wire.dump(content))
        self._tell_status(now)
        self._stale_at = self._next_change(now)

    def _next_change(self, now: Instant) -> float:
        """When what was worked out at `now` stops being true by itself."""
        ends = (self._settled_at, self._told_at + COUNTERS_EVERY)
        changes = [board.deadline(now) for board in self._boards.values()]
        changes.append(self._patterns.next_change(now.monotonic))
        return min([*changes, *(end for end in ends if end > now.monotonic)])

    def _update_faults(self, now: Instant) -> None:
        settled = self._settled(now)
        offline = self._up_since is None and settled
        self._faults.set("broker", "", self._down_reason if offline else None, now)
        for name, board in self._boards.items():
            if board.expired(now):
                text = f"board {name}: its tickets have expired, and nobody has published new ones"
                self._faults.set("stale", name, text, now)
            elif board.snapshot is not None:
                self._faults.set("stale", name, None, now)
            elif self._up_since is not None and settled:  # else it may be on its way, or be as unknown as before
                self._faults.set("stale", name, f"board {name}: nobody publishes its tickets", now)
            source = board.snapshot.source if board.snapshot else None
            for fault, trouble in self._pollers.troubles(source, name).items():
                self._faults.set(fault, name, trouble.text, now, code=trouble.code)
        self._update_refusals(now)

    def _update_refusals(self, now: Instant) -> None:
        """Raise and clear the faults of messages from the pollers that feed our boards; others do not matter."""
        sources = {board.snapshot.source for board in self._boards.values() if board.snapshot}
        refusals = self._pollers.refusals(source for source in sources if source)
        for fault in self._faults:
            if fault.name == "payload" and fault.subject not in self._boards and fault.subject not in refusals:
                self._faults.set("payload", fault.subject, None, now)
        for subject, text in refusals.items():
            self._faults.set("payload", subject, text, now)

    def _draw(self, display: Display, now: Instant) -> bool:
        """Work out what a strip shows; tell whether that is new."""
        boards = [self._boards[name] for name in display.settings.boards]
        unknown = any(board.snapshot is None for board in boards)
        if display.picture is None and unknown and not self._settled(now):
            return False  # the first frame starts the render interval: let it be one with tickets
        tickets = [ticket for board in boards for ticket in board.tickets(now)]
        groups, unmatched = group(self._settings.looks, tickets)
        return display.show(
            lay_out(groups, display.settings.pixels, self._settings.overdue_effect),
            status=self._status_of(display),
            dimmed=any(board.expired(now) for board in boards),
            over=self._patterns.row(now.monotonic, display.settings.pixels),
            unmatched=unmatched,
        )

    def _status_of(self, display: Display) -> Status:
        if "strip" in self._faults:
            return Status.ERROR
        # A refused payload is not among them: nothing is out of reach, and the tickets shown still hold.
        boards = display.settings.boards
        bad = any(
            fault.name in {"broker", "access"}
            or (fault.name in {"stale", "poller", "jira"} and fault.subject in boards)
            for fault in self._faults
        )
        return Status.CONNECTION if bad else Status.OK

    def _tell_status(self, now: Instant) -> None:
        boards = {name: board.report(now) for name, board in self._boards.items()}
        faults = [fault.report() for fault in self._faults]
        state = self._state(now)
        strips = [(display.limited, display.unmatched) for display in self._displays.values()]
        told = (state, faults, boards, strips, self._started)
        if told == self._told and now.monotonic < self._told_at + COUNTERS_EVERY:
            return
        self._told, self._told_at = told, now.monotonic
        status = {
            "state": state,
            "faults": faults,
            "strips": {
                display.settings.name: display.report() | device.report()
                for device in self._devices.values()
                for display in device.displays
            },
            "boards": boards,
            "started_at": wire.format_time(int(self._started)),
            "version": __version__,
        }
        self._outbox.state(self._own.status, wire.dump(status))

    @property
    def _settled_at(self) -> float:
        """When (monotonic seconds) the connection has been as it is for as long as the grace."""
        return (self._down_since if self._up_since is None else self._up_since) + GRACE

    def _settled(self, now: Instant) -> bool:
        return now.monotonic >= self._settled_at

    def _state(self, now: Instant) -> str:
        if "strip" in self._faults:
            return "error"
        if any(True for _ in self._faults):
            return "degraded"
        unknown = any(board.snapshot is None for board in self._boards.values())
        return "starting" if unknown and not self._settled(now) else "ok"


def _denied(what: str, topic: str) -> str:
    return f"the broker refuses to let this node {what} {topic}: check its access list"
