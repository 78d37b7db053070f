"""A node as a device of Home Assistant: its light, what it shows, and how it is. Pure."""

from collections.abc import Iterator

from apimon_node.config.settings import Settings, StripSettings
from apimon_node.contract.topics import Topics
from apimon_node.home_assistant.entities import (
    COUNT,
    DIAGNOSTIC,
    HIDDEN,
    STATUS,
    Device,
    Entity,
    announce,
    button,
    connectivity,
    fault,
    on_if,
    problem,
    readable,
    sensor,
    with_attributes,
)
from apimon_node.mqtt.messages import Publish

STATES = ("starting", "ok", "degraded", "error")
"""The words of a node's state."""

LIGHT_EFFECTS = ("tickets", "steady", "night")
"""What the light can do: all of it, without animation, or only what is overdue, dimly."""

BOARDS, STRIPS = f"{STATUS}.boards", f"{STATUS}.strips"
"""Parts of the status, in a template. Whoever uses one says what to do without it."""


def discovery(settings: Settings, version: str) -> Publish:
    """Make the message that tells Home Assistant of the node of a configuration."""
    assert settings.node is not None
    name = settings.node.id
    topics = Topics(settings.mqtt.base_topic).node(name)
    device = Device("node", name, f"Ticket light {readable(name)}", "Ticket light", topics)
    return announce(settings.home_assistant, device, _entities(device, settings.strips), version)


def _entities(device: Device, strips: tuple[StripSettings, ...]) -> Iterator[Entity]:
    yield _light(device)
    yield from _tickets(device)
    yield from _health(device)
    yield from _counters(device)
    yield from _buttons(device)
    for strip in strips:
        options = {"img_t": device.topics.image(strip.name), "cont_type": "image/png"}
        yield Entity("image", f"image:{strip.name}", f"Strip {readable(strip.name)}", options)


def _light(device: Device) -> Entity:
    """Return the light: the main thing of the device, so it has no name of its own."""
    options = {
        "schema": "json",
        "stat_t": device.topics.light,
        "cmd_t": device.topics.light_set,
        "brightness": True,
        "sup_clrm": ["brightness"],
        "effect": True,
        "fx_list": LIGHT_EFFECTS,
        "flash": False,  # both are on unless told otherwise
        "transition": False,
        "ic": "mdi:led-strip-variant",
    }
    return Entity("light", "light", None, options)


def _tickets(device: Device) -> Iterator[Entity]:
    """Return the sensors of the tickets that the node shows, all boards together."""
    tickets = sensor(device, "tickets", "Tickets", _sum(BOARDS, "tickets"), **COUNT, ic="mdi:ticket-outline")
    yield with_attributes(device, tickets, f"{{'boards': {BOARDS} | default({{}}, true)}}")
    yield sensor(device, "overdue", "Overdue", _sum(BOARDS, "overdue"), **COUNT, ic="mdi:clock-alert-outline")
    stale = "value.values() | map(attribute='stale', default=false) | select | list"
    yield problem(device, "stale", "Stale", on_if(BOARDS, stale))


def _health(device: Device) -> Iterator[Entity]:
    """Yield how the node is."""
    words = {"dev_cla": "enum", "ops": STATES, "ic": "mdi:state-machine"}
    yield sensor(device, "state", "State", f"{{{{ {STATUS}.state | default(none) }}}}", **words, **DIAGNOSTIC)
    yield fault(device)
    yield problem(device, "problem", "Problem", on_if(f"{STATUS}.state", "value == 'error'"))
    yield connectivity(device)


def _counters(device: Device) -> Iterator[Entity]:
    current = _sum(STRIPS, "milliamps")
    measured = {"dev_cla": "current", "unit_of_meas": "mA", "stat_cla": "measurement"}
    yield sensor(device, "current", "Estimated current", current, **measured, **DIAGNOSTIC)
    counted = {"stat_cla": "total_increasing", "ic": "mdi:counter"}
    yield sensor(device, "frames", "Frames", _sum(STRIPS, "frames"), **counted, **DIAGNOSTIC, **HIDDEN)
    started = f"{{{{ {STATUS}.started_at | default(none) }}}}"
    yield sensor(device, "started", "Started", started, dev_cla="timestamp", **DIAGNOSTIC, **HIDDEN)


def _buttons(device: Device) -> Iterator[Entity]:
    yield button(device, "identify", "Identify", dev_cla="identify", **DIAGNOSTIC)
    yield button(device, "self_test", "Self-test", ic="mdi:palette-outline", **DIAGNOSTIC)
    yield button(device, "refresh", "Refresh", ic="mdi:refresh", ent_cat="config", **HIDDEN)
    yield button(device, "restart", "Restart", dev_cla="restart", ent_cat="config")


def _sum(things: str, key: str) -> str:
    """Write the template that adds up a number of several things; without them nothing is known."""
    numbers = f"things.values() | map(attribute='{key}') | select('number') | sum"
    return f"{{% set things = {things} | default({{}}, true) %}}{{{{ ({numbers}) if things else none }}}}"
