"""The diagnosis: what is wrong with boards and broker, and what the node's state and status pixels say of it. Pure."""

from collections.abc import Collection, Mapping

from apimon_node.clock import Instant
from apimon_node.contract.faults import FaultName
from apimon_node.mqtt.faults import Faults
from apimon_node.mqtt.presence import Presence
from apimon_node.node.pollers import Pollers
from apimon_node.picture.painting import Status
from apimon_node.tickets.board import Board


class Diagnosis:
    """Raises and clears the faults that follow from what is known, and sums all faults up."""

    def __init__(self, faults: Faults, presence: Presence, boards: Mapping[str, Board], pollers: Pollers) -> None:
        self._faults = faults
        self._presence = presence
        self._boards = boards
        self._pollers = pollers

    def update(self, now: Instant) -> None:
        """Work out anew what is wrong."""
        self._presence.update(now)
        for name, board in self._boards.items():
            self._look_at(name, board, now)
        self._look_at_refusals(now)

    def status(self, boards: Collection[str]) -> Status:
        """Return what the status pixel of a strip with these boards tells."""
        if FaultName.STRIP in self._faults:
            return Status.ERROR
        # A refused payload is not among them: nothing is out of reach, and the tickets shown still hold.
        bad = any(
            fault.name in {FaultName.BROKER, FaultName.ACCESS}
            or (fault.name in {FaultName.STALE, FaultName.POLLER, FaultName.JIRA} and fault.subject in boards)
            for fault in self._faults
        )
        return Status.CONNECTION if bad else Status.OK

    def state(self, now: Instant) -> str:
        """Return the node's state in a word of the status topic."""
        if FaultName.STRIP in self._faults:
            return "error"
        if any(True for _ in self._faults):
            return "degraded"
        unknown = any(board.snapshot is None for board in self._boards.values())
        return "starting" if unknown and not self._presence.settled(now) else "ok"

    def _look_at(self, name: str, board: Board, now: Instant) -> None:
        if board.expired(now):
            text = f"board {name}: its tickets have expired, and nobody has published new ones"
            self._faults.set(FaultName.STALE, name, text, now)
        elif board.snapshot is not None:
            self._faults.set(FaultName.STALE, name, None, now)
        elif self._presence.up and self._presence.settled(now):  # else it may be on its way, or be unknown as before
            self._faults.set(FaultName.STALE, name, f"board {name}: nobody publishes its tickets", now)
        source = board.snapshot.source if board.snapshot else None
        for fault, trouble in self._pollers.troubles(source, name).items():
            self._faults.set(fault, name, trouble.text, now, code=trouble.code)

    def _look_at_refusals(self, now: Instant) -> None:
        """Raise and clear the faults of messages from the pollers that feed our boards; others do not matter."""
        sources = {board.snapshot.source for board in self._boards.values() if board.snapshot}
        refusals = self._pollers.refusals(source for source in sources if source)
        for fault in self._faults:
            if fault.name == FaultName.PAYLOAD and fault.subject not in self._boards and fault.subject not in refusals:
                self._faults.set(FaultName.PAYLOAD, fault.subject, None, now)
        for subject, text in refusals.items():
            self._faults.set(FaultName.PAYLOAD, subject, text, now)
