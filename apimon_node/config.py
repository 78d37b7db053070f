"""config.yaml → settings: the schema, and the checks of what belongs together. The file itself explains each key."""

from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

from apimon_node.errors import ConfigError
from apimon_node.picture.effects import Effect
from apimon_node.picture.looks import Look, Match
from apimon_node.picture.painting import MILLIAMPS_DARK
from apimon_node.reading import Key, Node, Problems, Values, file, mapping, one_or_more, read, scalar, sequence, table
from apimon_node.settings import (
    AuthSettings,
    AuthType,
    BoardSettings,
    JiraSettings,
    MqttSettings,
    NodeSettings,
    PollerSettings,
    Protocol,
    Settings,
    StatusPixel,
    StripSettings,
)
from apimon_node.strip.drivers import DRIVERS
from apimon_node.tickets.snapshot import CATEGORIES
from apimon_node.values import (
    choice,
    color,
    duration,
    identifier,
    number,
    optional,
    query,
    share,
    text,
    topic,
    truth,
    url,
    whole,
)

PATHS = (Path("config.yaml"), Path("/etc/apimon/config.yaml"))
"""Where the configuration is looked for."""

MAX_PIXELS = 2000

SMOOTH = 0.5
"""Seconds between two frames that the effects are made for; more often only costs."""


def load(path: Path | None) -> tuple[Settings, list[str]]:
    """Read the configuration; give what should be known of it too. Raises ConfigError with a line for every problem."""
    path = path or next((path for path in PATHS if path.exists()), None)
    if path is None:
        raise ConfigError(f"no configuration: expected {' or '.join(map(str, PATHS))}, or --config FILE")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as err:
        raise ConfigError(f"{path}: cannot be read: {getattr(err, 'strerror', None) or 'it is not UTF-8'}") from None
    return parse(text, str(path), path.parent)


def parse(text: str, file: str = "config.yaml", folder: Path = Path()) -> tuple[Settings, list[str]]:
    """Read a configuration from its text; paths in it are relative to `folder`."""
    settings, warnings = read(text, file, folder, ROOT)
    assert isinstance(settings, Settings)
    return settings, warnings


# What belongs together: each function looks at the values of a mapping


def _check_node(values: Values, node: Node, path: str, problems: Problems) -> None:
    if values["render_interval"] < SMOOTH:
        problems.warn(
            node, f"{path}.render_interval", "below 0.5s the node and the strip work harder than they need to"
        )


def _check_strip(values: Values, node: Node, path: str, problems: Problems) -> None:
    limit, dark = values["max_milliamps"], values["pixels"] * MILLIAMPS_DARK
    if 0 < limit <= dark:
        text = f"expected 0 (no limit) or more than the {dark} mA that its pixels draw when dark, got {limit}"
        problems.add(node, f"{path}.max_milliamps", text)


def _check_auth(values: Values, node: Node, path: str, problems: Problems) -> None:
    auth = values["type"]
    by_user = auth in (AuthType.API_TOKEN, AuthType.BASIC)
    if by_user and values["user"] is None:
        problems.add(node, f"{path}.user", f"is missing: {auth} signs a user in")
    right = {AuthType.BASIC: "password_file", AuthType.NONE: ""}.get(auth, "token_file")
    for wrong in ("token_file", "password_file"):
        if wrong != right and values[wrong] is not None:
            problems.add(node, f"{path}.{wrong}", f"does not go with {auth}")


def _check_poller(values: Values, node: Node, path: str, problems: Problems) -> None:
    least = 2 * values["interval"]
    if values["valid_for"] < least:
        problems.add(
            node,
            f"{path}.valid_for",
            f"expected at least twice the interval ({least:g}s), got {values['valid_for']:g}s",
        )


def _check_names(part: str, word: str) -> Callable[[Values, Node, str, Problems], None]:
    def check(values: Values, node: Node, _path: str, problems: Problems) -> None:
        names = [item.name for item in values[part]]
        for at in (at for at, name in enumerate(names) if name in names[:at]):
            problems.add(_node_of(node, part, at), f"{part}[{at}].name", f"a {word} {names[at]!r} is there already")

    return check


def _check_strips_have_a_node(values: Values, node: Node, _path: str, problems: Problems) -> None:
    if values["strips"] and values["node"] is None:
        problems.add(node, "node", "is missing: strips need a node with an id")


def _check_strips_have_looks(values: Values, node: Node, _path: str, problems: Problems) -> None:
    if values["strips"] and not values["looks"]:
        problems.add(node, "looks", "is missing: without looks no ticket is drawn")


def _check_poller_has_boards(values: Values, node: Node, _path: str, problems: Problems) -> None:
    if values["poller"] is not None and not values["boards"]:
        problems.add(node, "boards", "is missing: the poller has nothing to ask for")


