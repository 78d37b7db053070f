"""The documentation, held against what the programs really do and publish."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from parts import Mosquitto, Observer, Program, node_config, wait_until

from apimon_node.config import schema
from apimon_node.config.explain import explain
from apimon_node.contract import light
from apimon_node.demo.jira import Account, JiraServer
from apimon_node.demo.site import Site
from apimon_node.errors import Failure
from apimon_node.picture.scene import LightState
from apimon_node.strip.codes import CODES
from apimon_node.tickets import snapshot

MQTT = Path("docs/mqtt.md").read_text(encoding="utf-8")
SECTION = re.compile(r"^### `(?P<topic>[^`]+)`\n.*?^```(?:json|text)\n(?P<example>.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLES = {match["topic"]: match["example"].strip() for match in SECTION.finditer(MQTT)}

IDS = {"<board>": "ops", "<strip>": "ops", "<what>": "identify"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def real_topic(topic: str) -> str:
    for name, value in IDS.items():
        topic = topic.replace(name, value)
    return topic.replace("<id>", "hall" if "nodes" in topic else "main")


def shape(value: Any) -> Any:
    """Reduce a payload to its keys and types. A list is as its first item."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    if isinstance(value, str) and TIME.fullmatch(value):
        return "a time"
    return type(value).__name__


