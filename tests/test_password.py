"""How often a password that Jira refuses is sent: the guard by itself, and a client against a Jira that locks users."""

import contextlib
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from searching import ACCOUNT, FIELDS, JQL, NOON, Clock, client_for, failure, many_tickets, paths, said, settings_for

from apimon_node.config.settings import AuthType
from apimon_node.demo.jira import Account, Hang, JiraServer, Request
from apimon_node.errors import JiraError, JiraState
from apimon_node.poller.jira.client import JiraClient
from apimon_node.poller.jira.password import MAX_REFUSALS, PASSWORD_HOLD_S, PasswordGuard

MINUTE, HOUR = 60, 3600
REFUSED = JiraError(JiraState.AUTH, "wrong", everywhere=True)
FORBIDDEN = JiraError(JiraState.AUTH, "not for this user's eyes")
DOWN = JiraError(JiraState.OFFLINE, "no route to Jira", everywhere=True)


class Jira:
    """Counts what the guard lets through, and answers it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.guard = PasswordGuard(self.clock, self.clock)
        self.sent = 0
        self.error: JiraError | None = None

    def ask(self, password: str = "old", *, proves: bool = True) -> JiraError | None:
        try:
            with self.guard.trying(password)(proves):
                self.sent += 1
                if self.error is not None:
                    raise self.error
        except JiraError as error:
            return error
        return None


@pytest.fixture
def jira() -> Jira:
    return Jira()


# --- by itself ---


def test_a_password_that_is_refused_is_sent_twice_and_then_once_an_hour(jira: Jira) -> None:
    jira.error = REFUSED
    sent = []
    for minute in range(0, 24 * HOUR, MINUTE):
        jira.clock.now = NOON + minute
        before = jira.sent
        assert jira.ask() is not None
        sent += [minute] * (jira.sent - before)

    assert sent[:3] == [0, MINUTE, MINUTE + HOUR]
    assert len(sent) == 2 + 23
    assert [later - sooner for sooner, later in itertools.pairwise(sent[1:])] == [PASSWORD_HOLD_S] * 23


def test_a_held_password_is_told_with_the_time_of_the_next_try(jira: Jira) -> None:
    jira.error = REFUSED
    assert jira.ask() is REFUSED
    told = [jira.ask(), jira.ask()]
    jira.clock.now += 600.5
    told.append(jira.ask())

    text = "the password is not sent before 2026-11-23T13:00:00Z unless it changes or the poller is restarted"
    for error, left in zip(told, (HOUR, HOUR, HOUR - 600.5), strict=True):
        assert error is not None
        assert str(error) == f"{text}, since Jira refused it twice: wrong"
        assert (error.state, error.everywhere, error.held) == (JiraState.AUTH, True, left)


def test_another_password_is_sent_at_once_and_the_one_before_still_is_not(jira: Jira) -> None:
    jira.error = REFUSED
    for password in ("old", "old", "new", "old", "new", "old", "new"):
        jira.ask(password)
    assert jira.sent == 4


def test_a_search_that_is_answered_begins_the_count_anew(jira: Jira) -> None:
    for _ in range(5):
        jira.error = REFUSED
        jira.ask()
        jira.error = None
        assert jira.ask() is None
    assert jira.sent == 10


def test_a_search_that_began_before_a_refusal_does_not_outweigh_it(jira: Jira) -> None:
    """The password may have been changed in Jira while the search was under way."""
    jira.error = REFUSED
    with jira.guard.trying("old")(True):  # noqa: FBT003 - as it is called
        jira.ask()
    for _ in range(3):
        jira.ask()
    assert jira.sent == MAX_REFUSALS


def test_an_answer_that_anybody_gets_does_not(jira: Jira) -> None:
    for _ in range(5):
        jira.error = None
        jira.ask(proves=False)
        jira.error = REFUSED
        jira.ask()
    assert jira.sent == 2 + MAX_REFUSALS


@pytest.mark.parametrize("error", [FORBIDDEN, DOWN])
def test_what_is_no_refusal_of_the_sign_in_does_not_count(jira: Jira, error: JiraError) -> None:
    jira.error = error
    assert all(jira.ask() is error for _ in range(5))
    assert jira.sent == 5


def test_a_bug_on_the_way_leaves_nothing_in_flight(jira: Jira) -> None:
    for _ in range(5):
        with contextlib.suppress(ZeroDivisionError), jira.guard.trying("old")(True):  # noqa: FBT003 - as it is called
            raise ZeroDivisionError
    assert jira.ask() is None


def test_a_request_waits_while_others_may_use_up_the_refusals(jira: Jira) -> None:
    jira.ask()
    through, gate = threading.Semaphore(0), threading.Event()

    def ask() -> None:
        with jira.guard.trying("old")(True):  # noqa: FBT003 - as it is called
            through.release()
            assert gate.wait(10)
            raise REFUSED

    with ThreadPoolExecutor(8) as threads:
        calls = [threads.submit(ask) for _ in range(8)]
        assert through.acquire(timeout=10)
        assert through.acquire(timeout=10)
        assert not through.acquire(timeout=0.1)
        gate.set()
        assert all(isinstance(call.exception(), JiraError) for call in calls)
    assert not through.acquire(blocking=False)


def test_the_guard_shows_no_password(jira: Jira) -> None:
    jira.error = REFUSED
    jira.ask("s3cret")
    tries = vars(jira.guard)["_tries"]
    assert "s3cret" not in repr(vars(jira.guard)) + repr([vars(one) for one in tries.values()])
    assert "s3cret" not in repr(vars(jira.guard.trying("s3cret")))


# --- a client, and a Jira that wants a CAPTCHA after three ---


@pytest.fixture
def server() -> Iterator[JiraServer]:
    with JiraServer(many_tickets(number=9), cloud=False, account=ACCOUNT) as server:
        yield server


def test_a_new_password_is_good_for_jira_has_not_locked_the_user(server: JiraServer) -> None:
    secret = [ACCOUNT.secret]
    clock = Clock()
    with closing(JiraClient(settings_for(server, AuthType.BASIC), lambda: secret[0], clock)) as client:
        client.search(JQL, FIELDS)
        server.account = Account(ACCOUNT.user, "SECRETNEW")
        server.requests.clear()
        errors = [failure(client) for _ in range(10)]
        assert {error.state for error in errors} == {JiraState.AUTH}
        assert len(server.requests) == 2
        assert [bool(error.held) for error in errors] == [False] + [True] * 9

        secret[0] = "SECRETNEW"
        assert len(client.search(JQL, FIELDS).issues) == 9


@pytest.mark.parametrize("known", [True, False])
def test_many_boards_at_once_do_not_lock_the_user_either(server: JiraServer, *, known: bool) -> None:
    together = threading.Barrier(20)
    secret = [ACCOUNT.secret]

    def search(client: JiraClient) -> JiraError:
        together.wait(10)
        return failure(client)

    with (
        closing(JiraClient(settings_for(server, AuthType.BASIC), lambda: secret[0])) as client,
        ThreadPoolExecutor(20) as threads,
    ):
        if known:
            client.search(JQL, FIELDS)
        server.account = Account(ACCOUNT.user, "SECRETNEW")
        server.requests.clear()
        errors = [call.result() for call in [threads.submit(search, client) for _ in range(20)]]
        assert {(error.state, error.everywhere) for error in errors} == {(JiraState.AUTH, True)}
        assert len(server.requests) <= MAX_REFUSALS
        secret[0] = "SECRETNEW"
        assert len(client.search(JQL, FIELDS).issues) == 9


def test_many_boards_with_a_good_password_are_all_answered(server: JiraServer) -> None:
    with closing(client_for(server, AuthType.BASIC)) as client, ThreadPoolExecutor(20) as threads:
        found = [threads.submit(client.search, JQL, FIELDS) for _ in range(20)]
        assert all(len(call.result().issues) == 9 for call in found)


def test_a_board_that_hangs_does_not_keep_the_others_from_being_asked(server: JiraServer) -> None:
    server.fail(Hang(60), lambda request: "NOSUCH" in (request.first("jql") or ""))
    with closing(client_for(server, AuthType.BASIC)) as client, ThreadPoolExecutor(1) as threads:
        hanging = threads.submit(failure, client, "project = NOSUCH")
        assert all(len(client.search(JQL, FIELDS).issues) == 9 for _ in range(3))
        server.heal()
        assert hanging.result().state is JiraState.OFFLINE


def test_a_gateway_that_lets_everybody_ask_which_jira_it_is_does_not_begin_the_count_anew(server: JiraServer) -> None:
    def is_search(request: Request) -> bool:
        return request.path.endswith("/search")

    server.fail(said(401), is_search)
    with closing(client_for(server, AuthType.BASIC)) as client:
        for _ in range(5):
            failure(client)
    assert paths(server) == ["api/2/serverInfo", "api/2/search"] * 2


def test_a_user_who_owes_a_captcha_is_told_so_for_certain_and_sent_once_an_hour(server: JiraServer) -> None:
    for _ in range(3):
        server.lockout.note(ACCOUNT.user, good=False)
    clock = Clock()
    with closing(client_for(server, AuthType.BASIC, now=clock)) as client:
        errors = [failure(client) for _ in range(5)]
        assert len(server.requests) == 2
        assert all("Jira asks this user for a CAPTCHA" in str(error) and error.everywhere for error in errors)

        server.lockout.solve()
        failure(client)
        clock.now += HOUR
        assert len(client.search(JQL, FIELDS).issues) == 9


@pytest.mark.parametrize("auth", [AuthType.PAT, AuthType.API_TOKEN])
def test_tokens_are_not_held(server: JiraServer, auth: AuthType) -> None:
    with closing(client_for(server, auth, "SECRETOLD")) as client:
        errors = [failure(client) for _ in range(5)]
    assert len(server.requests) == 5
    assert not any(error.held for error in errors)


def test_a_new_client_has_tries_of_its_own(server: JiraServer) -> None:
    for _ in range(2):
        with closing(client_for(server, AuthType.BASIC, "SECRETOLD")) as client:
            failure(client)
    assert len(server.requests) == 2
