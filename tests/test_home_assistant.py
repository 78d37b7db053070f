"""What Home Assistant is told of a node and a poller, held against what it takes, and against what they publish."""

import contextlib
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import home_assistant_facts as facts
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from test_docs import EXAMPLES

from apimon_node.config import schema
from apimon_node.config.settings import Settings
from apimon_node.contract.events import EventType
from apimon_node.home_assistant import node, poller
from apimon_node.home_assistant.entities import config_topics, readable, slug
from apimon_node.mqtt.messages import Publish

CONFIG = """
mqtt: {base_topic: home/tickets}
node: {id: hall-way}
strips:
  - {name: ops, driver: memory, pixels: 8, boards: [ops, web]}
  - {name: second_one, driver: memory, pixels: 8, boards: [ops]}
looks: [{color: red}]
poller: {id: main, jira: {url: 'https://jira.example.com', auth: {type: none}}}
boards: [{name: ops, jql: x}, {name: web-shop, jql: y}]
"""
STATUSES = {"ops": {"Open", "In Progress"}, "web-shop": {"Gelöst"}}
ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined)


def settings(text: str = CONFIG) -> Settings:
    return schema.parse(text)[0]


def of_node(text: str = CONFIG) -> Publish:
    return node.discovery(settings(text), "1.2.3")


def of_poller(statuses: dict[str, set[str]] = STATUSES, text: str = CONFIG) -> Publish:
    return poller.discovery(settings(text), statuses, "1.2.3")


def payload(message: Publish) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(message.payload)
    return content


def components(message: Publish) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = payload(message)["cmps"]
    return found


MESSAGES = {"node": of_node(), "poller": of_poller()}
COMPONENTS = {
    f"{kind} {name}": component for kind, message in MESSAGES.items() for name, component in components(message).items()
}


def full(mapping: dict[str, Any], abbreviations: dict[str, str] = facts.ABBREVIATIONS) -> dict[str, Any]:
    """Write out the abbreviations."""
    return {abbreviations.get(key, key): value for key, value in mapping.items()}


def render(template: str, message: object) -> str:
    """Render as Home Assistant does, but fail where it would warn. `value_json` is there if the payload is JSON."""
    text = message if isinstance(message, str) else json.dumps(message)
    values = {"value": text}
    with contextlib.suppress(ValueError):
        values["value_json"] = json.loads(text)
    return ENVIRONMENT.from_string(template).render(values).strip()


def state(component: str, message: object) -> str:
    return render(COMPONENTS[component]["val_tpl"], message)


