"""The names of all topics of the MQTT contract. Pure."""

import re
from typing import NamedTuple

ID = re.compile(r"[a-z0-9_-]{1,100}")
"""The id of a node, a strip, a poller or a board; readers take none that is longer."""

ONLINE, OFFLINE = b"online", b"offline"
"""The two values of every availability topic."""


class Topics(NamedTuple):
    """The topics below a base. An id of `+` gives the filter for all."""

    base: str

    def tickets(self, board: str) -> str:
        """Name the snapshot of a board."""
        return f"{self.base}/tickets/{board}"

    def summary(self, board: str) -> str:
        """Name the numbers of a board, retained."""
        return f"{self.base}/boards/{board}/summary"

    def event(self, board: str) -> str:
        """Name what happens to the tickets of a board."""
        return f"{self.base}/boards/{board}/event"

    def poller(self, poller: str) -> "Own":
        """Name the topics of a poller."""
        return Own(f"{self.base}/pollers/{poller}")

    def node(self, node: str) -> "Own":
        """Name the topics of a node."""
        return Own(f"{self.base}/nodes/{node}")


class Own(NamedTuple):
    """The topics of one node or poller."""

    base: str

    @property
    def availability(self) -> str:
        """Online or offline, retained."""
        return f"{self.base}/availability"

    @property
    def status(self) -> str:
        """How it is, retained."""
        return f"{self.base}/status"

    @property
    def light(self) -> str:
        """What the light of a node is set to, retained."""
        return f"{self.base}/light"

    @property
    def light_set(self) -> str:
        """What it shall be set to."""
        return f"{self.base}/light/set"

    def strip(self, strip: str) -> str:
        """Name what a strip of a node shows, retained."""
        return f"{self.base}/strips/{strip}"

    def strip_config(self, strip: str) -> str:
        """Name how a strip of a node is configured, retained."""
        return f"{self.strip(strip)}/config"

    def image(self, strip: str) -> str:
        """Name the picture of a strip of a node, retained."""
        return f"{self.strip(strip)}/image"

    def request(self, what: str) -> str:
        """Name what it is asked to do."""
        return f"{self.base}/request/{what}"

    def response(self, what: str) -> str:
        """Name the answer to a request."""
        return f"{self.base}/response/{what}"
