"""Who may read and write which topic: mosquitto's access list for nodes, pollers and people. Pure.

What a program reads is what it subscribes to. What it writes stands here; tests run both programs under this list,
with a broker that tells (MQTT 5) what it refuses.
"""

from collections.abc import Iterable, Iterator, Sequence
from shlex import quote
from typing import NamedTuple

from apimon_node.clock import Instant
from apimon_node.config.settings import Settings
from apimon_node.contract.topics import Own, Topics
from apimon_node.errors import ConfigError
from apimon_node.home_assistant.entities import config_topic
from apimon_node.node.node import Node
from apimon_node.poller.poller import Poller

BRIDGES = "$SYS/broker/connection/+/state"
"""Where mosquitto says which of its bridges are up."""

START = Instant(0, 0)
"""Nodes and pollers are only made here to be asked for their subscriptions; no time passes in them."""

HOW = """\
# Access list for mosquitto, made by: apimon-node acl
# Each node and poller may write its own topics alone. All that is not named here is refused.
#
# 1. Save this as /etc/mosquitto/apimon.acl
# 2. Give each user a password (-c makes the file anew: only the first time):
{passwords}
# 3. Let the user of the broker read both files, and nobody else:
#      chown mosquitto: /etc/mosquitto/apimon.acl /etc/mosquitto/apimon.passwd
#      chmod 600 /etc/mosquitto/apimon.acl /etc/mosquitto/apimon.passwd
# 4. Write into /etc/mosquitto/conf.d/apimon.conf, and restart mosquitto:
#      listener 1883
#      allow_anonymous false
#      password_file /etc/mosquitto/apimon.passwd
#      acl_file /etc/mosquitto/apimon.acl
#    Later changes of both files need no more than: systemctl reload mosquitto
# 5. Tell each program who it is, in its configuration:
#      mqtt: {{username: the user below, password_file: a file with its password}}\
"""


def no_chance() -> float:
    """Stand in for what spreads them over time."""
    return 0.0


class Rights(NamedTuple):
    """What a user may do, and who that is."""

    user: str
    who: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]


def access_list(
    fleet: Sequence[Settings], operators: Iterable[str] = (), home_assistants: Iterable[str] = ()
) -> Iterator[str]:
    """Write the list, line by line, for the programs of some configurations, and for people and their dashboards.

    Raises ConfigError where it would be for nobody, or where mosquitto could not read a name.
    """
    programs = [rights for settings in fleet for rights in _programs(settings)]
    if not programs:
        raise ConfigError("expected a node with strips or a poller in the configuration, got neither")
    bases = tuple(dict.fromkeys(settings.mqtt.base_topic for settings in fleet))
    prefixes = tuple(dict.fromkeys(settings.home_assistant.discovery_prefix for settings in fleet))
    people = [_operator(name, bases) for name in operators]
    people += [_home_assistant(name, bases, prefixes) for name in home_assistants]
    users: dict[str, list[Rights]] = {}
    for rights in (*programs, *people):
        users.setdefault(_checked(rights.user, "a user's name", ":"), []).append(rights)
    commands = [f"#      mosquitto_passwd /etc/mosquitto/apimon.passwd {quote(user)}" for user in users]
    commands[0] = commands[0].replace("passwd /", "passwd -c /", 1)
    yield from HOW.format(passwords="\n".join(commands)).splitlines()
    for user, all_rights in users.items():
        yield from ("", *_section(user, all_rights))


def _section(user: str, all_rights: Sequence[Rights]) -> Iterator[str]:
    """Write the part of one user. Programs that share a user share their rights, which is told."""
    who = tuple(dict.fromkeys(rights.who for rights in all_rights))
    yield f"# {' and '.join(who)}"
    if len(who) > 1:
        yield "# They have one user, so each may do what the other may: let each have a configuration of its own."
    yield f"user {user}"
    reads = dict.fromkeys(topic for rights in all_rights for topic in rights.reads)
    writes = dict.fromkeys(topic for rights in all_rights for topic in rights.writes)
    for topic in reads | writes:
        access = f"{'read' * (topic in reads)}{'write' * (topic in writes)}"
        yield f"topic {access} {_checked(topic, 'a topic')}"


def _programs(settings: Settings) -> Iterator[Rights]:
    """Yield the rights of the programs that a configuration is for."""
    if settings.node is not None and settings.strips:
        yield _node(settings, settings.node.id)
    if settings.poller is not None:
        yield _poller(settings, settings.poller.id)


def _node(settings: Settings, name: str) -> Rights:
    own = Topics(settings.mqtt.base_topic).node(name)
    strips = [topic(strip.name) for strip in settings.strips for topic in (own.strip, own.strip_config, own.image)]
    doctor = (own.availability, own.status)  # which `apimon-node doctor` looks for, as this user
    reads = (*Node(settings, START, no_chance).subscriptions, *doctor)
    writes = (*_written_by_both(own), *strips, own.light, config_topic(settings.home_assistant, "node", name))
    return Rights(settings.mqtt.username or f"apimon-node-{name}", f"node {name}", reads, writes)


def _poller(settings: Settings, name: str) -> Rights:
    topics = Topics(settings.mqtt.base_topic)
    reads = Poller(settings, START, no_chance).subscriptions
    boards = [board.name for board in settings.boards]
    told = [topic(board) for board in boards for topic in (topics.tickets, topics.summary, topics.event)]
    writes = (*told, *_written_by_both(topics.poller(name)), config_topic(settings.home_assistant, "poller", name))
    return Rights(settings.mqtt.username or f"apimon-poller-{name}", f"poller {name}", reads, writes)


def _written_by_both(own: Own) -> tuple[str, ...]:
    return own.availability, own.status, own.response("+")


def _operator(name: str, bases: Sequence[str]) -> Rights:
    seen = (*(f"{base}/#" for base in bases), BRIDGES)
    return Rights(name, f"operator {name}", seen, tuple(_commands(bases)))


def _home_assistant(name: str, bases: Sequence[str], prefixes: Sequence[str]) -> Rights:
    """Return the lines for Home Assistant: read all, command, announce its start, clear discovery."""
    home = tuple(f"{prefix}/#" for prefix in prefixes)
    return Rights(name, f"Home Assistant {name}", (*(f"{base}/#" for base in bases), *home), (*_commands(bases), *home))


def _commands(bases: Sequence[str]) -> Iterator[str]:
    """Name the topics on which nodes and pollers are told what to do."""
    for base in bases:
        topics = Topics(base)
        node = topics.node("+")
        yield from (node.request("+"), node.light_set, topics.poller("+").request("+"))


def _checked(name: str, what: str, forbidden: str = "") -> str:
    """Refuse what would be another line, or another name, when mosquitto reads it."""
    if name and name.isprintable() and name.strip() == name and not set(name) & set(forbidden):
        return name
    but = f" and without {forbidden}" if forbidden else ""
    raise ConfigError(f"expected {what} on one line, without spaces at its ends{but}, got {name!r}")
