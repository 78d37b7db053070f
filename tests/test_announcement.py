"""When a device is announced to Home Assistant: at connections, births and changes, and no more often than needed."""

import math
from collections.abc import Callable, Iterator

import pytest

from apimon_node.config.settings import HomeAssistantSettings
from apimon_node.home_assistant.announcement import DEBOUNCE, Announcement, Due
from apimon_node.mqtt.messages import Down, Message, Publish, Refused, Up

UP = Up("broker", "5")
DOWN = Down("gone")
BIRTH = Message("homeassistant/status", b"online")
DEVICE, OTHER, THIRD = (Publish("homeassistant/device/x/config", text) for text in (b"one", b"two", b"three"))


def announcement(
    *, home: HomeAssistantSettings | None = None, chance: Callable[[], float] = lambda: 0.0, device: Publish = DEVICE
) -> Announcement:
    """Make one that has something to announce, and no connection yet."""
    made = Announcement(home or HomeAssistantSettings(), chance)
    made.describe(device, 0)
    return made


def announced(*, chance: Callable[[], float] = lambda: 0.0) -> Announcement:
    """Make one that has connected at 0, and announced its device at 0.5."""
    made = announcement(chance=chance)
    made.receive(UP, 0)
    assert made.due(0.5) == Due(DEVICE)
    return made


def said(made: Announcement, until: float) -> Iterator[tuple[float, Due]]:
    """Let time pass; give what is said when, by its deadlines."""
    while (now := made.deadline()) < until:
        yield now, made.due(now)


def test_without_a_connection_nothing_is_announced() -> None:
    made = announcement()

    assert made.deadline() == math.inf
    assert made.due(1000) == Due()


@pytest.mark.parametrize(("chance", "at"), [(0.0, 100.5), (0.5, 102.75), (1.0, 105.0)])
@pytest.mark.parametrize("event", [UP, BIRTH])
def test_a_connection_and_a_birth_are_answered_within_half_a_second_to_five(
    event: Up | Message, chance: float, at: float
) -> None:
    made = announcement(chance=lambda: chance)
    if event is BIRTH:
        made.receive(UP, 0)
        made.due(50)
    made.receive(event, 100)

    assert list(said(made, 1000)) == [(at, Due(DEVICE, everything=event is BIRTH))]


def test_nothing_is_due_before_its_deadline() -> None:
    made = announcement()
    made.receive(UP, 0)

    assert made.due(0.4) == Due()
    assert made.due(0.5) == Due(DEVICE)
    assert made.due(0.5) == Due()


def test_what_has_not_changed_is_not_said_again_on_the_same_connection() -> None:
    made = announced()
    made.describe(DEVICE, 100)

    assert list(said(made, math.inf)) == []


def test_every_connection_hears_it_for_a_broker_may_have_lost_it() -> None:
    made = announced()
    made.receive(DOWN, 10)
    assert made.deadline() == math.inf
    made.receive(UP, 20)

    assert list(said(made, 1000)) == [(20.5, Due(DEVICE))]


def test_a_birth_asks_for_everything_that_is_retained_and_a_connection_does_not() -> None:
    made = announced()
    made.receive(BIRTH, 10)

    assert made.due(10.5) == Due(DEVICE, everything=True)
    made.receive(DOWN, 20)
    made.receive(UP, 21)
    assert made.due(21.5) == Due(DEVICE, everything=False)


def test_births_in_quick_succession_are_answered_once() -> None:
    chances = iter([0.0, 1.0, 0.0])
    made = announced(chance=lambda: next(chances))
    made.receive(BIRTH, 10)
    made.receive(BIRTH, 14)

    assert list(said(made, 1000)) == [(14.5, Due(DEVICE, everything=True))]


def test_a_birth_that_comes_with_the_connection_moves_nothing_back() -> None:
    chances = iter([0.5, 1.0])
    made = announcement(chance=lambda: next(chances))
    made.receive(UP, 0)
    made.receive(BIRTH, 1)

    assert list(said(made, 1000)) == [(2.75, Due(DEVICE, everything=True))]