def attributes(component: str, message: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(render(COMPONENTS[component]["json_attr_tpl"], message))
    return found


def example(topic: str) -> Any:
    return json.loads(EXAMPLES[topic])


NODE_STATUS = example("apimon/nodes/<id>/status")
SUMMARY = example("apimon/boards/<board>/summary")
POLLER_STATUS = example("apimon/pollers/<id>/status")


def example_for(component: dict[str, Any]) -> Any:
    """Give the documented payload of the topic that a component listens to."""
    topic = component["stat_t"].replace("home/tickets", "apimon")
    for pattern, payload in EXAMPLES.items():
        if re.fullmatch(re.sub(r"<\w+>", "[^/]+", pattern), topic):
            return json.loads(payload)
    raise AssertionError(topic)


def poorer(message: Any) -> Iterator[Any]:
    """Give a message with each of its keys left out, null, or empty, at any depth."""
    if isinstance(message, dict):
        for key, value in message.items():
            yield {name: other for name, other in message.items() if name != key}
            yield {**message, key: None}
            if isinstance(value, dict | list):
                yield {**message, key: type(value)()}
            yield from ({**message, key: less} for less in poorer(value))
    elif isinstance(message, list):
        for at, item in enumerate(message):
            yield from ([*message[:at], less, *message[at + 1 :]] for less in poorer(item))


# What both Home Assistants take


@pytest.mark.parametrize("kind", MESSAGES)
@pytest.mark.parametrize("version", [facts.OLDEST, facts.NEWEST])
def test_outside_of_its_components_a_device_has_only_keys_that_are_legal(kind: str, version: str) -> None:
    device = payload(MESSAGES[kind])
    about, origin = full(device["dev"], facts.DEVICE_ABBREVIATIONS), full(device["o"], facts.ORIGIN_ABBREVIATIONS)

    assert facts.ROOT_REQUIRED <= set(full(device)) <= facts.ROOT[version]
    assert facts.DEVICE_REQUIRED <= set(about) <= facts.DEVICE
    assert facts.ORIGIN_REQUIRED <= set(origin) <= facts.ORIGIN
    assert all("topic" in full(item) and set(full(item)) <= facts.AVAILABILITY for item in device["avty"])
    assert all(value for value in (*about.values(), *origin.values()))


@pytest.mark.parametrize("component", COMPONENTS.values(), ids=COMPONENTS)
@pytest.mark.parametrize("version", [facts.OLDEST, facts.NEWEST])
def test_a_component_has_the_keys_that_it_must_have_and_none_that_would_be_dropped(
    component: dict[str, Any], version: str
) -> None:
    platform, keys = component["p"], set(full(component))

    assert facts.REQUIRED[platform] | {"platform", "unique_id", "default_entity_id"} <= keys
    assert keys <= facts.SHARED[version] | facts.PLATFORMS[platform]
    assert [key for key, value in component.items() if value is None and key != "name"] == []


@pytest.mark.parametrize("component", COMPONENTS.values(), ids=COMPONENTS)
def test_classes_units_and_categories_are_those_of_the_platform(component: dict[str, Any]) -> None:
    options, platform = full(component), component["p"]

    if "device_class" in options:
        assert options["device_class"] in facts.DEVICE_CLASSES[platform]
    if "state_class" in options:
        assert options["state_class"] in facts.STATE_CLASSES
    if "entity_category" in options:
        assert options["entity_category"] in facts.CATEGORIES[platform]
    if options.get("device_class") in facts.UNITS:
        assert options["unit_of_measurement"] in facts.UNITS[options["device_class"]]
    assert ("options" in options) == (options.get("device_class") == "enum")
    assert not ("options" in options and {"unit_of_measurement", "state_class"} & set(options))
    assert options["default_entity_id"].startswith(f"{platform}.")
    assert ":" in options.get("icon", ":")


@pytest.mark.parametrize("component", COMPONENTS.values(), ids=COMPONENTS)
def test_topics_are_whole_and_have_no_wildcards(component: dict[str, Any]) -> None:
    topics = [value for key, value in full(component).items() if key.endswith("topic")]

    assert topics
    assert all(re.fullmatch(r"home/tickets/[a-z0-9_/-]+", topic) for topic in topics)


def test_the_topic_of_a_device_is_one_that_is_looked_at() -> None:
    matcher = re.compile(r"homeassistant/device/[a-zA-Z0-9_-]+/config")

    assert all(matcher.fullmatch(message.topic) and message.retain for message in MESSAGES.values())
    assert config_topics(settings()) == [message.topic for message in MESSAGES.values()]


def test_the_prefix_is_that_of_the_configuration() -> None:
    text = f"{CONFIG}home_assistant: {{discovery_prefix: ha/x}}"

    assert of_node(text).topic == "ha/x/device/apimon_node_hall-way/config"
    assert of_poller(text=text).topic == "ha/x/device/apimon_poller_main/config"


def test_only_what_is_in_the_configuration_has_a_topic() -> None:
    both = settings()

    assert config_topics(both._replace(poller=None)) == ["homeassistant/device/apimon_node_hall-way/config"]
    assert config_topics(both._replace(node=None)) == ["homeassistant/device/apimon_poller_main/config"]
    assert config_topics(both._replace(node=None, poller=None)) == []


# Who is who


def test_ids_come_from_the_ids_of_node_and_poller_alone() -> None:
    for kind, prefix in (("node", "apimon_node_hall-way"), ("poller", "apimon_poller_main")):
        assert payload(MESSAGES[kind])["dev"]["ids"] == [prefix]
        for name, component in components(MESSAGES[kind]).items():
            assert component["uniq_id"] == f"{prefix}_{name}"


def test_no_two_entities_share_an_id_whatever_nodes_pollers_boards_and_strips_are_called() -> None:
    names = ["a", "a_a", "a-a", "image", "a_image", "tickets", "a_tickets", "light", "a_self", "self", "status"]
    seen: dict[tuple[str, str], str] = {}
    for name, *others in itertools.permutations(names, 3):
        strips = [f"{{name: {other}, driver: memory, pixels: 8, boards: [a]}}" for other in others]
        boards = [f"{{name: {other}, jql: x}}" for other in others]
        text = f"""
node: {{id: {name}}}
strips: [{", ".join(strips)}]
looks: [{{color: red}}]
poller: {{id: {name}, jira: {{url: 'https://jira', auth: {{type: none}}}}}}
boards: [{", ".join(boards)}]
"""
        statuses = {other: {"a", "A", "tickets", "a:a"} for other in others}
        for message in (of_node(text), of_poller(statuses, text)):
            for key, component in components(message).items():
                entity = (component["p"], component["uniq_id"])
                assert seen.setdefault(entity, f"{message.topic} {key}") == f"{message.topic} {key}"


@given(st.text(), st.text())
def test_two_statuses_never_have_one_slug(one: str, other: str) -> None:
    try:
        same = slug(one) == slug(other)
    except UnicodeEncodeError:  # half a character, which no message can hold
        return
    assert same == (one == other)


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_slug_is_plain_ascii(status: str) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9_:%-]+", slug(status))


