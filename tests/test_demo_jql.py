"""The JQL of the demo's Jira: what it finds, and what it refuses."""

import pytest
from asking import NOON, four_tickets

from apimon_node.demo.jql import QueryRefused
from apimon_node.demo.site import Site


@pytest.fixture
def site() -> Site:
    site = four_tickets()
    site.filters = {
        7: "status = Open OR assignee = Ada ORDER BY created",
        8: "status = Review",
        9: "ORDER BY key",
        10: "filter = 8 AND priority is EMPTY",
        11: "filter = 11",
        12: "garbage",
        13: "status = Lost",
    }
    return site


@pytest.mark.parametrize(
    ("jql", "numbers"),
    [
        ("", [4, 3, 2, 1]),
        ("project = OPS", [4, 3, 2, 1]),
        ("PROJECT=ops", [4, 3, 2, 1]),
        ("status = Open", [1]),
        ('status = "In Progress"', [2]),
        ("status = 'in progress'", [2]),
        ("status != Open", [4, 3, 2]),
        ('status in (Open, "In Progress")', [2, 1]),
        ("status not in (Open, Done)", [3, 2]),
        ("statusCategory != Done", [3, 2, 1]),
        ('statusCategory = "To Do"', [1]),
        ('statuscategory = "In Progress"', [3, 2]),
        ("statusCategory = indeterminate", [3, 2]),
        ("labels = customer", [2]),
        ("labels != customer", [1]),
        ("labels = nobody", []),
        ("project = OPS AND statusCategory != Done and labels = hardware", [1]),
        ("status = 10001", [3]),
        ("priority = high", [1]),
        ("priority in (High, Low)", [4, 1]),
        ("priority != High", [4, 2]),
        ("assignee = ada", [2]),
        ("assignee != Ada", []),
        ("assignee is EMPTY", [4, 3, 1]),
        ("assignee IS NOT null", [2]),
        ("priority is empty OR labels is empty", [4, 3]),
        ("status = Open OR status = Done", [4, 1]),
        ("status = Open OR labels = web AND status = Done", [1]),  # AND binds tighter
        ("labels = web AND status = Done OR status = Open", [1]),
        ("(status = Open OR labels = web) AND status != Done", [2, 1]),
        ("NOT status = Open", [4, 3, 2]),
        ("NOT status = Open AND labels = web", [2]),  # NOT binds tightest
        ("NOT (status = Open OR status = Done)", [3, 2]),
        ("not (status = Open AND labels = hardware)", [4, 3, 2]),
        ("NOT NOT (status = Open)", [1]),
        ("NOT assignee is EMPTY", [2]),
        ("NOT (assignee = Ada)", []),  # NOT turns = into !=, which finds no empty field
        ("((status = Open) OR ((labels = web))) ORDER BY key", [1, 2]),
        ("(filter = 7) ORDER BY key", [1, 2]),
        ("filter = 7 AND assignee is EMPTY", [1]),
        ("filter != 7", [4, 3]),
        ("NOT filter = '7'", [4, 3]),
        ("filter in (7, 8)", [3, 2, 1]),
        ("filter = 9", [4, 3, 2, 1]),
        ("filter = 10", [3]),
        ("labels = 'web'\nAND\n\tstatus = \"In Progress\"", [2]),
        (r"labels = '\u0077\u0065b'", [2]),
        ("labels = ''", []),
        ("(project = OPS AND status = Open)", [1]),
        ("((project = OPS) AND (status != Done AND status != Open)) ORDER BY key", [2, 3]),
        ("ORDER BY key ASC", [1, 2, 3, 4]),
        ("project = OPS order by created", [4, 1, 2, 3]),
        ("project = OPS ORDER BY updated DESC", [3, 2, 1, 4]),
        ("project = OPS ORDER BY priority DESC, summary", [1, 2, 4, 3]),
        ("project = OPS ORDER BY status, key", [4, 2, 1, 3]),
    ],
)
def test_a_query_finds(site: Site, jql: str, numbers: list[int]) -> None:
    assert [issue.key for issue in site.search(jql)] == [f"OPS-{number}" for number in numbers]


