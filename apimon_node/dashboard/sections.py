"""The sections: the overview as JSON-able values by id, for pages and other programs. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import groupby

from apimon_node import wire
from apimon_node.dashboard.boards import CARDS
from apimon_node.dashboard.memo import Memo
from apimon_node.dashboard.overview import (
    Board,
    Broker,
    Event,
    Fault,
    History,
    LegendEntry,
    Node,
    Overview,
    Pixel,
    Poller,
    PollerBoard,
    Shows,
    Strip,
    Ticket,
)
from apimon_node.picture.effects import Effect
from apimon_node.picture.looks import Color
from apimon_node.picture.scene import LightState


class Sections:
    """Makes sections of one overview after another: the section of a part that is as it was is the same object.

    So whoever sends what has changed compares objects, not what is in them. Nobody may change one.
    """

    def __init__(self) -> None:
        self._memo = Memo()

    def of(self, overview: Overview) -> dict[str, object]:
        """Return all sections by their ids."""
        self._memo.turn()
        return dict(self._each(overview))

    def _each(self, overview: Overview) -> Iterator[tuple[str, object]]:
        of = self._memo.of
        yield "broker", of("broker", _broker, overview.broker)
        for name, node in overview.nodes.items():
            yield f"node/{name}", of(("node", name), _node, node)
        for (owner, name), strip in overview.strips.items():
            yield f"strip/{owner}/{name}", of(("strip", owner, name), _strip, strip)
        for name, tickets in of("tickets", _behind, tuple(overview.strips.values())).items():
            yield f"tickets/{name}", of(("tickets", name), _tickets, tickets)
        for name, poller in overview.pollers.items():
            yield f"poller/{name}", of(("poller", name), _poller, poller)
        for name, board in overview.boards.items():
            yield f"board/{name}", of(("board", name), _board, board)
        for name, history in overview.history.items():
            yield f"history/{name}", of(("history", name), _history, history)
        yield "events", of("events", _events, overview.events)
        yield "troubles", of("troubles", list, overview.troubles)


def _broker(broker: Broker) -> dict[str, object]:
    return broker._asdict() | {"since": _time(broker.since), "denied": list(broker.denied)}


def _node(node: Node) -> dict[str, object]:
    return node._asdict() | {
        "light": None if node.light is None else _light(node.light),
        "faults": [_fault(fault) for fault in node.faults],
        "started_at": _time(node.started_at),
        "strips": list(node.strips),
        "boards": list(node.boards),
    }


def _light(light: LightState) -> dict[str, object]:
    return {"state": "ON" if light.on else "OFF", "brightness": light.brightness, "effect": light.effect}


def _fault(fault: Fault) -> dict[str, object]:
    return fault._asdict() | {"since": _time(fault.since), "retry_at": _time(fault.retry_at)}


def _strip(strip: Strip) -> dict[str, object]:
    """Write a strip: its pixels as runs of like ones, for most of them are, and their tickets by board and key."""
    return strip._asdict() | {
        "boards": list(strip.boards),
        "legend": [_legend_entry(entry) for entry in strip.legend],
        "pixels": [[len(list(run)), _pixel(alike)] for alike, run in groupby(strip.pixels, _unnamed)],
        "first": [[_reference(ticket) for ticket in pixel.first] for pixel in strip.pixels],
        "said": [_color(color) for color in strip.said],
    }


def _unnamed(pixel: Pixel) -> tuple[Color, Effect, Shows, int | None, bool, int]:
    """Leave of a pixel what others may have too: all but its tickets."""
    return pixel[:-1]


def _pixel(unnamed: tuple[Color, Effect, Shows, int | None, bool, int]) -> dict[str, object]:
    return dict(zip(Pixel._fields, unnamed, strict=False)) | {"color": _color(unnamed[0])}


def _reference(ticket: Ticket) -> str | None:
    """Name a ticket in the sections of tickets; one that is only counted has nothing that could be told."""
    return None if ticket.key is None else f"{ticket.board}/{ticket.key}"


def _legend_entry(entry: LegendEntry) -> dict[str, object]:
    return entry._asdict() | {"color": _color(entry.color)}


def _behind(strips: tuple[Strip, ...]) -> dict[str, dict[str, Ticket]]:
    """Return the tickets behind all pixels once each, however many strips show them, by board and key."""
    behind: dict[str, dict[str, Ticket]] = defaultdict(dict)
    for strip in strips:
        for pixel in strip.pixels:
            for ticket in pixel.first:
                if ticket.key is not None:
                    behind[ticket.board][ticket.key] = ticket
    return behind


def _tickets(tickets: Mapping[str, Ticket]) -> dict[str, object]:
    return {key: _ticket(ticket) for key, ticket in tickets.items()}


@lru_cache(maxsize=CARDS)
def _ticket(ticket: Ticket) -> dict[str, object]:
    return ticket._asdict() | {"created": _time(ticket.created), "due": _time(ticket.due)}


def _poller(poller: Poller) -> dict[str, object]:
    return poller._asdict() | {
        "boards": [_poller_board(board) for board in poller.boards],
        "faults": [_fault(fault) for fault in poller.faults],
        "started_at": _time(poller.started_at),
    }


def _poller_board(board: PollerBoard) -> dict[str, object]:
    return {"name": board.name, "advice": board.advice} | board.report.dump()


def _board(board: Board) -> dict[str, object]:
    return board._asdict() | {
        "statuses": [status._asdict() for status in board.statuses],
        "at": _time(board.at),
        "valid_until": _time(board.valid_until),
    }


def _history(history: History) -> dict[str, object]:
    return {
        "at": [round(at, 1) for at in history.at],
        "statuses": {name: list(row) for name, row in history.statuses.items()},
        "overdue": list(history.overdue),
    }


def _events(events: tuple[Event, ...]) -> list[dict[str, object]]:
    return [_event(event) for event in events]


def _event(event: Event) -> dict[str, object]:
    renamed = {("from" if name == "before" else name): value for name, value in event._asdict().items()}
    return renamed | {"at": _time(event.at)}


def _color(color: Color) -> str:
    return bytes(color).hex()


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else wire.format_time(seconds)
