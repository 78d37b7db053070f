"""What the codes of rpi_ws281x mean, and what helps. Pure. docs/troubleshooting.md says more about each."""

from typing import NamedTuple

from apimon_node.errors import Failure, StripError
from apimon_node.strip.child import BUSY, FORBIDDEN, REFUSED


class Code(NamedTuple):
    """A code: the library's text (ws2811.h), the class of failure, and what to do."""

    text: str
    failure: Failure
    mend: str = ""


ROOT = "run the node as root, or with a strip service (apimon-node strip), or use the driver spi"

CODES = {
    -1: Code("Generic failure", Failure.OPEN),
    -2: Code("Out of memory", Failure.MEMORY, "the GPU's memory is used up; only a restart of the Pi gives it back"),
    -3: Code(
        "Hardware revision is not supported", Failure.PERMANENT, "a Pi 5, or no Raspberry Pi at all: use the driver spi"
    ),
    -4: Code("Memory lock failed", Failure.OPEN),
    -5: Code("mmap() failed", Failure.OPEN),
    -6: Code("Unable to map registers into userspace", Failure.OPEN),
    -7: Code("Unable to initialize GPIO", Failure.OPEN),
    -8: Code("Unable to initialize PWM", Failure.OPEN),
    -9: Code("Failed to create mailbox device", Failure.PERMANENT, "/dev/vcio is missing: not the Pi's kernel"),
    -10: Code("DMA error", Failure.STICKY),
    -11: Code("Selected GPIO not possible", Failure.PERMANENT, "this Pi does not have it: use another pin"),
    -12: Code("Unable to initialize PCM", Failure.OPEN),
    -13: Code("Unable to initialize SPI", Failure.OPEN, "switch SPI on, and be in the groups spi and gpio"),
    -14: Code("SPI transfer error", Failure.WRITE, "is the strip longer than spidev's bufsiz allows?"),
    REFUSED: Code("the message was refused", Failure.PERMANENT, "node and strip service are of different versions"),
    BUSY: Code("another client is served", Failure.OPEN, "is this node the second at one service?"),
    FORBIDDEN: Code("this user is not allowed", Failure.PERMANENT, "start the strip service with --user and its name"),
}
"""By status, as a child or a strip service answers it."""

NEEDS_ROOT = frozenset([-5, -6])
"""Codes that come of /dev/mem, which only root may open."""


def error(status: int, *, root: bool) -> StripError:
    """Make the error of a status that is not 0. `root`: whoever loads the library has all rights."""
    code = CODES.get(status, Code("unknown to this version", Failure.OPEN))
    if status in NEEDS_ROOT and not root:
        code = code._replace(failure=Failure.PERMANENT, mend=ROOT)
    number = f"code {status}, " if status < 0 else ""
    return StripError(f"ws281x: {number}{code.text}" + (f": {code.mend}" if code.mend else ""), code.failure, status)