def test_a_slug_can_still_be_read() -> None:
    assert slug("In Progress") == "In%20Progress"
    assert slug("Gelöst") == "Gel%c3%b6st"


def test_names_are_for_people_and_do_not_repeat_the_devices() -> None:
    for message in MESSAGES.values():
        device = payload(message)["dev"]["name"]
        names = [component["name"] for component in components(message).values()]
        assert not any(name and (name == "" or device.casefold() in name.casefold()) for name in names)
        assert len(set(names)) == len(names)
    assert payload(MESSAGES["node"])["dev"]["name"] == "Ticket light hall way"
    assert payload(MESSAGES["poller"])["dev"]["name"] == "Jira poller main"
    assert COMPONENTS["node light"]["name"] is None
    assert COMPONENTS["node light"]["def_ent_id"] == "light.apimon_node_hall-way"
    assert COMPONENTS["poller status:web-shop:Gel%c3%b6st"]["name"] == "Web shop Gelöst"


@pytest.mark.parametrize(("name", "text"), [("hall", "hall"), ("hall-way_2", "hall way 2"), ("--", "--"), ("_a", "a")])
def test_an_id_is_written_for_people(name: str, text: str) -> None:
    assert readable(name) == text


def test_devices_and_origin_tell_the_version() -> None:
    for message in MESSAGES.values():
        assert payload(message)["dev"]["sw"] == payload(message)["o"]["sw"] == "1.2.3"


def test_what_few_want_is_disabled() -> None:
    hidden = {name for name, component in COMPONENTS.items() if not component.get("en", True)}

    assert hidden == {"node frames", "node started", "node refresh"}


# Each entity by itself


def test_the_light_takes_what_the_light_topic_has() -> None:
    light = full(COMPONENTS["node light"])

    assert (
        light.items()
        >= {
            "schema": "json",
            "state_topic": "home/tickets/nodes/hall-way/light",
            "command_topic": "home/tickets/nodes/hall-way/light/set",
            "brightness": True,
            "supported_color_modes": ["brightness"],
            "effect": True,
            "effect_list": ["tickets", "steady", "night"],
            "flash": False,
            "transition": False,
        }.items()
    )


def test_each_strip_is_an_image() -> None:
    images = {name: component for name, component in COMPONENTS.items() if component["p"] == "image"}

    assert {name: image["img_t"] for name, image in images.items()} == {
        "node image:ops": "home/tickets/nodes/hall-way/strips/ops/image",
        "node image:second_one": "home/tickets/nodes/hall-way/strips/second_one/image",
    }
    assert {image["cont_type"] for image in images.values()} == {"image/png"}


def test_buttons_send_what_requests_take() -> None:
    buttons = {name: component for name, component in COMPONENTS.items() if component["p"] == "button"}

    assert {name: button["cmd_t"] for name, button in buttons.items()} == {
        "node identify": "home/tickets/nodes/hall-way/request/identify",
        "node self_test": "home/tickets/nodes/hall-way/request/self_test",
        "node refresh": "home/tickets/nodes/hall-way/request/refresh",
        "node restart": "home/tickets/nodes/hall-way/request/restart",
        "poller poll": "home/tickets/pollers/main/request/poll",
    }
    assert {json.dumps(json.loads(button["pl_prs"])) for button in buttons.values()} == {"{}"}


@pytest.mark.parametrize(("kind", "topic"), [("node", "nodes/hall-way"), ("poller", "pollers/main")])
def test_what_tells_that_a_device_is_gone_does_not_go_with_it(kind: str, topic: str) -> None:
    connected = COMPONENTS[f"{kind} connected"]

    assert payload(MESSAGES[kind])["avty"] == [{"t": f"home/tickets/{topic}/availability"}]
    assert connected["stat_t"] == f"home/tickets/{topic}/availability"
    assert connected["avty"] == []
    assert (connected["pl_on"], connected["pl_off"]) == ("online", "offline")
    assert all("avty" not in component for component in COMPONENTS.values() if component["name"] != "Connected")


