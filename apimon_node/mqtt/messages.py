"""What passes between the link and the program: events in, messages out. Pure values."""

from typing import NamedTuple


class Publish(NamedTuple):
    """A message to send, at QoS 1."""

    topic: str
    payload: bytes
    retain: bool = True


class Message(NamedTuple):
    """A message that came. `retained` where the broker had kept it from before our subscription."""

    topic: str
    payload: bytes
    retained: bool = False


class Up(NamedTuple):
    """The link is up: connected, and subscribed to all but what `denied` names."""

    broker: str
    protocol: str
    denied: tuple[str, ...] = ()


class Down(NamedTuple):
    """The link is down, or another try has failed; `reason` is a sentence."""

    reason: str


class Refused(NamedTuple):
    """The broker did not take a message for this topic. Only MQTT 5 tells.

    We may not write it, unless `reason`, a sentence, says something else.
    """

    topic: str
    reason: str = ""


Event = Message | Up | Down | Refused
