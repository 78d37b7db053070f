"""`apimon-node` whose driver `memory` writes the monotonic time (ns) of each frame to standard output."""

import os
import sys
import time

from apimon_node.commands import cli
from apimon_node.strip import drivers
from apimon_node.strip.driver import Shown
from apimon_node.strip.memory import MemoryStrip


class ProbedStrip(MemoryStrip):
    """Tells when it is written."""

    def show(self, frame: bytes) -> Shown:
        os.write(1, b"%d\n" % time.monotonic_ns())
        return super().show(frame)


drivers.MemoryStrip = ProbedStrip  # type: ignore[attr-defined]  # the table of drivers is no place for a bench
sys.exit(cli.main())
