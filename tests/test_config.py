"""config.yaml → settings: the shipped file is the reference, and every mistake is told at once with its line."""

import copy
import math
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from apimon_node.config import reading, schema
from apimon_node.config.settings import (
    AuthSettings,
    AuthType,
    BoardSettings,
    ClientAuth,
    HomeAssistantSettings,
    JiraSettings,
    MqttSettings,
    NodeSettings,
    OverdueSince,
    PollerSettings,
    Protocol,
    QuietHours,
    Settings,
    StripSettings,
    TlsSettings,
    Transport,
    Ws281xSettings,
)
from apimon_node.errors import ConfigError
from apimon_node.picture.effects import Effect
from apimon_node.picture.looks import Look, Match
from apimon_node.picture.painting import StatusPixel
from apimon_node.picture.scene import Scene

SHIPPED = Path(__file__).parent.parent / "config.yaml"

DESIGN = """\
mqtt:   {host: localhost, port: 1883, username: null, password_file: null, base_topic: apimon, protocol: auto}
node:   {id: hallway, render_interval: 0.5s, refresh_interval: 60s}
strips:
  - {name: ops, driver: terminal, pixels: 40, boards: [ops], brightness: 100%, status_pixel: first}
looks:
  - {match: {status: Open}, color: red}
  - {match: {status: [In Progress, Review]}, color: magenta, effect: steady}
overdue: {effect: pulse}
poller:
  id: main
  interval: 60s
  valid_for: 1h
  jira: {url: https://jira.example.com, auth: {type: pat, token_file: /etc/apimon/jira-token}}
boards:
  - {name: ops, jql: project = OPS AND statusCategory != Done, overdue_after: {Open: 3h, In Progress: 1w}}
home_assistant: {enabled: true, discovery_prefix: homeassistant}
"""

NODE = """\
node: {id: hallway}
strips:
  - {name: ops, driver: memory, pixels: 8, boards: [ops]}
looks:
  - {color: red}
"""

POLLER = """\
poller:
  jira: {url: https://jira.example.com, auth: {type: none}}
boards:
  - {name: ops, jql: project = OPS}
"""


def settings(text: str) -> Settings:
    return schema.parse(text)[0]


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        schema.parse(text)
    return list(caught.value.problems)


def problem(text: str) -> str:
    (only,) = problems(text)
    return only


def mqtt(**values: object) -> str:
    """Write a configuration with these values in it, as they stand."""
    return "mqtt:\n" + "".join(f"  {key}: {value}\n" for key, value in values.items())


def strip(**values: object) -> str:
    return NODE.replace("boards: [ops]", "boards: [ops], " + ", ".join(f"{key}: {v}" for key, v in values.items()))


def poller(**values: object) -> str:
    return POLLER.replace("poller:\n", "poller:\n" + "".join(f"  {key}: {value}\n" for key, value in values.items()))


def board(**values: object) -> str:
    return POLLER.replace("OPS}", "OPS, " + ", ".join(f"{key}: {value}" for key, value in values.items()) + "}")


def look(**values: object) -> str:
    return NODE.replace("{color: red}", "{" + ", ".join(f"{key}: {value}" for key, value in values.items()) + "}")


def auth(**values: object) -> str:
    return POLLER.replace("{type: none}", "{" + ", ".join(f"{key}: {value}" for key, value in values.items()) + "}")


OAUTH2 = {
    "client_id": "apimon",
    "client_secret_file": "s",
    "token_url": "'https://id.example.com/token/?a=b'",
    "scope": "'READ WRITE'",
    "client_auth": "body",
}


# The files that are promised to load


def test_the_shipped_file_loads_without_a_warning() -> None:
    loaded, warnings = schema.load(SHIPPED)

    assert warnings == []
    assert loaded.node is not None
    assert loaded.poller is not None
    assert loaded.strips
    assert loaded.boards


def mappings(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    """Walk through all mappings of a file."""
    if isinstance(value, dict):
        yield path, value
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from mappings(child, (*path, key))


def test_the_shipped_file_has_every_key_that_the_program_knows() -> None:
    shipped = yaml.safe_load(SHIPPED.read_text())
    known: dict[str, set[str]] = {}
    present: dict[str, set[str]] = defaultdict(set)
    for path, mapping in mappings(shipped):
        place = ".".join("[]" if isinstance(step, int) else step for step in path)
        present[place] |= set(mapping)
        spoilt = copy.deepcopy(shipped)
        inner = spoilt
        for step in path:
            inner = inner[step]
        inner["~~~~"] = "1h"
        if place != "boards.[].overdue_after":  # its keys are free
            expected = re.search(r"~~~~: unknown key: expected (.*)", problem(yaml.safe_dump(spoilt)))
            assert expected
            known[place] = set(re.split(r", | or ", expected[1]))

    assert len(known) == 13
    assert {place: present[place] for place in known} == known


def test_the_shipped_file_shows_the_default_of_every_key_that_has_one() -> None:
    shipped = yaml.safe_load(SHIPPED.read_text())
    reference = schema.load(SHIPPED)[0]._replace(file="")
    chosen = {"node", "strips", "looks", "poller", "boards", "overdue_after", "match"}
    checked = 0
    for path, mapping in mappings(shipped):
        if "looks" in path or "overdue_after" in path:
            continue
        for key in set(mapping) - chosen:
            without = copy.deepcopy(shipped)
            inner = without
            for step in path:
                inner = inner[step]
            del inner[key]
            try:
                loaded = schema.parse(yaml.safe_dump(without), folder=SHIPPED.parent)[0]
            except ConfigError as err:
                assert "is missing" in str(err)  # noqa: PT017 - a key without a default
                continue
            checked += 1
            assert loaded == reference, f"{path} {key}"
    assert checked >= 20


def test_the_file_of_the_design_loads() -> None:
    loaded, warnings = schema.parse(DESIGN)

    assert loaded == Settings(
        MqttSettings(),
        NodeSettings("hallway", 0.5, 60),
        (StripSettings("ops", "terminal", 40, ("ops",)),),
        (
            Look(Match(status=("Open",)), (255, 0, 0)),
            Look(Match(status=("In Progress", "Review")), (255, 0, 255), Effect.STEADY),
        ),
        Effect.PULSE,
        PollerSettings(
            JiraSettings("https://jira.example.com", AuthSettings(AuthType.PAT, None, Path("/etc/apimon/jira-token"))),
            "main",
            60,
            3600,
        ),
        (BoardSettings("ops", "project = OPS AND statusCategory != Done", {"Open": 10_800, "In Progress": 604_800}),),
    )
    assert warnings == []


def test_a_node_needs_no_poller_and_a_poller_no_strips() -> None:
    assert settings(NODE).poller is None
    assert settings(POLLER).node is None
    assert settings(POLLER).poller == PollerSettings(
        JiraSettings("https://jira.example.com", AuthSettings(AuthType.NONE))
    )


def test_an_empty_mapping_is_a_broker_on_this_machine() -> None:
    assert settings("{}") == Settings(MqttSettings(), None, (), (), Effect.PULSE, None, ())


# Where it is looked for


def test_the_first_of_the_usual_places_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = tmp_path / "here.yaml", tmp_path / "there.yaml"
    monkeypatch.setattr(schema, "PATHS", (here, there))
    there.write_text(mqtt(host="there"))
    assert schema.load(None)[0].mqtt.host == "there"

    here.write_text(mqtt(host="here"))
    assert schema.load(None)[0].mqtt.host == "here"
    assert schema.load(there)[0].mqtt.host == "there"


def test_the_usual_places_are_here_and_etc() -> None:
    assert list(map(str, schema.PATHS)) == ["config.yaml", "/etc/apimon/config.yaml"]


def test_no_configuration_at_all_names_the_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "PATHS", (tmp_path / "a", tmp_path / "b"))
    with pytest.raises(ConfigError, match=f"^no configuration: expected {tmp_path}/a or {tmp_path}/b, or --config"):
        schema.load(None)


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file or directory"), (b"a: \xff", "it is not UTF-8")])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "apimon.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"^{re.escape(str(path))}: cannot be read: {reason}$"):
        schema.load(path)


