"""config.yaml → settings: the schema, and the checks of what belongs together. The file itself explains each key."""

import os
import pwd
import stat
from collections.abc import Callable
from datetime import time, tzinfo
from pathlib import Path
from typing import Any

from apimon_node.config import rules
from apimon_node.config.reading import (
    Key,
    any_number,
    file,
    mapping,
    nullable,
    one_or_more,
    read,
    scalar,
    sequence,
    table,
)
from apimon_node.config.scalars import (
    choice,
    color,
    duration,
    endpoint,
    host_name,
    identifier,
    number,
    optional,
    order,
    query,
    share,
    text,
    time_of_day,
    time_zone,
    topic,
    truth,
    url,
    web_path,
    whole,
)
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
from apimon_node.strip.child import LINES, MAX_PIXELS
from apimon_node.strip.drivers import DRIVERS, HARDWARE
from apimon_node.tickets.snapshot import CATEGORIES, MAX_TICKETS, Ticket

PATHS = (Path("config.yaml"), Path("/etc/apimon/config.yaml"))
"""Where the configuration is looked for: the first that exists is read."""

TLS_PORT = 8883
"""Where brokers listen for TLS (IANA: secure-mqtt)."""

HARDWARE_ORDER = "GRB"
"""How most WS2812 take their colours."""


def load(named: Path | None) -> tuple[Settings, list[str]]:
    """Return the settings of a file, and what should be known of it; without a name that of the first of PATHS.

    Raise ConfigError with a line for every problem.
    """
    found = [named] if named else [path for path in PATHS if os.path.lexists(path)]
    if not found:
        raise ConfigError(f"no configuration: expected {' or '.join(map(str, PATHS))}, or --config FILE")
    path, *others = found
    name = str(named or _shown(path))
    try:
        text = _read(path, careful=named is None and os.geteuid() == 0)
    except (OSError, UnicodeDecodeError) as err:
        raise ConfigError(f"{name}: cannot be read: {getattr(err, 'strerror', None) or 'it is not UTF-8'}") from None
    settings, warnings = parse(text, name, path.parent)
    for other in others:
        if os.path.realpath(other) != os.path.realpath(path):
            warnings.insert(0, f"{name}: was read, and {other} was not: name the one that you mean with --config")
    return settings._replace(file=_shown(path)), warnings


def _read(path: Path, *, careful: bool) -> str:
    """Return the text of a file; if `careful`, raise ConfigError where a stranger decides what it says.

    Root's secrets go to the broker and the Jira that a configuration names, so root must not believe whatever lies in
    the folder of somebody else: the same rule as git's safe.directory. The folder counts too, since names of secrets
    are relative to it and its owner may exchange what is in it, and so does the owner of a link. They are looked at
    before the file is opened, which keeps us from a stranger's pipe, and the file itself once it is open, so that
    nobody can exchange it in between.
    """
    if careful:
        _refuse_stranger(path, "its folder", path.parent.stat())
        _refuse_stranger(path, "it", path.lstat())
    with path.open(encoding="utf-8") as file:
        if careful:
            _refuse_stranger(path, "what it links to" if path.is_symlink() else "it", os.fstat(file.fileno()))
        return file.read()


def _refuse_stranger(path: Path, what: str, status: os.stat_result) -> None:
    """Raise ConfigError if others than root and the user who called sudo own a file or folder, or all may write it."""
    mode, owner = status.st_mode, str(status.st_uid)
    kept = stat.S_ISLNK(mode) or (stat.S_ISDIR(mode) and mode & stat.S_ISVTX)  # as /tmp: only owners exchange files
    if owner not in ("0", os.environ.get("SUDO_UID")):
        reason = f"belongs to {_user(status.st_uid)}, and neither to root nor to the user who called sudo"
    elif mode & stat.S_IWOTH and not kept:
        reason = "can be written by everybody"
    else:
        return
    raise ConfigError(f"{_shown(path)}: {what} {reason}: if you trust it, name the file: --config {path}")


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _shown(path: Path) -> str:
    """Return the whole name of a file, fit for a terminal: strangers can name folders as they like."""
    return "".join(character if character.isprintable() else "?" for character in str(path.absolute()))


