"""The benchmarks: `python bench/run.py [--quick] [--only NAME]`. Figures are printed, not asserted.

Quote the ratios: what stands in one row was measured in one run, on one broker. It needs mosquitto and
chromium on this machine.
"""

import argparse
import compileall
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:1] = [str(ROOT), str(ROOT / "tests")]  # the pretended Pi and the browser are of the tests

from bench import arm, faults, frames, ingest, latency, memory, native, polling, rest, screen, start, view  # noqa: E402
from bench.table import print_head, print_rows  # noqa: E402

MEASUREMENTS = {
    "rest": rest.at_rest,
    "pulse": rest.pulsing,
    "ingest": ingest.ingest,
    "memory": memory.memory,
    "start": start.start,
    "latency": latency.latency,
    "images": latency.images,
    "interval": latency.interval,
    "frames": frames.frames,
    "native": native.native,
    "faults": faults.faults,
    "polling": polling.polling,
    "arm": arm.arm,
    "view": view.view,
    "watch": screen.watch,
}


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(
        description="Measure the node beside mosquitto_sub and a bare paho client, and its page."
    )
    parser.add_argument("--quick", action="store_true", help="shorter windows, fewer rounds")
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, metavar="NAME", help=", ".join(MEASUREMENTS))
    args = parser.parse_args()
    begun = time.monotonic()
    # As pip does when it installs. Where PYTHONDONTWRITEBYTECODE is set, each start would else compile the node anew.
    compileall.compile_dir(ROOT / "apimon_node", quiet=1)
    print_head()
    for name, measure in MEASUREMENTS.items():
        if name in (args.only or MEASUREMENTS):
            print_rows(measure(quick=args.quick))
    print(f"{time.monotonic() - begun:.0f} s on Python {sys.version.split()[0]}")


try:
    main()
except KeyboardInterrupt:
    sys.exit(130)