def test_problems_name_the_file_as_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "apimon.yaml"
    path.write_text("mqtt: {port: 0}\n")
    with pytest.raises(ConfigError) as caught:
        schema.load(path)

    assert str(caught.value) == f"{path}:1: mqtt.port: expected 1 to 65535, got 0"


# Home Assistant


def test_home_assistant_is_told_unless_the_configuration_says_no() -> None:
    assert settings(NODE).home_assistant == HomeAssistantSettings(
        enabled=True, discovery_prefix="homeassistant", status_topic=None
    )
    text = "home_assistant: {enabled: false, discovery_prefix: ha/x, status_topic: ha/birth}"
    assert settings(text).home_assistant == HomeAssistantSettings(
        enabled=False, discovery_prefix="ha/x", status_topic="ha/birth"
    )


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("{}", "homeassistant/status"),
        ("home_assistant: {discovery_prefix: ha/x}", "ha/x/status"),
        ("home_assistant: {discovery_prefix: ha/x, status_topic: null}", "ha/x/status"),
        ("home_assistant: {status_topic: ha/birth}", "ha/birth"),
    ],
)
def test_births_are_told_below_the_prefix_unless_the_topic_is_named(text: str, topic: str) -> None:
    assert settings(text).home_assistant.birth_topic == topic


@pytest.mark.parametrize(
    ("text", "line", "base", "prefix"),
    [
        ("mqtt: {base_topic: homeassistant}", 1, "homeassistant", "homeassistant"),
        ("mqtt: {base_topic: homeassistant/apimon}", 1, "homeassistant/apimon", "homeassistant"),
        ("mqtt: {}\nhome_assistant: {discovery_prefix: apimon}", 2, "apimon", "apimon"),
        ("mqtt: {base_topic: a/b/c}\nhome_assistant: {discovery_prefix: a/b}", 2, "a/b/c", "a/b"),
    ],
)
def test_our_topics_may_not_lie_where_home_assistant_looks_for_devices(
    text: str, line: int, base: str, prefix: str
) -> None:
    assert problem(text) == (
        f"config.yaml:{line}: home_assistant.discovery_prefix: expected another topic than mqtt.base_topic ({base}), "
        f"and none above it, got {prefix!r}"
    )


@pytest.mark.parametrize(
    "text",
    [
        "mqtt: {base_topic: homeassistant2}",
        "mqtt: {base_topic: home}",
        "home_assistant: {discovery_prefix: apimon/ha}",
        "{mqtt: {base_topic: homeassistant}, home_assistant: {enabled: false}}",
    ],
)
def test_a_prefix_beside_or_below_our_topics_is_none_of_their_business(text: str) -> None:
    settings(text)


# Every problem at once


def test_every_problem_is_told_at_once_in_the_order_of_the_file() -> None:
    text = """\
mqtt:
  port: 99999
  hots: broker
node:
  id: Hall way
  render_interval: 5ms
home_assistant:
strips:
  - driver: neon
    name: ops
    # a comment
    pixels: forty
    boards: [ops, OPS]
    brightness: 150%
looks:
  - {match: {status: 5, overdue: maybe}, color: reddish}
  - 7
overdue: pulse
poller:
  jira: {url: jira.example.com}
boards: ops
"""
    assert problems(text) == [
        "config.yaml:2: mqtt.port: expected 1 to 65535, got 99999",
        "config.yaml:3: mqtt.hots: unknown key: did you mean 'host'?",
        "config.yaml:5: node.id: expected an id of a to z, 0 to 9, _ and - only, got 'Hall way'",
        "config.yaml:6: node.render_interval: expected a duration from 10ms to 60s, got '5ms'",
        "config.yaml:7: home_assistant: expected a mapping with enabled, discovery_prefix or status_topic",
        "config.yaml:9: strips[0].driver: expected terminal, memory, spi or ws281x, got 'neon'",
        "config.yaml:12: strips[0].pixels: expected 1 to 2000, got 'forty'",
        "config.yaml:13: strips[0].boards[1]: expected an id of a to z, 0 to 9, _ and - only, got 'OPS'",
        "config.yaml:14: strips[0].brightness: expected a percentage from 0% to 100%, got '150%'",
        "config.yaml:16: looks[0].match.status: expected text (put it in quotes), got 5",
        "config.yaml:16: looks[0].match.overdue: expected true or false, got 'maybe'",
        (
            "config.yaml:16: looks[0].color: expected a colour such as orange or '#ff8800' "
            "(with the quotes: # begins a comment), got 'reddish'"
        ),
        "config.yaml:17: looks[1]: expected a mapping with match, color, effect or always",
        "config.yaml:18: overdue: expected a mapping with effect",
        (
            "config.yaml:20: poller.jira.url: expected an address such as https://jira.example.com, "
            "without user or password, got 'jira.example.com'"
        ),
        "config.yaml:20: poller.jira.auth: is missing",
        "config.yaml:21: boards: expected a list",
    ]


