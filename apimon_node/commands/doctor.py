"""`apimon-node doctor`: looks at the strips' machine, tries the broker and Jira, and says what to do. One line a check.

It opens no strip: the node that runs holds it. What that node says of its strips is read from the broker.
"""

import re
import select
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import NamedTuple

from apimon_node import wire
from apimon_node.config.settings import AuthType, BoardSettings, JiraSettings, PollerSettings, Settings
from apimon_node.contract import faults
from apimon_node.contract.faults import Fault
from apimon_node.contract.topics import ONLINE, Topics
from apimon_node.errors import ConfigError, InstallError, JiraError, JiraState, PayloadError
from apimon_node.machine.checks import Finding, Level, check_strips, files
from apimon_node.machine.probe import look
from apimon_node.mqtt.link import Link
from apimon_node.mqtt.messages import Down, Message, Up
from apimon_node.mqtt.participant import guest_link
from apimon_node.poller.app import Outcome, ask, jira_client
from apimon_node.process import credentials, extras
from apimon_node.process.background import Background
from apimon_node.process.clock import clock
from apimon_node.tickets import snapshot

BROKER_TIMEOUT = 10.0
"""Seconds for the broker to let us in."""

RETAINED_TIMEOUT = 1.0
"""Seconds for what it has kept to come: MQTT does not say when that was all."""

JIRA_TIMEOUT = 60.0
"""Seconds for Jira to answer one board's query whole."""

REFUSED = "Connection refused"

MENDS = (
    (REFUSED, "start it there (sudo systemctl start mosquitto), or correct mqtt.host and mqtt.port"),
    ("cannot reach the broker", "correct mqtt.host and mqtt.port, look at the network and firewalls"),
    ("did not answer", "correct mqtt.host and mqtt.port: 1883 as a rule, or 8883 with mqtt.tls"),
)
"""What helps, by words of mqtt.refusals; its other reasons say it themselves."""

LOCAL = frozenset(["localhost", "127.0.0.1", "::1"])

LISTENER = "; mosquitto listens to other machines only where its configuration has a listener for them"
"""What to know of a connection that another machine refuses (mosquitto 2.0, "Migrating from 1.x")."""


def examine(settings: Settings) -> Iterator[Finding]:
    """Check all that the configuration has: strips, the broker, the node, its boards, Jira. Takes seconds."""
    if settings.strips:
        machine = look(files(settings))
        yield Finding("machine", Level.OK, f"{machine.model or machine.pi}, seen as user {machine.user}")
        yield from check_strips(settings, machine)
    yield from _check_files(settings)
    yield from _check_broker(settings)
    if settings.poller is not None:
        yield from _check_jira(settings.poller, settings.boards)


def _check_files(settings: Settings) -> Iterator[Finding]:
    """Warn of secrets that are none, whoever may reach their folder: ssh looks at modes alone, too."""
    tls, poller = settings.mqtt.tls, settings.poller
    for file in (settings.mqtt.password_file, tls and tls.key_file, poller and poller.jira.auth.secret_file):
        if file and (verbs := credentials.exposed(file)):
            folder = f", chmod o-w {file.parent}" if "replace" in verbs else ""
            mend = f"let it belong to the user of apimon-node, chmod 600 {file}{folder}"
            yield Finding("secrets", Level.WARNING, f"everybody can {verbs} {file}", mend)


# The broker, and what it has kept


class Heard(NamedTuple):
    """What came of talking to the broker, and what it had kept, by topic."""

    outcome: Up | Down
    kept: dict[str, bytes]


def _check_broker(settings: Settings) -> Iterator[Finding]:
    try:
        credentials.read("mqtt-password", settings.mqtt.password_file)
    except ConfigError as err:
        yield Finding("broker", Level.PROBLEM, str(err), "put it there, for the user of apimon-node to read")
        return
    topics = Topics(settings.mqtt.base_topic)
    boards = dict.fromkeys(board for strip in settings.strips for board in strip.boards)
    wanted = [topics.tickets(board) for board in boards]
    if settings.node is not None:
        own = topics.node(settings.node.id)
        wanted += [own.availability, own.status]
    with guest_link(settings, "doctor", wanted) as link:
        outcome, kept = _listen(link, wanted)
    if isinstance(outcome, Down):
        yield _unreachable(outcome.reason, settings.mqtt.host)
        return
    yield Finding("broker", Level.OK, f"{outcome.broker} lets us in, by MQTT {outcome.protocol}")
    for topic in outcome.denied:
        mend = "allow that in the broker's access list"
        yield Finding("broker", Level.PROBLEM, f"it refuses to let us read {topic}", mend)
    if settings.node is not None:
        yield from _check_node(f"node {settings.node.id}", kept.get(own.availability), kept.get(own.status))
    for board in boards:
        yield _check_board(board, kept.get(topics.tickets(board)), settings)


def _listen(link: Link, wanted: Sequence[str]) -> Heard:
    """Connect, and collect what is retained on these topics."""
    up: Up | None = None
    kept: dict[str, bytes] = {}
    until = clock().monotonic + BROKER_TIMEOUT
    while clock().monotonic < until and not (up and kept.keys() >= {*wanted} - {*up.denied}):
        for event in link.wait(until):
            match event:
                case Down():
                    return Heard(event, kept)
                case Up():
                    up, until = event, clock().monotonic + RETAINED_TIMEOUT
                case Message():
                    kept[event.topic] = event.payload
    return Heard(up or Down(f"the broker did not answer within {BROKER_TIMEOUT:g} s"), kept)


