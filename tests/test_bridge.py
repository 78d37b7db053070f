"""Two mosquittos, at head office and at a site, bridged as docs/brokers.md says: with the page's own files."""

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from access import HALL, LAB, MAIN, TESTER, install, password, settings
from brokers import MOSQUITTOS, Account, Mosquitto20, Mosquitto21, write_passwords
from parts import Observer, Program, wait_until
from ports import free_port

from apimon_node.commands.acl import access_list
from apimon_node.demo.jira import Account as JiraAccount
from apimon_node.demo.jira import JiraServer
from apimon_node.demo.site import Site

PAGE = Path("docs/brokers.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```text\n# (\w+: \S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))

OFFICE, SITE = "office: /etc/mosquitto/conf.d/apimon.conf", "site: /etc/mosquitto/conf.d/apimon.conf"
BRIDGE = "office: /etc/mosquitto/apimon.acl"
STATE = "$SYS/broker/connection/site-munich/state"

CROSSING = re.compile(r"apimon/(tickets/|boards/\w+/summary|pollers/\w+/(availability|status)|nodes/lab/)")
"""What is retained and known on both sides."""


class Installed(Mosquitto20):
    """A broker by a file of the page, and an access list."""

    def set_up(self, file: str, access: str, line: "Line | None" = None) -> None:
        install(access, self.folder, self.port)
        accounts = [*re.findall(r"^user (.*)$", access, re.MULTILINE), TESTER]
        write_passwords(self.folder / "apimon.passwd", *(Account(user, password(user)) for user in accounts))
        text = FILES[file].replace("listener 1883", f"listener {self.port} 127.0.0.1")
        text = text.replace("/etc/mosquitto", str(self.folder)).replace("/var/lib/mosquitto", str(self.folder))
        text = text.replace("change-me", password("site-munich"))
        if line is not None:
            text = text.replace("office.example.com:1883", f"127.0.0.1:{line.port}")
        self.text = text

    def command(self) -> list[str]:
        conf = self.folder / "mosquitto.conf"
        conf.write_text(f"user root\nlog_type all\n{self.text}", encoding="utf-8")
        return [*self.program(), "-c", str(conf)]


class Installed21(Installed, Mosquitto21):
    """The same by the newer version."""


class Line:
    """The line between the two: a port that leads to another, and can be cut without either broker's doing."""

    def __init__(self, target: int) -> None:
        self._target = target
        self.port = free_port()
        self._server: socket.socket | None = None
        self._ends: list[socket.socket] = []

    def mend(self) -> None:
        self._server = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, args=(self._server,), daemon=True).start()

    def _serve(self, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = server.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self._target))
                except OSError:  # the target is down; the line is not
                    near.close()
                    continue
                self._ends += [near, far]
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        """Pass on what comes, and its end: a broker that is killed with data unread leaves a reset, no end of file."""
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        if self._server is not None:
            with contextlib.suppress(OSError):
                self._server.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            self._server.close()
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._server, self._ends = None, []


class Firm(NamedTuple):
    """Both brokers, what everybody says at each, and who says it."""

    office: Installed
    line: Line
    site: Installed
    jira: Site
    folder: Path
    configs: dict[str, str]

    def observer(self, broker: Installed, *topics: str) -> Observer:
        topics = topics or ("apimon/#", "homeassistant/#", STATE)
        return Observer(broker.port, *topics, account=(TESTER, password(TESTER)))

    def node(self, name: str) -> Program:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return Program(folder, "run", "--config", self.configs[name])

    def poller(self) -> Program:
        environment = {"APIMON_JIRA_TOKEN": "token"}
        return Program(self.folder, "poll", "--config", self.configs["main"], environment=environment)