def test_all_lines_together_are_what_the_error_says() -> None:
    with pytest.raises(ConfigError) as caught:
        schema.parse("mqtt: {port: 0, host: 5}")

    assert str(caught.value).splitlines() == list(caught.value.problems)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mqqt: {}", "config.yaml:1: mqqt: unknown key: did you mean 'mqtt'?"),
        ("mqtt: {user: me}", "config.yaml:1: mqtt.user: unknown key: did you mean 'username'?"),
        ("mqtt: {passwordfile: me}", "config.yaml:1: mqtt.passwordfile: unknown key: did you mean 'password_file'?"),
        (
            "xyz: 1",
            (
                "config.yaml:1: xyz: unknown key: expected mqtt, node, strips, looks, overdue, poller, boards, ws281x "
                "or home_assistant"
            ),
        ),
        (
            "home_assistant: {enabled: 1}",
            "config.yaml:1: home_assistant.enabled: expected true or false, got 1",
        ),
        (
            "home_assistant: {discovery_prefix: ha/#}",
            (
                "config.yaml:1: home_assistant.discovery_prefix: expected a topic without + and #, "
                "and without / at its ends, got 'ha/#'"
            ),
        ),
        (
            "home_assistant: {status_topic: ha/}",
            (
                "config.yaml:1: home_assistant.status_topic: expected a topic without + and #, "
                "and without / at its ends, got 'ha/'"
            ),
        ),
        (
            "home_assistant: {prefix: ha}",
            "config.yaml:1: home_assistant.prefix: unknown key: did you mean 'discovery_prefix'?",
        ),
        ("overdue: {xyz: 1}", "config.yaml:1: overdue.xyz: unknown key: expected effect"),
        ("node: {}", "config.yaml:1: node.id: is missing"),
        ("overdue: {effect: steady}\noverdue: {effect: blink}", "config.yaml:2: overdue: comes twice"),
        ("mqtt:\n  port: 1\n  host: a\n  port: 1", "config.yaml:4: mqtt.port: comes twice"),
        (
            POLLER.replace("OPS}", "OPS, overdue_after: {Open: 3h, Open: 4h}}"),
            "config.yaml:4: boards[0].overdue_after.Open: comes twice",
        ),
        (
            POLLER.replace("OPS}", "OPS, overdue_after: {Open: 3}}"),
            "config.yaml:4: boards[0].overdue_after.Open: expected a duration from 0s to 520w, got 3",
        ),
        (
            POLLER.replace("OPS}", "OPS, overdue_after: [Open]}"),
            "config.yaml:4: boards[0].overdue_after: expected a mapping",
        ),
        (mqtt(host="[a]"), "config.yaml:2: mqtt.host: expected a single value, got a list or a mapping"),
        (
            mqtt(password_file="{a: b}"),
            "config.yaml:2: mqtt.password_file: expected a single value, got a list or a mapping",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line_and_the_nearest_way_out(text: str, expected: str) -> None:
    assert problem(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (NODE.replace("node: {id: hallway}", ""), "config.yaml:2: node: is missing: strips need a node with an id"),
        (NODE.partition("looks")[0], "config.yaml:1: looks: is missing: without looks no ticket is drawn"),
        (POLLER.partition("boards")[0], "config.yaml:1: boards: is missing: the poller has nothing to ask for"),
        (
            NODE.replace("looks", "  - {name: ops, driver: memory, pixels: 1, boards: ops}\nlooks"),
            "config.yaml:4: strips[1].name: a strip 'ops' is there already",
        ),
        (
            POLLER + "  - {name: net, jql: a}\n  - {name: ops, jql: b}",
            "config.yaml:6: boards[2].name: a board 'ops' is there already",
        ),
        (
            strip(max_milliamps=8),
            (
                "config.yaml:3: strips[0].max_milliamps: expected 0 (no limit) or more than the 8 mA that its "
                "pixels draw when dark, got 8: write 10 or more, as the supply allows"
            ),
        ),
        (
            poller(interval="1h"),
            "config.yaml:2: poller.valid_for: expected at least twice the interval (7200s), got 3600s",
        ),
        (
            look(match="{younger_than: 10m, older_than: 2w}", color="red"),
            (
                "config.yaml:5: looks[0].match.younger_than: expected more than older_than (2w), got 10m: "
                "no ticket is both"
            ),
        ),
        (
            look(match="{younger_than: 60s, older_than: 1m}", color="red"),
            (
                "config.yaml:5: looks[0].match.younger_than: expected more than older_than (1m), got 1m: "
                "no ticket is both"
            ),
        ),
        (
            board(interval="31m").replace("poller:", "poller:\n  interval: 1m"),
            (
                "config.yaml:5: boards[0].interval: expected at most half of poller.valid_for (3600s) for board 'ops', "
                "got 1860s"
            ),
        ),
        (auth(type="basic"), "config.yaml:2: poller.jira.auth.user: is missing: basic signs a user in"),
        (auth(type="api_token"), "config.yaml:2: poller.jira.auth.user: is missing: api_token signs a user in"),
        (
            auth(type="basic", user="me", token_file="t"),
            "config.yaml:2: poller.jira.auth.token_file: does not go with basic",
        ),
        (
            auth(type="none", token_file="t"),
            "config.yaml:2: poller.jira.auth.token_file: does not go with none",
        ),
        (
            auth(type="pat", password_file="p"),
            "config.yaml:2: poller.jira.auth.password_file: does not go with pat",
        ),
        (
            auth(type="none", password_file="p"),
            "config.yaml:2: poller.jira.auth.password_file: does not go with none",
        ),
        (
            auth(type="oauth2", token_url="https://x.org/token"),
            "config.yaml:2: poller.jira.auth.client_id: is missing: oauth2 signs a client in",
        ),
        (
            auth(type="oauth2", client_id="x"),
            "config.yaml:2: poller.jira.auth.token_url: is missing: oauth2 gets its tokens there",
        ),
        *(
            (
                auth(type="oauth2", client_id="x", token_url="https://x.org/token", **{key: "y"}),
                f"config.yaml:2: poller.jira.auth.{key}: does not go with oauth2",
            )
            for key in ("user", "token_file", "password_file")
        ),
        *(
            (auth(type="pat", **{key: value}), f"config.yaml:2: poller.jira.auth.{key}: does not go with pat")
            for key, value in OAUTH2.items()
        ),
        (
            auth(type="oauth2", client_id="x", token_url="https://x.org", client_auth="header"),
            "config.yaml:2: poller.jira.auth.client_auth: expected basic or body, got 'header'",
        ),
        *(
            (
                auth(type="oauth2", client_id="x", token_url=f"'{url}'"),
                (
                    "config.yaml:2: poller.jira.auth.token_url: expected an address such as "
                    f"https://id.example.com/token, without user or password, got {url!r}"
                ),
            )
            for url in (
                "id.example.com",
                "ftp://x.org",
                "https://me:secret@x.org/token",
                "https://x.org/#a",
                "https://",
            )
        ),
    ],
)
def test_what_does_not_go_together_is_told(text: str, expected: str) -> None:
    assert problem(text) == expected


def test_a_check_that_asks_for_a_key_that_there_is_not_is_a_bug() -> None:
    def misspelt(values: reading.Values, *_: object) -> None:
        values["hots"]

    reader = reading.mapping(dict, {"host": reading.Key(reading.scalar(str), "")}, misspelt)

    with pytest.raises(KeyError, match="hots"):
        reading.read("host: a", "config.yaml", Path(), reader)


def test_what_does_not_go_together_is_told_beside_what_is_wrong_by_itself() -> None:
    text = """\
mqtt: {port: 0}
strips:
  - {name: ops, driver: memory, pixels: 8, boards: ops, max_milliamps: 5, gamma: 9}
  - {name: ops, driver: memory, pixels: 8, boards: ops}
poller: {interval: 1h, id: X, jira: {url: x, auth: {type: basic, user: 5, token_file: t}}}
"""
    places = [line.split(": ")[1] for line in problems(text)]

    assert places == [
        "mqtt.port",
        "strips[0].gamma",
        "strips[0].max_milliamps",
        "poller.id",
        "poller.jira.url",
        "poller.jira.auth.user",
        "poller.valid_for",
    ]


# Strips on pins


def strips(*lines: str, ws281x: str = "{}") -> str:
    items = "".join(f"  - {{name: s{at}, pixels: 40, boards: ops, {line}}}\n" for at, line in enumerate(lines))
    return f"node: {{id: hall}}\nws281x: {ws281x}\nlooks: [{{color: red}}]\nstrips:\n{items}"