def test_an_event_may_be_any_that_a_poller_tells() -> None:
    event = COMPONENTS["poller event:ops"]

    assert event["evt_typ"] == list(EventType)
    assert event["stat_t"] == "home/tickets/boards/ops/event"
    assert example_for(event)["event_type"] in event["evt_typ"]


def test_a_poller_without_statuses_has_the_rest() -> None:
    without = set(components(of_poller({})))

    assert without < set(components(MESSAGES["poller"]))
    assert {name for name in components(MESSAGES["poller"]) if name not in without} == {
        "status:ops:Open",
        "status:ops:In%20Progress",
        "status:web-shop:Gel%c3%b6st",
    }


def test_statuses_come_in_one_order_whatever_the_order_in_which_they_were_found() -> None:
    one, other = (poller.discovery(settings(), {"ops": words}, "1") for words in ("abc", "cab"))

    assert one == other


def test_not_every_status_of_a_board_that_has_hundreds_becomes_a_sensor() -> None:
    statuses = {f"status {number}" for number in range(1000)}

    names = [name for name in components(of_poller({"ops": statuses})) if name.startswith("status:")]

    assert len(names) == poller.STATUSES


def test_statuses_of_boards_that_the_poller_does_not_have_are_nobodys() -> None:
    assert components(of_poller({"gone": {"Open"}})) == components(of_poller({}))


# Templates


TEMPLATES = {
    f"{name} {key}": (component, component[key])
    for name, component in COMPONENTS.items()
    for key in ("val_tpl", "json_attr_tpl")
    if key in component
}


@pytest.mark.parametrize(("component", "template"), TEMPLATES.values(), ids=TEMPLATES)
def test_a_template_misses_nothing_whatever_is_left_out_of_a_message(component: dict[str, Any], template: str) -> None:
    message = example_for(component)

    for less in (message, {}, "", *poorer(message)):
        rendered = render(template, less)
        if template == component.get("json_attr_tpl"):
            assert isinstance(json.loads(rendered), dict)
            assert not set(json.loads(rendered)) & facts.FILTERED_ATTRIBUTES
        else:
            check_value(full(component), rendered)


def check_value(component: dict[str, Any], rendered: str) -> None:
    """Hold a state against what the entity takes: unknown, or of its kind."""
    assert len(rendered) <= facts.STATE_LIMIT
    if rendered == "None":
        return
    if component["platform"] == "binary_sensor":
        assert rendered in ("ON", "OFF")
    if "state_class" in component:
        float(rendered)
    if "options" in component:
        assert rendered in component["options"]
    if component.get("device_class") == "timestamp":
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", rendered)


@pytest.mark.parametrize(
    ("component", "value"),
    [
        ("node state", "degraded"),
        ("node fault", "board ops: refused: tickets[3].status: expected text, got 7"),
        ("node tickets", "7"),
        ("node overdue", "1"),
        ("node current", "215"),
        ("node frames", "1440"),
        ("node started", "2026-11-23T09:00:00Z"),
        ("node problem", "OFF"),
        ("node stale", "OFF"),
    ],
)
def test_the_documented_status_of_a_node_in_states(component: str, value: str) -> None:
    assert state(component, NODE_STATUS) == value


def test_a_node_with_several_boards_and_strips_tells_their_sums() -> None:
    board, strip = NODE_STATUS["boards"]["ops"], NODE_STATUS["strips"]["ops"]
    message = NODE_STATUS | {"boards": {"a": board, "b": board | {"stale": True}}, "strips": {"a": strip, "b": strip}}

    assert state("node tickets", message) == "14"
    assert state("node overdue", message) == "2"
    assert state("node current", message) == "430"
    assert state("node frames", message) == "2880"
    assert state("node stale", message) == "ON"
    assert attributes("node tickets", message) == {"boards": message["boards"]}


def test_a_node_that_is_well_has_no_fault() -> None:
    message = NODE_STATUS | {"state": "ok", "faults": []}

    assert state("node fault", message) == "none"
    assert attributes("node fault", message) == {"faults": []}
    assert state("node problem", message) == "OFF"


def test_a_strip_that_fails_is_a_problem() -> None:
    assert state("node problem", NODE_STATUS | {"state": "error"}) == "ON"


