"""Nodes and pollers as people read them: what they have said of themselves, put together. Pure."""

from apimon_node.contract.poller_status import BoardReport, PollerStatus
from apimon_node.dashboard import advice, words
from apimon_node.dashboard.overview import Node, Poller, PollerBoard
from apimon_node.dashboard.payloads import NodeStatus, fault
from apimon_node.picture.scene import LightState


def node(
    name: str,
    online: bool | None,  # noqa: FBT001 - inputs of a memo have no names
    status: NodeStatus | None,
    light: LightState | None,
    strips: tuple[str, ...],
    boards: tuple[str, ...],
) -> Node:
    """Return a node. `strips` and `boards` are those that are known of it without its status."""
    if status is None:
        return Node(name, online, light=light, strips=strips, boards=boards)
    return Node(
        name,
        online,
        status.state,
        light,
        status.quiet,
        status.faults,
        status.version,
        status.started_at,
        strips,
        status.boards,
    )


def poller(name: str, online: bool | None, status: PollerStatus) -> Poller:  # noqa: FBT001 - as above
    """Return a poller."""
    boards = tuple(_board(board, report) for board, report in status.boards.items())
    faults = tuple(map(fault, status.faults))
    return Poller(name, online, boards, words.line(status.version) or None, status.started_at, faults)


def _board(name: str, report: BoardReport) -> PollerBoard:
    """Return a report fit to be shown."""
    state = words.line(report.state) or "unknown"
    shown = report._replace(state=state, detail=words.line(report.detail, words.SUMMARY))
    return PollerBoard(name, shown, advice.about_state(state))