PINS = "GPIO 18 or 12 (PWM), 13 or 19 (the second line of PWM), 21 (PCM) or 10 (SPI)"
TOGETHER = (
    "ws281x drives one strip, or two of which one is on GPIO 12 or 18 and the other on 13 or 19; these are on {}."
    " Another strip can use the driver spi"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (strips("driver: ws281x"), f"config.yaml:5: strips[0].gpio: is missing: {PINS}"),
        (strips("driver: ws281x, gpio: 17"), f"config.yaml:5: strips[0].gpio: expected {PINS}, got 17"),
        (strips("driver: ws281x, gpio: '18'"), f"config.yaml:5: strips[0].gpio: expected {PINS}, got '18'"),
        (
            strips("driver: ws281x, gpio: 18, device: /dev/spidev0.0"),
            "config.yaml:5: strips[0].device: does not go with ws281x",
        ),
        (strips("driver: terminal, gpio: 18"), "config.yaml:5: strips[0].gpio: does not go with terminal"),
        (
            strips("driver: spi, gpio: 18"),
            (
                "config.yaml:5: strips[0].gpio: does not go with spi"
                " (it drives the pin of its device: GPIO 10 of /dev/spidev0.0)"
            ),
        ),
        (strips("driver: terminal, order: GRBW"), "config.yaml:5: strips[0].order: a terminal has no white channel"),
        (
            strips("driver: spi, order: GRX"),
            (
                "config.yaml:5: strips[0].order: expected an order of the colours such as GRB or RGB,"
                " or GRBW for a strip with white, got 'GRX'"
            ),
        ),
        (
            strips("driver: spi", "driver: spi"),
            "config.yaml:6: strips[1].device: strip 's0' is on /dev/spidev0.0 already",
        ),
        (
            strips("driver: spi", "driver: ws281x, gpio: 10"),
            "config.yaml:6: strips[1].device: strip 's0' is on /dev/spidev0.0 already",
        ),
        *(
            (
                strips(*(f"driver: ws281x, gpio: {pin}" for pin in pins)),
                f"config.yaml:{4 + len(pins)}: strips[{len(pins) - 1}].gpio: "
                + TOGETHER.format(" and ".join(map(str, pins))),
            )
            for pins in [(18, 21), (18, 12), (13, 19), (18, 18), (10, 13), (18, 13, 12), (18, 13, 21)]
        ),
        (
            strips("driver: ws281x, gpio: 18", ws281x="{dma: 5}"),
            "config.yaml:2: ws281x.dma: expected 10, got 5: the SD card uses it, and would be corrupted",
        ),
        *(
            (
                strips("driver: ws281x, gpio: 18", ws281x=f"{{dma: {dma}}}"),
                f"config.yaml:2: ws281x.dma: expected 10, got {dma}: the kernel or the firmware uses it",
            )
            for dma in (0, 1, 2, 3, 4, 6, 7, 15)
        ),
        (
            strips("driver: ws281x, gpio: 18", ws281x="{dma: 255}"),
            "config.yaml:2: ws281x.dma: expected 0 to 15, got 255",
        ),
    ],
)
def test_pins_that_cannot_work_are_told_with_what_to_do(text: str, expected: str) -> None:
    assert problem(text) == expected


@pytest.mark.parametrize("pins", [(10,), (12,), (13,), (18,), (19,), (21,), (18, 13), (18, 19), (19, 12), (13, 12)])
def test_pins_that_work(pins: tuple[int, ...]) -> None:
    loaded = settings(strips(*(f"driver: ws281x, gpio: {pin}" for pin in pins)))

    assert tuple(strip.gpio for strip in loaded.strips) == pins
    assert loaded.ws281x == Ws281xSettings(10, None)


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        *(
            (
                strips("driver: ws281x, gpio: 18", ws281x=f"{{dma: {dma}}}"),
                f"config.yaml:2: ws281x.dma: the kernel may use channel {dma} at the same time: prefer 10",
            )
            for dma in (8, 9, 11, 12, 13, 14)
        ),
        (
            strips("driver: ws281x, gpio: 18").replace("40", "5"),
            (
                "config.yaml:5: strips[0].pixels: fewer than 6 may flicker with ws281x: "
                "name more than there are, or use spi"
            ),
        ),
    ],
)
def test_what_may_not_work_is_a_warning(text: str, warning: str) -> None:
    assert schema.parse(text)[1] == [warning]


def test_what_a_strip_is_unless_told_otherwise_depends_on_its_driver() -> None:
    spi, terminal = settings(strips("driver: spi", "driver: terminal")).strips

    assert (spi.order, spi.max_milliamps, spi.device) == ("GRB", 850, Path("/dev/spidev0.0"))
    assert (terminal.order, terminal.max_milliamps) == ("RGB", 0)
    named = settings(strips("driver: spi, order: RGB, max_milliamps: 0")).strips[0]
    assert (named.order, named.max_milliamps) == ("RGB", 0)


def test_the_socket_of_a_strip_service_is_relative_to_the_file() -> None:
    text = strips("driver: ws281x, gpio: 18", ws281x="{socket: strip.sock}")

    assert schema.parse(text, folder=Path("/etc/apimon"))[0].ws281x.socket == Path("/etc/apimon/strip.sock")


# What YAML makes of what people write


@pytest.mark.parametrize("written", ["On", "Off", "yes", "5", "5.0", "2026-11-23", "0x10", ".inf", "1:30"])
def test_a_word_that_yaml_takes_for_something_else_must_be_quoted(written: str) -> None:
    expected = f"config.yaml:5: looks[0].match.status: expected text (put it in quotes), got {written}"
    assert problem(look(match=f"{{status: {written}}}", color="red")) == expected
    assert settings(look(match=f"{{status: '{written}'}}", color="red")).looks[0].match.status == (written,)


@pytest.mark.parametrize("written", ["", "null", "~", "''"])
def test_text_must_not_be_empty(written: str) -> None:
    got = "''" if written == "''" else "nothing"
    assert problem(mqtt(host=written)) == f"config.yaml:2: mqtt.host: expected text, got {got}"


@pytest.mark.parametrize("status", ["On", "Off", "5", "2026-11-23", "null"])
def test_a_status_that_is_a_key_needs_no_quotes(status: str) -> None:
    text = POLLER.replace("OPS}", f"OPS, overdue_after: {{{status}: 3h}}}}")

    assert settings(text).boards[0].overdue_after == {status: 10_800}


def test_an_unquoted_colour_is_a_comment_and_the_message_says_so() -> None:
    assert problem("looks:\n  - color: #ff8800\n") == (
        "config.yaml:2: looks[0].color: expected a colour such as orange or '#ff8800' "
        "(with the quotes: # begins a comment), got nothing"
    )


def test_a_tab_is_told_with_its_line() -> None:
    assert problem("mqtt:\n\thost: a\n") == "config.yaml:2: not YAML: found character '\\t' that cannot start any token"


def test_an_anchor_repeats_a_value() -> None:
    text = NODE.replace("[ops]", "&all [ops, net]").replace(
        "looks", "  - {name: b, driver: memory, pixels: 1, boards: *all}\nlooks"
    )

    assert [strip.boards for strip in settings(text).strips] == [("ops", "net")] * 2


def test_a_merge_key_is_an_unknown_key() -> None:
    assert problem("mqtt: {<<: {port: 1}}").startswith("config.yaml:1: mqtt.<<: unknown key: ")


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        ("!secret broker", "!secret"),
        ("!!python/name:os.system x", "tag:yaml.org,2002:python/name:os.system"),
        ("!!timestamp soon", "tag:yaml.org,2002:timestamp"),
        ("!!bool maybe", "tag:yaml.org,2002:bool"),
        ("!!int ''", "tag:yaml.org,2002:int"),
    ],
)
def test_a_tag_has_no_meaning(written: str, tag: str) -> None:
    assert problem(mqtt(host=written)) == f"config.yaml:2: mqtt.host: the tag {tag} means nothing here"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "config.yaml:1: it is empty"),
        ("# nothing but a comment\n", "config.yaml:1: it is empty"),
        ("just a word", "config.yaml:1: expected a mapping with mqtt, node, strips, "),
        ("- mqtt\n", "config.yaml:1: expected a mapping with mqtt, node, strips, "),
        ("null", "config.yaml:1: expected a mapping with mqtt, node, strips, "),
        ("mqtt:", "config.yaml:1: mqtt: expected a mapping with host, port, "),
        ("mqtt: {host: a", "config.yaml:1: not YAML: "),
        ("a: *nowhere", "config.yaml:1: not YAML: found undefined alias"),
        ("a: b\n---\nc: d", "config.yaml:2: not YAML: "),
        ("a: \x07", "config.yaml: not YAML: unacceptable character"),
        ("mqtt: &a {port: *a}", "config.yaml:1: mqtt.port: expected a single value, got a list or a mapping"),
        ("[" * 5000, "config.yaml: expected the keys of config.yaml, got a file that is nested too deeply"),
        ("mqtt: {[a, b]: c}", "config.yaml:1: mqtt: expected a word before the colon, got a list or a mapping"),
    ],
)
def test_what_is_no_configuration_at_all_is_told_in_one_line(text: str, expected: str) -> None:
    message = problem(text)
    assert message.startswith(expected)
    assert "\n" not in message


