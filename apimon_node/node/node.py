"""The node's decisions: events in, frames and messages out. Pure: it knows no clock, socket or driver."""

import math
from collections.abc import Callable
from functools import partial

from apimon_node import __version__, wire
from apimon_node.clock import Instant, WallClock
from apimon_node.config.settings import Settings
from apimon_node.contract.faults import FaultName
from apimon_node.contract.topics import OFFLINE, ONLINE, Topics
from apimon_node.errors import ApimonError, StripError
from apimon_node.home_assistant.announcement import Announcement
from apimon_node.home_assistant.node import discovery
from apimon_node.mqtt.faults import Faults
from apimon_node.mqtt.inbox import Inbox, take_newest
from apimon_node.mqtt.messages import Down, Event, Message, Publish, Refused, Up
from apimon_node.mqtt.outbox import Outbox
from apimon_node.mqtt.presence import Presence
from apimon_node.mqtt.requests import Actions, Requests
from apimon_node.node.description import description
from apimon_node.node.device import Device, devices
from apimon_node.node.diagnosis import Diagnosis
from apimon_node.node.display import Display
from apimon_node.node.light import Light
from apimon_node.node.pollers import Pollers
from apimon_node.node.quiet import Quiet
from apimon_node.node.report import Report
from apimon_node.picture.layout import lay_out
from apimon_node.picture.looks import ages, group
from apimon_node.picture.patterns import Patterns
from apimon_node.picture.scene import LightState, visible
from apimon_node.process.remarks import Remark
from apimon_node.strip.driver import Shown
from apimon_node.tickets import snapshot
from apimon_node.tickets.board import Board
from apimon_node.timing import TokenBucket

RESTART_EVERY = 10.0
"""Seconds that a node must have run before it can be asked to start anew: or it would be dark for as long as one asks.
"""

PACE = 0.5
"""Seconds between two updates at the most, however seldom the strip may be written."""

BURST = 2
"""Updates that may follow another at once after a while of quiet: a connection, then what the broker had kept."""


