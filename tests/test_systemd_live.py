"""The units, in a real systemd: only where APIMON_SYSTEMD names the folder of a harness that boots one.

The harness (sysd.py there) boots Debian trees that its setup.sh makes once. It takes root, and some minutes.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from booted import BROKER, HARNESS, PATIENCE, PYTHON, STRIP_PRELOADS, SUITES, Booted, harness, late_clock
from certificates import Authority
from parts import Observer, wait_until
from pi_facts import CHARACTER_DEVICES, PROC_DEVICES

from apimon_node.strip import child

pytestmark = [
    pytest.mark.skipif(not HARNESS, reason="APIMON_SYSTEMD names no harness that boots a systemd"),
    pytest.mark.timeout(400),
    # What the harness opens it leaves to Python to close.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

RED, BLUE, DARK = "ff0000", "0000ff", "000000"
CONFIG = """\
mqtt: {{host: {broker}{mqtt}}}
node: {{id: {node}}}
strips:
  - {{name: ops, {driver}, pixels: 8, boards: [ops], status_pixel: none, order: RGB, max_milliamps: 0}}
ws281x: {{socket: {socket}}}
looks:
  - {{match: {{status: A}}, color: red}}
  - {{match: {{status: B}}, color: blue}}
poller: {{id: main, interval: 1s, jira: {{url: 'http://127.0.0.1:{jira}', auth: {{type: pat}}}}}}
boards: [{{name: ops, jql: project = OPS}}]
home_assistant: {{enabled: false}}
"""
MEMORY, WS281X = "driver: memory", "driver: ws281x, gpio: 18"


def config(*, node: str = "hall", driver: str = MEMORY, mqtt: str = "", jira: int = 1) -> str:
    socket = "/run/apimon/strip.sock" if driver == WS281X else "null"
    return CONFIG.format(broker=BROKER, mqtt=mqtt, node=node, driver=driver, socket=socket, jira=jira)


SECRETS: Mapping[str, str] = {"/etc/apimon/credentials/jira-token": "token\n"}

JIRA = """\
import sys, time
sys.path.insert(0, "/opt/project")
from pathlib import Path
from apimon_node.demo.jira import Account, JiraServer
from apimon_node.demo.site import Site

site = Site()
for name in ("one", "two"):
    site.create(name, time.time())
with JiraServer(site, cloud=False, account=Account("me", "token")) as server:
    Path("/run/jira.url").write_text(server.url)
    time.sleep(1e6)
"""

DEAF = """\
import socket, time
listener = socket.create_server(("0.0.0.0", 1884))
while True:
    kept = listener.accept()
"""
"""A broker that takes connections, and never says a word."""

NODE, POLLER, STRIP, STRIP_SOCKET = (
    "apimon-node.service",
    "apimon-poller.service",
    "apimon-strip.service",
    "apimon-strip.socket",
)
MARGIN = 15.0
"""Seconds more than the policy's that a restart may take here: a Python starts, on a machine that is shared."""