@given(st.text("{}[]:-,&*!|>'\"#%@\n abmqtp1?~.", max_size=40) | st.text())
def test_any_text_is_either_a_configuration_or_a_config_error(text: str) -> None:
    try:
        schema.parse(text)
    except ConfigError:
        return


# What single values may be


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("500ms", 0.5), ("0.5s", 0.5), ("10 s", 10), ("60s", 60), ("1m", 60), ("0.5m", 30), ("60000ms", 60)],
)
def test_durations_have_a_unit(written: str, seconds: float) -> None:
    node = settings(NODE.replace("hallway", f"hallway, render_interval: {written}")).node

    assert node is not None
    assert node.render_interval == pytest.approx(seconds)


@pytest.mark.parametrize("written", ["5", "5.0", "0.5", "9ms", "61s", "2m", "-1s", "1 sec", "1h30m", "s", "1S", "'5'"])
def test_a_duration_without_a_unit_or_out_of_range_is_refused(written: str) -> None:
    got = f"'{written}'" if not re.fullmatch(r"[\d.]+|'5'", written) else written
    assert problem(NODE.replace("hallway", f"hallway, render_interval: {written}")) == (
        f"config.yaml:1: node.render_interval: expected a duration from 10ms to 60s, got {got}"
    )


@pytest.mark.parametrize(
    ("unit", "seconds"), [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 604_800)]
)
def test_each_unit_has_its_length(unit: str, seconds: float) -> None:
    text = POLLER.replace("OPS}", f"OPS, overdue_after: {{Open: 2{unit}}}}}")

    assert settings(text).boards[0].overdue_after["Open"] == pytest.approx(2 * seconds)


@pytest.mark.parametrize(("written", "share"), [("0%", 0), ("40%", 0.4), ("12.5 %", 0.125), ("100%", 1)])
def test_brightness_is_a_percentage(written: str, share: float) -> None:
    assert settings(strip(brightness=written)).strips[0].brightness == share


@pytest.mark.parametrize("written", ["0.5", "50", "101%", "-1%", "'%'", "half"])
def test_what_is_no_percentage_is_refused(written: str) -> None:
    assert "strips[0].brightness: expected a percentage from 0% to 100%, got " in problem(strip(brightness=written))


@pytest.mark.parametrize(
    ("written", "rgb"),
    [
        ("red", (255, 0, 0)),
        ("NavajoWhite", (255, 222, 173)),
        ("'#ff8800'", (255, 136, 0)),
        ("'#F80'", (255, 136, 0)),
        ("black", (0, 0, 0)),
    ],
)
def test_a_colour_is_a_css_name_or_a_number(written: str, rgb: tuple[int, int, int]) -> None:
    assert settings(look(color=written)).looks[0].color == rgb


@pytest.mark.parametrize("written", ["5", "'#ff88'", "'#gggggg'", "'ff8800'", "''", "[red]", "true"])
def test_what_is_no_colour_is_refused(written: str) -> None:
    assert problem(look(color=written)).startswith("config.yaml:5: looks[0].color: expected a ")


@pytest.mark.parametrize(("text", "name"), [(NODE, "hallway"), (NODE, "ops"), (POLLER, "ops")])
@pytest.mark.parametrize("wrong", ["Ops", "a b", "a/b", "a+", "é", "5", "''", "a.b"])
def test_an_id_becomes_part_of_a_topic_and_so_has_few_characters(text: str, name: str, wrong: str) -> None:
    found = problems(re.sub(rf"(id|name): {name}", rf"\1: {wrong}", text, count=1))

    assert "expected an id of a to z, 0 to 9, _ and - only, got " in found[0]


@pytest.mark.parametrize("written", ["a", "home/apimon", "a b", "Ä/ö"])
def test_a_base_topic_may_have_levels(written: str) -> None:
    assert settings(mqtt(base_topic=written)).mqtt.base_topic == written


@pytest.mark.parametrize("written", ["/a", "a/", "a/+", "'a/#'", "'#'", "''", "5", r'"a\0"'])
def test_a_base_topic_has_no_wildcards_and_no_empty_ends(written: str) -> None:
    assert "mqtt.base_topic: expected a topic without + and #" in problem(mqtt(base_topic=written))


@pytest.mark.parametrize(
    ("written", "protocol"),
    [("auto", Protocol.AUTO), ("5", Protocol.V5), ("'5'", Protocol.V5), ("3.1.1", Protocol.V311)],
)
def test_a_protocol_needs_no_quotes(written: str, protocol: Protocol) -> None:
    assert settings(mqtt(protocol=written)).mqtt.protocol is protocol


@pytest.mark.parametrize("written", ["4", "5.0", "null", "3.1"])
def test_another_protocol_is_refused(written: str) -> None:
    assert "mqtt.protocol: expected auto, 5 or 3.1.1, got " in problem(mqtt(protocol=written))


@pytest.mark.parametrize(("port", "fits"), [(0, False), (1, True), (65_535, True), (65_536, False), ("80.0", False)])
def test_a_port_is_a_whole_number(port: object, *, fits: bool) -> None:
    if fits:
        assert settings(mqtt(port=port)).mqtt.port == port
    else:
        assert problem(mqtt(port=port)) == f"config.yaml:2: mqtt.port: expected 1 to 65535, got {port}"


@pytest.mark.parametrize(
    ("values", "port"),
    [
        ({"host": "a"}, 1883),
        ({"port": "null"}, 1883),
        ({"tls": "{}"}, 8883),
        ({"tls": "{}", "port": "null"}, 8883),
        ({"tls": "{}", "port": 1883}, 1883),
        ({"tls": "null"}, 1883),
    ],
)
def test_with_tls_the_port_is_another_unless_named(values: dict[str, object], port: int) -> None:
    assert settings(mqtt(**values)).mqtt.port == port


def test_tls_in_full() -> None:
    text = "{ca_file: ca.crt, cert_file: me.crt, key_file: /etc/me.key, server_name: broker.example.com}"
    parsed, _ = schema.parse(mqtt(tls=text), folder=Path("/there"))

    assert parsed.mqtt.tls == TlsSettings(
        Path("/there/ca.crt"), Path("/there/me.crt"), Path("/etc/me.key"), "broker.example.com"
    )
    assert settings(mqtt(tls="{}")).mqtt.tls == TlsSettings()


def test_the_block_for_tls_in_the_shipped_file_has_every_key_with_its_default() -> None:
    block = re.search(r"^  # tls:\n((  #   .*\n)+)", SHIPPED.read_text(), re.MULTILINE)
    assert block
    tls = yaml.safe_load(block[0].replace("  # ", "  ", 1).replace("\n  # ", "\n  "))["tls"]

    assert TlsSettings(**tls) == TlsSettings()
    assert tuple(tls) == TlsSettings._fields


@pytest.mark.parametrize("path", [None, "/", "/mqtt/v5?a=b"])
def test_websockets_have_a_path(path: str | None) -> None:
    parsed = settings(mqtt(transport="websockets", port=9001, path=path or "null")).mqtt

    assert (parsed.transport, parsed.port, parsed.path) == (Transport.WEBSOCKETS, 9001, path or "/mqtt")
    assert settings(mqtt(transport="websockets", port=9001)).mqtt.path == "/mqtt"


