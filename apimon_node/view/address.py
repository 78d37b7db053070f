"""Where the page listens, and by which names it may be called there. Pure."""

import ipaddress
import re
from collections.abc import Collection
from typing import NamedTuple

from apimon_node.errors import ConfigError

_LISTEN = re.compile(r"(?:\[(?P<six>[^\[\]]+)\]|(?P<host>[^\[\]:\s]+)):(?P<port>\d{1,5})", re.ASCII)
_NAMED = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:]+)(:\d+)?", re.ASCII)

MAX_PORT = 65535

LOOPBACK_NAMES = frozenset(["localhost", "127.0.0.1", "[::1]"])


class Address(NamedTuple):
    """A host (a name, or an address without brackets) and a port; port 0 asks for one that is free."""

    host: str = "127.0.0.1"
    port: int = 8765

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Return whether this machine alone can reach it."""
        address = _ip(self.host)
        return self.host == "localhost" or (address is not None and address.is_loopback)


def parse(text: str) -> Address:
    """Read HOST:PORT. Raises ConfigError."""
    match = _LISTEN.fullmatch(text)
    if match is None or int(match["port"]) > MAX_PORT or (match["six"] and _ip(match["six"]) is None):
        raise ConfigError(f"--listen: expected HOST:PORT such as 127.0.0.1:8765 or '[::1]:8765', got {text!r}")
    return Address(match["six"] or match["host"], int(match["port"]))


class Names:
    """The names by which browsers may ask for the page.

    A foreign page can let its own name lead to our address, and would then be of one origin with us (DNS rebinding).
    So a name must be one of ours. Beyond loopback an address will do as well: it cannot be led anywhere.
    """

    def __init__(self, address: Address, ours: Collection[str]) -> None:
        """`ours`: names that lead to us, beside the one that we listen to."""
        self._loopback = address.loopback
        self._ours = LOOPBACK_NAMES | {name.lower() for name in (address.host, *ours)}

    def has(self, host: str) -> bool:
        """Return whether the header Host names us."""
        match = _NAMED.fullmatch(host.lower())
        if match is None:
            return False
        return match[1] in self._ours or (not self._loopback and _ip(match[1].strip("[]")) is not None)


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
