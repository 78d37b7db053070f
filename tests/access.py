"""A fleet of two nodes and a poller, the access list that is made for it, and a mosquitto under that list."""

import re
from pathlib import Path

from brokers import Account, write_passwords

from apimon_node.commands.acl import access_list
from apimon_node.config import schema
from apimon_node.config.settings import Settings

HALL = """\
mqtt: {{host: 127.0.0.1, port: {port}, protocol: '5'{mqtt}}}
node: {{id: hall}}
strips: [{{name: ops, driver: memory, pixels: 10, boards: [ops]}}]
looks: [{{color: red}}]
"""
LAB = HALL.replace("id: hall", "id: lab").replace("[ops]", "[ops, web]")
MAIN = """\
mqtt: {{host: 127.0.0.1, port: {port}, protocol: '5'{mqtt}}}
poller: {{interval: 1s, jira: {{url: '{jira}', auth: {{type: pat}}}}}}
boards: [{{name: ops, jql: project = OPS}}]
"""

TESTER = "tester"
"""Who may do everything, to see what the others can."""


def settings(text: str, *, mqtt: str = "") -> Settings:
    return schema.parse(text.format(port=1883, mqtt=mqtt, jira="http://jira"))[0]


FLEET = [settings(text) for text in (HALL, LAB, MAIN)]
USERS = ("apimon-node-hall", "apimon-node-lab", "apimon-poller-main", "ada", "assistant")
LIST = "\n".join(access_list(FLEET, ["ada"], ["assistant"]))


def password(user: str) -> str:
    return f"secret-{user}"


def rights(text: str) -> dict[str, set[str]]:
    """Give the topics of each user, with the access before each."""
    sections = (section.partition("\n") for section in re.split(r"^user ", text, flags=re.MULTILINE)[1:])
    return {user: set(re.findall(r"^topic (.*)$", lines, re.MULTILINE)) for user, _, lines in sections}


def install(text: str, folder: Path, port: int) -> tuple[str, ...]:
    """Do what the comments of a list say, with files in a folder; give the lines for mosquitto's configuration."""
    comments = re.findall(r"^#      (.*)$", text, re.MULTILINE)
    users = [line.rpartition(" ")[2] for line in comments if line.startswith("mosquitto_passwd ")]
    write_passwords(folder / "apimon.passwd", *(Account(user, password(user)) for user in [*users, TESTER]))
    (folder / "apimon.acl").write_text(f"{text}\n\nuser {TESTER}\ntopic readwrite #\ntopic read $SYS/#\n")
    keys = ("listener", "allow_anonymous", "password_file", "acl_file")
    lines = [line.replace("/etc/mosquitto", str(folder)) for line in comments if line.startswith(keys)]
    assert [line.split()[0] for line in lines] == list(keys)
    return tuple(line.replace("listener 1883", f"listener {port} 127.0.0.1") for line in lines)
