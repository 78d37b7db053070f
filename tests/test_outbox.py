"""The outbox: retained topics only when they changed, all else as it is said."""

from apimon_node.mqtt.messages import Publish
from apimon_node.mqtt.outbox import Outbox


def test_state_is_retained_and_published_only_when_it_changed() -> None:
    outbox, sent = Outbox(), []
    for payload in (b"1", b"1", b"2", b"2", b"1"):
        outbox.state("a", payload)
        sent += outbox.drain()

    assert sent == [Publish("a", b"1"), Publish("a", b"2"), Publish("a", b"1")]
    assert all(message.retain for message in sent)


def test_each_topic_has_a_state_of_its_own() -> None:
    outbox = Outbox()
    outbox.state("a", b"1")
    outbox.state("b", b"1")

    assert outbox.drain() == [Publish("a", b"1"), Publish("b", b"1")]


def test_what_is_said_once_is_not_retained_and_may_be_said_again() -> None:
    outbox = Outbox()
    outbox.once("a", b"1")
    outbox.once("a", b"1")

    assert outbox.drain() == [Publish("a", b"1", retain=False)] * 2


def test_messages_leave_in_their_order_and_once() -> None:
    outbox = Outbox()
    outbox.state("a", b"1")
    outbox.once("b", b"2")
    outbox.state("c", b"3")

    assert [message.topic for message in outbox.drain()] == ["a", "b", "c"]
    assert outbox.drain() == []


def test_after_a_broker_may_have_lost_it_everything_is_news_again() -> None:
    outbox = Outbox()
    outbox.state("a", b"1")
    outbox.drain()
    outbox.forget()
    outbox.state("a", b"1")

    assert outbox.drain() == [Publish("a", b"1")]