def parse(text: str, file: str = "config.yaml", folder: Path = Path()) -> tuple[Settings, list[str]]:
    """Read a configuration from its text; paths in it are relative to `folder`."""
    settings, warnings = read(text, file, folder, ROOT)
    assert isinstance(settings, Settings)
    return settings, warnings


def _mqtt(host: str | None, port: int | None, path: str | None, tls: TlsSettings | None, **values: Any) -> MqttSettings:
    """Fill in what depends on the transport; a rule has seen which of it was named."""
    plain = MqttSettings()
    return MqttSettings(
        host=host or plain.host,
        port=port or (plain.port if tls is None else TLS_PORT),
        path=path or plain.path,
        tls=tls,
        **values,
    )


def _pin(value: Any) -> int:
    if type(value) is int and value in LINES:
        return value
    raise ValueError(rules.PINS)


def _strip(
    driver: str, order: str | None, max_milliamps: int | None, device: Path | None, **values: Any
) -> StripSettings:
    """Fill in what depends on the driver."""
    return StripSettings(
        driver=driver,
        order=order or (HARDWARE_ORDER if driver in HARDWARE else "RGB"),
        max_milliamps=rules.milliamps(max_milliamps, driver),
        device=device or rules.SPI_DEVICE,
        **values,
    )


def _quiet_effect(value: Any) -> Scene:
    return Scene(choice(Scene.NIGHT, Scene.OFF)("off" if value is False else value))  # YAML takes off for false


def _quiet_hours(effect: Scene, time_zone: tzinfo | None, **times: time) -> QuietHours:
    return QuietHours(times["from"], times["to"], effect, time_zone)  # from is no name in Python


def _auth(
    token_file: Path | None,
    password_file: Path | None,
    client_secret_file: Path | None,
    client_auth: ClientAuth | None,
    **values: Any,
) -> AuthSettings:
    """Bring together what the ways to sign in have under different names."""
    return AuthSettings(
        secret_file=token_file or password_file or client_secret_file,
        client_auth=client_auth or ClientAuth.BASIC,
        **values,
    )


def _root(overdue: Effect, **parts: Any) -> Settings:
    return Settings(overdue_effect=overdue, **parts)


# The schema


def words(convert: Callable[[Any], Any] = text) -> Key:
    """Read one word or some."""
    return Key(one_or_more(scalar(convert)))


EFFECT = scalar(lambda value: Effect(choice(*Effect)(value)))

TLS = mapping(
    TlsSettings,
    {
        "ca_file": Key(file),
        "cert_file": Key(file),
        "key_file": Key(file),
        "server_name": Key(scalar(optional(host_name))),
    },
    rules.certificate,
)

MQTT = mapping(
    _mqtt,
    {
        "host": Key(scalar(text), None),
        "port": Key(scalar(optional(whole(1, 65535))), None),
        "username": Key(scalar(optional(text))),
        "password_file": Key(file),
        "base_topic": Key(scalar(topic)),
        "protocol": Key(scalar(lambda value: Protocol(choice(*Protocol)(value)))),
        "keepalive": Key(scalar(lambda value: round(duration("5s", "1h")(value)))),
        "transport": Key(scalar(lambda value: Transport(choice(*Transport)(value)))),
        "tls": Key(nullable(TLS), None),
        "path": Key(scalar(optional(web_path)), None),
        "socket": Key(file),
    },
    rules.transport,
    settings=MqttSettings,
)

QUIET_HOURS = mapping(
    _quiet_hours,
    {
        "from": Key(scalar(time_of_day)),
        "to": Key(scalar(time_of_day)),
        "effect": Key(scalar(_quiet_effect)),
        "time_zone": Key(scalar(optional(time_zone))),
    },
    rules.quiet_hours,
    settings=QuietHours,
)

NODE = mapping(
    NodeSettings,
    {
        "id": Key(scalar(identifier)),
        "render_interval": Key(scalar(duration("10ms", "60s"))),
        "refresh_interval": Key(scalar(duration("1s", "1d"))),
        "quiet_hours": Key(nullable(QUIET_HOURS)),
    },
    rules.pace,
)

