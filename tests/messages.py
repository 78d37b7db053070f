"""Every message that the programs have for people, made by their own functions: what docs/troubleshooting.md quotes."""

import errno
import itertools
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from apimon_node.clock import Instant
from apimon_node.commands import cli, doctor
from apimon_node.config import schema
from apimon_node.config.settings import AuthSettings, AuthType, MqttSettings, TlsSettings, Transport
from apimon_node.errors import ApimonError, StripError
from apimon_node.install import commands, source
from apimon_node.install.host import ROLES, Host, obstacle, remarks
from apimon_node.install.pip import REASONS
from apimon_node.install.systemd import _not_so
from apimon_node.machine.checks import AUDIO, CONFIG, I2S, MEM, VCIO, Boot, Device, Level, Machine, Pi, check_strips
from apimon_node.mqtt import refusals as broker
from apimon_node.mqtt.messages import Down, Event, Message, Refused, Up
from apimon_node.node.node import Node
from apimon_node.poller.jira import client, issues, oauth2, paging, password, question, refusals, sign_in, transport
from apimon_node.poller.poller import Poller
from apimon_node.process import credentials, extras
from apimon_node.strip import codes, spi, ws281x
from apimon_node.strip.child import ANSWER, Line, Opening
from apimon_node.tickets.snapshot import Ticket

HOST = MqttSettings("broker.example.com")
USER = HOST._replace(username="hallway")
TLS, CA = (HOST._replace(port=8883, tls=TlsSettings(ca_file=file)) for file in (None, Path("ca.crt")))
OURS = TLS._replace(tls=TlsSettings(cert_file=Path("hallway.crt"), key_file=Path("hallway.key")))
WEBSOCKETS = HOST._replace(port=9001, transport=Transport.WEBSOCKETS)
SOCKET = HOST._replace(socket=Path("/run/mosquitto/mosquitto.sock"))

ID, TOPIC = "apimon-node-hallway", "apimon/nodes/hallway/status"
NO_ROUTE = (
    socket.gaierror(-3, "Temporary failure in name resolution"),
    socket.gaierror(-2, "Name or service not known"),
    ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
    OSError(errno.EHOSTUNREACH, "No route to host"),
    OSError(errno.ENETUNREACH, "Network is unreachable"),
    TimeoutError(),
)


def said(*calls: Callable[[], object]) -> list[str]:
    """Give what these raise."""
    texts = []
    for call in calls:
        try:
            call()
        except ApimonError as err:
            texts += str(err).splitlines()
        else:
            raise AssertionError(f"{call} raises nothing")
    return texts


# The broker


def of_the_broker() -> Iterator[str]:
    reasons = [*broker.REASONS, "Server busy"]
    yield from (
        say(mqtt, reason, ID) for say in (broker.refused, broker.ended) for mqtt in (HOST, USER) for reason in reasons
    )
    yield from (broker.unanswered(HOST, first) for first in (b"", broker.TLS_ALERT, broker.HTTP, broker.CONNACK))
    yield from (broker.unanswered(mqtt, b"") for mqtt in (TLS, OURS))
    yield broker.lost_again(HOST, ID)
    who = itertools.product(("this node", "this poller", "us"), ("read", "write"))
    yield from (broker.denied(*words, TOPIC) for words in who)
    yield broker.not_taken(TOPIC, "Quota exceeded")
    yield broker.too_large(TOPIC, 70_000)
    yield from (broker.unreachable(HOST, err) for err in NO_ROUTE)
    yield from (broker.unreachable(SOCKET, kind()) for kind in broker.UNIX)
    yield from (broker.mute(mqtt, 10) for mqtt in (TLS, WEBSOCKETS))
    yield from (broker.websocket(mqtt, 0) for mqtt in (WEBSOCKETS, WEBSOCKETS._replace(tls=TlsSettings())))
    yield from (broker.websocket(WEBSOCKETS, status) for status in (404, 503))
    files = ("ca_file", "cert_file", "key_file")
    yield from (broker.file(key, "x.pem", broker.no_pem(key)) for key in files)
    yield from (broker.file(key, "x.pem", "cannot be read: Permission denied") for key in files)
    yield from (broker.file("key_file", "x.key", text) for text in (broker.ENCRYPTED, broker.MISMATCH))
    codes = [broker.EXPIRED, broker.NOT_YET_VALID, *broker.NAMES, *broker.UNKNOWN_CA, 7]
    yield from (
        broker.certificate(mqtt, code, "certificate signature failure", 0) for mqtt in (TLS, CA) for code in codes
    )
    alerts = (*broker.WANTED, *broker.NO_TLS, "SSLV3_ALERT_CERTIFICATE_EXPIRED", "NO_PROTOCOLS_AVAILABLE")
    yield from (broker.tls(mqtt, reason) for mqtt in (TLS, OURS) for reason in alerts)


