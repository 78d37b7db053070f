"""Home Assistant's device discovery: one retained message tells it of a device and all of its entities. Pure.

The keys are its abbreviations (`abbreviations.py` of its MQTT integration), and only those that mean the same from
2025.10, the first with `def_ent_id`, to 2026.11. An unknown key outside of a component makes it refuse the whole
device, one inside is dropped without a word, and a template that misses a key is a warning in its log at each message.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from apimon_node import wire
from apimon_node.config.settings import HomeAssistantSettings, Settings
from apimon_node.contract.topics import OFFLINE, ONLINE, Own
from apimon_node.mqtt.messages import Publish

NAME = "apimon_node"
"""Who makes the devices, and whose discovery it is."""

NOTHING = "{}"
"""What a button sends: our requests take an object."""

TEXT_LIMIT = 255
"""Characters of a state, at the most; a longer one is refused."""

DIAGNOSTIC: Mapping[str, object] = {"ent_cat": "diagnostic"}
"""For what tells how the device is, and not how the tickets are."""

HIDDEN: Mapping[str, object] = {"en": False}
"""For what few want: it is there, and disabled until somebody enables it."""

COUNT: Mapping[str, object] = {"stat_cla": "measurement", "unit_of_meas": "tickets"}
"""For a number of tickets."""

ALWAYS: Mapping[str, object] = {"avty": []}
"""For what must not become unavailable with its device, since that is what it tells."""

STATUS = "(value_json | default({}, true))"
"""The payload in a template, also where there is none: somebody may have cleared the topic."""

FAULTS = f"{STATUS}.faults"
"""The faults of a status, in a template; not there before there is a status, and of older pollers."""

MOST_FAULTS = 20
"""Faults in the attributes, at the most: Home Assistant records no attributes of more than 16 KiB."""


class Device(NamedTuple):
    """A device: what it is (`node` or `poller`), its id, its name for people, and its topics."""

    kind: str
    id: str
    name: str
    model: str
    topics: Own

    @property
    def unique_id(self) -> str:
        """The identity that never changes, whatever people call the device."""
        return unique_id(self.kind, self.id)


class Entity(NamedTuple):
    """One thing of a device: on which platform, its part of the unique id, its name for people, and its options.

    What a thing is of stands after a colon, which no id has: `tickets:ops`. So no two things of any two devices share
    a unique id. A `name` of None is that of the device.
    """

    platform: str
    thing: str
    name: str | None
    options: Mapping[str, object]


def unique_id(kind: str, name: str) -> str:
    """Return the identity of a node's or poller's device."""
    return f"apimon_{kind}_{name}"


def config_topic(home: HomeAssistantSettings, kind: str, name: str) -> str:
    """Name the topic on which a node or poller is announced."""
    return f"{home.discovery_prefix}/device/{unique_id(kind, name)}/config"


def config_topics(settings: Settings) -> list[str]:
    """Name the topics on which the node and the poller of a configuration are announced."""
    parts = (("node", settings.node), ("poller", settings.poller))
    return [config_topic(settings.home_assistant, kind, part.id) for kind, part in parts if part is not None]


def announce(home: HomeAssistantSettings, device: Device, entities: Iterable[Entity], version: str) -> Publish:
    """Make the message that tells of a device."""
    payload = {
        "dev": {
            "ids": [device.unique_id],
            "name": device.name,
            "mf": NAME,
            "mdl": device.model,
            "sw": version,
        },
        "o": {"name": NAME, "sw": version},
        "avty": [{"t": device.topics.availability}],
        "qos": 1,
        "cmps": {slug(entity.thing): _component(device, entity) for entity in entities},
    }
    return Publish(config_topic(home, device.kind, device.id), wire.dump(payload))


def connectivity(device: Device) -> Entity:
    """Return whether a device is there at all."""
    options = {"dev_cla": "connectivity", "stat_t": device.topics.availability, **DIAGNOSTIC, **ALWAYS}
    payloads = {"pl_on": ONLINE.decode(), "pl_off": OFFLINE.decode()}
    return Entity("binary_sensor", "connected", "Connected", {**options, **payloads})


def button(device: Device, what: str, name: str, **options: object) -> Entity:
    """Return a button that sends a request to a device."""
    return Entity("button", what, name, {"cmd_t": device.topics.request(what), "pl_prs": NOTHING, **options})


def sensor(device: Device, thing: str, name: str, template: str, **options: object) -> Entity:
    """Make a sensor of something in the status."""
    return Entity("sensor", thing, name, {"stat_t": device.topics.status, "val_tpl": template, **options})


def problem(device: Device, thing: str, name: str, template: str) -> Entity:
    """Make a binary sensor that is on while something is wrong."""
    options = {"dev_cla": "problem", "stat_t": device.topics.status, "val_tpl": template}
    return Entity("binary_sensor", thing, name, options)


def with_attributes(device: Device, entity: Entity, attributes: str) -> Entity:
    """Add attributes from the status to a sensor."""
    more = {"json_attr_t": device.topics.status, "json_attr_tpl": f"{{{{ {attributes} | tojson }}}}"}
    return entity._replace(options={**entity.options, **more})


def fault(device: Device) -> Entity:
    """Return what is wrong with a device: the first fault in words, all of them in the attributes; `none` if well."""
    first = f"((faults | map(attribute='text') | select('string') | list) + ['none'])[0][:{TEXT_LIMIT}]"
    text = f"{{% set faults = {FAULTS} | default(none) %}}{{{{ none if faults is none else {first} }}}}"
    entity = sensor(device, "fault", "Fault", text, ic="mdi:message-alert-outline", **DIAGNOSTIC)
    return with_attributes(device, entity, f"{{'faults': ({FAULTS} | default([], true))[:{MOST_FAULTS}]}}")


def on_if(value: str, test: str) -> str:
    """Write the template of a binary sensor: whether a value passes a test; without the value nothing is known."""
    return f"{{% set value = {value} | default(none) %}}{{{{ none if value is none else 'ON' if {test} else 'OFF' }}}}"


def readable(name: str) -> str:
    """Write an id for people."""
    return re.sub(r"[_-]+", " ", name).strip() or name


def capitalised(name: str) -> str:
    """Write an id for people, at the beginning of a name."""
    words = readable(name)
    return words[:1].upper() + words[1:]


def slug(thing: str) -> str:
    """Write a thing as a part of an id, also a status of any script. No two things give the same."""
    return re.sub(r"[^a-zA-Z0-9_:-]", lambda match: "".join(f"%{byte:02x}" for byte in match[0].encode()), thing)


def _component(device: Device, entity: Entity) -> dict[str, object]:
    """Describe an entity. Of the default id Home Assistant makes a proper one: `_` for `:`, any script in a to z."""
    own = device.unique_id if entity.name is None else f"{device.unique_id}_{entity.thing}"
    return {
        "p": entity.platform,
        "name": entity.name,
        "uniq_id": f"{device.unique_id}_{slug(entity.thing)}",
        "def_ent_id": f"{entity.platform}.{own}",
        **entity.options,
    }
