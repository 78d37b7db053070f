"""How pages are turned, until all is there or too much."""

from collections.abc import Callable
from typing import Any

import pytest

from apimon_node.errors import JiraError, JiraState
from apimon_node.poller.jira import paging
from apimon_node.poller.jira.paging import MAX_PAGES, cloud, data_center

Page = dict[str, Any]


def issues(*numbers: int) -> list[Page]:
    return [{"id": str(number)} for number in numbers]


def failure(turn: Callable[..., object], *pages: object, most: int = 10_000) -> JiraError:
    left = iter(pages)
    with pytest.raises(JiraError) as caught:
        turn(lambda _: next(left), most)
    return caught.value


def book(size: int, *, cloud: bool) -> Callable[[Any], Page]:
    """Give a function that answers for a page of up to 100 of so many issues."""

    def ask(at: str | int | None) -> Page:
        start = int(at or 0)
        page: Page = {"issues": issues(*range(start, min(start + 100, size)))}
        if not cloud:
            return page | {"total": size}
        return page | ({"nextPageToken": str(start + 100)} if start + 100 < size else {"isLast": True})

    return ask


# --- both kinds ---


@pytest.mark.parametrize("size", [0, 1, 100, 101, 250])
def test_all_pages_are_turned(size: int) -> None:
    assert cloud(book(size, cloud=True), 10_000) == issues(*range(size))
    assert data_center(book(size, cloud=False), 10_000) == issues(*range(size))


def test_an_issue_that_shows_up_twice_is_found_once_and_its_last_word_counts() -> None:
    pages = iter([{"issues": [{"id": "7", "key": "OLD-1"}, {"key": "A-1"}], "total": 4}, {"issues": [], "total": 4}])
    assert data_center(lambda _: next(pages), 10) == [{"id": "7", "key": "OLD-1"}, {"key": "A-1"}]
    page = {"issues": [{"id": "7", "key": "OLD-1"}, {"key": "A-1"}, {"id": "7", "key": "NEW-1"}, {"key": "A-1"}]}
    assert cloud(lambda _: page, 2) == [{"id": "7", "key": "NEW-1"}, {"key": "A-1"}]


@pytest.mark.parametrize(
    "page",
    [
        None,
        [],
        [1],
        {},
        {"issues": {}, "total": 0},
        {"issues": [1], "total": 1},
        {"issues": [{"id": 1}], "total": 1},
        {"issues": [{}], "total": 1},
    ],
)
@pytest.mark.parametrize("turn", [cloud, data_center])
def test_a_page_that_is_none_is_an_error_of_this_answer(turn: Callable[..., object], page: object) -> None:
    error = failure(turn, page)
    assert (error.state, error.everywhere) == (JiraState.ERROR, False)
    assert "not what a search answers" in str(error)


@pytest.mark.parametrize(
    ("most", "text"),
    [
        (10_000, "the query finds more than 10,000 tickets: narrow the JQL"),
        (2_000, "the query finds more than 2,000 tickets: narrow the JQL, or raise max_tickets of this board"),
    ],
)
def test_too_many_tickets_are_a_fault_of_the_query(most: int, text: str) -> None:
    for turn, ask in ((cloud, book(most + 1, cloud=True)), (data_center, book(most + 1, cloud=False))):
        with pytest.raises(JiraError) as caught:
            turn(ask, most)
        assert (caught.value.state, str(caught.value), caught.value.everywhere) == (JiraState.QUERY, text, False)


def test_as_many_tickets_as_may_be_are_not_too_many() -> None:
    assert len(cloud(book(200, cloud=True), 200)) == 200
    assert len(data_center(book(200, cloud=False), 200)) == 200


# --- Cloud ---


def test_cloud_is_asked_no_more_once_there_are_too_many() -> None:
    asked: list[object] = []

    def ask(at: str | None) -> Page:
        asked.append(at)
        return book(1000, cloud=True)(at)

    with pytest.raises(JiraError):
        cloud(ask, 150)
    assert asked == [None, "100"]


def test_the_last_page_of_cloud_is_one_without_a_token_or_one_that_says_so() -> None:
    assert cloud(lambda _: {"issues": issues(1)}, 10) == issues(1)
    assert cloud(lambda _: {"issues": issues(1), "nextPageToken": "t", "isLast": True}, 10) == issues(1)
    assert cloud(lambda _: {"issues": issues(1), "nextPageToken": None, "isLast": False}, 10) == issues(1)


def test_a_repeated_page_token_ends_the_search() -> None:
    page = {"issues": issues(1), "nextPageToken": "again"}
    error = failure(cloud, page, page, page)
    assert (error.state, error.everywhere) == (JiraState.ERROR, False)
    assert "token twice" in str(error)


def test_a_page_token_that_is_no_text_is_an_error() -> None:
    assert "not what a search answers" in str(failure(cloud, {"issues": [], "nextPageToken": {"a": 1}}))


def test_tokens_that_never_end_end_the_search() -> None:
    error = failure(cloud, *({"issues": [], "nextPageToken": str(number)} for number in range(MAX_PAGES)))
    assert error.state is JiraState.ERROR
    assert "no end" in str(error)


def test_a_token_that_jira_does_not_take_back_is_no_fault_of_the_query() -> None:
    def ask(token: str | None) -> Page:
        if token is None:
            return {"issues": issues(1), "nextPageToken": "t"}
        raise JiraError(JiraState.QUERY, "Jira does not take the query: bad token")

    with pytest.raises(JiraError) as caught:
        cloud(ask, 10)
    assert (caught.value.state, caught.value.everywhere) == (JiraState.ERROR, False)
    assert "page token that it gave itself" in str(caught.value)


def test_other_failures_of_a_further_page_are_told_as_they_are() -> None:
    trouble = JiraError(JiraState.RATE_LIMITED, "later", 30, everywhere=True)

    def ask(token: str | None) -> Page:
        if token is None:
            return {"issues": issues(1), "nextPageToken": "t"}
        raise trouble

    with pytest.raises(JiraError) as caught:
        cloud(ask, 10)
    assert caught.value is trouble


def test_a_query_that_is_refused_at_once_is_a_fault_of_the_query() -> None:
    def ask(_: str | None) -> Page:
        raise JiraError(JiraState.QUERY, "no")

    with pytest.raises(JiraError) as caught:
        cloud(ask, 10)
    assert caught.value.state is JiraState.QUERY


# --- Data Center ---


def test_the_total_of_the_first_page_decides() -> None:
    error = failure(data_center, {"issues": [], "total": 151}, most=150)
    assert error.state is JiraState.QUERY


def test_a_data_center_that_gives_more_than_its_total_is_not_believed() -> None:
    assert failure(data_center, {"issues": issues(1, 2, 3), "total": 2}, most=2).state is JiraState.QUERY


@pytest.mark.parametrize("total", [None, "5", 1.5])
def test_a_data_center_tells_its_total(total: object) -> None:
    assert "not what a search answers" in str(failure(data_center, {"issues": [], "total": total}))


def test_a_data_center_that_runs_out_before_its_total_is_done() -> None:
    assert data_center(lambda _: {"issues": [], "total": 5}, 10) == []


def test_pages_that_bring_nothing_new_end_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MAX_PAGES", 3)
    page = {"issues": issues(1), "total": 300}
    error = failure(data_center, *[page] * 3)
    assert error.state is JiraState.ERROR
    assert "no end" in str(error)