# Jira


AUTH = AuthSettings(AuthType.OAUTH2)
TOKENS = (
    b"<html>",
    b"{}",
    b'{"access_token": "x", "token_type": "mac"}',
    b'{"access_token": "x", "expires_in": -1}',
)
SLA = [{"id": "customfield_1", "name": "Time to resolution", "schema": {"custom": question.SLA}}]

STRANGERS = (refusals.CAPTCHA, refusals.DENIED, refusals.SIGNED_OUT)


def of_jira() -> Iterator[str]:
    for status in (*refusals.REFUSALS, 418, 503):
        yield str(refusals.refusal(status, {}, b"", 0))
    yield from (told.text for told in STRANGERS)
    yield from (refusals.WEB_PAGE, refusals.STRANGE, client.NO_CATALOGUE)
    yield from (paging.REPEATED, paging.REFUSED, paging.ENDLESS)
    yield from (str(paging._too_many(most)) for most in (paging.CONTRACT, 200))
    yield from said(
        partial(question.sla_fields, {}, ["all"]),
        partial(question.sla_fields, [], ["all"]),
        partial(question.sla_fields, SLA, ["Time to first response"]),
    )
    texts = [text for _, text in transport.CAUSES] + [*transport.CERTIFICATES.values(), transport.UNTRUSTED]
    texts += [transport.BAD_URL, transport.BROKEN_LINE, transport.LATE, transport.TOO_LARGE, transport.PROXY]
    yield from (transport._say(text, refusals.JIRA) for text in [*texts, transport.NO_BUNDLE])


def jira_by_state() -> Iterator[tuple[str, str]]:
    """Give the messages that are known to have a state, with it."""
    for status in (*refusals.REFUSALS, 418, 503):
        error = refusals.refusal(status, {}, b"", 0)
        yield error.state, str(error)
    for told in STRANGERS:
        yield told.state, told.text
    error = paging._too_many(200)
    yield error.state, str(error)
    yield refusals.strange().state, str(refusals.strange())


def of_sign_in() -> Iterator[str]:
    yield password.HELD.format(time="2026-11-23T12:00:00Z", reason=refusals.CAPTCHA.text)
    yield from (sign_in.NOT_SENDABLE, sign_in.EMPTY, sign_in.NEEDS_BODY, sign_in.FRESH_REFUSED)
    for code in oauth2.ERRORS:
        yield from said(partial(oauth2.token, 400, {}, b'{"error": "%s"}' % code.encode(), AUTH, 0))
    for status in (*oauth2.STATUSES, 418, 503):
        yield from said(partial(oauth2.token, status, {}, b"", AUTH, 0))
    for body in TOKENS:
        yield from said(partial(oauth2.token, 200, {}, body, AUTH, 0))


# Strips


class Peer:
    """A process at the other end that does as it is told."""

    def __init__(self, *, ends: bool = True) -> None:
        self.socket, self.theirs = socket.socketpair()
        self.socket.setblocking(False)  # noqa: FBT003 - Python asks for it
        self._ends = ends

    def last_words(self) -> str:
        return "its process hung up"

    def end(self, patience: float) -> bool:
        del patience
        self.socket.close()
        self.theirs.close()
        return self._ends


FRAME = bytes(12)


@contextmanager
def driver(peer: Peer) -> Iterator[ws281x.Ws281x]:
    strip = ws281x.Ws281x(Opening(10, (Line(18, 3, 4), Line(0, 0, 0))), lambda: peer, root=True)
    yield strip
    strip.close()


def late(*answers: bytes) -> None:
    """Let an answer be late, after these."""
    peer = Peer()
    with driver(peer) as strip:
        strip.show(FRAME)
        peer.theirs.send(b"".join(answers))
        strip.answer()
        strip._due_at = 0
        strip.answer()