def test_a_unix_socket_is_relative_to_the_file() -> None:
    parsed, _ = schema.parse(mqtt(transport="unix", socket="mosquitto.sock"), folder=Path("/run"))

    assert (parsed.mqtt.transport, parsed.mqtt.socket) == (Transport.UNIX, Path("/run/mosquitto.sock"))
    assert parsed.mqtt.address == "/run/mosquitto.sock"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"transport": "udp"}, "mqtt.transport: expected tcp, websockets or unix, got 'udp'"),
        ({"transport": "unix"}, "mqtt.socket: is missing: the file on which the broker listens"),
        ({"socket": "/s"}, "mqtt.socket: does not go with tcp"),
        ({"path": "/mqtt"}, "mqtt.path: does not go with tcp"),
        ({"transport": "websockets", "port": 1, "socket": "/s"}, "mqtt.socket: does not go with websockets"),
        ({"transport": "unix", "socket": "/s", "host": "a"}, "mqtt.host: does not go with unix"),
        ({"transport": "unix", "socket": "/s", "port": 1}, "mqtt.port: does not go with unix"),
        ({"transport": "unix", "socket": "/s", "path": "/mqtt"}, "mqtt.path: does not go with unix"),
        ({"transport": "unix", "socket": "/s", "tls": "{}"}, "mqtt.tls: does not go with unix"),
        (
            {"transport": "websockets"},
            "mqtt.port: is missing: each broker has its own for websockets, mosquitto often 9001",
        ),
        (
            {"transport": "websockets", "port": 1, "path": "mqtt"},
            "mqtt.path: expected a path such as /mqtt, without spaces or #, got 'mqtt'",
        ),
        ({"path": "'/a b'"}, "mqtt.path: expected a path such as /mqtt, without spaces or #, got '/a b'"),
        ({"path": "'/a#b'"}, "mqtt.path: expected a path such as /mqtt, without spaces or #, got '/a#b'"),
        ({"path": "/ä"}, "mqtt.path: expected a path such as /mqtt, without spaces or #, got '/ä'"),
        ({"path": 7}, "mqtt.path: expected a path such as /mqtt, without spaces or #, got 7"),
        (
            {"tls": "true"},
            "mqtt.tls: expected a mapping with ca_file, cert_file, key_file or server_name",
        ),
        (
            {"tls": "{insecure: true}"},
            "mqtt.tls.insecure: unknown key: expected ca_file, cert_file, key_file or server_name",
        ),
        (
            {"tls": "{cert_file: a}"},
            "mqtt.tls.key_file: is missing: cert_file needs it (one file may hold both)",
        ),
        (
            {"tls": "{key_file: a}"},
            "mqtt.tls.cert_file: is missing: key_file needs it (one file may hold both)",
        ),
        ({"tls": "{server_name: .a}"}, "mqtt.tls.server_name: expected the name of a host, got '.a'"),
        ({"tls": "{server_name: 7}"}, "mqtt.tls.server_name: expected text (put it in quotes), got 7"),
    ],
)
def test_ways_to_the_broker_that_make_no_sense_are_refused(values: dict[str, object], expected: str) -> None:
    assert re.sub(r"^config\.yaml:\d+: ", "", problem(mqtt(**values))) == expected


def test_a_number_with_thousands_of_digits_is_refused_like_any_other() -> None:
    assert problem(mqtt(port="9" * 5000)).startswith("config.yaml:2: mqtt.port: expected 1 to 65535, got '999")


@pytest.mark.parametrize("written", ["0.4", "4.1", ".nan", ".inf", "true", "'2'"])
def test_gamma_is_a_number_in_its_range(written: str) -> None:
    assert "strips[0].gamma: expected 0.5 to 4, got " in problem(strip(gamma=written))


def test_every_key_of_a_strip_arrives() -> None:
    text = strip(
        brightness="50%", status_pixel="last", heartbeat="yes", reverse="true", order="GRB", gamma=2, max_milliamps=850
    )

    assert settings(text).strips == (
        StripSettings(
            "ops",
            "memory",
            8,
            ("ops",),
            brightness=0.5,
            status_pixel=StatusPixel.LAST,
            heartbeat=True,
            reverse=True,
            order="GRB",
            gamma=2.0,
            max_milliamps=850,
        ),
    )


def test_every_key_of_a_match_arrives_and_a_single_word_stands_for_a_list() -> None:
    match = (
        "{status: Open, category: [new, done], priority: High, assignee: me, label: [a, b], overdue: false,"
        " younger_than: 2w, older_than: 10m}"
    )

    assert settings(look(match=match, color="red")).looks == (
        Look(
            Match(
                ("Open",),
                ("new", "done"),
                ("High",),
                ("me",),
                ("a", "b"),
                overdue=False,
                younger_than=1_209_600,
                older_than=600,
            ),
            (255, 0, 0),
        ),
    )


@pytest.mark.parametrize(("key", "other"), [("younger_than", "older_than"), ("older_than", "younger_than")])
def test_an_age_is_a_duration_of_at_least_a_second(key: str, other: str) -> None:
    assert problem(look(match=f"{{{key}: 0s, {other}: 1h}}", color="red")) == (
        f"config.yaml:5: looks[0].match.{key}: expected a duration from 1s to 520w, got '0s'"
    )


@pytest.mark.parametrize("written", ["steady", "pulse", "blink"])
def test_effects_are_named(written: str) -> None:
    assert settings(f"overdue: {{effect: {written}}}").overdue_effect is Effect(written)
    assert settings(look(color="red", effect=written)).looks[0].effect is Effect(written)


def test_an_unknown_effect_names_those_there_are() -> None:
    assert problem("overdue: {effect: sparkle}") == (
        "config.yaml:1: overdue.effect: expected steady, pulse or blink, got 'sparkle'"
    )


@pytest.mark.parametrize(
    ("limit", "got"),
    [("", "got none, which is 850"), (", max_milliamps: 850", "got 850"), (", max_milliamps: 9", "got 9")],
)
@pytest.mark.parametrize("pixels", [850, 1000, 2000])
def test_a_limit_that_leaves_nothing_for_light_is_refused_also_where_it_is_the_default(
    pixels: int, limit: str, got: str
) -> None:
    text = f"node: {{id: a}}\nlooks: [{{color: red}}]\nstrips:\n  - {{name: a, boards: a, driver: spi{limit}, pixels: "

    assert problem(f"{text}{pixels}}}") == (
        f"config.yaml:4: strips[0].max_milliamps: expected 0 (no limit) or more than the {pixels} mA that its pixels"
        f" draw when dark, {got}: write {lowest(pixels)} or more, as the supply allows"
    )
    assert schema.parse(f"{text}{pixels}, max_milliamps: {lowest(pixels)}}}".replace(limit, ""))[1] == []


def lowest(pixels: int) -> int:
    """Return what a strip draws that is white at the lowest level, in mA."""
    return math.ceil(pixels * (1 + 55 / 255))


def test_a_limit_below_the_lowest_level_of_all_pixels_is_warned_of() -> None:
    _, warnings = schema.parse(strips("driver: spi").replace("pixels: 40", "pixels: 849"))

    (warning,) = warnings
    assert warning == (
        "config.yaml:5: strips[0].max_milliamps: with all pixels lit the strip draws up to 1033 mA even at the lowest"
        " level, got none, which is 850: write 1033 or more, if the supply has it"
    )


def test_a_render_interval_below_half_a_second_works_with_a_warning() -> None:
    loaded, warnings = schema.parse(NODE.replace("hallway", "hallway, render_interval: 100ms"))

    assert loaded.node == NodeSettings("hallway", 0.1)
    (warning,) = warnings
    assert warning.startswith("config.yaml:1: node.render_interval: below 0.5s ")


# Secrets


def quiet(**values: object) -> str:
    times = {"from": "'22:00'", "to": "'06:30'"} | values
    return f"node: {{id: n, quiet_hours: {{{', '.join(f'{key}: {value}' for key, value in times.items())}}}}}\n"


