"""The fleet: takes in what broker, nodes and pollers say, and gives the overview of it. Pure."""

from apimon_node.dashboard.overview import Overview
from apimon_node.instant import Instant
from apimon_node.mqtt.messages import Event


class Fleet:
    """All nodes, pollers and boards below a base topic, as far as they have been heard."""

    def __init__(self, base_topic: str) -> None:
        self._base = base_topic

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """The topic filters to listen to."""
        raise NotImplementedError

    def receive(self, event: Event, now: Instant) -> None:
        """Take in what came from the broker. Nothing that anybody may send raises."""
        raise NotImplementedError

    def overview(self, now: Instant) -> Overview:
        """Give all that is known. Parts that are as they were are the same objects as in the last overview."""
        raise NotImplementedError

    def deadline(self, now: Instant) -> float:
        """When (monotonic seconds) the overview changes by itself; infinity for never."""
        raise NotImplementedError