def clogged() -> None:
    with driver(Peer()) as strip:
        while True:
            strip.show(FRAME)


def immortal() -> None:
    peer = Peer(ends=False)
    with driver(peer) as strip:
        strip.show(FRAME)
        peer.theirs.send(ANSWER.pack(-10, 1))
        try:
            strip.answer()
        except StripError:
            strip.show(FRAME)


@contextmanager
def child_of(script: str) -> Iterator[ws281x.ChildProcess]:
    """Give a child that is a script of the shell instead of what has the library."""
    real = ws281x.PYTHON
    try:
        ws281x.PYTHON = ("sh", "-c", script)
        child = ws281x.ChildProcess("/nonexistent")
    finally:
        ws281x.PYTHON = real
    yield child
    child.socket.close()


def last_words(script: str, number: int = 0) -> str:
    """Give the last words of a child; a number is that of a signal which ends it."""
    with child_of(script) as child:
        os.kill(child._process.pid, number)
        child._process.wait()
        return f"ws281x: {child.last_words()}"


def no_process() -> None:
    real = subprocess.Popen
    try:
        subprocess.Popen = _out_of_files  # type: ignore[assignment, misc]
        ws281x.ChildProcess("/nonexistent")
    finally:
        subprocess.Popen = real  # type: ignore[misc]


def _out_of_files(*_: object, **__: object) -> None:
    raise OSError(errno.EMFILE, "Too many open files")


def of_ws281x() -> Iterator[str]:
    yield from (str(codes.error(code, root=root)) for code in (*codes.CODES, -99) for root in (True, False))
    answer = ANSWER.pack(0, 1)
    yield from said(late, partial(late, answer), partial(late, answer * 3), clogged, immortal, no_process)
    yield from (last_words("exec sleep 60", number) for number in (signal.SIGSEGV, signal.SIGKILL))
    yield last_words("exit 1")
    with driver(Peer()) as strip:
        strip.show(FRAME)
        assert isinstance(strip._peer, Peer)
        strip._peer.theirs.close()
        yield from said(strip.answer)
    service = object.__new__(ws281x.ServiceConnection)
    service._path = Path("/run/apimon/strip.sock")
    yield f"ws281x: {service.last_words()}"
    yield from said(partial(ws281x.ServiceConnection, Path("/nonexistent/strip.sock")))


def of_spi() -> Iterator[str]:
    strip = spi.SpiStrip(Path("/dev/spidev0.0"), 2000)
    yield from said(strip._open)
    numbers = (*spi.MENDS, errno.EIO)
    yield from (str(strip._error(OSError(number, os.strerror(number)))) for number in numbers)


# What the machine means for strips: doctor, and a node at its start


TXT = Boot(CONFIG)
GROUPS = ("", "spi", "pi")
MACHINES = [
    Machine(),
    *(Machine("Raspberry Pi", pi, "pi", groups=frozenset(["pi"]), boot=TXT) for pi in Pi if pi is not Pi.NONE),
    *(
        Machine("Raspberry Pi", Pi.ZERO_W, "pi", boot=Boot(CONFIG, spi, audio))
        for spi in (True, False)
        for audio in (True, False)
    ),
    *(
        Machine(
            "Raspberry Pi",
            Pi.FOUR,
            "pi",
            groups=frozenset(["pi"]),
            devices=dict.fromkeys(names, Device(allowed=False, group=group)),
        )
        for names in (["/dev/spidev0.0", "/run/apimon/strip.sock"], ["/dev/spidev1.0", MEM, VCIO])
        for group in GROUPS
    ),
    *(
        Machine(
            "Raspberry Pi",
            Pi.FOUR,
            "apimon-node",
            dynamic=True,
            devices={"/dev/spidev0.0": Device(allowed=False, group=group)},
        )
        for group in ("spi", "dialout")
    ),
    Machine("Raspberry Pi", Pi.FOUR, "pi", boot=Boot(CONFIG, audio=False), modules=frozenset([AUDIO, I2S])),
    Machine(
        "Raspberry Pi",
        Pi.FOUR,
        "pi",
        boot=TXT,
        modules=frozenset([AUDIO]),
        devices={"/run/apimon/strip.sock": Device(allowed=True)},
    ),
]
STRIPS = (
    "driver: spi, pixels: 2000, max_milliamps: 0",
    "driver: spi, device: /dev/spidev1.1, pixels: 9",
    *(f"driver: ws281x, gpio: {pin}, pixels: 2000, max_milliamps: 0" for pin in (10, 18, 21)),
)