class Node:
    """Takes events, knows what is true, and says what to show and publish, and when it must be asked again.

    Updates keep the pace of the strip, or 0.5 s where that is slower; only a few may follow another at once. A flood of
    messages so costs two frames a second at the default render interval. Commands for the light have a pace of their
    own: none of them waits for what other messages have used up.
    """

    def __init__(self, settings: Settings, now: Instant, chance: Callable[[], float]) -> None:
        assert settings.node is not None
        self._settings = settings
        pace = min(settings.node.render_interval, PACE)
        self._pace, self._command_pace = TokenBucket(pace, BURST), TokenBucket(pace, BURST)
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
        actions: Actions = {
            "identify": self._identify,
            "self_test": self._self_test,
            "refresh": self._refresh,
            "restart": self._restart,
        }
        self.requests = Requests(self._own, settings, self._faults, self._outbox, actions)
        self.restarting = False
        """Whether it was asked to start anew."""
        self._may_restart_at = now.monotonic + RESTART_EVERY
        self._light = Light(self._own, settings.mqtt, self._faults)
        self._commanded = False
        self._quiet = Quiet(settings.node.quiet_hours)
        self._presence = Presence("this node", self._own, self._faults, now)
        self._diagnosis = Diagnosis(self._faults, self._presence, self._boards, self._pollers)
        self._report = Report(now.wall)
        self._clock = WallClock(now)
        self._announcement = Announcement(settings.home_assistant, chance)
        self._announcement.describe(discovery(settings, __version__), now.monotonic)
        self._stale_at = -math.inf  # when the last update stops being true; what comes in makes it now
        self._untold = False  # whether nothing has been published of the last update yet

    # What the node needs, and says at its end

    @property
    def devices(self) -> tuple[str, ...]:
        """The names of what is written at once, in the order of device.devices()."""
        return tuple(self._devices)

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """The topic filters that it listens to."""
        pollers = self._topics.poller("+")
        own = (self._own.light, self._own.light_set, self._own.request("+"))
        home = self._announcement.subscriptions
        return (*self._boards_by_topic, pollers.availability, pollers.status, *own, *home)

    @property
    def will(self) -> Publish:
        """What the broker shall say when the node is gone."""
        return Publish(self._own.availability, OFFLINE)

    def farewell(self) -> dict[str, bytes]:
        """Queue the farewell. Return the last frame of each device: dark."""
        self._outbox.state(self._own.availability, OFFLINE)
        return {name: device.dark() for name, device in self._devices.items()}

    # Events in

    def receive(self, event: Event, now: Instant) -> None:
        """Take in what came from the broker."""
        if self._announcement.receive(event, now.monotonic):
            return
        match event:
            case Message():
                if not self._take(event, now):
                    return
            case Up():
                self._greet(event, now)
            case Refused():
                self._presence.refused(event, now)
            case Down():
                self._presence.went(event.reason, now)
        self._stale_at = now.monotonic

    def frame_shown(self, name: str, shown: Shown, now: Instant) -> None:
        """Note that the driver of a device took the frame."""
        self._devices[name].shown(shown, now)
        if FaultName.STRIP in self._faults:
            self._faults.set(FaultName.STRIP, name, None, now)
            self._stale_at = now.monotonic

    def frame_failed(self, name: str, error: StripError, now: Instant) -> None:
        """Note that the driver of a device did not take the frame, or that the device failed by itself."""
        device = self._devices[name]
        retry = device.failed(error, now)
        text = f"strip {name.replace('+', ' and ')}: {error}"
        if retry.reboot:
            text += "; it has failed so often that only a restart of the Pi may help"
        again = now.wall + retry.at - now.monotonic
        self._faults.set(FaultName.STRIP, name, text, now, code=error.code, attempts=device.attempts, retry_at=again)
        self._stale_at = now.monotonic

    # Decisions out

    def frames(self, now: Instant) -> dict[str, bytes]:
        """Return the frame that is due now for each device that needs one. Each must be told of: shown or failed."""
        self._update(now)
        due = ((name, device.due(now)) for name, device in self._devices.items())
        return {name: frame for name, frame in due if frame is not None}

    def outbox(self, now: Instant) -> list[Publish]:
        """Take what is to be published: what the last update has changed, and nothing that a frame has yet to show.

        Images take longer to draw than all else together, and no frame waits for one.
        """
        announcement, everything = self._announcement.due(now.monotonic)
        if announcement is not None:
            self._outbox.add(announcement)
        if everything:
            self._say_all()
            self._stale_at = now.monotonic
        if self._untold:
            self._untold = False
            self._tell_strips(now)
            self._tell_status(now)
            self._stale_at = min(self._stale_at, self._next_change(now))
        return self._outbox.drain()

    def remarks(self) -> list[Remark]:
        """Take the lines for the log."""
        return self._faults.remarks()

    def deadline(self) -> float:
        """When (monotonic seconds) it has to be asked again though nothing came in."""
        devices = (device.deadline() for device in self._devices.values())
        return min(self._update_at, self._announcement.deadline(), *devices)

    def summary(self) -> str:
        """One line on how it is, for people."""
        tickets = sum(len(board.snapshot.tickets) for board in self._boards.values() if board.snapshot)
        faults = "; ".join(fault.text for fault in self._faults)
        return f"{tickets} tickets" + (f"; {faults}" if faults else "")

    # What came

    def _greet(self, event: Up, now: Instant) -> None:
        self._presence.came(event, self.subscriptions, now)
        self._say_all()

    def _take(self, message: Message, now: Instant) -> bool:
        """Take in a message, or keep it for the next update; return whether anything may follow from it."""
        if message.topic == self._own.light:
            return self._light.hear(message, now.monotonic)
        if message.topic == self._own.light_set:
            self._take_command(message, now)
        elif message.topic.startswith(self._own.request("")):
            self.requests.take(message, now)
        else:
            self._inbox.put(message, now.monotonic)
        return True

    def _read(self, now: Instant) -> None:
        """Take in what has come since the last update."""
        for topic, messages in self._inbox.drain().items():
            board = self._boards_by_topic.get(topic)
            if board is not None:
                refused = take_newest(messages, partial(self._take_tickets, board), now)
                text = None if refused is None else f"board {board.name}: refused: {refused}"
                self._faults.set(FaultName.PAYLOAD, board.name, text, now)
            else:
                for message, _ in messages:
                    self._pollers.take(message)

    def _take_tickets(self, board: Board, payload: bytes, now: Instant) -> None:
        if payload:
            board.apply(snapshot.parse(payload), now)
        else:
            board.forget()

    def _take_command(self, message: Message, now: Instant) -> None:
        """Set the light. Quiet hours give way to whoever does."""
        self._commanded = True
        if self._light.command(message, now.monotonic):
            self._quiet.lift(now)

    def _identify(self, now: Instant) -> None:
        self._patterns.identify(now.monotonic)

    def _self_test(self, now: Instant) -> None:
        """Show the test, on whatever strips there are; whoever asks is told which of them are not well."""
        self._patterns.self_test(now.monotonic)
        broken = "; ".join(fault.text for fault in self._faults if fault.name == FaultName.STRIP)
        if broken:
            raise StripError(broken)

    def _refresh(self, _now: Instant) -> None:
        for device in self._devices.values():
            device.forget()
        self._say_all()

    def _restart(self, now: Instant) -> None:
        if now.monotonic < self._may_restart_at:
            wait = math.ceil(self._may_restart_at - now.monotonic)
            raise ApimonError(f"started less than {RESTART_EVERY:.0f} s ago: ask again in {wait} s")
        self.restarting = True

    def _say_all(self) -> None:
        """Publish everything that is retained, whether the broker should still have it or not."""
        self._outbox.forget()
        self._outbox.state(self._own.availability, ONLINE)
        self._report.forget()
        for name, display in self._displays.items():
            self._outbox.state(self._own.strip_config(name), wire.dump(description(display.settings, self._settings)))
            display.forget_image()

    # What follows from it

    def _update(self, now: Instant) -> None:
        """Work out faults and pictures anew, where something may have changed."""
        if jump := self._clock.jump(now):
            self._report.shift(jump)
            self._faults.shift(jump)
            self._stale_at = now.monotonic
        if now.monotonic < self._update_at:
            return
        self._next_pace.spend(now.monotonic)
        self._commanded = False
        self._read(now)
        self._diagnosis.update(now)
        if self._presence.up and self._presence.settled(now):
            self._light.settle()
        self._light.tell(self._outbox, now.monotonic)
        light = self._quiet.over(self._light.state, now)
        for device in self._devices.values():
            changed = [self._draw(display, light, now) for display in device.displays]
            if any(changed):
                device.repaint()
        self._untold, self._stale_at = True, math.inf

    @property
    def _update_at(self) -> float:
        """When _update() has work next."""
        return max(self._stale_at, self._next_pace.not_before)

    @property
    def _next_pace(self) -> TokenBucket:
        """Return the pace that lets the next update happen."""
        paces = (self._pace, self._command_pace) if self._commanded else (self._pace,)
        return min(paces, key=lambda pace: pace.not_before)

    def _next_change(self, now: Instant) -> float:
        """When what was worked out at `now` stops being true by itself."""
        ends = (self._presence.settled_at, self._report.again_at)
        changes = [board.deadline(now) for board in self._boards.values()]
        changes += [display.image_at for display in self._displays.values()]
        changes += [self._patterns.next_change(now.monotonic), self._light.deadline(), self._quiet.deadline(now)]
        return min([*changes, *(end for end in ends if end > now.monotonic)])

    def _draw(self, display: Display, light: LightState, now: Instant) -> bool:
        """Work out what a strip shows; return whether that is new."""
        boards = [self._boards[name] for name in display.settings.boards]
        unknown = not self._light.known or any(board.snapshot is None for board in boards)
        if display.picture is None and unknown and not self._presence.settled(now):
            return False  # the first frame starts the render interval: let it have its tickets and the right light
        tickets = [ticket for board in boards for ticket in board.tickets(now)]
        groups, unmatched = group(self._settings.looks, tickets)
        return display.show(
            lay_out(visible(groups, light.effect), display.settings.pixels, self._settings.overdue_effect),
            status=self._diagnosis.status(display.settings.boards),
            dimmed=any(board.expired(now) for board in boards),
            over=self._patterns.row(now.monotonic, display.settings.pixels),
            unmatched=unmatched,
            light=light,
        )

    def _tell_strips(self, now: Instant) -> None:
        for name, display in self._displays.items():
            if (content := display.content()) is not None:
                self._outbox.state(self._own.strip(name), wire.dump(content))
            if (image := display.image(now.monotonic)) is not None:
                self._outbox.state(self._own.image(name), image)

    def _tell_status(self, now: Instant) -> None:
        news: dict[str, object] = {
            "state": self._diagnosis.state(now),
            "faults": [fault.dump() for fault in self._faults],
            "quiet": self._quiet.on(now),
            "boards": {name: board.report(now) for name, board in self._boards.items()},
        }
        status = self._report.write(news, self._devices.values(), now)
        if status is not None:
            self._outbox.state(self._own.status, status)
