"""The JQL of a board: its own ORDER BY goes, ours comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimon_node.config.jql import bounded, restriction
from apimon_node.demo.jql import Query, parse


def test_a_query_is_put_in_parentheses_so_that_an_or_in_it_stays_in_it() -> None:
    assert bounded("project = A OR project = B") == "(project = A OR project = B) ORDER BY key"


def test_a_saved_filter_is_a_query_like_any_other() -> None:
    assert bounded("filter = 10024") == "(filter = 10024) ORDER BY key"


@pytest.mark.parametrize(
    "order",
    [
        "ORDER BY created",
        "order by created DESC, key",
        "oRdEr By created",
        "ORDER  \t\n BY created",
        "ORDER BY",
        'ORDER BY "order by"',
        "ORDER BY created ORDER BY key",
    ],
)
def test_its_own_order_is_taken_off(order: str) -> None:
    assert bounded(f"project = A {order}") == "(project = A) ORDER BY key"
    assert bounded(f"project = A\n{order}") == "(project = A) ORDER BY key"


@pytest.mark.parametrize("query", ["project in (A)", "text ~ 'a'", 'text ~ "a"', "filter in [1]"])
def test_an_order_needs_no_white_space_behind_what_ends_by_itself(query: str) -> None:
    assert bounded(f"{query}order by key") == f"({query}) ORDER BY key"


@pytest.mark.parametrize(
    "query",
    [
        'summary ~ "order by mail"',
        "summary ~ 'Order By mail'",
        r'summary ~ "say \"order by\" aloud"',
        r"summary ~ 'it\'s order by mail'",
        'summary ~ "it\'s" AND text ~ "order by mail\'s"',
        "summary ~ 'a \"' AND text ~ 'order by \"'",
        r'summary ~ "ends in \\" AND text ~ "order by"',
        "'order' by = 1",
        'order "by" = 1',
        "project = reorder AND reporter = by",
        "labels = preorder by",
        "labels = order bypass",
        "labels = order-by",
        "labels = order.by",
        r"labels = order\ by",
        r"labels = in\ order by",
        "order AND by",
        "order = by",
        "orderby",
        "labels = order,by",
        'summary ~ "without an end order by key',
        'summary ~ "order by \\',
    ],
)
def test_an_order_in_quotes_or_in_a_word_is_none(query: str) -> None:
    assert bounded(query) == f"({query}) ORDER BY key"


def test_an_order_behind_quotes_is_one() -> None:
    assert (
        bounded(r"""summary ~ "order by \" it's" ORDER BY key""") == r"""(summary ~ "order by \" it's") ORDER BY key"""
    )
    assert bounded(r'summary ~ "\\" ORDER BY key') == r'(summary ~ "\\") ORDER BY key'


@pytest.mark.parametrize("query", ["", "  ", "ORDER BY key", " order  by\ncreated DESC "])
def test_a_query_may_ask_for_all_tickets(query: str) -> None:
    assert restriction(query) == ""


@given(st.text("orderby ORDERBY\"'\\()=\n\t a"))
def test_any_text_becomes_a_query_with_one_order_and_loses_none_but_its_own(text: str) -> None:
    found = bounded(text)

    assert found.startswith("(")
    assert found.endswith(") ORDER BY key")
    kept = found[1 : -len(") ORDER BY key")]
    rest = text.strip()[len(kept) :].split()
    assert text.strip().startswith(kept)
    assert [word.lower() for word in rest[:1]] in ([], ["order"])
    assert restriction(kept) == kept


TERMS = st.sampled_from(["project = OPS", "status in (Open, Done)", "labels = 'order by'", '(labels != "a")'])
ORDERS = st.sampled_from(["", " ORDER BY created", "\norder by key desc, status", " ORDER  BY priority ASC"])


@given(st.lists(TERMS, min_size=1, max_size=3).map(" AND ".join), ORDERS)
def test_a_jira_reads_the_same_terms_in_it_and_our_order(terms: str, order: str) -> None:
    assert parse(bounded(terms + order), {}) == Query(parse(terms, {}).where, (("key", False),))