STRIP = mapping(
    _strip,
    {
        "name": Key(scalar(identifier)),
        "driver": Key(scalar(choice(*DRIVERS))),
        "pixels": Key(scalar(whole(1, MAX_PIXELS))),
        "boards": Key(one_or_more(scalar(identifier))),
        "brightness": Key(scalar(share)),
        "status_pixel": Key(scalar(lambda value: StatusPixel(choice(*StatusPixel)(value)))),
        "heartbeat": Key(scalar(truth)),
        "reverse": Key(scalar(truth)),
        "order": Key(scalar(optional(order)), None),
        "gamma": Key(scalar(number(0.5, 4))),
        "max_milliamps": Key(scalar(optional(whole(0, 100_000))), None),
        "gpio": Key(scalar(optional(_pin)), None),
        "device": Key(file, None),
    },
    rules.current,
    rules.pins,
    settings=StripSettings,
)

WS281X = mapping(Ws281xSettings, {"dma": Key(scalar(whole(0, 15))), "socket": Key(file)}, rules.dma)

MATCH = mapping(
    Match,
    {
        "status": words(),
        "category": words(choice(*CATEGORIES)),
        "priority": words(),
        "assignee": words(),
        "label": words(),
        "overdue": Key(scalar(truth)),
        "younger_than": Key(scalar(duration("1s", "520w"))),
        "older_than": Key(scalar(duration("1s", "520w"))),
    },
    rules.ages,
)

LOOK = mapping(
    Look,
    {"match": Key(MATCH, Match()), "color": Key(scalar(color)), "effect": Key(EFFECT), "always": Key(scalar(truth))},
)

AUTH = mapping(
    _auth,
    {
        "type": Key(scalar(lambda value: AuthType(choice(*AuthType)(value)))),
        "user": Key(scalar(optional(text)), None),
        "token_file": Key(file, None),
        "password_file": Key(file, None),
        "client_id": Key(scalar(optional(text)), None),
        "client_secret_file": Key(file, None),
        "token_url": Key(scalar(optional(endpoint)), None),
        "scope": Key(scalar(optional(text)), None),
        "client_auth": Key(scalar(optional(lambda value: ClientAuth(choice(*ClientAuth)(value)))), None),
    },
    rules.auth,
    rules.client_secret_encrypted,
)

INTERVAL = duration("1s", "1d")

JIRA = mapping(
    JiraSettings,
    {
        "url": Key(scalar(url)),
        "auth": Key(AUTH),
        "timeout": Key(scalar(duration("1s", "50s"))),
        "site": Key(scalar(optional(url))),
    },
    rules.sign_in_encrypted,
    rules.site,
)

POLLER = mapping(
    PollerSettings,
    {
        "id": Key(scalar(identifier)),
        "interval": Key(scalar(INTERVAL)),
        "valid_for": Key(scalar(duration("2s", "52w"))),
        "fields": words(choice(*Ticket._fields)),
        "time_zone": Key(scalar(optional(time_zone))),
        "jira": Key(JIRA),
    },
    rules.validity,
)

BOARD = mapping(
    BoardSettings,
    {
        "name": Key(scalar(identifier)),
        "jql": Key(scalar(query)),
        "overdue_after": Key(table(scalar(duration("0s", "520w")))),
        "overdue_since": Key(scalar(lambda value: OverdueSince(choice(*OverdueSince)(value)))),
        "due_date": Key(scalar(truth)),
        "sla": Key(any_number(scalar(text))),
        "interval": Key(scalar(optional(INTERVAL))),
        "max_tickets": Key(scalar(whole(1, MAX_TICKETS))),
    },
)


HOME_ASSISTANT = mapping(
    HomeAssistantSettings,
    {
        "enabled": Key(scalar(truth)),
        "discovery_prefix": Key(scalar(topic)),
        "status_topic": Key(scalar(optional(topic))),
    },
)

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
        "ws281x": Key(WS281X, Ws281xSettings()),
        "home_assistant": Key(HOME_ASSISTANT, HomeAssistantSettings()),
    },
    rules.names("strips", "strip"),
    rules.names("boards", "board"),
    rules.strips_have_a_node,
    rules.strips_have_looks,
    rules.lines,
    rules.devices,
    rules.poller_has_boards,
    rules.discovery_is_apart,
    rules.validity_of_boards,
    rules.due_leaves,
)
