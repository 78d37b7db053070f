"""What `apimon-node check` tells of a configuration."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apimon_node.config import scalars, schema
from apimon_node.config.explain import explain, seconds

SHIPPED = Path(__file__).parent.parent / "config.yaml"


def test_the_shipped_file_in_words() -> None:
    assert list(explain(schema.load(SHIPPED)[0])) == [
        "broker    localhost:1883, MQTT auto, topics below apimon/",
        "node      hallway: at most a frame every 0.5s, at least one every 1m",
        "strip     ops: 40 pixels on terminal; boards ops; brightness 100%; status pixel first",
        "look 1    #ffffff blink: younger than 10m",
        "look 2    #ff0000 steady: status Open",
        "look 3    #ff00ff steady: status In Progress or Review",
        "look 4    #002200 steady: category done, not overdue",
        "look 5    #ffa500 blink, also in quiet hours: priority Blocker",
        "look 6    #000080 steady: assignee nobody, label later or someday, older than 2w",
        "look 7    #0000ff steady: every other ticket",
        (
            "poller    main: asks https://jira.example.com every 1m (pat), what it publishes holds 1h; "
            "of a ticket leave Jira key, status, category, priority, created, due"
        ),
        "board     ops: project = OPS AND statusCategory != Done; overdue after 3h in Open, 1w in In Progress",
        "discovery as devices below homeassistant/, and again when homeassistant/status says online",
    ]


def test_what_is_unusual_is_told_too() -> None:
    settings, _ = schema.parse(
        """
mqtt: {host: broker, username: me}
node: {id: n, quiet_hours: {from: "22:00", to: "06:30", time_zone: Europe/Berlin}}
strips: [{name: s, driver: memory, pixels: 8, boards: [a, b], max_milliamps: 850, reverse: true, brightness: 40%}]
looks:
  - {match: {overdue: true}, color: red, effect: blink}
  - {match: {status: A, younger_than: 90s, older_than: 1m}, color: red}
boards: [{name: a, jql: x}]
"""
    )

    assert list(explain(settings)) == [
        "broker    broker:1883, MQTT auto, topics below apimon/, as user me",
        "node      n: at most a frame every 0.5s, at least one every 1m",
        "quiet     from 22:00 to 06:30 by Europe/Berlin: night",
        (
            "strip     s: 8 pixels on memory; boards a, b; brightness 40%; status pixel first; at most 850 mA; "
            "drawn from its far end"
        ),
        "look 1    #ff0000 blink: overdue",
        "look 2    #ff0000 steady: status A, older than 1m, younger than 90s",
        "board     a: x; nothing becomes overdue",
        "discovery as devices below homeassistant/, and again when homeassistant/status says online",
    ]


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ("due_date: true", "overdue at its due date"),
        ("sla: all", "overdue by any SLA"),
        ("sla: [A, B]", "overdue by SLA A or B"),
        ("interval: 5m", "nothing becomes overdue; asked every 5m"),
        ("max_tickets: 9999", "nothing becomes overdue; at most 9999 tickets"),
        ("overdue_after: {Open: 3h, new: 1d}, overdue_since: created", "overdue after 3h in Open, 1d in new"),
        (
            (
                "overdue_after: {Open: 3h}, overdue_since: status, due_date: true, sla: Time to resolution,"
                " interval: 5m, max_tickets: 500"
            ),
            (
                "overdue after 3h in Open since it came into it; at its due date; by SLA Time to resolution;"
                " asked every 5m; at most 500 tickets"
            ),
        ),
    ],
)
def test_the_rules_of_a_board_in_words(rules: str, words: str) -> None:
    settings, _ = schema.parse(f"boards: [{{name: a, jql: x, {rules}}}]")

    assert list(explain(settings))[1:] == [f"board     a: x; {words}"]


def test_a_poller_tells_what_leaves_jira_and_where_its_days_end_and_its_links_lead() -> None:
    settings, _ = schema.parse(
        """
poller:
  fields: [summary, key, assignee]
  time_zone: Europe/Berlin
  jira: {url: 'https://api.example.com/jira', site: 'https://jira.example.com/', auth: {type: none}}