def test_a_poller_that_is_well_has_no_fault() -> None:
    assert state("poller fault", POLLER_STATUS) == "none"
    assert state("poller problem", POLLER_STATUS) == "OFF"
    assert attributes("poller fault", POLLER_STATUS) == {"faults": []}


def test_each_fault_of_a_poller_is_a_problem() -> None:
    message = POLLER_STATUS | {"faults": NODE_STATUS["faults"]}

    assert state("poller fault", message) == NODE_STATUS["faults"][0]["text"]
    assert state("poller problem", message) == "ON"
    assert attributes("poller fault", message) == {"faults": NODE_STATUS["faults"]}


def test_of_a_poller_before_it_had_faults_nothing_is_known() -> None:
    old = {key: value for key, value in POLLER_STATUS.items() if key != "faults"}

    assert state("poller fault", old) == state("poller problem", old) == "None"
    assert attributes("poller fault", old) == {"faults": []}


def test_the_first_of_many_faults_is_the_state_and_the_attributes_fit_into_the_recorder() -> None:
    fault = NODE_STATUS["faults"][0] | {"text": "ä" * 300}
    message = NODE_STATUS | {"faults": [fault, *[fault | {"name": "later"}] * 99]}

    assert state("node fault", message) == "ä" * 255
    found = attributes("node fault", message)["faults"]
    assert found[:2] == message["faults"][:2]
    assert len(json.dumps(found, ensure_ascii=False).encode()) < facts.ATTRIBUTES_LIMIT


def test_without_a_status_nothing_is_known_of_a_node() -> None:
    names = [name for name, component in COMPONENTS.items() if component.get("stat_t", "").endswith("way/status")]

    assert {name: state(name, "") for name in names} == dict.fromkeys(names, "None")


@pytest.mark.parametrize(
    ("component", "value"),
    [
        ("poller tickets:ops", "7"),
        ("poller overdue:ops", "1"),
        ("poller status:ops:In%20Progress", "7"),
        ("poller status:ops:Open", "0"),
    ],
)
def test_the_documented_summary_in_states(component: str, value: str) -> None:
    assert state(component, SUMMARY) == value


def test_the_whole_summary_is_in_the_attributes_of_the_tickets() -> None:
    assert attributes("poller tickets:ops", SUMMARY) == SUMMARY


@pytest.mark.parametrize(("word", "value"), [("ok", "ON"), ("offline", "OFF"), ("auth", "OFF"), ("query", "OFF")])
def test_jira_is_connected_where_a_board_is_well(word: str, value: str) -> None:
    report = POLLER_STATUS["boards"]["ops"] | {"state": word}
    message = POLLER_STATUS | {"boards": {"ops": report}}

    assert state("poller jira:ops", message) == value
    assert attributes("poller reason:ops", message) == {"result": word}


def test_the_reason_is_the_detail_of_the_board() -> None:
    assert state("poller reason:ops", POLLER_STATUS) == "7 tickets, 1 overdue"
    report = POLLER_STATUS["boards"]["ops"] | {"detail": "x" * 300}
    assert state("poller reason:ops", {"boards": {"ops": report}}) == "x" * 255


def test_of_a_board_that_has_not_been_asked_yet_nothing_is_known() -> None:
    assert state("poller jira:web-shop", POLLER_STATUS) == "None"
    assert state("poller reason:web-shop", POLLER_STATUS) == "None"
    assert attributes("poller reason:web-shop", POLLER_STATUS) == {"result": None}


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_status_may_be_any_text(status: str) -> None:
    (component,) = (
        component
        for name, component in components(of_poller({"ops": {status}})).items()
        if name.startswith("status:ops:")
    )

    assert render(component["val_tpl"], {"statuses": {status: {"total": 3, "overdue": 0}}}) == "3"
    assert render(component["val_tpl"], {"statuses": {f"{status}x": {"total": 3, "overdue": 0}}}) == "0"


@pytest.mark.parametrize("board", ["items", "values", "get", "keys"])
def test_a_board_may_be_called_as_what_an_object_of_python_has(board: str) -> None:
    text = CONFIG.replace("{name: ops, jql: x}", f"{{name: {board}, jql: x}}")
    found = components(of_poller({board: {"items"}}, text))

    assert render(found[f"jira:{board}"]["val_tpl"], {"boards": {}}) == "None"
    assert render(found[f"jira:{board}"]["val_tpl"], {"boards": {board: {"state": "ok"}}}) == "ON"
    assert render(found[f"status:{board}:items"]["val_tpl"], {"statuses": {}}) == "0"