@pytest.fixture(params=MOSQUITTOS)
def firm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Firm]:
    """Give both brokers, running, with a Jira and the configurations of its programs."""
    jira = Site()
    jira.create("one", time.time())
    brokers = []
    for name in ("office", "site"):
        (tmp_path / name).mkdir()
        make = Installed21 if request.param is Mosquitto21 else Installed
        brokers.append(make(tmp_path / name))
    office, site = brokers
    line = Line(office.port)
    line.mend()
    at_office = "\n".join(access_list([settings(MAIN), settings(HALL)], ["ada"]))
    office.set_up(OFFICE, f"{at_office}\n\n{FILES[BRIDGE]}")
    site.set_up(SITE, "\n".join(access_list([settings(LAB)], ["ben"])), line)
    with office, site, JiraServer(jira, cloud=False, account=JiraAccount("me", "token")) as server:
        configs = {}
        for name, text, user, broker in (
            ("hall", HALL, "apimon-node-hall", office),
            ("lab", LAB.replace("[ops, web]", "[ops]"), "apimon-node-lab", site),
            ("main", MAIN, "apimon-poller-main", office),
        ):
            (tmp_path / f"{name}.password").write_text(password(user))
            mqtt = f", username: {user}, password_file: {name}.password"
            configs[name] = str(tmp_path / f"{name}.yaml")
            Path(configs[name]).write_text(text.format(port=broker.port, mqtt=mqtt, jira=server.url))
        yield Firm(office, line, site, jira, tmp_path, configs)
    line.cut()


def tickets(observer: Observer, node: str) -> int | None:
    board = observer.json(f"apimon/nodes/{node}/status").get("boards", {}).get("ops", {})
    count: int | None = board.get("tickets")
    return count


def retained(firm: Firm, broker: Installed) -> dict[str, bytes]:
    """Give what one side has kept of what crosses."""
    with firm.observer(broker) as late:
        late.publish("apimon/marker", b"now", retain=False)
        late.wait_for("apimon/marker", b"now")
        return {topic: payload for topic, payload, kept in late.messages if kept and CROSSING.match(topic)}


def alike(firm: Firm) -> bool:
    """Tell whether both sides have kept the same, and all of it."""
    office, site = retained(firm, firm.office), retained(firm, firm.site)
    topics = {"tickets/ops", "boards/ops/summary", "pollers/main/status", "nodes/lab/status", "nodes/lab/strips/ops"}
    return office == site and {f"apimon/{topic}" for topic in topics} <= office.keys()


def test_tickets_states_and_requests_cross_the_bridge(firm: Firm) -> None:
    ada, ben = firm.observer(firm.office), firm.observer(firm.site)
    with ada, ben, firm.poller(), firm.node("lab"), firm.node("hall"):
        wait_until(lambda: tickets(ada, "lab") == 1, "the site's node at head office")
        wait_until(lambda: tickets(ada, "hall") == 1, "the office's node")
        ada.publish("apimon/nodes/lab/request/identify", {"transaction": 1}, retain=False)
        wait_until(lambda: ada.json("apimon/nodes/lab/response/identify").get("transaction") == 1, "the answer")
        ben.publish("apimon/pollers/main/request/poll", {"transaction": 2}, retain=False)
        wait_until(lambda: ben.json("apimon/pollers/main/response/poll").get("transaction") == 2, "the poller's answer")
        wait_until(lambda: alike(firm), "the same on both sides")

    assert not any(topic.startswith("apimon/nodes/hall/") for topic in ben.latest if "request" not in topic)
    assert "Denied PUBLISH" not in firm.office.log + firm.site.log