def of_checks() -> Iterator[str]:
    for machine, strip, socket_ in itertools.product(MACHINES, STRIPS, ("null", "/run/apimon/strip.sock")):
        text = f"node: {{id: n}}\nstrips: [{{name: ops, boards: [b], {strip}}}]\nlooks: [{{color: red}}]\n"
        settings, _ = schema.parse(f"{text}ws281x: {{socket: {socket_}}}")
        for finding in check_strips(settings, machine):
            if finding.level is not Level.OK:
                yield finding.text + (f" → {finding.mend}" if finding.mend else "")


# A node


CONFIGURED = """
node: {id: hallway}
strips: [{name: ops, driver: memory, pixels: 4, boards: [ops]}]
looks: [{color: red}]
home_assistant: {enabled: false}
"""
JIRA_CONFIGURED = """
poller: {jira: {url: https://jira.example.com, auth: {type: pat}}}
boards: [{name: ops, jql: project = OPS}]
"""
EXPIRED = b'{"tickets": [], "at": "2026-11-23T10:00:00Z", "valid_until": "2026-11-23T10:00:01Z"%s}'
FED = EXPIRED % b', "source": "main"'
POLLER, STATUS = "apimon/pollers/main/availability", "apimon/pollers/main/status"
JIRA = b'{"boards": {"ops": {"state": "offline", "detail": "Jira did not answer"}}}'
UP = Up("a", "5", ())


def message(topic: str, payload: bytes) -> Message:
    return Message(topic, payload, retained=True)


STORIES: Mapping[str, tuple[Event, ...]] = {
    "silence": (),
    "broker": (Down(broker.unreachable(HOST, NO_ROUTE[2])),),
    "access": (UP, Refused(TOPIC, "")),
    "payload": (UP, message("apimon/tickets/ops", b"rubbish")),
    "stale": (UP, message("apimon/tickets/ops", EXPIRED % b"")),
    "nobody": (UP,),
    "poller": (UP, message("apimon/tickets/ops", FED), message(POLLER, b"offline")),
    "jira": (UP, message("apimon/tickets/ops", FED), message(STATUS, JIRA)),
    "strange": (UP, message("apimon/tickets/ops", FED), message(POLLER, b"perhaps"), message(STATUS, b"[]")),
}
"""What befalls a node, by the name of the fault that follows, or by a word for another text of one."""


def faults(*events: Event, error: StripError | None = None) -> dict[str, list[str]]:
    """Give the texts of the faults of a node to which this happens, by name."""
    now = Instant(0, 1_764_000_000)
    node = Node(schema.parse(CONFIGURED)[0], now, lambda: 0.5)
    for event in events:
        node.receive(event, now)
    for after in range(2 if error else 0):
        node.frame_failed("ops", error or StripError(""), Instant(after, now.wall + after))
    node.frames(Instant(60, now.wall + 60))
    found: dict[str, list[str]] = {}
    for fault in node._faults:
        found.setdefault(fault.name, []).append(fault.text)
    return found


def status_pixel(fault: str) -> str:
    """Give what the status pixel of a node with a fault tells, in the word of the strips topic."""
    now = Instant(0, 1_764_000_000)
    node = Node(schema.parse(CONFIGURED)[0], now, lambda: 0.5)
    known = (UP, message("apimon/tickets/ops", b'{"tickets": [], "source": "main"}'))
    for event in (*known, *{**STORIES, "strip": ()}[fault]):
        node.receive(event, now)
    if fault == "strip":
        node.frame_failed("ops", codes.error(-14, root=True), now)
    node.frames(Instant(60, now.wall + 60))
    return node._diagnosis.status(["ops"]).value


def of_a_node() -> Iterator[str]:
    for events in STORIES.values():
        for texts in faults(*events).values():
            yield from texts
    yield from faults(UP, error=codes.error(-2, root=True))["strip"]


