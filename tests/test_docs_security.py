"""The recipes of docs/security.md, followed to the letter."""

import os
import pwd
import re
import subprocess
from pathlib import Path

import pytest
from parts import Mosquitto
from ports import free_port
from test_link import is_down, is_up, until

from apimon_node.config import schema
from apimon_node.mqtt.messages import Down
from apimon_node.mqtt.participant import link_to_broker

PAGE = Path("docs/security.md").read_text(encoding="utf-8")
SHELL, CONF, YAML = (
    re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) for kind in ("sh", "text", "yaml")
)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Run the commands of the page: those that need root, without it, and below a folder."""
    bare = "\n".join(SHELL).replace("sudo ", "").replace("-o mosquitto ", "").replace("/etc/", f"{tmp_path}/etc/")
    bare = re.sub(r"^chown .*", "", bare, flags=re.MULTILINE).replace("mosquitto_passwd -c", "mosquitto_passwd -b -c")
    script = bare.replace("passwd hallway", "passwd hallway hunter2")
    subprocess.run(["sh", "-euc", script], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "mqtt-password").write_text("hunter2\n")
    return tmp_path


def try_it(folder: Path, conf: str, yaml: str) -> list[object]:
    """Start the page's broker, and connect with the page's configuration, by a loopback address."""
    port, user = free_port(), pwd.getpwuid(os.geteuid()).pw_name
    more = conf.replace("/etc/", f"{folder}/etc/").replace("listener 8883", f"listener {port} 127.0.0.1")
    with Mosquitto(folder, f"user {user}\n{more}") as broker:
        broker.wait_for(port)
        text = yaml.replace("host: broker.example.com", f"host: 127.0.0.1\n  port: {port}")
        text = text.replace("ca.crt", "ca.crt, server_name: broker.example.com")
        settings, _ = schema.parse(text, folder=folder)
        with link_to_broker(settings, "apimon-node-hallway", None, ["apimon/#"]) as ours:
            return list(until(ours, lambda event: is_up(event) or is_down(event)))


@pytest.mark.parametrize("way", [0, 1], ids=["password", "certificate"])
def test_the_recipe_lets_a_node_in(made: Path, way: int) -> None:
    (event,) = try_it(made, CONF[way], YAML[way])

    assert not isinstance(event, Down), event.reason


def test_the_recipe_lets_in_nobody_without_the_password(made: Path) -> None:
    (made / "mqtt-password").write_text("wrong")
    (event,) = try_it(made, CONF[0], YAML[0])

    assert isinstance(event, Down)
    assert "check mqtt.username" in event.reason


def test_the_recipe_lets_in_nobody_without_a_certificate(made: Path) -> None:
    (event,) = try_it(made, CONF[1], YAML[1].replace(", cert_file: hallway.crt, key_file: hallway.key", ""))

    assert isinstance(event, Down)
    assert "asks for a certificate of ours" in event.reason


def test_the_ways_in_the_how_to_are_configurations() -> None:
    page = Path("docs/howto.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(mqtt:.*?)^```", page, re.MULTILINE | re.DOTALL)

    assert [schema.parse(block)[0].mqtt.address for block in blocks] == [
        "broker.example.com:1883",
        "broker.example.com:8883",
        "broker.example.com:443",
        "/run/mosquitto/mosquitto.sock",
    ]
