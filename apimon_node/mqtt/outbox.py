"""The outbox: what is to be published, a retained topic only when it changed. Pure."""

from apimon_node.mqtt.messages import Publish


class Outbox:
    """Collects messages until they are drained."""

    def __init__(self) -> None:
        self._state: dict[str, bytes] = {}
        self._pending: list[Publish] = []

    def state(self, topic: str, payload: bytes) -> bool:
        """Queue a retained message unless the topic already has this payload. Return True if queued."""
        if self._state.get(topic) == payload:
            return False
        self._state[topic] = payload
        self.add(Publish(topic, payload))
        return True

    def add(self, message: Publish) -> None:
        """Queue a message, whether it is news or not."""
        self._pending.append(message)

    def once(self, topic: str, payload: bytes) -> None:
        """Queue a message that is not retained."""
        self.add(Publish(topic, payload, retain=False))

    def forget(self) -> None:
        """Everything is news again: a broker may have lost it."""
        self._state.clear()

    def forget_one(self, topic: str) -> None:
        """Take what is said on a topic for news again: somebody may have got it wrong."""
        self._state.pop(topic, None)

    def drain(self) -> list[Publish]:
        """Take what has collected."""
        pending, self._pending = self._pending, []
        return pending
