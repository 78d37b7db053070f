"""A real node and a real poller in a real Home Assistant: only where one is named by an environment variable.

APIMON_HOME_ASSISTANT names the folder of a harness (ha_harness.py) that starts a Home Assistant with its broker;
APIMON_SCREENSHOTS a folder for pictures of the devices' pages. It takes two minutes, and root.
"""

import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from parts import Program

from apimon_node.demo.jira import JiraServer
from apimon_node.demo.site import Site

HARNESS = os.environ.get("APIMON_HOME_ASSISTANT", "")
SHOTS = os.environ.get("APIMON_SCREENSHOTS", "")
NODE, POLLER = "apimon_node_hall", "apimon_poller_main"

pytestmark = [
    pytest.mark.skipif(not HARNESS, reason="APIMON_HOME_ASSISTANT names no Home Assistant to try"),
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings(
        "ignore::pytest.PytestUnraisableExceptionWarning"
    ),  # the harness leaves a process behind
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

CONFIG = """\
mqtt: {{host: 127.0.0.1, port: 1883, protocol: {protocol}, keepalive: 5s}}
node: {{id: hall}}
strips: [{{name: ops, driver: memory, pixels: 40, boards: [ops]}}]
looks:
  - {{match: {{priority: Highest}}, color: orange, effect: blink, always: true}}
  - {{match: {{status: Open}}, color: red}}
  - {{color: blue}}
poller: {{interval: 1s, jira: {{url: '{jira}', auth: {{type: none}}}}}}
boards: [{{name: ops, jql: project = OPS AND statusCategory != Done, overdue_after: {{Open: 3h}}}}]
"""

AUTOMATION = {
    "alias": "Flash the office when a Blocker arrives",
    "triggers": [{"trigger": "state", "entity_id": "ENTITY", "not_from": "unavailable"}],
    "conditions": [
        {
            "condition": "template",
            "value_template": "{{ trigger.to_state and trigger.to_state.attributes.event_type == 'created'"
            " and trigger.to_state.attributes.priority == 'Highest' }}",
        }
    ],
    "actions": [
        {"action": "mqtt.publish", "data": {"topic": "office/flash", "payload": "{{ trigger.to_state.state }}"}}
    ],
}


class Home:
    """A Home Assistant, a Jira, a node and a poller, all in one network of their own."""

    def __init__(self, folder: Path, stack: ExitStack, protocol: str) -> None:
        sys.path.insert(0, HARNESS)
        harness = importlib.import_module("ha_harness")
        self.ha: Any = stack.enter_context(harness.Harness.start(name=f"apimon-{protocol}", mqtt_protocol=protocol))
        self.site = Site()
        self.site.create("old", time.time() - 24 * 3600)
        for number in range(6):
            self.site.create(f"Ticket {number}", time.time() - 60, status="Open" if number % 2 else "In Progress")
        jira = stack.enter_context(JiraServer(self.site, cloud=False))
        self._folder = folder
        self.config = folder / "config.yaml"
        self.config.write_text(CONFIG.format(protocol=f"'{protocol}'", jira=jira.url), encoding="utf-8")
        self._stack = stack
        self.node_program = self.start("run")
        self.start("poll")
        self.node = self.ha.wait_device(NODE, entities=16, timeout=30)
        self.poller = self.ha.wait_device(POLLER, entities=11, timeout=30)

    def start(self, command: str) -> Program:
        return self._stack.enter_context(Program(self._folder, command, "--config", str(self.config)))

    def run(self, *arguments: str) -> str:
        with Program(self._folder, *arguments, "--config", str(self.config)) as program:
            assert program.process.wait(20) == 0, program.err
            return program.out

    def entity(self, thing: str, device: str = NODE) -> str:
        found: str = (self.node if device == NODE else self.poller).entity(unique_id=f"{device}_{thing}")
        return found

    def board(self, thing: str) -> str:
        return self.entity(thing, POLLER)

    def enabled(self) -> list[str]:
        return [
            entity["entity_id"]
            for device in (self.node, self.poller)
            for entity in device.entities
            if not entity["disabled_by"]
        ]

    def all_have_a_state(self, within: float = 10) -> None:
        """Wait until every entity has one. Buttons and events have none until somebody presses, something happens."""

        def lacking() -> list[str]:
            states = {state["entity_id"]: state["state"] for state in self.ha.rest("GET", "/api/states")}
            return [
                entity
                for entity in self.enabled()
                if states.get(entity, "unavailable") == "unavailable"
                or (states[entity] == "unknown" and not entity.startswith(("button.", "event.")))
            ]

        self.ha.wait_for(lambda: not lacking(), f"states of {lacking()}", within)

    def problems(self) -> list[str]:
        """Give what Home Assistant logs of us: that its broker went away is none of our doing."""
        return [entry["text"] for entry in self.ha.problems() if "connection was lost" not in entry["text"]]


@pytest.fixture(params=["5", "3.1.1"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    with ExitStack() as stack:
        yield Home(tmp_path, stack, request.param)


def test_a_life_in_home_assistant(home: Home) -> None:
    """One Home Assistant for all of it: it takes seconds to start, and what comes later stands on what came before."""
    home.all_have_a_state()
    for step in (
        numbers,
        light,
        commands_with_rubbish,
        image,
        buttons,
        an_event_triggers_an_automation,
        screenshots,
        a_killed_node_is_unavailable,
        restarts,
        removal_leaves_nothing,
    ):
        step(home)
        assert home.problems() == [], step.__name__


def numbers(home: Home) -> None:
    home.ha.wait_state(home.entity("tickets"), "7")
    home.ha.wait_state(home.entity("overdue"), "1")
    home.ha.wait_state(home.board("tickets:ops"), "7")
    home.ha.wait_state(home.board("overdue:ops"), "1")
    home.ha.wait_state(home.entity("state"), "ok")
    home.poller = home.ha.wait_for(
        lambda: (
            (device := home.ha.device(POLLER))
            and any(entity["unique_id"].endswith("status:ops:Open") for entity in device.entities)
            and device
        ),
        "a sensor for each status",
    )
    home.ha.wait_state(home.board("status:ops:Open"), "4")


def light(home: Home) -> None:
    entity = home.entity("light")
    home.ha.wait_state(entity, lambda now: now["attributes"]["effect_list"] == ["tickets", "steady", "night"])
    home.ha.call("light", "turn_on", entity, brightness=100, effect="night")
    home.ha.wait_state(
        entity, lambda now: (now["attributes"]["brightness"], now["attributes"]["effect"]) == (100, "night")
    )
    home.ha.call("light", "turn_off", entity)
    home.ha.wait_state(entity, "off")
    home.ha.call("light", "turn_on", entity, brightness=255, effect="tickets")
    home.ha.wait_state(entity, lambda now: now["state"] == "on" and now["attributes"]["effect"] == "tickets")


def commands_with_rubbish(home: Home) -> None:
    topic = "apimon/nodes/hall/light/set"
    for payload in ('{"brightness":-1}', '{"brightness":"bright"}', '{"effect":"disco"}', "rubbish", "[]", ""):
        home.ha.publish(topic, payload)
    home.ha.publish(topic, '{"state":"OFF"}', retain=True)
    home.ha.publish(topic, "", retain=True)
    home.ha.publish(topic, '{"state":"ON","brightness":300}')
    home.ha.wait_state(
        home.entity("light"), lambda now: now["state"] == "on" and now["attributes"]["brightness"] == 255
    )


def image(home: Home) -> None:
    with home.ha.record("apimon/nodes/hall/strips/ops/image") as seen:
        published = seen.wait()["payload"]
    assert published.startswith(b"\x89PNG")
    home.ha.wait_for(lambda: home.ha.image(home.entity("image:ops")) == published, "the image")


def buttons(home: Home) -> None:
    with home.ha.record("apimon/+/+/response/#") as seen:
        for entity, topic in (
            (home.entity("identify"), "apimon/nodes/hall/response/identify"),
            (home.entity("self_test"), "apimon/nodes/hall/response/self_test"),
            (home.board("poll"), "apimon/pollers/main/response/poll"),
        ):
            home.ha.call("button", "press", entity)
            answer = seen.wait(lambda message, topic=topic: message["topic"] == topic)
            assert json.loads(answer["payload"])["status"] == "ok"
    time.sleep(10)  # a node that has just started is not started anew
    with home.ha.record("apimon/nodes/hall/availability") as seen:
        home.ha.call("button", "press", home.entity("restart"))
        seen.wait(lambda message: message["payload"] == b"offline")
        seen.wait(lambda message: message["payload"] == b"online", timeout=20)
    home.all_have_a_state(20)


def an_event_triggers_an_automation(home: Home) -> None:
    automation = json.dumps([AUTOMATION]).replace("ENTITY", home.board("event:ops"))
    with (home.ha.run_dir / "config" / "configuration.yaml").open("a", encoding="utf-8") as file:
        file.write(f"\nautomation: {automation}\n")
    home.ha.restart_hass()
    home.ha.wait_state("automation.flash_the_office_when_a_blocker_arrives", "on", timeout=30)
    home.all_have_a_state(30)
    with home.ha.record("office/flash") as seen:
        home.site.create("harmless", time.time())
        home.site.create("a Blocker", time.time(), priority="Highest")
        seen.wait(timeout=20)
    home.ha.wait_state(
        home.board("event:ops"), lambda now: now["attributes"].get("url", "").startswith("http://127.0.0.1:")
    )


def screenshots(home: Home) -> None:
    if SHOTS:
        for name, device, text in (("node", home.node, "Estimated current"), ("poller", home.poller, "Poll now")):
            page = f"/config/devices/device/{device['device']['id']}"
            home.ha.screenshot(Path(SHOTS) / f"home-assistant-{name}.png", page, expect=[text])


def a_killed_node_is_unavailable(home: Home) -> None:
    """It is frozen, so that not even the kernel says goodbye: only the keep-alive can tell."""
    os.kill(home.node_program.process.pid, signal.SIGSTOP)
    for entity in ("light", "tickets"):
        home.ha.wait_state(home.entity(entity), "unavailable", timeout=20)
    home.ha.wait_state(home.entity("connected"), "off")
    home.node_program.process.kill()
    home.node_program.process.wait()
    home.node_program = home.start("run")
    home.all_have_a_state(20)


def restarts(home: Home) -> None:
    home.ha.restart_hass()
    home.all_have_a_state(30)
    home.ha.restart_broker()
    home.all_have_a_state(60)
    home.ha.restart_broker()
    home.ha.restart_hass()
    home.all_have_a_state(60)


def removal_leaves_nothing(home: Home) -> None:
    home.run("discovery", "clear")
    home.ha.wait_for(lambda: home.ha.device(NODE) is None and home.ha.device(POLLER) is None, "the removal")
    left = [state["entity_id"] for state in home.ha.rest("GET", "/api/states") if "apimon" in state["entity_id"]]
    assert left == []