def test_a_birth_before_a_loss_of_the_connection_is_forgotten() -> None:
    made = announced()
    made.receive(BIRTH, 10)
    made.receive(DOWN, 10.1)
    made.receive(UP, 11)

    assert list(said(made, 1000)) == [(11.5, Due(DEVICE))]


@pytest.mark.parametrize(
    "message",
    [
        Message("homeassistant/status", b"offline"),
        Message("homeassistant/status", b""),
        Message("homeassistant/status", b"\xff"),
        Message("homeassistant/status", b"online", retained=True),
    ],
)
def test_on_the_topic_of_births_only_a_birth_of_now_counts(message: Message) -> None:
    made = announced()

    assert made.receive(message, 10)
    assert made.deadline() == math.inf


@pytest.mark.parametrize(
    "event", [UP, DOWN, Refused("homeassistant/status"), Message("apimon/tickets/ops", b"online"), Message("x", b"")]
)
def test_all_other_events_concern_others_too(event: Up | Down | Refused | Message) -> None:
    assert not announced().receive(event, 10)


def test_a_change_is_said_when_it_has_settled() -> None:
    made = announced()
    made.describe(OTHER, 100)
    made.describe(THIRD, 103)

    assert list(said(made, 1000)) == [(105, Due(THIRD))]


def test_changes_without_an_end_are_said_every_five_seconds() -> None:
    made = announced()
    times = []
    for now in range(100, 130):
        made.describe(Publish("x", b"%d" % now), now)
        if made.due(now).announcement:
            times.append(now)

    assert times == [105, 111, 117, 123, 129]


def test_a_change_that_is_taken_back_is_not_said() -> None:
    made = announced()
    made.describe(OTHER, 100)
    made.describe(DEVICE, 101)

    assert [due for _, due in said(made, 1000)] == [Due()]


@pytest.mark.parametrize("event", [BIRTH, UP])
def test_two_different_announcements_are_five_seconds_apart_whatever_asks_for_them(event: Up | Message) -> None:
    made = announced()
    made.describe(OTHER, 1)
    if event is UP:
        made.receive(DOWN, 1)
    made.receive(event, 1)

    assert list(said(made, 1000)) == [(0.5 + DEBOUNCE, Due(OTHER, everything=event is BIRTH))]


def test_a_change_while_there_is_no_connection_waits_for_one() -> None:
    made = announced()
    made.receive(DOWN, 10)
    made.describe(OTHER, 20)
    assert made.deadline() == math.inf
    made.receive(UP, 30)

    assert list(said(made, 1000)) == [(30.5, Due(OTHER))]


def test_a_change_right_after_the_connection_goes_with_it() -> None:
    made = announcement()
    made.receive(UP, 0)
    made.describe(OTHER, 0.2)

    assert list(said(made, 1000)) == [(0.5, Due(OTHER))]


def test_who_has_nothing_to_announce_yet_does_so_as_soon_as_there_is_something() -> None:
    made = Announcement(HomeAssistantSettings(), lambda: 0.0)
    made.receive(UP, 0)
    assert made.deadline() == math.inf
    made.describe(DEVICE, 100)

    assert list(said(made, 1000)) == [(0.5, Due(DEVICE))]


def test_the_topic_of_births_is_that_of_the_configuration() -> None:
    made = announcement(home=HomeAssistantSettings(status_topic="ha/birth"))
    made.receive(UP, 0)
    made.due(1)

    assert made.subscriptions == ("ha/birth",)
    assert not made.receive(BIRTH, 10)
    assert made.receive(Message("ha/birth", b"online"), 10)
    assert made.deadline() == 10.5


def test_the_topic_of_births_lies_below_the_prefix_unless_it_is_named() -> None:
    assert announcement(home=HomeAssistantSettings(discovery_prefix="ha")).subscriptions == ("ha/status",)


def test_when_it_is_off_it_listens_to_nothing_and_says_nothing() -> None:
    made = announcement(home=HomeAssistantSettings(enabled=False))
    assert made.subscriptions == ()
    for event in (UP, BIRTH):
        assert not made.receive(event, 0)
    made.describe(OTHER, 1)

    assert made.deadline() == math.inf
    assert made.due(1000) == Due()
