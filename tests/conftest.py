"""Fixtures: the real parts, and a witness of what they say to Jira."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from openapi import Witness
from parts import Mosquitto, Observer

from apimon_node.demo.exchange import Answer, Request
from apimon_node.demo.jira import JiraServer

# A shell starts what runs in its background without Ctrl-C, and programs under test would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A test is no benchmark, a busy machine no failure, and examples of other runs do not decide about this one.
settings.register_profile("apimon", deadline=None, database=None)
settings.load_profile("apimon")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as mosquitto:
        yield mosquitto


@pytest.fixture
def observer(broker: Mosquitto) -> Iterator[Observer]:
    with Observer(broker.port) as observer:
        yield observer


@pytest.fixture(autouse=True)
def witness() -> Iterator[Witness]:
    """Fail a test in which the demo's Jira Cloud was asked, or has answered, what Atlassian's document forbids."""
    witness = Witness()

    def see(server: JiraServer, request: Request, answer: Answer) -> None:
        witness.see(server, request, answer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JiraServer, "witness", see)
        yield witness
    if violations := witness.violations():
        pytest.fail("against Atlassian's OpenAPI document:\n" + "\n".join(violations), pytrace=False)
