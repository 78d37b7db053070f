"""What the pollers say of themselves, and so why a board's tickets may be old. Pure."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from apimon_node.contract import poller_status
from apimon_node.contract.faults import FaultName
from apimon_node.contract.poller_status import BoardReport
from apimon_node.contract.topics import OFFLINE, ONLINE, Topics
from apimon_node.errors import JiraState, PayloadError
from apimon_node.mqtt.messages import Message
from apimon_node.text import one_line

MOST = 1000
"""Pollers that are remembered: anybody can invent another."""

MAX_DETAIL = 200
"""Characters of a poller's words that go into a fault."""


class Trouble(NamedTuple):
    """Why a board may be out of date; `text` None where that is no trouble."""

    text: str | None = None
    code: str | None = None


class Heard:
    """The last words of one poller: `refused` has, by the kind of message, why the last one could not be read."""

    def __init__(self) -> None:
        self.offline = False
        self.boards: dict[str, Trouble] = {}
        self.refused: dict[str, str] = {}


class Pollers:
    """All pollers, as far as they have to do with these boards."""

    def __init__(self, topics: Topics, boards: Collection[str]) -> None:
        self._prefix = topics.poller("").base
        self._wanted = boards
        self._pollers: dict[str, Heard] = {}

    def take(self, message: Message) -> None:
        """Take in an availability or a status."""
        name, _, kind = message.topic.removeprefix(self._prefix).partition("/")
        if name not in self._pollers and len(self._pollers) >= MOST:
            return
        poller = self._pollers.setdefault(name, Heard())
        poller.refused.pop(kind, None)
        try:
            if kind == "availability":
                poller.offline = _offline(message.payload)
            else:
                poller.boards = self._boards(message.payload)
        except PayloadError as err:
            poller.refused[kind] = f"poller {name}: refused: {kind}: {err}"

    def troubles(self, poller: str | None, board: str) -> dict[str, Trouble]:
        """Return what is wrong with the poller that feeds a board, and with its Jira, by the name of the fault."""
        known = self._pollers.get(poller or "", Heard())
        text = f"poller {poller} is offline: board {board} shows its last tickets" if known.offline else None
        asked = Trouble() if known.offline else known.boards.get(board, Trouble())
        return {FaultName.POLLER: Trouble(text), FaultName.JIRA: asked}

    def refusals(self, pollers: Iterable[str]) -> dict[str, str]:
        """Return what could not be read of these pollers: the text of a fault by its subject."""
        return {
            f"poller {name} {kind}": text
            for name in pollers
            for kind, text in self._pollers.get(name, Heard()).refused.items()
        }

    def _boards(self, payload: bytes) -> dict[str, Trouble]:
        """Read what a status says of the boards that matter here; nothing is known from an empty one."""
        boards = poller_status.parse(payload, self._wanted).boards if payload else {}
        return {name: _trouble(name, report) for name, report in boards.items()}


def _offline(payload: bytes) -> bool:
    if payload not in (ONLINE, OFFLINE, b""):
        raise PayloadError("expected online or offline")
    return payload == OFFLINE


def _trouble(board: str, report: BoardReport) -> Trouble:
    if report.state == JiraState.OK:
        return Trouble()
    return Trouble(f"board {board}: {_line(report.detail or report.state)}", _line(report.state))


def _line(text: str) -> str:
    """Return somebody's words for a line of a log."""
    return one_line(text)[:MAX_DETAIL]
