"""A poller that meets every failure there is, with all logs wide open: nothing that it says or writes has a secret.

Wide open are its own log, which people can ask for, and those of its libraries, which they can not.
"""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from journal import Journal
from parts import Mosquitto, Observer, Program, wait_until

from apimon_node.demo.jira import (
    HTML,
    NOT_JSON,
    Account,
    Answer,
    Drip,
    Drop,
    Echo,
    Fault,
    Hang,
    JiraServer,
    OAuthApp,
    Request,
)
from apimon_node.demo.site import Site

SECRET = "SECRET-of-the-test"
STATUS = "apimon/pollers/main/status"
LOUD = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, handlers=[logging.StreamHandler(sys.stderr), logs.Journal()])
logging.debug("all logs are wide open")
"""

CONFIG = """\
mqtt: {{host: 127.0.0.1, port: {port}, username: me}}
poller:
  interval: 1s
  jira: {{url: '{url}', timeout: 1s, auth: {auth}}}
boards: [{{name: ops, jql: project = OPS}}]
"""


def said(code: int, **headers: str) -> Answer:
    """Refuse in a way that repeats what must not be repeated."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(code, {"Set-Cookie": f"session={SECRET}", "X-Echo": SECRET, **names}, SECRET.encode())


FAULTS: dict[str, tuple[Fault, str]] = {
    "400": (said(400), "query"),
    "400 that repeats the header": (Echo(), "query"),
    "401": (said(401), "auth"),
    "403": (said(403), "auth"),
    "404": (said(404), "error"),
    "410": (said(410), "error"),
    "429 in seconds": (said(429, Retry_After="1"), "rate_limited"),
    "429 by date": (said(429, Retry_After="Mon, 23 Nov 2026 12:00:00 GMT"), "rate_limited"),
    "500": (said(500), "error"),
    "503": (said(503), "error"),
    "a web page": (HTML, "error"),
    "half an answer": (NOT_JSON, "error"),
    "a redirect": (said(302, Location=f"http://127.0.0.1:9/{SECRET}"), "offline"),
    "silence": (Hang(100), "offline"),
    "drop by drop": (Drip(0.2), "offline"),
    "hung up": (Drop(), "offline"),
}


TOKEN_FAULTS: dict[str, tuple[Fault, str]] = {
    "401 of the token server": (said(401), "auth"),
    "invalid_scope": (
        Answer(400, {}, b'{"error": "invalid_scope", "error_description": "SECRET-of-the-test"}'),
        "auth",
    ),
    "429 of the token server": (said(429, Retry_After="1"), "rate_limited"),
    "503 of the token server": (said(503), "error"),
    "a web page of the token server": (HTML, "error"),
    "a silent token server": (Hang(100), "offline"),
}


@pytest.fixture
def site() -> Site:
    site = Site()
    for number in range(3):
        site.create(f"Ticket {number}", time.time() - number)
    return site


@pytest.fixture
def jira(site: Site) -> Iterator[JiraServer]:
    app = OAuthApp("apimon", SECRET, lifetime=60)
    with JiraServer(site, cloud=False, account=Account("me", SECRET), oauth=app) as server:
        yield server


AUTHS = {
    "oauth2": "{{type: oauth2, client_id: apimon, token_url: '{token_url}'}}",
    "basic": "{{type: basic, user: me}}",
}


def start(folder: Path, broker: Mosquitto, jira: JiraServer, auth: str, before: str) -> Program:
    config = folder / "poller.yaml"
    way = AUTHS[auth].format(token_url=jira.token_url)
    config.write_text(CONFIG.format(port=broker.port, url=jira.url, auth=way), encoding="utf-8")
    names = ("JIRA_CLIENT_SECRET", "JIRA_TOKEN", "JIRA_PASSWORD", "MQTT_PASSWORD")
    environment = {f"APIMON_{name}": SECRET for name in names}
    command = ("poll", "--config", str(config), "--log-level", "debug")
    return Program(folder, *command, before=before, environment=environment)


def of_jira(request: Request) -> bool:
    return "/rest/api/" in request.path


def of_the_token_server(request: Request) -> bool:
    return request.path.endswith("/token")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("auth", AUTHS)
def test_no_failure_shows_a_secret_in_any_log_status_or_event(
    tmp_path: Path, broker: Mosquitto, observer: Observer, jira: JiraServer, auth: str
) -> None:
    def report() -> dict[str, Any]:
        report: dict[str, Any] = observer.json(STATUS).get("boards", {}).get("ops", {})
        return report

    def reaches(state: str, what: str) -> None:
        wait_until(lambda: report().get("state") == state, f"{state} after {what}")
        tokens.update(app._living)

    assert jira.oauth
    app, tokens = jira.oauth, set[str]()
    faults = [(of_jira, name, *fault) for name, fault in FAULTS.items()]
    if auth == "oauth2":
        faults += [(of_the_token_server, name, *fault) for name, fault in TOKEN_FAULTS.items()]
    with (
        closing(Journal(tmp_path).listen()) as journal,
        start(tmp_path, broker, jira, auth, journal.before + LOUD) as program,
    ):
        reaches("ok", "the start")
        for whose, name, fault, state in faults:
            jira.fail(fault, when=whose)
            app.revoke()
            reaches(state, name)
            assert report()["detail"]
            assert report()["next_poll_at"] > report()["checked_at"]
            jira.heal()
            reaches("ok", f"the end of {name}")
        code, _ = program.stop()

    assert code == 0
    assert bool(tokens) is (auth == "oauth2")
    entries = [json.dumps(entry) for entry in journal.entries]
    for line in ("all logs are wide open", "publish 'apimon/pollers/main/status'", "board ops: no answer"):
        assert line in program.err
        assert any(line in entry for entry in entries)
    everything = (
        program.err
        + program.out
        + "".join(entries)
        + "".join(f"{topic} {payload!r}" for topic, payload, _ in observer.messages)
    )
    basic = base64.b64encode(f"me:{SECRET}".encode()).decode()
    assert [secret for secret in (SECRET, basic, "Bearer ", "Basic ", *tokens) if secret in everything] == []
