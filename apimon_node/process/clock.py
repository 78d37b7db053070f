"""The machine's clocks, for the programs: everything that decides is given their time."""

import time

from apimon_node.clock import Instant


def clock() -> Instant:
    """Read both clocks: the only place that does so for the node and the poller."""
    return Instant(time.monotonic(), time.time())
