"""A poller as a device of Home Assistant: its boards in numbers, what happens on them, and how Jira is. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping

from apimon_node.config.settings import Settings
from apimon_node.contract.topics import Topics
from apimon_node.home_assistant.entities import (
    COUNT,
    DIAGNOSTIC,
    FAULTS,
    STATUS,
    TEXT_LIMIT,
    Device,
    Entity,
    announce,
    button,
    capitalised,
    connectivity,
    fault,
    on_if,
    problem,
    readable,
)
from apimon_node.mqtt.messages import Publish

EVENT_TYPES = ("created", "status_changed", "overdue", "closed")
"""The words of the event topic: an event of any other is refused."""

STATUSES = 100
"""Statuses of a board that get a sensor of their own, at the most. All of them are in the attributes."""


def discovery(settings: Settings, statuses: Mapping[str, Iterable[str]], version: str) -> Publish:
    """Make the message that tells Home Assistant of the poller of a configuration.

    `statuses` are those known so far, by board. One that is left out later stays until Home Assistant restarts.
    """
    assert settings.poller is not None
    name, topics = settings.poller.id, Topics(settings.mqtt.base_topic)
    device = Device("poller", name, f"Jira poller {readable(name)}", "Jira poller", topics.poller(name))
    entities = [
        connectivity(device),
        button(device, "poll", "Poll now", ic="mdi:cloud-refresh-outline"),
        fault(device),
        problem(device, "problem", "Problem", on_if(FAULTS, "value")),
    ]
    for board in settings.boards:
        known = sorted(set(statuses.get(board.name, ())))[:STATUSES]
        entities += _numbers(topics, board.name, known)
        entities.append(_event(topics, board.name))
        entities += _report(device, board.name)
    return announce(settings.home_assistant, device, entities, version)


def _numbers(topics: Topics, board: str, statuses: Iterable[str]) -> Iterator[Entity]:
    """Return the sensors of a board's tickets. A status that the summary leaves out has none."""
    summary = topics.summary(board)
    name = capitalised(board)
    all_of_it = {"json_attr_t": summary, "json_attr_tpl": f"{{{{ {STATUS} | tojson }}}}", "ic": "mdi:ticket-outline"}
    yield _count(summary, f"tickets:{board}", f"{name} tickets", f"{STATUS}.total | default(none)", **all_of_it)
    late = f"{STATUS}.overdue | default(none)"
    yield _count(summary, f"overdue:{board}", f"{name} overdue", late, ic="mdi:clock-alert-outline")
    for status in statuses:
        of_status = f"({STATUS}.statuses | default({{}}, true)).get({_literal(status)}, {{}}).total | default(0)"
        thing = f"status:{board}:{status}"
        yield _count(summary, thing, f"{name} {status}", of_status, ic="mdi:ticket-confirmation-outline")


def _count(topic: str, thing: str, name: str, value: str, **options: object) -> Entity:
    return Entity("sensor", thing, name, {"stat_t": topic, "val_tpl": f"{{{{ {value} }}}}", **COUNT, **options})


def _event(topics: Topics, board: str) -> Entity:
    options = {"stat_t": topics.event(board), "evt_typ": EVENT_TYPES, "ic": "mdi:ticket-account"}
    return Entity("event", f"event:{board}", f"{capitalised(board)} ticket", options)


def _report(device: Device, board: str) -> Iterator[Entity]:
    """Yield how the last poll of a board went."""
    status, name = device.topics.status, capitalised(board)
    report = f"({STATUS}.boards | default({{}}, true)).get({_literal(board)}, {{}})"
    yield Entity(
        "binary_sensor",
        f"jira:{board}",
        f"{name} Jira",
        {
            "dev_cla": "connectivity",
            "stat_t": status,
            "val_tpl": on_if(f"{report}.state", "value == 'ok'"),
            **DIAGNOSTIC,
        },
    )
    yield Entity(
        "sensor",
        f"reason:{board}",
        f"{name} reason",
        {
            "ic": "mdi:message-text-outline",
            "stat_t": status,
            "val_tpl": f"{{{{ ({report}.detail | default('None', true))[:{TEXT_LIMIT}] }}}}",
            "json_attr_t": status,
            "json_attr_tpl": f"{{{{ {{'result': {report}.state | default(none)}} | tojson }}}}",
            **DIAGNOSTIC,
        },
    )


def _literal(text: str) -> str:
    """Write text in a template: JSON's escapes are also Jinja's, but for the pairs that stand for one character."""
    return json.dumps(text, ensure_ascii=False)
