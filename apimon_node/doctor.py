"""The doctor: looks at strips, broker and Jira, and says of each what is wrong and how to mend it.

It never drives a strip: the node that runs holds it. What that node finds wrong is on its status topic, and told here.
"""

import os
import time
from collections.abc import Iterator

from apimon_node import extras, wire
from apimon_node.app import clock, link_to_broker
from apimon_node.checks import Finding, Level, check_strips
from apimon_node.errors import ApimonError, JiraError, PayloadError
from apimon_node.machine import look
from apimon_node.mqtt.link import Link
from apimon_node.mqtt.messages import Down, Message, Up
from apimon_node.mqtt.topics import ONLINE, Topics
from apimon_node.settings import Settings
from apimon_node.tickets import snapshot

PATIENCE = 10.0
"""Seconds that the broker may take to let us in."""

QUIET = 1.0
"""Seconds after which no more retained messages are expected."""


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at all that the configuration names; give what was found, as it is found."""
    sockets = [settings.ws281x.socket] if settings.ws281x.socket else []
    yield from check_strips(settings, look(*(strip.device for strip in settings.strips), *sockets))
    yield from _broker(settings)
    if settings.poller is not None:
        yield from _jira(settings)


def _broker(settings: Settings) -> Iterator[Finding]:
    topics = Topics(settings.mqtt.base_topic)
    boards = sorted({board for strip in settings.strips for board in strip.boards})
    wanted = [topics.tickets(board) for board in boards]
    if settings.node is not None:
        own = topics.node(settings.node.id)
        wanted += [own.availability, own.status]
    with link_to_broker(settings, f"apimon-doctor-{os.getpid()}", None, wanted) as link:
        up, reason = _connect(link)
        if up is None:
            where = f"{settings.mqtt.host}:{settings.mqtt.port}"
            yield Finding(Level.PROBLEM, "broker", reason, f"does a broker run at {where}, as config.yaml says?")
            return
        yield Finding(Level.OK, "broker", f"connected to {up.broker} by MQTT {up.protocol}")
        for topic in up.denied:
            yield Finding(Level.PROBLEM, "broker", f"it does not let us read {topic}", "check its access list")
        kept = _retained(link)
    if settings.node is not None:
        yield from _node(kept, settings.node.id, own.availability, own.status)
    for board in boards:
        yield _board(kept.get(topics.tickets(board)), board)


def _connect(link: Link) -> tuple[Up | None, str]:
    until = time.monotonic() + PATIENCE
    reason = f"it did not answer within {PATIENCE:.0f} s"
    while time.monotonic() < until:
        for event in link.wait(until):
            if isinstance(event, Up):
                return event, ""
            if isinstance(event, Down):
                return None, event.reason
    return None, reason


def _retained(link: Link) -> dict[str, bytes]:
    """Collect what the broker has kept."""
    kept: dict[str, bytes] = {}
    until = time.monotonic() + QUIET
    while time.monotonic() < until:
        kept |= {event.topic: event.payload for event in link.wait(until) if isinstance(event, Message)}
    return kept


def _node(kept: dict[str, bytes], name: str, availability: str, status: str) -> Iterator[Finding]:
    """Tell what the node itself says."""
    subject = f"node {name}"
    if kept.get(availability) != ONLINE:
        yield Finding(Level.WARNING, subject, "it does not run, or not with this broker", "apimon-node run")
        return
    try:
        told = wire.load(kept.get(status, b"null"))
        faults = [str(fault["text"]) for fault in told["faults"]]  # type: ignore[index]
    except (PayloadError, TypeError, KeyError):
        yield Finding(Level.PROBLEM, subject, "its status is not what the contract says", "update node or doctor")
        return
    for text in faults:
        yield Finding(Level.PROBLEM, subject, text, "see docs/troubleshooting.md")
    if not faults:
        yield Finding(Level.OK, subject, "it runs, and finds nothing wrong")


def _board(payload: bytes | None, name: str) -> Finding:
    subject = f"board {name}"
    if not payload:
        mend = f"start its poller, or try: apimon-node publish {name} Open=3"
        return Finding(Level.WARNING, subject, "nobody publishes its tickets", mend)
    try:
        found = snapshot.parse(payload)
    except PayloadError as err:
        return Finding(Level.PROBLEM, subject, f"its tickets are refused: {err}", "mend what publishes them")
    source = f" by {found.source}" if found.source else ""
    text = f"{len(found.tickets)} tickets, published{source}"
    if found.valid_until is not None and found.valid_until < clock().wall:
        return Finding(Level.PROBLEM, subject, f"{text}, and expired", "does its poller run, and reach Jira?")
    return Finding(Level.OK, subject, text)


def _jira(settings: Settings) -> Iterator[Finding]:
    """Ask for each board once, as the poller does."""
    assert settings.poller is not None
    try:
        extras.need("jira", "jira")
    except ApimonError as err:
        yield Finding(Level.PROBLEM, "jira", str(err))
        return
    from apimon_node.poller.app import ask, jira_client  # noqa: PLC0415 - a node's machine has no Jira

    client = jira_client(settings.poller)
    for board in settings.boards:
        subject = f"jira {board.name}"
        answer = ask(client, board).answer
        if isinstance(answer, JiraError):
            yield Finding(Level.PROBLEM, subject, f"{answer.state}: {answer}")
        else:
            yield Finding(Level.OK, subject, f"{len(answer)} tickets for {board.jql}")