def test_quiet_hours_are_a_night_by_the_machines_own_clock_unless_told_otherwise() -> None:
    node = settings(quiet()).node

    assert node is not None
    assert node.quiet_hours == QuietHours(time(22), time(6, 30), Scene.NIGHT, None)


@pytest.mark.parametrize("effect", ["off", "'off'", "no"])
def test_every_key_of_quiet_hours_arrives(effect: str) -> None:
    node = settings(quiet(to="'6:30'", effect=effect, time_zone="Europe/Berlin")).node

    assert node is not None
    assert node.quiet_hours == QuietHours(time(22), time(6, 30), Scene.OFF, ZoneInfo("Europe/Berlin"))


def test_quiet_hours_may_be_null() -> None:
    assert settings("node: {id: n, quiet_hours: null}").node == settings("node: {id: n}").node


def test_the_quiet_hours_that_the_shipped_file_proposes_are_some_with_every_default() -> None:
    proposed = re.search(r"\{from: .*?\}", SHIPPED.read_text())

    assert proposed
    assert settings(f"node: {{id: n, quiet_hours: {proposed[0]}}}") == settings(quiet())


TIME_OF_DAY = "expected a time of day from '00:00' to '23:59' (with the quotes: YAML takes 22:00 for a number)"

TIME_ZONE = "expected a time zone that this machine knows (its package tzdata), such as Europe/Berlin"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"from": "22:00"}, f"from: {TIME_OF_DAY}, got 22:00"),
        ({"from": "'24:00'"}, f"from: {TIME_OF_DAY}, got '24:00'"),
        ({"to": "'22:60'"}, f"to: {TIME_OF_DAY}, got '22:60'"),
        ({"to": "'٠٦:٣٠'"}, f"to: {TIME_OF_DAY}, got '٠٦:٣٠'"),
        ({"to": "null"}, f"to: {TIME_OF_DAY}, got nothing"),
        ({"to": "'22:00'"}, "to: expected another time than from, got '22:00': it would always be quiet, or never"),
        ({"effect": "steady"}, "effect: expected night or off, got 'steady'"),
        ({"effect": "true"}, "effect: expected night or off, got true"),
        ({"time_zone": "Berlin"}, f"time_zone: {TIME_ZONE}, got 'Berlin'"),
        ({"form": "'22:00'"}, "form: unknown key: did you mean 'from'?"),
    ],
)
def test_quiet_hours_that_cannot_be_are_told(values: dict[str, object], expected: str) -> None:
    assert problem(quiet(**values)) == f"config.yaml:1: node.quiet_hours.{expected}"


def test_quiet_hours_need_a_beginning_and_an_end() -> None:
    assert problems("node: {id: n, quiet_hours: {effect: night}}") == [
        "config.yaml:1: node.quiet_hours.from: is missing",
        "config.yaml:1: node.quiet_hours.to: is missing",
    ]


def test_a_look_may_always_shine() -> None:
    assert [item.always for item in settings(look(color="red", always="true")).looks] == [True]
    assert problem(look(color="red", always="'yes'")).endswith("looks[0].always: expected true or false, got 'yes'")


def test_names_of_secret_files_are_relative_to_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(mqtt(password_file="secrets/mqtt") + auth(type="pat", token_file="/run/token"))
    loaded = schema.load(path)[0]

    assert loaded.mqtt.password_file == tmp_path / "secrets/mqtt"
    assert loaded.poller is not None
    assert loaded.poller.jira.auth.secret_file == Path("/run/token")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"type": "pat"}, AuthSettings(AuthType.PAT)),
        ({"type": "pat", "token_file": "t"}, AuthSettings(AuthType.PAT, None, Path("t"))),
        (
            {"type": "api_token", "user": "me@x.org", "token_file": "t"},
            AuthSettings(AuthType.API_TOKEN, "me@x.org", Path("t")),
        ),
        ({"type": "basic", "user": "me", "password_file": "p"}, AuthSettings(AuthType.BASIC, "me", Path("p"))),
        (
            {"type": "oauth2", "client_id": "apimon", "token_url": "https://id.example.com/token"},
            AuthSettings(AuthType.OAUTH2, client_id="apimon", token_url="https://id.example.com/token"),
        ),
        (
            {"type": "oauth2", **OAUTH2},
            AuthSettings(
                AuthType.OAUTH2,
                None,
                Path("s"),
                "apimon",
                "https://id.example.com/token/?a=b",
                "READ WRITE",
                ClientAuth.BODY,
            ),
        ),
        ({"type": "none"}, AuthSettings(AuthType.NONE)),
    ],
)
def test_each_way_to_sign_in_has_its_file(values: dict[str, str], expected: AuthSettings) -> None:
    found = settings(auth(**values)).poller

    assert found is not None
    assert found.jira.auth == expected


@pytest.mark.parametrize(
    ("auth", "name"),
    [
        (AuthType.PAT, "jira-token"),
        (AuthType.API_TOKEN, "jira-token"),
        (AuthType.BASIC, "jira-password"),
        (AuthType.OAUTH2, "jira-client-secret"),
    ],
)
def test_each_secret_has_its_name(auth: AuthType, name: str) -> None:
    assert AuthSettings(auth).secret_name == name


@pytest.mark.parametrize(
    ("url", "is_open"),
    [
        ("https://id.example.com/token", False),
        ("http://id.example.com/token", True),
        ("http://localhost/token", False),
        ("http://localhost:8080", False),
        ("http://127.0.0.1:8080/token", False),
        ("http://127.0.1.1", False),
        ("http://[::1]:8080/token", False),
        ("http://localhost.example.com/token", True),
        ("http://127.0.0.1.example.com/token", True),
        ("http://10.0.0.1", True),
    ],
)
def test_a_secret_that_others_can_read_on_the_way_is_warned_of(url: str, *, is_open: bool) -> None:
    client = auth(type="oauth2", client_id="x", token_url=f"'{url}'")
    assert (
        schema.parse(client)[1]
        == ["config.yaml:2: poller.jira.auth.token_url: is not https: the client secret goes unencrypted"] * is_open
    )
    token = auth(type="pat").replace("https://jira.example.com", f"'{url}'")
    assert (
        schema.parse(token)[1]
        == ["config.yaml:2: poller.jira.url: is not https: what pat signs in with goes unencrypted"] * is_open
    )
    assert schema.parse(POLLER.replace("https://jira.example.com", f"'{url}'"))[1] == []


@pytest.mark.parametrize("key", ["password", "token", "secret"])
def test_no_secret_can_stand_in_the_file(key: str) -> None:
    assert any(f"mqtt.{key}: unknown key" in line for line in problems(mqtt(**{key: "hunter2"})))
    assert any(f"auth.{key}: unknown key" in line for line in problems(auth(type="pat", **{key: "hunter2"})))


@pytest.mark.parametrize(
    ("written", "fits"),
    [
        ("https://jira.example.com", True),
        ("http://localhost:8080/jira", True),
        ("https://me:secret@jira.example.com", False),
        ("https://me@jira.example.com", False),
        ("https://jira.example.com/?os_password=secret", False),
        ("jira.example.com", False),
        ("ftp://jira.example.com", False),
        ("https://", False),
    ],
)
def test_an_address_has_a_scheme_and_no_user_or_password(written: str, *, fits: bool) -> None:
    text = POLLER.replace("https://jira.example.com", f"'{written}'")
    if fits:
        found = settings(text).poller
        assert found is not None
        assert found.jira.url == written
    else:
        assert problem(text).startswith("config.yaml:2: poller.jira.url: expected an address such as ")


def test_the_last_slash_of_an_address_does_not_count() -> None:
    found = settings(POLLER.replace("example.com", "example.com/jira/")).poller

    assert found is not None
    assert found.jira.url == "https://jira.example.com/jira"


