"""Requests: what a node or poller is asked to do, which of it is done, and the answer. Pure."""

import re
import shlex
from collections.abc import Callable, Mapping
from typing import TypeAlias

from apimon_node import wire
from apimon_node.clock import Instant
from apimon_node.config.settings import MqttSettings, Settings, Transport
from apimon_node.contract.topics import Own
from apimon_node.errors import ApimonError, PayloadError
from apimon_node.mqtt.faults import Faults
from apimon_node.mqtt.messages import Message
from apimon_node.mqtt.outbox import Outbox
from apimon_node.process.remarks import LogLevel

WHAT = re.compile(r"[a-z0-9_-]{1,64}")
"""What can be requested: an id. The answer's topic is longer than the request's, and topics have an end."""

Actions: TypeAlias = Mapping[str, Callable[[Instant], None]]
"""What can be done, by what is asked for. An ApimonError tells why it cannot."""

LOG_LEVEL = "log_level"
"""What everybody can be asked for."""

MOST = 100
"""Retained requests that are remembered, each until it is cleared: anybody can invent another."""


class Requests:
    """Takes what a node or poller is asked for, and answers it.

    To clear a retained request is to publish an empty message on its topic, which comes here as one more request: the
    first empty message after a retained one is taken for that. The log has told how to do it.
    """

    def __init__(self, own: Own, settings: Settings, faults: Faults, outbox: Outbox, actions: Actions) -> None:
        self.log_level = settings.log_level
        """From which level on lines are logged: as it was started with, until somebody asks for another."""
        self._own = own
        self._mqtt = settings.mqtt
        self._faults = faults
        self._outbox = outbox
        self._actions = actions
        self._kept: set[str] = set()

    def take(self, message: Message, now: Instant) -> None:
        """Do what is asked for, and answer; or say in the log why not."""
        what = message.topic.removeprefix(self._own.request(""))
        ignored = why_ignored(message, what, self._mqtt)
        if ignored is not None:
            self._faults.remark(ignored, bad=True)
            if message.retained and len(self._kept) < MOST:
                self._kept.add(what)
        elif what in self._kept and not message.payload:
            self._kept.discard(what)
        else:
            self._outbox.once(self._own.response(what), self._answer(what, message.payload, now))

    def _answer(self, what: str, payload: bytes, now: Instant) -> bytes:
        """Do what is asked for; return the payload of the response."""
        response: dict[str, object] = {"status": "ok"}
        try:
            request = _read(payload)
            response |= _echo(request)
            response |= self._do(what, request, now)
        except ApimonError as err:
            response |= {"status": "error", "error": str(err)}
        return wire.dump(response)

    def _do(self, what: str, request: Mapping[str, object], now: Instant) -> dict[str, object]:
        """Do what is asked for; return what the answer says beside that."""
        if what == LOG_LEVEL:
            return {"was": self._set_log_level(request.get("level"))}
        if what not in self._actions:
            raise PayloadError(f"unknown request {what}: expected {' or '.join((*self._actions, LOG_LEVEL))}")
        self._actions[what](now)
        return {}

    def _set_log_level(self, wanted: object) -> LogLevel:
        """Take another log level; return the one before."""
        try:
            was, self.log_level = self.log_level, LogLevel(str(wanted))
        except ValueError:
            raise wire.unexpected("level", " or ".join(LogLevel), wanted) from None
        return was


def why_ignored(message: Message, what: str, mqtt: MqttSettings) -> str | None:
    """Return why a request is passed over, or None. A retained one would come again at every connection."""
    if not WHAT.fullmatch(what):
        return f"ignored the request {wire.describe(what)}: that is no id"
    if message.retained:
        return f"ignored the retained request {what}; clear it with: {how_to_clear(message.topic, mqtt)}"
    return None


def how_to_clear(topic: str, mqtt: MqttSettings) -> str:
    """Return the command that removes what the broker has kept of a topic."""
    return f"mosquitto_pub {_options(mqtt)} -t {shlex.quote(topic)} -n -r"


def _options(mqtt: MqttSettings) -> str:
    """Name the broker to mosquitto_pub, which has no websockets before version 2.1."""
    options = ["-h", mqtt.host]
    if mqtt.transport is Transport.UNIX:
        options = ["--unix", str(mqtt.socket)]
    elif mqtt.transport is Transport.TCP:
        options += ["-p", str(mqtt.port)]
        if mqtt.tls is not None:
            options += ["--tls-use-os-certs"] if mqtt.tls.ca_file is None else ["--cafile", str(mqtt.tls.ca_file)]
    return shlex.join(options)


def _read(payload: bytes) -> Mapping[str, object]:
    """Read what comes with a request: nothing, or an object."""
    request = wire.load(payload) if payload else {}
    if not isinstance(request, dict):
        raise PayloadError(f"expected nothing or an object, got {wire.describe(request)}")
    return request


def _echo(request: Mapping[str, object]) -> dict[str, object]:
    """Return of a request what the answer echoes."""
    transaction = request.get("transaction")
    if isinstance(transaction, bool | dict | list):
        raise wire.unexpected("transaction", "text or a number", transaction)
    return {} if transaction is None else {"transaction": transaction}