def of_a_poller() -> Iterator[str]:
    now = Instant(0, 1_764_000_000)
    settings, _ = schema.parse(CONFIGURED + JIRA_CONFIGURED)
    poller = Poller(settings, now, lambda: 0.5)
    for event in (UP, message("apimon/tickets/ops", b"rubbish")):
        poller.receive(event, now)
    poller.outbox(now)
    (board,) = settings.boards
    poller.answered(board, (Ticket("OPS-1", "Open"),) * 2, None, now)
    yield from (fault.text for fault in poller._faults)
    yield from said(partial(issues._ticket, {"key": "OPS-1"}, {}))


# Doctor, configuration, libraries, secrets


WRONG = (
    "mqtt: {hots: x}",
    "mqtt: {zzz: x}",
    "mqtt: [1]",
    "poller: {id: main}",
    "node: {id: Hallway}",
    "node: {id: [a]}",
    "strips: ops",
    "mqtt: {port: 1, port: 2}",
    "mqtt: {port: 1",
    "strips: [{name: a, driver: spi, gpio: 18, pixels: 9, boards: [a]}]",
    "",
)


STATUSES = (b"", b"[]")


def of_doctor() -> Iterator[str]:
    settings, _ = schema.parse(CONFIGURED + JIRA_CONFIGURED)
    assert settings.poller is not None
    found = [doctor._unreachable(broker.unreachable(HOST, NO_ROUTE[at]), "broker.example.com") for at in (0, 2)]
    found.append(doctor._unreachable("the broker did not answer within 10 s", "localhost"))
    found += [*doctor._check_node("node hallway", b"offline", None)]
    found += [
        finding for status in STATUSES for finding in list(doctor._check_node("node hallway", b"online", status))[:1]
    ]
    tickets = (None, b"rubbish", EXPIRED % b"", FED)
    found += [doctor._check_board(board, payload, settings) for board in ("ops", "web") for payload in tickets]
    secret = settings.poller.jira
    named = secret._replace(auth=secret.auth._replace(secret_file=Path("/dev/null")))
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).chmod(0o644)
        found += doctor._check_files(settings._replace(mqtt=settings.mqtt._replace(password_file=Path(file.name))))
    found += [finding for jira in (secret, named) if (finding := doctor._check_secret(jira))]
    yield from (f"{finding.text} → {finding.mend}" for finding in found)


def of_configuration() -> Iterator[str]:
    yield from said(*(partial(schema.parse, text, "/etc/apimon/config.yaml") for text in WRONG))
    yield from said(partial(schema.load, Path("/nonexistent")), partial(cli._counts, ["Open"]))
    yield from said(
        partial(schema._refuse_stranger, Path("config.yaml"), "it", os.stat_result([0o100644, 0, 0, 1, 2, *[0] * 5])),
        partial(schema._refuse_stranger, Path("config.yaml"), "it", os.stat_result([0o100646, 0, 0, 1, 0, *[0] * 5])),
    )
    yield from said(
        partial(extras.need, "jira", "no_such_module"),
        partial(credentials.read, "mqtt-password", Path("/nonexistent/mqtt-password")),
    )


# Installation


WELL = Host(root=True, writable=True, systemd=True, venv=True, free=20_000)


def of_installation() -> Iterator[str]:
    hosts = [
        WELL._replace(root=False),
        WELL._replace(writable=False),
        WELL._replace(systemd=False),
        WELL._replace(venv=False),
        WELL._replace(free=0),
    ]
    yield from (obstacle(host, "apimon-node install", building=True) for host in hosts)
    machines = [WELL._replace(machine=Machine(pi=pi)) for pi in (Pi.NONE, Pi.FIVE, Pi.FOUR)]
    yield from (line for host in machines for words in ROLES for line in remarks(host, frozenset([words])))
    yield from (f"cannot get the new release: {text}" for _, text in REASONS)
    yield from said(
        partial(source.named, "/nonexistent"),
        partial(source.named, "git+https://token@example.com/apimon_node"),
        partial(commands._installed, Host()),
    )
    yield str(_not_so({"apimon-node.service": "failed"}))


def everything() -> dict[str, set[str]]:
    """Give all messages, by who says them."""
    speakers = (
        of_the_broker,
        of_jira,
        of_sign_in,
        of_ws281x,
        of_spi,
        of_checks,
        of_a_node,
        of_a_poller,
        of_doctor,
        of_configuration,
        of_installation,
    )
    return {speaker.__name__: {*filter(None, speaker())} for speaker in speakers}
