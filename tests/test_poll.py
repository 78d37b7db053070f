"""`apimon-node poll` as a process: a real broker, a Jira over real HTTP, and a node that shows what comes of it."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from parts import Mosquitto, Observer, Program, node_config, wait_until

from apimon_node.demo.jira import Account, Answer, Fault, Hang, JiraServer
from apimon_node.demo.site import Site
from apimon_node.tickets import snapshot

TOKEN = "s3cret-token"
STATUS = "apimon/pollers/main/status"
AVAILABILITY = "apimon/pollers/main/availability"
TICKETS = "apimon/tickets/ops"

CONFIG = """\
mqtt: {{host: 127.0.0.1, port: {port}, protocol: 3.1.1}}
poller:
  interval: {interval}
  valid_for: {valid_for}
  jira: {{url: '{jira}', timeout: 2s, auth: {auth}}}
boards:
  - {{name: ops, jql: project = OPS AND statusCategory != Done, overdue_after: {{Open: 1h}}}}
"""


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def jira(site: Site) -> Iterator[JiraServer]:
    with JiraServer(site, cloud=False, account=Account("me@example.com", TOKEN)) as server:
        yield server


def poller(
    folder: Path,
    broker: Mosquitto,
    jira: JiraServer,
    auth: str = "{type: pat}",
    interval: str = "1s",
    valid_for: str = "1h",
) -> Program:
    config = folder / "poller.yaml"
    text = CONFIG.format(port=broker.port, jira=jira.url, auth=auth, interval=interval, valid_for=valid_for)
    config.write_text(text, encoding="utf-8")
    return Program(folder, "poll", "--config", str(config), environment={"APIMON_JIRA_TOKEN": TOKEN})


def board(observer: Observer) -> dict[str, Any]:
    boards: dict[str, Any] = observer.json(STATUS).get("boards", {})
    report: dict[str, Any] = boards.get("ops", {})
    return report


@pytest.mark.parametrize(
    ("cloud", "auth"), [(False, "{type: pat}"), (True, "{type: api_token, user: me@example.com}")], ids=["DC", "Cloud"]
)
def test_from_jira_to_the_strip(
    tmp_path: Path, broker: Mosquitto, observer: Observer, jira: JiraServer, site: Site, *, cloud: bool, auth: str
) -> None:
    now = time.time()
    site.create("fresh", now)
    site.create("old", now - 7200)
    site.create("done", now, status="Done")
    jira.cloud = cloud
    config = node_config(tmp_path, broker.port)
    Path(config).write_text(Path(config).read_text().replace("status: A", "status: Open"))
    with poller(tmp_path, broker, jira, auth) as program, Program(tmp_path, "run", "--config", config):
        wait_until(lambda: "ff0000" in observer.json("apimon/nodes/hall/strips/ops").get("pixels", ()), "the tickets")
        strip = observer.json("apimon/nodes/hall/strips/ops")
        assert strip["pixels"][:3] == ["ff0000", "ff0000", "000000"]
        assert strip["effects"][:2] == [None, "pulse"]

        site.move("OPS-1", "Done", time.time())
        moved = time.monotonic()
        wait_until(lambda: observer.json("apimon/nodes/hall/strips/ops")["pixels"][1] == "000000", "the change")
        assert time.monotonic() - moved < 10

        assert TOKEN not in program.err + program.out
        assert all(TOKEN.encode() not in payload for _, payload, _ in observer.messages)


def test_the_snapshot_has_what_the_contract_names_and_no_more(
    tmp_path: Path, broker: Mosquitto, observer: Observer, jira: JiraServer, site: Site
) -> None:
    site.create("a secret summary", 1_795_435_200.0, assignee="Ada", labels=("hush",))
    with poller(tmp_path, broker, jira):
        raw = wait_until(lambda: observer.latest.get(TICKETS), "the snapshot")

    content = json.loads(raw)
    assert content["tickets"] == [
        {
            "key": "OPS-1",
            "status": "Open",
            "category": "new",
            "priority": "Medium",
            "created": "2026-11-23T12:00:00Z",
            "due": "2026-11-23T13:00:00Z",
        }
    ]
    assert content["source"] == "main"
    parsed = snapshot.parse(raw)
    assert parsed.at is not None
    assert parsed.valid_until == parsed.at + 3600


def test_nothing_is_published_again_while_nothing_changes_but_the_status(
    tmp_path: Path, broker: Mosquitto, observer: Observer, jira: JiraServer, site: Site
) -> None:
    site.create("one", time.time())
    with poller(tmp_path, broker, jira):
        wait_until(lambda: len([request for request in jira.requests if "search" in request.path]) >= 4, "some polls")

    assert len([topic for topic, _, _ in observer.messages if topic == TICKETS]) == 1


def test_a_poll_is_had_for_the_asking(
    tmp_path: Path, broker: Mosquitto, observer: Observer, jira: JiraServer, site: Site
) -> None:
    site.create("one", time.time())
    with poller(tmp_path, broker, jira, interval="1h", valid_for="1d"):
        wait_until(lambda: TICKETS in observer.latest, "the snapshot")
        site.create("two", time.time())
        observer.publish("apimon/pollers/main/request/poll", {"transaction": 1}, retain=False)
        observer.wait_for("apimon/pollers/main/response/poll", b'{"status":"ok","transaction":1}')
        wait_until(lambda: len(observer.json(TICKETS)["tickets"]) == 2, "the new ticket")


FAULTS: dict[str, Fault] = {
    "auth": Answer(401),
    "query": Answer(400, body=b'{"errorMessages":["no such field"],"errors":{}}'),
    "rate_limited": Answer(429),
    "error": Answer(503),
    "offline": Hang(100),
}
OF_ONE_BOARD = {"query", "offline"}  # a query that is wrong, or too slow; all else no board is spared


@pytest.mark.parametrize("state", FAULTS)
def test_a_failure_is_told_and_the_last_snapshot_stays_until_jira_is_back(
    tmp_path: Path, broker: Mosquitto, observer: Observer, jira: JiraServer, site: Site, state: str
) -> None:
    site.create("one", time.time())
    with poller(tmp_path, broker, jira) as program:
        wait_until(lambda: TICKETS in observer.latest, "the snapshot")
        before = observer.latest[TICKETS]
        jira.fail(FAULTS[state])
        wait_until(lambda: board(observer).get("state") == state, f"the state {state}")
        assert board(observer)["detail"]
        assert observer.latest[TICKETS] == before

        jira.heal()
        site.create("two", time.time())
        wait_until(lambda: board(observer).get("state") == "ok", "the recovery")
        wait_until(lambda: observer.latest[TICKETS] != before, "the new snapshot")
        fault = "jira ops" if state in OF_ONE_BOARD else "jira"
        assert re.findall(r"(jira.*): well again", program.err) == [fault]


def test_an_expired_token_empties_no_board_and_a_good_one_heals_it(
    tmp_path: Path, broker: Mosquitto, observer: Observer, jira: JiraServer, site: Site
) -> None:
    site.create("one", time.time())
    jira.cloud = jira.strangers = True
    secret = tmp_path / "secret"
    secret.write_text(TOKEN)
    auth = f"{{type: api_token, user: me@example.com, token_file: '{secret}'}}"
    with poller(tmp_path, broker, jira, auth):
        wait_until(lambda: TICKETS in observer.latest, "the snapshot")
        before = observer.latest[TICKETS]
        jira.account = Account("me@example.com", "another")
        wait_until(lambda: board(observer).get("state") == "auth", "the state auth")
        asked = len(jira.requests)
        wait_until(lambda: len(jira.requests) >= asked + 2, "more polls")  # a ticket is gone after two without it
        assert observer.latest[TICKETS] == before

        secret.write_text("another")
        wait_until(lambda: board(observer).get("state") == "ok", "the recovery")
        assert observer.latest[TICKETS] == before
        events = [payload for topic, payload, _ in observer.messages if topic == "apimon/boards/ops/event"]
        assert all(b"closed" not in event for event in events)


def test_a_refused_password_is_sent_twice_and_a_new_one_is_taken_at_once(
    tmp_path: Path, broker: Mosquitto, observer: Observer, jira: JiraServer, site: Site
) -> None:
    site.create("one", time.time())
    secret = tmp_path / "secret"
    secret.write_text("old")
    auth = f"{{type: basic, user: me@example.com, password_file: '{secret}'}}"
    with poller(tmp_path, broker, jira, auth) as program:
        wait_until(lambda: "is not sent before" in board(observer).get("detail", ""), "the password to be held")
        assert board(observer)["state"] == "auth"
        assert len(jira.requests) == 2
        observer.publish("apimon/pollers/main/request/poll", {}, retain=False)
        answer = wait_until(lambda: observer.latest.get("apimon/pollers/main/response/poll"), "the answer")
        assert json.loads(answer)["status"] == "error"
        assert "the next try is at " in json.loads(answer)["error"]
        checked = board(observer)["checked_at"]
        wait_until(lambda: board(observer)["checked_at"] > checked, "another look at the password")
        assert len(jira.requests) == 2
        assert program.process.poll() is None

        secret.write_text(TOKEN)
        observer.publish("apimon/pollers/main/request/poll", {}, retain=False)
        wait_until(lambda: board(observer).get("state") == "ok", "the recovery")
        assert TICKETS in observer.latest
        assert program.err.count("is not sent before") == 1


def test_a_killed_poller_is_told_by_its_will_and_the_node_shows_it(
    tmp_path: Path, broker: Mosquitto, observer: Observer, jira: JiraServer, site: Site
) -> None:
    site.create("one", time.time())
    config = node_config(tmp_path, broker.port)
    Path(config).write_text(Path(config).read_text().replace("status: A", "status: Open"))
    with Program(tmp_path, "run", "--config", config) as node, poller(tmp_path, broker, jira) as program:
        wait_until(lambda: "r........." in node.out, "the ticket")
        program.process.kill()

        observer.wait_for(AVAILABILITY, b"offline")
        wait_until(lambda: node.out.splitlines()[-1] == "ops o.........", "the orange status pixel")

        def faults() -> list[dict[str, str]]:
            told: list[dict[str, str]] = observer.json("apimon/nodes/hall/status")["faults"]
            return told

        wait_until(lambda: [fault["name"] for fault in faults()] == ["poller"], "the fault, which follows the frame")
        assert observer.json("apimon/nodes/hall/strips/ops")["pixels"][0] == "ff0000"


def test_the_broker_comes_back_without_memory_and_gets_everything_again(
    tmp_path: Path, broker: Mosquitto, jira: JiraServer, site: Site
) -> None:
    site.create("one", time.time())
    with poller(tmp_path, broker, jira):
        with Observer(broker.port) as observer:
            wait_until(lambda: TICKETS in observer.latest, "the snapshot")
        broker.kill()
        broker.start()
        with Observer(broker.port) as observer:
            observer.wait_for(AVAILABILITY, b"online")
            wait_until(lambda: {TICKETS, STATUS} <= set(observer.latest), "all that is retained")


def test_a_spare_is_silent_until_the_first_is_gone_and_something_changes(
    tmp_path: Path, broker: Mosquitto, observer: Observer, jira: JiraServer, site: Site
) -> None:
    site.create("one", time.time())
    with poller(tmp_path, broker, jira) as first:
        wait_until(lambda: TICKETS in observer.latest, "the snapshot")
        config = tmp_path / "spare.yaml"
        config.write_text(
            (tmp_path / "poller.yaml").read_text().replace("poller:", "poller:\n  id: spare"), encoding="utf-8"
        )
        with Program(tmp_path, "poll", "--config", str(config), environment={"APIMON_JIRA_TOKEN": TOKEN}, name="spare"):
            wait_until(lambda: observer.json("apimon/pollers/spare/status").get("boards"), "the spare's first poll")
            asked = len(jira.requests)
            wait_until(lambda: len(jira.requests) >= asked + 6, "more polls of both")
            assert [json.loads(payload)["source"] for topic, payload, _ in observer.messages if topic == TICKETS] == [
                "main"
            ]

            first.process.kill()
            first.process.wait()
            site.create("two", time.time())
            wait_until(lambda: observer.json(TICKETS).get("source") == "spare", "the spare's snapshot")
            assert [ticket["key"] for ticket in observer.json(TICKETS)["tickets"]] == ["OPS-1", "OPS-2"]
            wait_until(lambda: b"created" in observer.latest.get("apimon/boards/ops/event", b""), "the event")


def test_a_clean_stop_says_offline(tmp_path: Path, broker: Mosquitto, observer: Observer, jira: JiraServer) -> None:
    with poller(tmp_path, broker, jira) as program:
        observer.wait_for(AVAILABILITY, b"online")
        code, seconds = program.stop()

    assert code == 0
    assert seconds < 3
    observer.wait_for(AVAILABILITY, b"offline")


def test_a_hanging_jira_holds_up_neither_the_broker_nor_the_end(
    tmp_path: Path, broker: Mosquitto, observer: Observer, jira: JiraServer
) -> None:
    jira.fail(Hang(100))
    with poller(tmp_path, broker, jira) as program:
        observer.wait_for(AVAILABILITY, b"online")
        wait_until(lambda: len(jira.requests) > 0, "the question")
        code, seconds = program.stop()

    assert code == 0
    assert seconds < 2