@pytest.mark.parametrize(
    ("jql", "text"),
    [
        ("garbage ((", "Field 'garbage' does not exist or you do not have permission to view it."),
        ("component = web", "Field 'component' does not exist"),
        ("priority = Urgent", "The value 'Urgent' does not exist for the field 'priority'."),
        ("priority > Low", "Expecting 'IN' but got '>'"),
        ("assignee = Eve", "The value 'Eve' does not exist for the field 'assignee'."),
        ("assignee = currentUser()", "but got '('"),
        ("assignee is Ada", "Expecting 'EMPTY' but got 'Ada'"),
        ("assignee = EMPTY", "Expecting a name or value but got 'EMPTY'"),
        ("filter = 5", "A value with ID '5' does not exist for the field 'filter'."),
        ("filter = mine", "A value with ID 'mine' does not exist for the field 'filter'."),
        ("filter is EMPTY", "Expecting 'IN' but got 'is'"),
        ("filter = 11", "A value with ID '11' does not exist"),  # it asks for itself
        ("filter = 12", "Field 'garbage' does not exist"),
        ("NOT (filter = 13 AND status = Open)", "The value 'Lost' does not exist for the field 'status'."),
        ("status = Open OR", "Expecting a name or value before the end of the query."),
        ("status = Open OR AND status = Done", "but got 'AND'"),
        ("NOT", "Expecting a name or value before the end of the query."),
        ("labels = a@b", "The character '@' is a reserved JQL character."),
        ("labels = a&&labels = b", r"use the escape '\u0026' instead. (line 1, character 10)"),
        (r"labels = a\ b", r"The character '\' is a reserved JQL character."),
        (r"labels = 'a\q'", r"'\q' is an illegal JQL escape sequence."),
        (r"labels = '\u00g0'", r"'\u' is an illegal JQL escape sequence."),
        (r"labels = 'a\'", "but got '"),
        ("project = OPS AND\n  status ~ Open", "but got '~'. (line 2, character 10)"),
        ("project = OPS ORDER BY labels", "Field 'labels' does not exist"),
        ("project = NOSUCH", "The value 'NOSUCH' does not exist for the field 'project'."),
        ("status = Lost", "The value 'Lost' does not exist for the field 'status'."),
        ("status in (Open, Lost)", "The value 'Lost' does not exist for the field 'status'."),
        ("statusCategory = Odd", "The value 'Odd' does not exist for the field 'statusCategory'."),
        ("status = In Progress", "Expecting a name or value but got 'In'. (line 1, character 10)"),
        ("status = Open Review", "Expecting either 'OR' or 'AND' but got 'Review'. (line 1, character 15)"),
        ("status is EMPTY", "Expecting 'IN' but got 'is'"),
        ("status ~ Open", "but got '~'"),
        ("updated >= -5m", "Field 'updated' does not exist"),
        ('status = "Open', "but got '\"'"),
        ("status =", "Expecting a name or value before the end of the query."),
        ("status", "Expecting 'IN' before the end of the query."),
        ("(status = Open", "Expecting ')' before the end of the query."),
        ("status = Open)", "but got ')'"),
        ("status in Open", "Expecting '(' but got 'Open'"),
        ("status in (Open Done)", "Expecting ')' but got 'Done'"),
        ("status in ()", "but got ')'"),
        ("AND", "but got 'AND'"),
        ("project = OPS ORDER key", "Expecting 'BY' but got 'key'"),
        ("project = OPS ORDER BY key sideways", "but got 'sideways'"),
        ("ORDER BY key, key, key, key, key, key, key, key", "The maximum number of fields in ORDER BY is 7."),
    ],
)
def test_a_query_is_refused(site: Site, jql: str, text: str) -> None:
    with pytest.raises(QueryRefused) as refused:
        site.search(jql)
    assert text in str(refused.value)


@pytest.mark.parametrize(
    "quoted", [r"'O\'Hara \"\\\t\n\r\ '", '"O\'Hara \\"\\\\\t\n\r "', r'"\u004f\'\u0048ara \"\\\t\n\r "']
)
def test_in_quotes_a_backslash_tells_what_cannot_stand_there(site: Site, quoted: str) -> None:
    site.create("Odd", NOON, labels=("O'Hara \"\\\t\n\r ",))
    assert [issue.key for issue in site.search(f"labels = {quoted}")] == ["OPS-5"]


def test_who_was_ever_given_a_ticket_may_be_asked_for(site: Site) -> None:
    site.create("Odd", NOON, assignee="Eve")
    site.edit("OPS-1", NOON, assignee="Oscar")
    site.edit("OPS-1", NOON, assignee=None)
    assert [issue.key for issue in site.search("assignee = Eve")] == ["OPS-5"]
    assert site.search("assignee = Oscar") == []


def test_what_the_index_does_not_show_yet_is_not_found(site: Site) -> None:
    site.hidden.add("OPS-1")
    assert [issue.key for issue in site.search("project = OPS")] == ["OPS-4", "OPS-3", "OPS-2"]
    site.hidden.clear()
    assert len(site.search("project = OPS")) == 4