def test_no_message_goes_round_in_circles(firm: Firm) -> None:
    """One of each topic that crosses, from where it comes: it is heard once on each side."""
    lines = re.findall(r"^topic (\S+) +(in|out) +1 *(\S*)", FILES[SITE], re.MULTILINE)
    with firm.observer(firm.office) as ada, firm.observer(firm.site) as ben:
        ada.wait_for(STATE, b"1")
        published = []
        for number, (topic, way, prefix) in enumerate(lines):
            name = prefix + topic.replace("+", "some").replace("#", "some/thing")
            (ada if way == "in" else ben).publish(name, str(number))
            published.append(name)
        wait_until(lambda: {*published} <= ada.latest.keys() & ben.latest.keys(), "all of them on both sides")
        for marker, source, target in (("tickets/last", ada, ben), ("nodes/last/status", ben, ada)):
            source.publish(f"apimon/{marker}", b"x")
            target.wait_for(f"apimon/{marker}", b"x")

    for side in (ada, ben):
        heard = [topic for topic, _, _ in side.messages]
        assert {topic: heard.count(topic) for topic in published} == dict.fromkeys(published, 1)


def test_the_office_broker_is_killed_and_both_sides_are_right_afterwards(firm: Firm) -> None:
    with firm.observer(firm.site) as ben, firm.poller(), firm.node("lab") as lab:
        wait_until(lambda: tickets(ben, "lab") == 1, "the ticket at the site")
        wait_until(lambda: alike(firm), "the same on both sides")

        firm.office.kill()
        ben.wait_for(STATE, b"0")
        assert tickets(ben, "lab") == 1
        ben.publish("apimon/nodes/lab/request/identify", {"transaction": 3}, retain=False)
        wait_until(lambda: ben.json("apimon/nodes/lab/response/identify").get("transaction") == 3, "an answer, still")
        firm.jira.create("two", time.time())
        assert lab.stop()[0] == 0
        ben.wait_for("apimon/nodes/lab/availability", b"offline")

        firm.office.start()
        ben.wait_for(STATE, b"1")
        with firm.observer(firm.office) as ada:
            ada.wait_for("apimon/nodes/lab/availability", b"offline")
        with firm.node("lab"):
            wait_until(lambda: tickets(ben, "lab") == 2, "the new ticket at the site")
            wait_until(lambda: alike(firm), "the same on both sides")
        with firm.observer(firm.office) as ada:
            assert "apimon/nodes/lab/response/identify" not in ada.latest


def test_the_line_is_cut_and_a_command_from_meanwhile_is_lost_rather_than_late(firm: Firm) -> None:
    with firm.observer(firm.office) as ada, firm.observer(firm.site) as ben, firm.node("lab"):
        ada.wait_for("apimon/nodes/lab/availability", b"online")
        firm.line.cut()
        ada.wait_for(STATE, b"0")
        ben.wait_for(STATE, b"0")
        ada.publish("apimon/nodes/lab/request/identify", b"late", retain=False)
        ada.publish("apimon/tickets/ops", {"counts": {"Open": 5}})
        ben.publish("apimon/pollers/main/request/poll", b"late", retain=False)
        ben.publish("apimon/nodes/lab/light/set", {"brightness": 99}, retain=False)

        firm.line.mend()
        wait_until(lambda: tickets(ben, "lab") == 5, "the tickets at the site")
        wait_until(lambda: ada.json("apimon/nodes/lab/light").get("brightness") == 99, "the light at the office")
        assert "apimon/nodes/lab/request/identify" not in ben.latest
        assert "apimon/pollers/main/request/poll" not in ada.latest


def test_the_site_broker_is_killed_and_only_the_bridges_state_tells(firm: Firm) -> None:
    with firm.observer(firm.office) as ada, firm.node("lab"):
        ada.wait_for(STATE, b"1")
        ada.wait_for("apimon/nodes/lab/availability", b"online")
        firm.site.kill()
        ada.wait_for(STATE, b"0")
        assert ada.latest["apimon/nodes/lab/availability"] == b"online"

        firm.site.start()
        ada.wait_for(STATE, b"1")
        wait_until(lambda: answered(ada), "an answer")


def answered(ada: Observer) -> bool:
    """Ask the site's node; tell whether it has answered: it, too, must first be connected again."""
    ada.publish("apimon/nodes/lab/request/identify", b"", retain=False)
    time.sleep(0.2)
    return "apimon/nodes/lab/response/identify" in ada.latest