@pytest.mark.parametrize("key", ["url", "site"])
@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("https://jira.example.com/rest/api/2", "https://jira.example.com"),
        ("https://jira.example.com/rest/api/3/", "https://jira.example.com"),
        ("https://jira.example.com/jira/rest/api/latest", "https://jira.example.com/jira"),
        ("https://jira.example.com/jira//rest/api/latest//", "https://jira.example.com/jira"),
        ("https://jira.example.com/rest/api/2/search", "https://jira.example.com/rest/api/2/search"),
        ("https://jira.example.com/rest/api/4", "https://jira.example.com/rest/api/4"),
        ("https://jira.example.com/interest/api/2", "https://jira.example.com/interest/api/2"),
        ("https://rest/api/2", "https://rest/api/2"),
        ("https://jira.example.com//", "https://jira.example.com"),
    ],
)
def test_an_address_may_be_that_of_the_api_as_the_predecessor_had_it(key: str, written: str, address: str) -> None:
    head = f"url: '{written}'" if key == "url" else f"url: https://example.org, site: '{written}'"
    text = POLLER.replace("url: https://jira.example.com", head)
    found = settings(text).poller

    assert found is not None
    assert getattr(found.jira, key) == address


@pytest.mark.parametrize(
    ("site", "browse"),
    [("null", "https://jira.example.com/browse/"), ("'https://example.org/jira/'", "https://example.org/jira/browse/")],
)
def test_links_lead_to_the_site_if_there_is_one(site: str, browse: str) -> None:
    found = settings(POLLER.replace("example.com,", f"example.com, site: {site},")).poller

    assert found is not None
    assert found.jira.browse == browse


# What the poller asks and publishes


@pytest.mark.parametrize("written", ["''", "ORDER BY created", "' order  by created, key desc '", "'  '"])
def test_a_query_for_all_tickets_is_refused(written: str) -> None:
    found = problem(POLLER.replace("project = OPS", written))

    assert re.match(
        r"config\.yaml:4: boards\[0\]\.jql: expected (text, got '(  )?'|a query that does not ask for all )", found
    )


@pytest.mark.parametrize("written", ["filter = 10024", "project = A OR project = B ORDER BY key", "text ~ 'order by'"])
def test_a_query_is_kept_as_it_is_written(written: str) -> None:
    assert settings(POLLER.replace("project = OPS", f'"{written}"')).boards[0].jql == written


def test_every_key_of_a_poller_arrives() -> None:
    text = poller(id="x", interval="2m", valid_for="1d", fields="[summary, key]", time_zone="Europe/Berlin")
    jira = JiraSettings("https://jira.example.com", AuthSettings(AuthType.NONE))

    assert settings(text).poller == PollerSettings(
        jira, "x", 120, 86_400, ("summary", "key"), ZoneInfo("Europe/Berlin")
    )


def test_every_key_of_a_board_arrives() -> None:
    text = board(
        overdue_after="{Open: 3h, 10001: 1d, done: 1w}",
        overdue_since="status",
        due_date="true",
        sla="[Time to resolution, customfield_10030]",
        interval="30m",
        max_tickets=500,
    )

    assert settings(text).boards == (
        BoardSettings(
            "ops",
            "project = OPS",
            {"Open": 10_800, "10001": 86_400, "done": 604_800},
            OverdueSince.STATUS,
            due_date=True,
            sla=("Time to resolution", "customfield_10030"),
            interval=1800,
            max_tickets=500,
        ),
    )


@pytest.mark.parametrize(
    ("written", "sla"), [("null", ()), ("", ()), ("[]", ()), ("all", ("all",)), ("[all]", ("all",)), ("A b", ("A b",))]
)
def test_slas_are_none_one_some_or_all(written: str, sla: tuple[str, ...]) -> None:
    assert settings(board(sla=written)).boards[0].sla == sla


@pytest.mark.parametrize(
    ("key", "written", "expected"),
    [
        ("sla", "''", "expected text, got ''"),
        ("sla", "{}", "expected a single value, got a list or a mapping"),
        ("sla", "[a, a]", "expected each once"),
        ("sla", "5", "expected text (put it in quotes), got 5"),
        ("overdue_since", "change", "expected created or status, got 'change'"),
        ("overdue_since", "null", "expected created or status, got nothing"),
        ("due_date", "duedate", "expected true or false, got 'duedate'"),
        ("interval", "0.5s", "expected a duration from 1s to 1d, got '0.5s'"),
        ("interval", "2d", "expected a duration from 1s to 1d, got '2d'"),
        ("max_tickets", "0", "expected 1 to 10000, got 0"),
        ("max_tickets", "10001", "expected 1 to 10000, got 10001"),
        ("max_tickets", "null", "expected 1 to 10000, got nothing"),
    ],
)
def test_a_wrong_rule_of_a_board_is_told(key: str, written: str, expected: str) -> None:
    assert problem(board(**{key: written})) == f"config.yaml:4: boards[0].{key}: {expected}"


def test_an_interval_of_a_board_may_be_half_of_how_long_its_snapshot_holds() -> None:
    assert settings(board(interval="30m")).boards[0].interval == 1800
    assert settings(board(interval="null")).boards[0].interval is None


def test_a_board_without_a_poller_may_have_any_interval() -> None:
    assert settings("boards: [{name: ops, jql: a, interval: 1d}]").boards[0].interval == 86_400


@pytest.mark.parametrize("written", ["reporter", "Summary", "''", "5"])
def test_a_field_that_no_ticket_has_is_refused(written: str) -> None:
    assert problem(poller(fields=f"[key, {written}]")).startswith(
        "config.yaml:2: poller.fields[1]: expected key, status, category, priority, created, due, summary, assignee "
        "or labels, got "
    )


@pytest.mark.parametrize(
    ("written", "expected"), [("[]", "expected at least one"), ("[due, due]", "expected each once")]
)
def test_fields_are_at_least_one_and_each_once(written: str, expected: str) -> None:
    assert problem(poller(fields=written)) == f"config.yaml:2: poller.fields: {expected}"


@pytest.mark.parametrize("rule", [{"overdue_after": "{Open: 1h}"}, {"due_date": "true"}, {"sla": "all"}])
def test_rules_whose_outcome_does_not_leave_jira_are_a_warning(rule: dict[str, object]) -> None:
    text = board(**rule).replace("poller:", "poller:\n  fields: key")

    assert schema.parse(text)[1] == [
        "config.yaml:5: boards[0]: nothing becomes overdue: poller.fields does not have due"
    ]
    assert schema.parse(text.replace("fields: key", "fields: [key, due]"))[1] == []


def test_without_rules_due_need_not_leave_jira() -> None:
    assert schema.parse(poller(fields="key"))[1] == []


@pytest.mark.parametrize(
    "written",
    ["Mars/Phobos", "Europe", "europe/nowhere", "''", "../../etc/passwd", "/etc/passwd", "zone.tab", "5", "x" * 999],
)
def test_an_unknown_time_zone_is_named(written: str) -> None:
    got = written if written in ("5", "''") else f"'{written}'"

    assert problem(poller(time_zone=written)) == (
        "config.yaml:2: poller.time_zone: expected a time zone that this machine knows (its package tzdata), "
        f"such as Europe/Berlin, got {got}"
    )


@pytest.mark.parametrize(("site", "warned"), [("", True), (", site: https://example.atlassian.net", False)])
def test_atlassians_gateway_without_the_site_is_warned_of(site: str, *, warned: bool) -> None:
    text = POLLER.replace("https://jira.example.com", f"https://api.atlassian.com/ex/jira/0b1e{site}")

    assert [
        warning.startswith("config.yaml:2: poller.jira.site: is not named") for warning in schema.parse(text)[1]
    ] == ([True] if warned else [])