@pytest.fixture(params=SUITES)
def suite(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if not (harness().CACHE / name / "sbin/init").exists():
        pytest.skip(f"there is no {name}: SYSD_SUITE={name} {HARNESS}/setup.sh makes it")
    return name


def boot(suite: str, files: Mapping[str, str | Path], nodes: Mapping[str, str] | None = None) -> Booted:
    return Booted(suite, {"/etc/apimon/config.yaml": config(), **SECRETS, **files}, nodes or {})


@pytest.fixture
def wall(suite: str) -> Iterator[tuple[Booted, Observer]]:
    """Give a machine with a network and a broker, and a node that drives a strip by the strip service."""
    with boot(suite, {"/etc/apimon/config.yaml": config(driver=WS281X), **STRIP_PRELOADS}) as machine:
        machine.system.net_up()
        observer = machine.observer()
        machine.start(STRIP_SOCKET, NODE)
        yield machine, observer


def light(machine: Booted) -> str:
    """Read the strip, as it reads its wire."""
    wire = machine.pi.wire()
    letters = {RED: "r", BLUE: "b", DARK: "."}
    return "".join(letters.get(wire[at : at + 3].hex(), "?") for at in range(0, len(wire), 3))


def shows(machine: Booted, wanted: str, after: int = 0) -> None:
    """Wait until the strip has been written again, after so many frames, and is right."""
    wait_until(lambda: machine.pi.frames() > after and light(machine) == wanted, f"{wanted} on the strip", PATIENCE)


def is_lit(observer: Observer, pixels: int, node: str = "hall") -> None:
    """Wait until a node says that so many pixels are on."""

    def lit() -> bool:
        shown = observer.json(f"apimon/nodes/{node}/strips/ops").get("pixels", [])
        return bool(shown) and sum(pixel != DARK for pixel in shown) == pixels

    wait_until(lit, f"{pixels} pixels of {node}", PATIENCE)


def publish(observer: Observer, **counts: int) -> None:
    observer.publish("apimon/tickets/ops", json.dumps({"counts": counts}))


def run_jira(machine: Booted) -> None:
    """Run a Jira on the machine, and let the configuration name it."""
    machine.sh("cat > /run/jira.py", input=JIRA)
    machine.sh(f"systemd-run -q --unit=jira {PYTHON} /run/jira.py")
    url = wait_until(lambda: machine.system.run("cat /run/jira.url")[1], "the Jira", PATIENCE)
    machine.sh("cat > /etc/apimon/config.yaml", input=config(jira=int(url.rpartition(":")[2])))


def policy(machine: Booted, unit: str) -> float:
    """Give the seconds after which systemd starts a unit anew, at the most."""
    text = machine.sh(f"systemctl cat {unit}")
    longest = re.search(r"^RestartMaxDelaySec=(\d+)s$", text, re.MULTILINE)
    first = re.search(r"^RestartSec=(\d+)s$", text, re.MULTILINE)
    assert first is not None
    assert longest is not None
    return float(first[1] if machine.suite == "bookworm" else longest[1])


# What runs


def test_node_and_strip_service_are_active_and_the_light_is_on(wall: tuple[Booted, Observer]) -> None:
    machine, observer = wall
    publish(observer, A=2, B=1)

    shows(machine, "rrb.....")
    for unit in (NODE, STRIP_SOCKET, STRIP):
        assert machine.show(unit, "ActiveState") == "active"
    machine.wait_for(NODE, "StatusText", "3 tickets")
    assert "no strip service" not in machine.journal(NODE)


def test_node_and_poller_are_active_and_jiras_tickets_are_shown(suite: str) -> None:
    with boot(suite, {}) as machine:
        machine.system.net_up()
        observer = machine.observer()
        run_jira(machine)
        machine.sh("sed -i '/match/s/status: A/category: new/' /etc/apimon/config.yaml")
        machine.start(NODE, POLLER)

        is_lit(observer, 2)
        machine.wait_for(NODE, "StatusText", "2 tickets")
        assert observer.json("apimon/pollers/main/status")["boards"]["ops"]["state"] == "ok"
        assert machine.show(POLLER, "ActiveState") == "active"


def test_the_strip_service_has_no_network_and_serves_no_stranger(wall: tuple[Booted, Observer]) -> None:
    machine, observer = wall
    publish(observer, A=1)
    shows(machine, "r.......")
    links = machine.sh(f"nsenter -t {machine.pid(STRIP)} -n ip -br link")
    assert [line.split()[0] for line in links.splitlines()] == ["lo"]

    machine.sh(f"systemctl stop {NODE}")
    connect = "import socket;s=socket.socket(1);s.connect('/run/apimon/strip.sock');print(s.recv(1)[0])"
    who = "setpriv --reuid 65534 --regid 65534 --clear-groups"
    assert machine.sh(f'{who} python3 -c "{connect}"') == str(child.FORBIDDEN)
    assert "refused user 65534: allow it with --user" in machine.journal(STRIP)


def test_a_node_that_is_stopped_says_so_and_leaves_the_strip_dark(wall: tuple[Booted, Observer]) -> None:
    machine, observer = wall
    publish(observer, A=1)
    shows(machine, "r.......")
    machine.sh(f"systemctl stop {NODE}")

    observer.wait_for("apimon/nodes/hall/availability", b"offline")
    assert machine.show(NODE, "Result") == "success"
    shows(machine, "........")


def test_what_the_driver_terminal_draws_does_not_fill_the_journal(suite: str) -> None:
    with boot(suite, {"/etc/apimon/config.yaml": config(driver="driver: terminal")}) as machine:
        machine.system.net_up()
        observer = machine.observer()
        machine.start(NODE)
        publish(observer, A=2)
        is_lit(observer, 2)
        wait_until(lambda: "connected to" in machine.journal(NODE), "the log", PATIENCE)

        assert machine.sh(f"journalctl -q --no-pager -o cat -u {NODE} _TRANSPORT=stdout") == ""


def test_nothing_of_it_needs_to_write_to_the_disk(suite: str) -> None:
    with boot(suite, {"/etc/apimon/config.yaml": config(driver=WS281X), **STRIP_PRELOADS}) as machine:
        machine.system.net_up()
        observer = machine.observer()
        machine.sh("mount -o remount,bind,ro /")
        assert machine.system.run("touch /etc/written")[0] != 0
        machine.sh(f"systemctl start {STRIP_SOCKET} {NODE} {POLLER}")
        publish(observer, A=2)

        shows(machine, "rr......")
        observer.wait_for("apimon/pollers/main/availability", b"online")


# What comes back


@pytest.mark.parametrize("unit", [NODE, STRIP])
def test_what_crashes_is_back_in_the_policys_time_and_the_light_is_right(
    wall: tuple[Booted, Observer], unit: str
) -> None:
    machine, observer = wall
    publish(observer, A=2, B=1)
    shows(machine, "rrb.....")
    frames = machine.pi.frames()
    away = machine.crash(unit)

    assert away < policy(machine, unit) + MARGIN
    shows(machine, "rrb.....", frames)
    publish(observer, B=4)
    shows(machine, "bbbb....")
    assert "Fatal Python error: Segmentation fault" in machine.journal(unit)


def test_a_poller_that_crashes_is_back_in_the_policys_time_and_polls(suite: str) -> None:
    with boot(suite, {}) as machine:
        machine.system.net_up()
        observer = machine.observer()
        run_jira(machine)
        machine.start(POLLER)
        wait_until(lambda: "apimon/tickets/ops" in observer.latest, "a snapshot", PATIENCE)
        away = machine.crash(POLLER)
        assert away < policy(machine, POLLER) + MARGIN

        observer.publish("apimon/tickets/ops", b"")  # what it finds standing, it leaves
        wait_until(lambda: observer.json("apimon/tickets/ops").get("tickets"), "a snapshot of the new one", PATIENCE)
        observer.wait_for("apimon/pollers/main/availability", b"online")


def test_a_strip_service_that_crashes_again_and_again_is_never_given_up(wall: tuple[Booted, Observer]) -> None:
    machine, observer = wall
    publish(observer, A=1)
    shows(machine, "r.......")
    for _ in range(4):
        machine.crash(STRIP)

    publish(observer, B=2)
    shows(machine, "bb......")
    assert machine.show(STRIP_SOCKET, "ActiveState") == "active"


def test_what_hangs_is_shot_and_what_waits_for_a_dead_broker_is_not(suite: str) -> None:
    waiting = config(node="waiting", mqtt=", port: 1884")
    files = {"/etc/apimon/config.yaml": config(driver=WS281X), "/etc/apimon/waiting.yaml": waiting}
    with boot(suite, {**files, **STRIP_PRELOADS}) as machine:
        machine.system.net_up()
        observer = machine.observer()
        machine.system.lan(["python3", "-c", DEAF])
        machine.start("apimon-node@waiting", STRIP_SOCKET, NODE, POLLER)
        machine.wait_for("apimon-node@waiting", "StatusText", "did not answer within")
        publish(observer, A=1)
        shows(machine, "r.......")
        for unit in (NODE, STRIP, POLLER):
            machine.sh(f"kill -STOP {machine.pid(unit)}")

        for unit in (NODE, STRIP, POLLER):
            machine.wait_for(unit, "NRestarts", "1")
            machine.wait_for(unit, "ActiveState", "active")
            assert "Watchdog timeout" in machine.journal(unit)
            assert "Fatal Python error: Aborted" in machine.journal(unit)  # and then, where it hung
        frames = machine.pi.frames()
        publish(observer, B=1)
        shows(machine, "b.......", frames)
        assert machine.restarts("apimon-node@waiting") == 0
        assert machine.show("apimon-node@waiting", "ActiveState") == "active"


def test_a_restart_by_mqtt_keeps_the_process_and_systemd_sees_none(wall: tuple[Booted, Observer]) -> None:
    machine, observer = wall
    publish(observer, A=1)
    shows(machine, "r.......")
    status = "apimon/nodes/hall/status"
    before, pid, frames = observer.json(status)["started_at"], machine.pid(NODE), machine.pi.frames()

    def restarted() -> bool:
        """Ask, until it has been up long enough to be granted that."""
        observer.publish("apimon/nodes/hall/request/restart", "{}", retain=False)
        time.sleep(1)
        return bool(observer.json(status).get("started_at", before) != before)

    wait_until(restarted, "a new start", 60 + PATIENCE)
    shows(machine, "r.......", frames)
    machine.wait_for(NODE, "StatusText", "1 tickets")
    assert (machine.pid(NODE), machine.restarts(NODE)) == (pid, 0)
    assert machine.show(NODE, "ActiveState") == "active"


def test_a_wrong_configuration_ends_it_for_good_and_says_why(suite: str) -> None:
    with boot(suite, {"/etc/apimon/config.yaml": config().replace("color: red", "color: rot")}) as machine:
        assert machine.system.run(f"systemctl start {NODE}")[0] != 0
        machine.wait_for(NODE, "ActiveState", "failed")
        assert "looks[0].color: expected a colour" in machine.journal(NODE)
        time.sleep(policy(machine, NODE) + 2 if suite == "bookworm" else 7)
        assert machine.restarts(NODE) == 0

        machine.sh("cat > /etc/apimon/config.yaml", input=config())
        machine.sh(f"systemctl restart {NODE}")
        assert machine.show(NODE, "ActiveState") == "active"


# When it starts


def test_a_machine_without_network_boots_into_a_node_that_finds_a_broker_which_comes_later(suite: str) -> None:
    wants = f"[Unit]\nWants={NODE} {POLLER} {STRIP_SOCKET}\n"
    with boot(suite, {"/etc/systemd/system/multi-user.target.d/all.conf": wants}) as machine:
        for unit in (NODE, POLLER, STRIP_SOCKET):
            machine.wait_for(unit, "ActiveState", "active")
        machine.wait_for(NODE, "StatusText", "Network is unreachable")
        machine.system.net_up()
        machine.wait_for(NODE, "StatusText", "refused")
        observer = machine.observer()
        publish(observer, A=3)

        is_lit(observer, 3)
        observer.wait_for("apimon/pollers/main/availability", b"online")
        assert [machine.restarts(unit) for unit in (NODE, POLLER)] == [0, 0]
        assert not machine.sh("systemctl list-units --failed --no-legend 'apimon*'")


def test_a_clock_that_jumps_by_months_is_no_end_and_tls_works_from_there_on(suite: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ca")
    pair = authority.issue("broker", BROKER, not_before=datetime.now(UTC) - timedelta(days=9))
    files: dict[str, str | Path] = {
        "/etc/apimon/config.yaml": config(mqtt=", tls: {ca_file: ca.pem}"),
        "/etc/apimon/ca.pem": authority.file,
        **late_clock(NODE),
        **late_clock(POLLER),
    }
    with boot(suite, files) as machine:
        machine.set_clock(-150 * 86_400)
        machine.system.net_up()
        observer = machine.observer(f"listener 8883 0.0.0.0\ncertfile {pair.cert}\nkeyfile {pair.key}\n")
        publish(observer, A=3)
        machine.start(NODE, POLLER)
        for unit in (NODE, POLLER):
            machine.wait_for(unit, "StatusText", "is not valid yet")
        machine.set_clock(0)

        is_lit(observer, 3)
        observer.wait_for("apimon/pollers/main/availability", b"online")
        machine.set_clock(150 * 86_400)
        publish(observer, A=2)
        is_lit(observer, 2)
        assert [machine.restarts(unit) for unit in (NODE, POLLER)] == [0, 0]


# Whose it is


def test_two_nodes_live_on_one_machine_each_with_its_own_password(suite: str) -> None:
    hall, kitchen = (config(node=name, mqtt=f", username: {name}") for name in ("hall", "kitchen"))
    files = {
        "/etc/apimon/config.yaml": hall,
        "/etc/apimon/kitchen.yaml": kitchen,
        "/etc/apimon/credentials/mqtt-password": "of the hall\n",
        "/etc/apimon/credentials/kitchen/mqtt-password": "of the kitchen\n",
    }
    with boot(suite, files) as machine:
        machine.sh("chmod -R go= /etc/apimon/credentials")
        machine.system.net_up()
        accounts = {"hall": "of the hall", "kitchen": "of the kitchen", "test": "of the test"}
        observer = machine.observer(accounts=accounts)
        machine.start(NODE, "apimon-node@kitchen")
        publish(observer, A=1, B=1)

        for name in ("hall", "kitchen"):
            is_lit(observer, 2, name)
        assert machine.pid(NODE) != machine.pid("apimon-node@kitchen")


def test_a_node_may_open_spi_devices_in_the_group_spi_and_starts_where_there_is_none(suite: str) -> None:
    """The kernel here has no spidev: it says so, where neither the unit nor the file's rights are in the way."""
    files = {"/etc/apimon/config.yaml": config(driver="driver: spi"), "/opt/devices": PROC_DEVICES}
    with boot(suite, files, {"spidev0.0": f"{CHARACTER_DEVICES['spi']} 0"}) as machine:
        machine.sh("chmod 660 /dev/spidev0.0 && mount --bind /opt/devices /proc/devices")
        machine.start(NODE)
        machine.wait_for(NODE, "StatusText", "/dev/spidev0.0: Permission denied")

        machine.sh("groupadd --system spi && chgrp spi /dev/spidev0.0")
        machine.sh("mkdir /etc/systemd/system/apimon-node.service.d")
        machine.sh("cat > /etc/systemd/system/apimon-node.service.d/spi.conf < /opt/project/systemd/spi.conf")
        machine.sh(f"systemctl daemon-reload && systemctl restart {NODE}")
        machine.wait_for(NODE, "StatusText", "/dev/spidev0.0: No such device")