boards: [{name: a, jql: x}]
"""
    )

    assert list(explain(settings))[1] == (
        "poller    main: asks https://api.example.com/jira every 1m (none), what it publishes holds 1h; "
        "links lead to https://jira.example.com; days end by Europe/Berlin; "
        "of a ticket leave Jira key, status, summary, assignee"
    )


def test_a_client_of_oauth2_is_told_with_the_host_of_its_token_server() -> None:
    settings, _ = schema.parse(
        """
poller:
  jira:
    url: https://api.atlassian.com/ex/jira/1
    auth: {type: oauth2, client_id: wall, token_url: 'https://id.example.com:8443/a/token?b=c'}
boards: [{name: a, jql: x}]
"""
    )

    assert list(explain(settings))[1] == (
        "poller    main: asks https://api.atlassian.com/ex/jira/1 every 1m "
        "(oauth2 as client wall at token host id.example.com:8443), what it publishes holds 1h; "
        "of a ticket leave Jira key, status, category, priority, created, due"
    )


def test_quiet_hours_without_a_time_zone_name_whose_time_they_mean() -> None:
    settings, _ = schema.parse("node: {id: n, quiet_hours: {from: '22:00', to: '06:30', effect: off}}")

    assert list(explain(settings))[-2] == "quiet     from 22:00 to 06:30 by this machine's time: off"


@pytest.mark.parametrize(
    ("home", "text"),
    [
        ("{enabled: false}", "off: Home Assistant is told nothing"),
        ("{discovery_prefix: ha}", "as devices below ha/, and again when ha/status says online"),
        ("{status_topic: birth}", "as devices below homeassistant/, and again when birth says online"),
    ],
)
def test_what_home_assistant_is_told_is_told(home: str, text: str) -> None:
    settings, _ = schema.parse(f"node: {{id: n}}\nhome_assistant: {home}\n")

    assert list(explain(settings))[-1] == f"discovery {text}"


@pytest.mark.parametrize(
    ("mqtt", "told"),
    [
        ("{tls: {}}", "localhost:8883 by TLS (signed by an authority that this system knows)"),
        (
            "{tls: {ca_file: /ca.crt, cert_file: /me.crt, key_file: /me.key, server_name: b.test}}",
            "localhost:8883 by TLS (signed by /ca.crt, as b.test, showing it /me.crt)",
        ),
        ("{transport: websockets, port: 9001}", "localhost:9001/mqtt by websockets"),
        (
            "{transport: websockets, port: 443, path: /, host: '::1', tls: {ca_file: /ca.crt}}",
            "[::1]:443/ by websockets over TLS (signed by /ca.crt)",
        ),
        ("{transport: unix, socket: /run/m.sock}", "/run/m.sock (unix)"),
    ],
)
def test_the_way_to_the_broker_is_told(mqtt: str, told: str) -> None:
    (line,) = explain(schema.parse(f"mqtt: {mqtt}")[0])

    assert line == f"broker    {told}, MQTT auto, topics below apimon/"


def test_an_empty_configuration_still_has_a_broker() -> None:
    assert len(list(explain(schema.parse("{}")[0]))) == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0s"),
        (0.01, "0.01s"),
        (0.5, "0.5s"),
        (59, "59s"),
        (60, "1m"),
        (90, "90s"),
        (5400, "90m"),
        (10_800, "3h"),
        (172_800, "2d"),
        (604_800, "1w"),
        (1_234_567, "1234567s"),
    ],
)
def test_a_duration_is_written_as_the_configuration_has_it(value: float, text: str) -> None:
    assert seconds(value) == text


@given(st.integers(0, 520 * 604_800) | st.integers(10, 60_000).map(lambda milliseconds: milliseconds / 1000))
def test_a_duration_in_words_can_be_put_back_into_the_configuration(value: float) -> None:
    assert scalars.duration("0s", "520w")(seconds(value)) == pytest.approx(value)


def test_one_pixel_is_one() -> None:
    settings, _ = schema.parse(
        "{node: {id: n}, strips: [{name: s, driver: memory, pixels: 1, boards: [a]}], looks: [{match: {}, color: red}]}"
    )

    assert "strip     s: 1 pixel on memory; boards a; brightness 100%; status pixel first" in explain(settings)
