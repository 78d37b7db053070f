"""Advice: what to do about each fault of a node or poller, and each state of a board's Jira, in plain words. Pure."""

from apimon_node.contract.faults import FaultName
from apimon_node.errors import JiraState

FAULTS: dict[str, str] = {
    FaultName.STRIP: (
        "Look at the strip's power and wires. Then run apimon-node doctor on the node: it tells what to do about this"
        " error. The node tries again by itself."
    ),
    FaultName.BROKER: (
        "See that the broker runs and that the network reaches it. Nodes and pollers connect again by themselves; until"
        " then the strips show what they knew last."
    ),
    FaultName.ACCESS: (
        "Let it read and write its topics: apimon-node acl prints the access list that mosquitto needs. Then restart"
        " it, or wait for its next connection."
    ),
    FaultName.PAYLOAD: (
        "Correct what is published on this topic: the text names the place, docs/mqtt.md the format. The last good"
        " message stays in use until the next good one."
    ),
    FaultName.STALE: (
        "See that a poller for this board runs and reaches Jira, or publish its tickets by hand: apimon-node publish."
    ),
    FaultName.POLLER: (
        "Start the poller again (systemctl restart apimon-poller), and see in its log why it ended. The strip shows the"
        " last tickets until they expire."
    ),
}
"""By the fault's name (docs/mqtt.md). The fault `jira` has the advice for its code, the poller's state."""

STATES = {
    JiraState.OK: "",
    JiraState.OFFLINE: (
        "See that Jira runs, and that the poller's machine reaches it: name, network, proxy and certificates."
        " The poller asks again by itself."
    ),
    JiraState.AUTH: (
        "Give the poller a new token, or give its user access to Jira and the project: a token may have expired or been"
        " revoked. A new one counts at the next try; a service of systemd takes it when it is restarted."
    ),
    JiraState.QUERY: (
        "Correct the board's jql in the poller's config.yaml: try it in Jira's own search, and narrow it if it finds"
        " too many tickets."
    ),
    JiraState.RATE_LIMITED: (
        "Nothing need be done: the poller waits as long as Jira asks. If it comes often, make its interval longer."
    ),
    JiraState.ERROR: (
        "See whether Jira itself is well, and whether the poller's url leads to it. The poller asks again by itself."
    ),
}
"""By the state of a board's last poll."""

UNKNOWN = "This program does not know it: look into the log of whoever says it, or update this program."


def about_fault(name: str, code: object = None) -> str:
    """Return what to do about a fault of a node or poller."""
    return about_state(str(code)) if name == FaultName.JIRA else FAULTS.get(name, UNKNOWN)


def about_state(state: str) -> str:
    """Return what to do about the state in which a poller has a board; nothing where all is well."""
    return next((text for known, text in STATES.items() if known == state), UNKNOWN)
