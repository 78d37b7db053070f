"""The fleet: takes in what broker, nodes and pollers say, and gives the overview of it. Pure."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from apimon_node.clock import Instant, WallClock
from apimon_node.contract.lenient import MOST
from apimon_node.contract.poller_status import PollerStatus
from apimon_node.dashboard import words
from apimon_node.dashboard.boards import Tickets, Watched
from apimon_node.dashboard.heard import Heard
from apimon_node.dashboard.history import Hour
from apimon_node.dashboard.memo import Memo
from apimon_node.dashboard.nodes import node, poller
from apimon_node.dashboard.overview import Board, BoardState, Broker, BrokerState, Node, Overview, Poller, Strip
from apimon_node.dashboard.payloads import StripConfig, StripReport
from apimon_node.dashboard.pixels import MOST_EFFORT, Conditions, Pile, effort, lit, reckon, sort, strip, unsaid
from apimon_node.mqtt.messages import Down, Event, Message, Up
from apimon_node.picture.looks import ages
from apimon_node.picture.scene import LightState
from apimon_node.tickets.snapshot import Snapshot


class Fleet:
    """All nodes, pollers and boards below a base topic, as far as they have been heard.

    Whoever looks many times a second pays for what has changed: parts are worked out anew where what they come from is
    not what it was.
    """

    def __init__(self, base_topic: str) -> None:
        self._heard = Heard(base_topic)
        self._memo = Memo()
        self._hours: dict[str, Hour] = {}
        self._piles: dict[tuple[object, ...], tuple[Pile, ...] | None] = {}
        self._strength = MOST_EFFORT  # what is left of it in this update
        self._clock: WallClock | None = None
        self._lead = 0.0  # how far wall time is ahead of monotonic time
        self._broker = Broker()
        self._overview = Overview()
        self._until = -math.inf  # when the overview stops being true; what comes in makes it now

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """The topic filters to listen to."""
        return self._heard.subscriptions

    def receive(self, event: Event, now: Instant) -> None:
        """Take in what came from the broker. Nothing that anybody may send raises."""
        match event:
            case Message():
                if not self._heard.take(event, now):
                    return
            case Up():
                self._heard.connected(now)
                text = f"{event.broker} by MQTT {event.protocol}"
                self._broker = Broker(BrokerState.CONNECTED, text, now.wall, event.denied)
            case Down():
                self._heard.lost()
                self._went(event.reason, now)
        self._until = -math.inf

    def overview(self, now: Instant) -> Overview:
        """Return all that is known. Parts that are as they were are the same objects as in the last overview."""
        self._heed_clock(now)
        if now.monotonic >= self._until:
            self._update(now)
        return self._overview

    def deadline(self, now: Instant) -> float:
        """When (monotonic seconds) the overview changes by itself; infinity for never."""
        return max(self._until, now.monotonic)

    def _went(self, reason: str, now: Instant) -> None:
        old, text = self._broker, words.line(reason, words.SUMMARY)
        if old.state is BrokerState.CONNECTED:
            self._broker = Broker(BrokerState.LOST, text, now.wall)
        else:
            self._broker = old._replace(text=text, since=old.since or now.wall)

    def _heed_clock(self, now: Instant) -> None:
        """Begin anew where the wall clock was set: all that was compared with it may be wrong."""
        if self._clock is None:
            self._clock, self._lead = WallClock(now), now.wall - now.monotonic
        if jump := self._clock.jump(now):
            self._lead += jump
            self._memo.clear()
            self._until = -math.inf

    def _update(self, now: Instant) -> None:
        self._heard.read(now)
        self._memo.turn()
        self._piles, self._strength = {}, MOST_EFFORT
        watched = self._watch(now)
        boards = self._boards(watched)
        self._note(watched, now)
        keys = self._strip_keys()
        self._overview = Overview(
            self._broker,
            dict(self._nodes(keys)),
            {key: self._strip(key, watched) for key in keys},
            dict(self._pollers()),
            boards,
            {name: hour.rows(self._lead) for name, hour in sorted(self._hours.items()) if name in boards},
            tuple(reversed(self._heard.events)),
            self._heard.troubles,
        )
        ends = [board.until for board in watched.values()] + [hour.due_at for hour in self._hours.values()]
        self._until = min([*ends, self._heard.settles_at])

    # Boards

    def _watch(self, now: Instant) -> dict[str, Watched]:
        """Return all boards of which something is known, as they are now."""
        asked: dict[str, set[float]] = defaultdict(set)
        for config in self._heard.configs.last.values():
            for name in config.boards:
                asked[name].update(ages(config.looks))
        watched = {
            ids[0]: self._watched(ids[0], snapshot, tuple(sorted(asked[ids[0]])))
            for ids, snapshot in self._heard.boards.last.items()
        }
        for board in watched.values():
            board.update(now)
        return watched

    def _watched(self, name: str, snapshot: Snapshot, asked: tuple[float, ...]) -> Watched:
        return self._memo.of(("watched", name), Watched, name, snapshot, self._heard.boards.since[(name,)], asked)

    def _boards(self, watched: Mapping[str, Watched]) -> dict[str, Board]:
        """Return all boards that are known, and those that somebody names."""
        named = {name for config in self._heard.configs.last.values() for name in config.boards}
        named |= {name for status in self._heard.pollers.last.values() for name in status.boards}
        names = [*sorted(watched), *sorted(named - watched.keys())][:MOST]
        parts = {name: self._memo.of(("unknown", name), Board, name) for name in names if name not in watched}
        return dict(sorted((parts | {name: board.part for name, board in watched.items()}).items()))

    def _note(self, watched: Mapping[str, Watched], now: Instant) -> None:
        for name, board in watched.items():
            self._hours.setdefault(name, Hour()).note(board.part.statuses, now.monotonic)
        for name in self._hours.keys() - watched.keys():
            del self._hours[name]

    def _tickets(self, board: Watched) -> Tickets:
        status = self._heard.pollers.get(board.part.source or "")
        return board.tickets(words.address(status.browse) if status else None)

    # Nodes, strips and pollers

    def _nodes(self, keys: Collection[tuple[str, str]]) -> Iterator[tuple[str, Node]]:
        heard = self._heard
        for name in _names(heard.nodes_online.last, heard.nodes.last, heard.lights.last, keys):
            strips = tuple(strip for owner, strip in keys if owner == name)
            boards = sorted({board for strip in strips for board in self._config(name, strip).boards})
            inputs = (heard.nodes_online.get(name), heard.nodes.get(name), heard.lights.get(name))
            yield name, self._memo.of(("node", name), node, name, *inputs, strips, tuple(boards))

    def _strip_keys(self) -> list[tuple[str, str]]:
        """Return the strips that there are, by node and name: the broker may still have others, from before."""
        known = self._heard.strips.last.keys() | self._heard.configs.last.keys()
        keys = [(owner, name) for owner, name in known]
        reports = {owner: dict(status.strips) for (owner,), status in self._heard.nodes.last.items()}
        return sorted((owner, name) for owner, name in keys if name in reports.get(owner, {name}))[:MOST]

    def _config(self, owner: str, name: str) -> StripConfig:
        return self._heard.configs.get(owner, name) or StripConfig()

    def _strip(self, key: tuple[str, str], watched: Mapping[str, Watched]) -> Strip:
        owner, _ = key
        config = self._config(*key)
        boards = [watched[name] for name in config.boards if name in watched]
        status = self._heard.nodes.get(owner)
        conditions = Conditions(
            self._heard.lights.get(owner) or LightState(),
            quiet=status is not None and status.quiet,
            expired=any(board.part.state is BoardState.STALE for board in boards),
            live=self._heard.nodes_online.get(owner) is True,
        )
        backing = None
        if self._heard.configs.get(*key) is not None and (piles := self._pile(config, boards)) is not None:
            scene = lit(conditions, config).effect
            backing = self._memo.of(("backing", config, scene), reckon, config, piles, scene)  # like strips share it
        said = self._heard.strips.get(*key) or unsaid(config)
        report = dict(status.strips).get(key[1], StripReport()) if status else StripReport()
        return self._memo.of(("strip", key), strip, key, said, config, backing, report, conditions)

    def _pile(self, config: StripConfig, boards: Iterable[Watched]) -> tuple[Pile, ...] | None:
        """Sort the tickets of a strip, as another one may have done; None where that would be too much work."""
        kind = config.looks, config.boards
        if kind not in self._piles:
            tickets = tuple(self._tickets(board) for board in boards)
            work = effort(config.looks, tickets)
            bearable = work <= self._strength
            self._strength -= work * bearable
            self._piles[kind] = self._memo.of(("piles", kind), sort, config.looks, tickets) if bearable else None
        return self._piles[kind]

    def _pollers(self) -> Iterator[tuple[str, Poller]]:
        heard = self._heard
        for name in _names(heard.pollers_online.last, heard.pollers.last):
            status = heard.pollers.get(name) or PollerStatus()
            yield name, self._memo.of(("poller", name), poller, name, heard.pollers_online.get(name), status)


def _names(*kinds: Iterable[tuple[str, ...]]) -> list[str]:
    """Return the first ids of some topics, once each, in their order."""
    return sorted({ids[0] for kind in kinds for ids in kind})[:MOST]
