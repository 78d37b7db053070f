"""The poller as a program: wiring, and its turn. Everything that decides is in poller.py."""

import logging
import random
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

from apimon_node.config.settings import BoardSettings, PollerSettings, Settings
from apimon_node.errors import JiraError
from apimon_node.mqtt.participant import hear, link_to_broker, pass_on
from apimon_node.poller.jira.client import JiraClient
from apimon_node.poller.jira.issues import tickets
from apimon_node.poller.jira.question import question, sla_fields
from apimon_node.poller.poller import Poller
from apimon_node.process import credentials, extras
from apimon_node.process.background import Background
from apimon_node.process.clock import clock
from apimon_node.process.service import Service
from apimon_node.tickets.snapshot import Ticket

log = logging.getLogger("apimon_node")


def run_poller(settings: Settings) -> None:
    """Be a poller until a signal says to stop. Each board is asked beside the loop: it may take as long as it likes."""
    assert settings.poller is not None
    extras.need("jira", "jira")
    poller = Poller(settings, clock(), random.random)
    with ExitStack() as stack:
        service = stack.enter_context(Service())
        calls: dict[str, Background[Outcome]] = {board.name: Background(board.name) for board in settings.boards}
        for call in calls.values():
            stack.callback(call.close)
        link = stack.enter_context(
            link_to_broker(settings, f"apimon-poller-{settings.poller.id}", poller.will, poller.subscriptions)
        )
        client = jira_client(settings.poller)
        service.ready()
        while not service.stopping:
            for board in poller.due(clock()):
                log.debug("ask Jira for the board %s", board.name)
                calls[board.name].start(partial(ask, client, board, settings.poller))
            pass_on(poller, link)
            if service.managed:
                service.status(poller.summary())
            service.alive()
            busy = [call for call in calls.values() if call.busy]
            for event in hear(link, min(poller.deadline(), service.deadline()), service, *busy):
                poller.receive(event, clock())
            for call in busy:
                if call.over:
                    _take_outcome(poller, call.outcome())
        poller.farewell()
        pass_on(poller, link)
    log.info("stopped")


class Outcome(NamedTuple):
    """What came of asking for a board: its tickets, or why not; `at` by Jira's clock (seconds since 1970), if told."""

    board: BoardSettings
    answer: tuple[Ticket, ...] | JiraError
    at: float | None = None


def ask(client: JiraClient, board: BoardSettings, settings: PollerSettings) -> Outcome:
    """Ask for a board. Blocks."""
    leaving = settings.fields
    wanted = board.sla if "due" in leaving else ()
    try:
        sla = sla_fields(client.catalogue() if wanted else [], wanted)
        found = client.search(*question(board, leaving, sla))
        now = clock().wall if found.server_time is None else found.server_time
        made = tickets(found.issues, board, fields=leaving, sla=sla, now=now, zone=settings.time_zone)
        return Outcome(board, made, found.server_time)
    except JiraError as err:
        return Outcome(board, err)


def _take_outcome(poller: Poller, outcome: Outcome) -> None:
    if isinstance(outcome.answer, JiraError):
        log.debug("board %s: no answer: %s", outcome.board.name, outcome.answer)
        poller.failed(outcome.board, outcome.answer, clock())
    else:
        log.debug("board %s: %d tickets", outcome.board.name, len(outcome.answer))
        poller.answered(outcome.board, outcome.answer, outcome.at, clock())


def jira_client(settings: PollerSettings) -> JiraClient:
    """Make the client that the configuration asks for. Its secret is read at each sign-in."""
    auth = settings.jira.auth
    return JiraClient(settings.jira, lambda: credentials.read(auth.secret_name, auth.secret_file) or "")
