"""The access list for mosquitto: what it says. test_access.py has what comes of it."""

from pathlib import Path

import pytest
from access import FLEET, HALL, LAB, LIST, MAIN, USERS, rights, settings

from apimon_node.commands.acl import access_list
from apimon_node.commands.cli import main
from apimon_node.config import schema
from apimon_node.errors import ConfigError


def test_each_node_and_poller_has_a_user_with_its_own_topics_alone() -> None:
    found = rights(LIST)

    assert tuple(found) == USERS
    assert found["apimon-node-hall"] == {
        "read apimon/tickets/ops",
        "read apimon/pollers/+/availability",
        "read apimon/pollers/+/status",
        "read apimon/nodes/hall/request/+",
        "read apimon/nodes/hall/light/set",
        "read homeassistant/status",
        "readwrite apimon/nodes/hall/light",
        "readwrite apimon/nodes/hall/availability",
        "readwrite apimon/nodes/hall/status",
        "write apimon/nodes/hall/strips/ops",
        "write apimon/nodes/hall/strips/ops/config",
        "write apimon/nodes/hall/strips/ops/image",
        "write apimon/nodes/hall/response/+",
        "write homeassistant/device/apimon_node_hall/config",
    }
    assert found["apimon-poller-main"] == {
        "readwrite apimon/tickets/ops",
        "read apimon/pollers/main/request/+",
        "read homeassistant/status",
        "write apimon/boards/ops/summary",
        "write apimon/boards/ops/event",
        "write apimon/pollers/main/availability",
        "write apimon/pollers/main/status",
        "write apimon/pollers/main/response/+",
        "write homeassistant/device/apimon_poller_main/config",
    }


def test_whoever_operates_sees_all_and_commands_all() -> None:
    commands = {
        "write apimon/nodes/+/request/+",
        "write apimon/nodes/+/light/set",
        "write apimon/pollers/+/request/+",
    }

    assert rights(LIST)["ada"] == {"read apimon/#", "read $SYS/broker/connection/+/state"} | commands
    assert rights(LIST)["assistant"] == {"read apimon/#", "readwrite homeassistant/#"} | commands


def test_a_user_of_the_configuration_is_taken_and_other_bases_count() -> None:
    node = settings(HALL, mqtt=", username: wall, base_topic: home/apimon")
    found = rights("\n".join(access_list([node, FLEET[1]], ["ada"])))

    assert tuple(found) == ("wall", "apimon-node-lab", "ada")
    assert "write home/apimon/nodes/hall/strips/ops" in found["wall"]
    assert {"read home/apimon/#", "read apimon/#"} <= found["ada"]


def test_programs_that_share_a_user_share_their_rights_and_that_is_told() -> None:
    both = settings(HALL + MAIN.partition("\n")[2], mqtt=", username: wall")
    text = "\n".join(access_list([both]))

    assert "# node hall and poller main\n# They have one user" in text
    assert rights(text)["wall"] >= {"readwrite apimon/tickets/ops", "write apimon/nodes/hall/strips/ops"}
    assert "one user" not in LIST.partition("\n\n")[2]


@pytest.mark.parametrize(
    ("mqtt", "operators", "text"),
    [
        (", username: 'a:b'", (), "a user's name on one line, without spaces at its ends and without :, got 'a:b'"),
        (", username: ' a'", (), "a user's name on one line, without spaces at its ends and without :, got ' a'"),
        ("", ("a\ntopic readwrite #",), r"a user's name on one line"),
        ("", ("",), r"a user's name on one line"),
        (', base_topic: "a\\nuser x"', (), "a topic on one line, without spaces at its ends, got 'a\\nuser x/tickets"),
    ],
)
def test_a_name_that_mosquitto_would_read_otherwise_is_refused(
    mqtt: str, operators: tuple[str, ...], text: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        list(access_list([settings(HALL, mqtt=mqtt)], operators))

    assert text in str(caught.value)


def test_a_configuration_without_a_program_has_no_list() -> None:
    with pytest.raises(ConfigError, match="expected a node with strips or a poller"):
        list(access_list([schema.parse("node: {id: hall}")[0]]))


def test_the_command_takes_a_configuration_for_each_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = []
    for name, text in (("hall", HALL), ("lab", LAB), ("main", MAIN)):
        path = tmp_path / f"{name}.yaml"
        path.write_text(text.format(port=1883, mqtt="", jira="http://jira"))
        files += ["--config", str(path)]

    assert main(["acl", *files, "--operator", "ada", "--home-assistant", "assistant"]) == 0
    assert capsys.readouterr().out == LIST + "\n"


def test_the_command_takes_the_usual_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["acl"]) == 0
    assert tuple(rights(capsys.readouterr().out)) == ("apimon-node-hallway", "apimon-poller-main")