def _node_of(root: Node, part: str, at: int) -> Node:
    items = next(value for key, value in root.value if key.value == part)
    node: Node = items.value[at]
    return node


def _auth(type: AuthType, user: str | None, token_file: Path | None, password_file: Path | None) -> AuthSettings:  # noqa: A002 - the key
    return AuthSettings(type, user, token_file or password_file)


def _root(overdue: Effect, home_assistant: None, **parts: Any) -> Settings:  # noqa: ARG001 - see HOME_ASSISTANT
    return Settings(overdue_effect=overdue, **parts)


# The schema


def words(convert: Callable[[Any], Any] = text) -> Key:
    """Read what a ticket must have: one of some words."""
    return Key(one_or_more(scalar(convert)))


EFFECT = scalar(lambda value: Effect(choice(*Effect)(value)))

MQTT = mapping(
    MqttSettings,
    {
        "host": Key(scalar(text)),
        "port": Key(scalar(whole(1, 65535))),
        "username": Key(scalar(optional(text))),
        "password_file": Key(file),
        "base_topic": Key(scalar(topic)),
        "protocol": Key(scalar(lambda value: Protocol(choice(*Protocol)(value)))),
        "keepalive": Key(scalar(lambda value: round(duration("5s", "1h")(value)))),
    },
)

NODE = mapping(
    NodeSettings,
    {
        "id": Key(scalar(identifier)),
        "render_interval": Key(scalar(duration("10ms", "60s"))),
        "refresh_interval": Key(scalar(duration("1s", "1d"))),
    },
    _check_node,
)

STRIP = mapping(
    StripSettings,
    {
        "name": Key(scalar(identifier)),
        "driver": Key(scalar(choice(*DRIVERS))),
        "pixels": Key(scalar(whole(1, MAX_PIXELS))),
        "boards": Key(one_or_more(scalar(identifier))),
        "brightness": Key(scalar(share)),
        "status_pixel": Key(scalar(lambda value: StatusPixel(choice(*StatusPixel)(value)))),
        "heartbeat": Key(scalar(truth)),
        "reverse": Key(scalar(truth)),
        "order": Key(scalar(choice(*("".join(order) for order in permutations("RGB"))))),
        "gamma": Key(scalar(number(0.5, 4))),
        "max_milliamps": Key(scalar(whole(0, 100_000))),
    },
    _check_strip,
)

MATCH = mapping(
    Match,
    {
        "status": words(),
        "category": words(choice(*CATEGORIES)),
        "priority": words(),
        "assignee": words(),
        "label": words(),
        "overdue": Key(scalar(truth)),
    },
)

LOOK = mapping(Look, {"match": Key(MATCH, Match()), "color": Key(scalar(color)), "effect": Key(EFFECT)})

AUTH = mapping(
    _auth,
    {
        "type": Key(scalar(lambda value: AuthType(choice(*AuthType)(value)))),
        "user": Key(scalar(optional(text)), None),
        "token_file": Key(file, None),
        "password_file": Key(file, None),
    },
    _check_auth,
)

JIRA = mapping(
    JiraSettings,
    {
        "url": Key(scalar(url)),
        "auth": Key(AUTH),
        "timeout": Key(scalar(duration("1s", "50s"))),
    },
)

POLLER = mapping(
    PollerSettings,
    {
        "id": Key(scalar(identifier)),
        "interval": Key(scalar(duration("1s", "1d"))),
        "valid_for": Key(scalar(duration("2s", "52w"))),
        "jira": Key(JIRA),
    },
    _check_poller,
)

BOARD = mapping(
    BoardSettings,
    {
        "name": Key(scalar(identifier)),
        "jql": Key(scalar(query)),
        "overdue_after": Key(table(scalar(duration("0s", "520w")))),
    },
)


def _home_assistant(node: Node, path: str, problems: Problems) -> None:
    """Accept the part of the design that this version has no use for, and say so."""
    problems.warn(node, path, "this version does not announce itself to Home Assistant yet")


ROOT = mapping(
    _root,
    {
        "mqtt": Key(MQTT, MqttSettings()),
        "node": Key(NODE, None),
        "strips": Key(sequence(STRIP), ()),
        "looks": Key(sequence(LOOK), ()),
        "overdue": Key(mapping(lambda effect: effect, {"effect": Key(EFFECT, Effect.PULSE)}), Effect.PULSE),
        "poller": Key(POLLER, None),
        "boards": Key(sequence(BOARD), ()),
        "home_assistant": Key(_home_assistant, None),
    },
    _check_names("strips", "strip"),
    _check_names("boards", "board"),
    _check_strips_have_a_node,
    _check_strips_have_looks,
    _check_poller_has_boards,
)
