"""Ports of loopback that stay a test's own, also while nothing listens on them."""

import itertools
import socket
from collections.abc import Iterator
from functools import cache

FIRST, LAST, BLOCK = 10_000, 32_000, 500
"""Below the ports that the kernel hands out by itself, to whoever binds port 0 or connects."""


def free_port() -> int:
    """Return a port that nobody uses, and that no other process of tests will use while this one lives.

    A port that the kernel has handed out is anybody's once it is closed: the broker that is to have it, or to come
    back to it after a while, may find it taken.
    """
    return next(port for port in _ports() if _is_free(port))


@cache
def _ports() -> Iterator[int]:
    """Claim a block of ports for this process, and return its ports, over and over."""
    for first in range(FIRST, LAST, BLOCK):
        with socket.socket(socket.AF_UNIX) as claim:
            try:
                claim.bind(f"\0apimon-test-ports-{first}")
            except OSError:
                continue
            claim.detach()  # it stays open, and with it the claim, until the process ends
            return itertools.cycle(range(first, first + BLOCK))
    raise AssertionError("other tests have claimed all ports")


def _is_free(port: int) -> bool:
    """Return whether a broker could listen on a port now."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