def differences(documented: Any, real: Any, path: str = "") -> list[str]:
    """Tell in what two shapes differ. Null stands for any type, an empty list for any list."""
    if documented == real or "NoneType" in (documented, real):
        return []
    if isinstance(documented, list) and isinstance(real, list):
        return differences(documented[0], real[0], f"{path}[]") if documented and real else []
    if not isinstance(documented, dict) or not isinstance(real, dict):
        return [f"{path}: documented {documented}, published {real}"]
    found = [f"{path}.{key}: not published" for key in documented.keys() - real.keys()]
    found += [f"{path}.{key}: not documented" for key in real.keys() - documented.keys()]
    for key in documented.keys() & real.keys():
        found += differences(documented[key], real[key], f"{path}.{key}")
    return found


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Give all that a node and a poller publish, by topic: with a fault, and after a request."""
    folder = tmp_path_factory.mktemp("docs")
    site = Site()
    site.create("late", time.time() - 7200)
    config = node_config(folder, 0, driver="memory")
    with (
        Mosquitto(folder) as broker,
        Observer(broker.port) as observer,
        JiraServer(site, cloud=False, account=Account("me", "token")) as jira,
    ):
        text = Path(config).read_text(encoding="utf-8").replace("port: 0", f"port: {broker.port}")
        text += f"poller: {{interval: 1s, jira: {{url: '{jira.url}', auth: {{type: pat}}}}}}\n"
        text += "boards: [{name: ops, jql: project = OPS, overdue_after: {Open: 1h, In Progress: 1h}}]\n"
        Path(config).write_text(text, encoding="utf-8")
        poll = Program(folder, "poll", "--config", config, environment={"APIMON_JIRA_TOKEN": "token"})
        with poll, Program(folder, "run", "--config", config):
            wait_until(lambda: b'"tickets":1' in observer.latest.get("apimon/nodes/hall/status", b""), "the status")
            observer.publish("apimon/nodes/hall/request/identify", {"transaction": 17}, retain=False)
            wait_until(lambda: "apimon/nodes/hall/response/identify" in observer.latest, "the response")
            observer.publish("apimon/nodes/hall/light/set", EXAMPLES["apimon/nodes/<id>/light/set"], retain=False)
            observer.wait_for("apimon/nodes/hall/light", light.dump(LightState(brightness=128)))
            observer.wait_for("apimon/pollers/main/availability", b"online")
            observer.publish("apimon/pollers/main/request/poll", {"transaction": 17}, retain=False)
            wait_until(lambda: "apimon/pollers/main/response/poll" in observer.latest, "the response of the poller")
            level = EXAMPLES["apimon/pollers/<id>/request/log_level"]
            observer.publish("apimon/pollers/main/request/log_level", level, retain=False)
            wait_until(lambda: "apimon/pollers/main/response/log_level" in observer.latest, "the other response")
            site.move("OPS-1", "In Progress", time.time())
            wait_until(lambda: b"status_changed" in observer.latest.get("apimon/boards/ops/event", b""), "an event")
            snapshot = observer.latest["apimon/tickets/ops"]
            observer.publish("apimon/tickets/ops", b"rubbish", retain=False)
            wait_until(lambda: observer.json("apimon/nodes/hall/status")["faults"], "a fault")
            return observer.latest | {"apimon/tickets/ops": snapshot}


def test_every_topic_that_is_published_is_documented_and_the_other_way_round(published: dict[str, bytes]) -> None:
    assert set(published) == {real_topic(topic) for topic in EXAMPLES}


@pytest.mark.parametrize("topic", EXAMPLES)
def test_the_example_of_a_topic_is_what_is_published(published: dict[str, bytes], topic: str) -> None:
    if topic.endswith("image"):
        assert published[real_topic(topic)].startswith(b"\x89PNG\r\n")
        return
    example, real = EXAMPLES[topic], published[real_topic(topic)].decode()

    if topic.endswith("availability"):
        assert example == real
    else:
        assert differences(shape(json.loads(example)), shape(json.loads(real))) == []


def test_the_documented_snapshot_is_one() -> None:
    parsed = snapshot.parse(EXAMPLES["apimon/tickets/<board>"].encode())

    assert [ticket.key for ticket in parsed.tickets] == ["OPS-7"]


@pytest.mark.parametrize("file", ["README.md", "docs/mqtt.md", "docs/tutorial.md", "config.yaml"])
def test_the_first_thing_to_try_is_the_same_everywhere_and_right(file: str) -> None:
    found = re.search(r"mosquitto_pub -r -t apimon/tickets/ops -m '(.*)'", Path(file).read_text(encoding="utf-8"))

    assert found
    assert found[1] == '{"counts":{"Open":3,"In Progress":{"total":2,"overdue":1}}}'
    assert len(snapshot.parse(found[1].encode()).tickets) == 5


@pytest.mark.parametrize("file", ["README.md", *map(str, Path("docs").glob("*.md"))])
def test_links_between_the_pages_lead_somewhere(file: str) -> None:
    page = Path(file)
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))

    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_code_of_a_strip_has_a_section_with_its_text() -> None:
    page = Path("docs/troubleshooting.md").read_text(encoding="utf-8")
    sections = re.findall(r"^### Code (-?\d+): (.*)$", page, re.MULTILINE)

    assert {int(code): text for code, text in sections} == {code: known.text for code, known in CODES.items()}


def test_every_failure_class_has_a_row_with_what_is_done() -> None:
    page = Path("docs/troubleshooting.md").read_text(encoding="utf-8")

    rows = page.partition("| class |")[2].partition("\n\n")[0]

    assert re.findall(r"^\| (\w+) \|", rows, re.MULTILINE) == list(Failure)


@pytest.mark.parametrize("page", ["docs/hardware.md", "docs/howto.md", "docs/tutorial.md"])
def test_every_strip_in_an_example_is_one(page: str) -> None:
    blocks = re.findall(r"^```yaml\n(strips:.*?)^```", Path(page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for block in blocks:
        schema.parse(f"node: {{id: hall}}\nlooks: [{{color: red}}]\n{block}")

    assert blocks or page == "docs/tutorial.md"


def test_every_list_of_looks_in_a_recipe_is_one() -> None:
    page = Path("docs/howto.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(looks:.*?)^```", page, re.MULTILINE | re.DOTALL)

    assert [len(schema.parse(block)[0].looks) for block in blocks] == [5, 4]


def test_the_predecessors_configuration_in_our_words_is_what_check_says() -> None:
    page = Path("docs/from-apimon.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (said,) = re.findall(r"^```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    settings, warnings = schema.parse(text)

    assert said.splitlines() == list(explain(settings))
    assert warnings == []


@pytest.mark.parametrize("key", ["ACCESS_TOKEN_URL", "CLIENT_ID", "CLIENT_SECRET", "SCOPE", "BASE_URL"])
def test_every_variable_of_the_predecessor_has_its_place(key: str) -> None:
    page = Path("docs/from-apimon.md").read_text(encoding="utf-8")
    (place,) = re.findall(rf"^\| `{key}` \| `poller\.jira\.([a-z_.]+)` \|", page, re.MULTILINE)
    shipped = Path("config.yaml").read_text(encoding="utf-8")

    assert re.search(rf"^\s+{place.rpartition('.')[2]}:", shipped, re.MULTILINE)


def test_the_recipe_of_a_quiet_night_is_one() -> None:
    page = Path("docs/howto.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n(node:.*?)^```", page, re.MULTILINE | re.DOTALL)
    settings, warnings = schema.parse(block)

    assert warnings == []
    assert settings.node is not None
    assert settings.node.quiet_hours is not None
    assert [look.always for look in settings.looks] == [True, False]


def test_every_example_of_a_command_for_the_light_is_one() -> None:
    pages = [Path("docs", name).read_text(encoding="utf-8") for name in ("mqtt.md", "howto.md")]
    commands = re.findall(r"mosquitto_pub -t apimon/nodes/hallway/light/set -m '(.*)'", "".join(pages))

    assert len(commands) == 4
    assert all(light.parse(command.encode()) for command in commands)


def test_the_readme_has_a_line_for_each_room_of_the_code() -> None:
    readme = Path("README.md").read_text(encoding="utf-8")
    package = Path("apimon_node")
    rooms = [path for path in package.iterdir() if path.is_dir() and (path / "__init__.py").exists()]

    assert [room.name for room in rooms if f"{room.name}/" not in readme] == []
