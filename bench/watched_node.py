"""`apimon-node` that writes the time (ns) of its longest turn so far to standard output, at each longer one.

A turn is what the loop does between two sleeps: as long as it takes, MQTT waits.
"""

import os
import sys
import time
from typing import Any

from apimon_node.commands import cli
from apimon_node.mqtt.link import Link

wait = Link.wait
longest = 0
woken = 0


def watched(link: Link, *args: Any) -> Any:
    """Sleep as ever, and take the time until it is asked to again."""
    global longest, woken  # noqa: PLW0603 - a process with one link
    took = time.monotonic_ns() - woken if woken else 0
    if took > longest:
        longest = took
        os.write(1, b"%d\n" % took)
    events = wait(link, *args)
    woken = time.monotonic_ns()
    return events


Link.wait = watched  # type: ignore[assignment]  # no program needs a place for that
sys.exit(cli.main())