def _unreachable(reason: str, host: str) -> Finding:
    """Part a reason from what it says should be done, or find that."""
    text, *mend = re.split(r": (?=check |set )", reason, maxsplit=1)
    mend = mend or [mend for words, mend in MENDS if words in reason][:1]
    if host not in LOCAL and REFUSED in reason:
        mend.append(LISTENER)
    return Finding("broker", Level.PROBLEM, text, "".join(mend))


def _check_node(subject: str, availability: bytes | None, status: bytes | None) -> Iterator[Finding]:
    """Yield findings on the node that runs by this id, anywhere, with the faults that it reports."""
    if availability != ONLINE:
        yield Finding(subject, Level.WARNING, "is not running", "start it: apimon-node run")
        return
    try:
        version, found = _read_status(status)
    except PayloadError as err:
        yield Finding(subject, Level.WARNING, f"is running; its status cannot be read: {err}", "restart it")
        return
    yield Finding(subject, Level.OK, f"is running, version {version}")
    for fault in found:
        yield Finding(subject, Level.PROBLEM, fault.text)


def _read_status(payload: bytes | None) -> tuple[str, tuple[Fault, ...]]:
    """Read the version of a node and its faults. Raises PayloadError."""
    if not payload:
        raise PayloadError("there is none")
    status = wire.load(payload)
    if not isinstance(status, dict) or not isinstance(status.get("faults"), list):
        raise PayloadError("expected an object with faults")
    return wire.step(str(status.get("version"))), faults.parse_all(status["faults"])


def _check_board(name: str, payload: bytes | None, settings: Settings) -> Finding:
    """Return whether somebody has published the tickets of a board, and whether they still hold."""
    subject = f"board {name}"
    polled = settings.poller is not None and name in {board.name for board in settings.boards}
    start = "start the poller: apimon-node poll" if polled else f"try it by hand: apimon-node publish {name} Open=3"
    if not payload:
        return Finding(subject, Level.WARNING, "nobody has published its tickets", start)
    try:
        found = snapshot.parse(payload)
    except PayloadError as err:
        return Finding(subject, Level.PROBLEM, f"its tickets are refused: {err}", "publish them as docs/mqtt.md says")
    source = f"from {wire.step(found.source)}" if found.source else "published by hand"
    if found.valid_until is None:
        return Finding(subject, Level.OK, f"{len(found.tickets)} tickets, {source}")
    until = wire.format_time(int(found.valid_until))
    if found.valid_until <= clock().wall:
        mend = f"see whether the poller {wire.step(found.source)} runs" if found.source else start
        return Finding(subject, Level.WARNING, f"its tickets, {source}, have expired at {until}", mend)
    return Finding(subject, Level.OK, f"{len(found.tickets)} tickets, {source}, hold until {until}")


# Jira


def _check_jira(settings: PollerSettings, boards: Sequence[BoardSettings]) -> Iterator[Finding]:
    """Ask for each board once, as a poll does, and at the same cost."""
    try:
        extras.need("jira", "jira")
    except InstallError as err:
        text, _, mend = str(err).partition(": ")
        yield Finding("jira", Level.PROBLEM, text, mend)
        return
    if lacking := _check_secret(settings.jira):
        yield lacking
        return
    client = jira_client(settings)
    with closing(Background[Outcome]("jira")) as asking:
        for board in boards:
            asking.start(partial(ask, client, board, settings))
            if not select.select([asking], [], [], JIRA_TIMEOUT)[0]:
                text = f"no whole answer to the query of board {board.name} within {JIRA_TIMEOUT:g} s"
                yield Finding("jira", Level.PROBLEM, text, "find out why Jira is so slow, or narrow the jql")
                return  # whoever asks has the client still
            finding, more = _answered(asking.outcome())
            yield finding
            if not more:
                return
    client.close()


def _check_secret(jira: JiraSettings) -> Finding | None:
    """Look for the secret before it is needed: to sign in with a wrong one can lock the user out."""
    if jira.auth.type is AuthType.NONE:
        return None
    name = jira.auth.secret_name
    variable = "APIMON_" + name.upper().replace("-", "_")
    secret = name.partition("-")[2].replace("-", " ")
    try:
        if credentials.read(name, jira.auth.secret_file):
            return None
    except ConfigError as err:
        return Finding("jira", Level.PROBLEM, str(err), "put it there, for the user of apimon-node to read")
    where = f"write it into {jira.auth.secret_file}"
    if jira.auth.secret_file is None:
        key = secret.replace(" ", "_")
        where = f"name its file in poller.jira.auth.{key}_file, or set {variable}"
    return Finding("jira", Level.PROBLEM, f"there is no {secret} to sign in with", where)


def _answered(outcome: Outcome) -> tuple[Finding, bool]:
    """Return what came of asking, and whether to ask for more: other boards need not fail for the same reason."""
    name, answer = outcome.board.name, outcome.answer
    if isinstance(answer, JiraError):
        mend = f"correct the jql of board {name}" if answer.state is JiraState.QUERY else ""
        return Finding("jira", Level.PROBLEM, f"{answer.state}: {answer}", mend), not answer.everywhere
    late = sum(ticket.due is not None and ticket.due <= clock().wall for ticket in answer)
    return Finding("jira", Level.OK, f"the query of board {name} finds {len(answer)} tickets, {late} overdue"), True
