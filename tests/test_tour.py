"""The tour: each button breaks something for real, one sees it, and it mends; and Ctrl-C ends all in any state."""

import json
import os
import select
import signal
import socket
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from browser import Watched, chromium
from paho.mqtt.enums import MQTTProtocolVersion
from parts import PATIENCE, Observer, wait_until
from playwright.sync_api import expect
from test_demo import children, gone, offspring, without_mosquitto
from touring import TouredDemo

from apimon_node.demo.buttons import ACCOUNT, FLOOD, Parts, buttons
from apimon_node.demo.jira import JiraServer
from apimon_node.demo.life import Life
from apimon_node.demo.processes import DemoError, Processes
from apimon_node.demo.site import Site
from apimon_node.demo.strip import Strip
from apimon_node.demo.tour import Button, Tour

LONG = 60.0
"""Seconds that thousands of tickets, and what tries again ever more seldom, may take."""

NODE, POLLER, STRIP = "apimon/nodes/demo/status", "apimon/pollers/main/status", "apimon/nodes/demo/strips/ops"


class Scene(NamedTuple):
    """A demo, and who hears what it says."""

    demo: TouredDemo
    observer: Observer

    def faults(self, name: str) -> str:
        """Give the texts of the node's faults of a name."""
        return "\n".join(fault["text"] for fault in self.node.get("faults", []) if fault["name"] == name)

    @property
    def node(self) -> dict[str, Any]:
        return self.observer.json(NODE)

    @property
    def well(self) -> bool:
        """Tell whether the node is well, and shows tickets."""
        return self.node.get("state") == "ok" and self.node["boards"]["ops"]["tickets"] > 0

    @property
    def poller(self) -> dict[str, Any]:
        board: dict[str, Any] = self.observer.json(POLLER)["boards"]["ops"]
        return board

    def heard(self, text: str) -> bool:
        """Tell whether the node has ever had a fault with a text."""
        said = [json.loads(payload) for topic, payload, _ in list(self.observer.messages) if topic == NODE]
        return any(text in fault["text"] for status in said for fault in status["faults"])


def open_scene(stack: ExitStack, folder: Path, environment: dict[str, str] | None = None) -> Scene:
    demo = stack.enter_context(TouredDemo(folder, environment))
    wait_until(lambda: demo.strip, "the strip")
    protocol = MQTTProtocolVersion.MQTTv311 if "(amqtt)" in demo.out else MQTTProtocolVersion.MQTTv5
    observer = stack.enter_context(Observer(demo.port, protocol=protocol))
    scene = Scene(demo, observer)
    wait_until(lambda: scene.well, "a node that is well")
    return scene


def broker_is_away(scene: Scene) -> bool:
    scene.observer.latest.clear()  # what is heard from now on is said anew
    return scene.demo.strip.startswith("o")


SEEN: dict[str, Callable[[Scene], object]] = {
    "broker": broker_is_away,
    "jira": lambda scene: (
        scene.poller["state"] == "offline" and "Jira" in scene.faults("jira") and scene.demo.strip[0] == "o"
    ),
    "token": lambda scene: (
        scene.poller["state"] == "auth" and "(401)" in scene.faults("jira") and scene.demo.strip[0] == "o"
    ),
    "strip": lambda scene: (
        scene.node["state"] == "error"
        and "code -13, Unable to initialize SPI" in scene.faults("strip")
        and scene.heard("code -14, SPI transfer error")
        and set(scene.demo.strip) == {"."}
    ),
    "driver": lambda scene: scene.heard("hung up; its log says why"),
    "flood": lambda scene: (
        scene.node["boards"]["ops"]["tickets"] > FLOOD
        and scene.observer.json(STRIP)["overflow"]
        and scene.demo.strip[-1] == "w"
    ),
}
"""What shows that a button has broken something."""


TOLD = {
    "broker": "The broker cannot be reached",
    "jira": "Jira cannot be reached: board ops",
    "token": "Jira refuses the sign-in: board ops",
    "strip": "strip ops: ws281x: code -13, Unable to initialize SPI",
    "driver": "strip.sock hung up",
    "flood": "",
}
"""What the page says of it, among the faults; a flood is none."""


@pytest.mark.parametrize("name", SEEN)
def test_a_button_breaks_something_that_strip_and_page_show_and_mends_it_again(tmp_path: Path, name: str) -> None:
    with ExitStack() as stack:
        scene = open_scene(stack, tmp_path)
        watched = stack.enter_context(Watched(stack.enter_context(chromium())))
        watched.page.goto(scene.demo.url)
        button, verdict = watched.page.locator(f"[data-name={name}]"), watched.page.locator("#state-title")
        expect(verdict).to_have_text("Everything works", timeout=1000 * PATIENCE)

        button.click()
        expect(watched.page.locator("#faults")).to_contain_text(TOLD[name], timeout=1000 * LONG)
        wait_until(lambda: SEEN[name](scene), "what shows it", LONG)
        if name != "driver":  # which heals by itself
            assert scene.demo.broken() == {name}
            button.click()

        wait_until(lambda: not scene.demo.broken(), "the mending", LONG)
        wait_until(
            lambda: scene.well and scene.node["boards"]["ops"]["tickets"] < FLOOD, "a node that is well again", LONG
        )
        expect(verdict).to_have_text("Everything works", timeout=1000 * LONG)
        wait_until(lambda: scene.demo.strip[0] in "rmb" and scene.demo.strip[-1] == ".", "the tickets on the strip")
        assert watched.complaints == []
        assert scene.demo.stop()[0] == 0
        assert scene.demo.err == ""


@pytest.mark.parametrize("name", [*SEEN, "all of them"])
def test_ctrl_c_leaves_no_process_behind_whatever_is_broken(tmp_path: Path, name: str) -> None:
    with ExitStack() as stack:
        temporary = Path(stack.enter_context(tempfile.TemporaryDirectory()))  # short: sockets have 107 characters
        scene = open_scene(stack, tmp_path, {"TMPDIR": str(temporary)})
        started = offspring(scene.demo.process.pid)
        for one in SEEN if name not in SEEN else [name]:
            scene.demo.press(one)
        wait_until(lambda: name == "driver" or len(scene.demo.broken()) >= (1 if name in SEEN else 5), "the break")
        started += offspring(scene.demo.process.pid)
        code, _ = scene.demo.stop(signal.SIGINT)

        assert len(set(started)) >= 5  # broker, poller, strip service, its child, node
        assert (code, scene.demo.err) == (0, "")
        assert all(gone(pid) for pid in started)
        assert list(temporary.iterdir()) == []


def test_a_broker_of_python_is_killed_and_started_as_well(tmp_path: Path) -> None:
    with ExitStack() as stack:
        scene = open_scene(stack, tmp_path, without_mosquitto(tmp_path))
        scene.demo.press("broker")
        wait_until(lambda: broker_is_away(scene), "orange")
        scene.demo.press("broker")
        wait_until(lambda: scene.well, "a node that is well again", LONG)


def test_after_one_was_killed_on_purpose_another_that_ends_is_still_an_error(tmp_path: Path) -> None:
    with ExitStack() as stack:
        scene = open_scene(stack, tmp_path)
        *_, node = children(scene.demo.process.pid)
        scene.demo.press("broker")
        wait_until(lambda: scene.demo.broken() == {"broker"}, "the break")
        told = scene.demo.out.count("moved") + scene.demo.out.count("created")
        wait_until(lambda: scene.demo.out.count("moved") + scene.demo.out.count("created") > told, "life going on")
        os.kill(node, signal.SIGKILL)

        assert scene.demo.process.wait(PATIENCE) == 1
        assert "the node has ended with code -9" in scene.demo.err


def test_a_broker_that_ends_by_itself_is_an_error(tmp_path: Path) -> None:
    with ExitStack() as stack:
        scene = open_scene(stack, tmp_path)
        os.kill(children(scene.demo.process.pid)[0], signal.SIGKILL)

        assert scene.demo.process.wait(PATIENCE) == 1
        assert "the broker has ended with code -9" in scene.demo.err


def test_what_is_published_has_what_a_page_can_tell(tmp_path: Path) -> None:
    with ExitStack() as stack:
        scene = open_scene(stack, tmp_path)
        tickets = wait_until(lambda: scene.observer.json("apimon/tickets/ops"), "the tickets")["tickets"]

    assert all(ticket["summary"] and ticket["created"] and ticket["due"] for ticket in tickets)
    assert any(ticket.get("assignee") for ticket in tickets)


# --- the buttons themselves ---


class Lamp:
    """Something to break."""

    def __init__(self) -> None:
        self.broken = False

    def set(self, *, broken: bool) -> None:
        self.broken = broken

    def button(self, name: str, *, heals: bool = False) -> Button:
        return Button(
            name,
            f"Break {name}",
            f"Mend {name}",
            "It is dark.",
            lambda: self.broken,
            lambda: self.set(broken=True),
            None if heals else lambda: self.set(broken=False),
        )


def test_a_button_tells_what_it_is_and_toggles_in_the_loop_alone() -> None:
    lamp = Lamp()
    with Tour([lamp.button("lamp")]) as tour:
        assert tour.buttons() == [
            {"name": "lamp", "label": "Break lamp", "mend": "Mend lamp", "broken": False, "text": "It is dark."}
        ]
        thread = threading.Thread(target=tour.press, args=("lamp",))
        thread.start()
        thread.join()
        assert select.select([tour], [], [], 0)[0]
        assert not lamp.broken
        assert tour.turn() == ["Break lamp: It is dark."]
        assert lamp.broken
        assert not select.select([tour], [], [], 0)[0]
        tour.press("lamp")
        assert tour.turn() == ["Mend lamp"]
        assert tour.buttons()[0]["broken"] is False
        assert tour.turn() == []


def test_what_mends_by_itself_is_not_mended_by_pressing_it_again() -> None:
    lamp = Lamp()
    with Tour([lamp.button("lamp", heals=True)]) as tour:
        tour.press("lamp")
        tour.press("lamp")
        assert tour.turn() == ["Break lamp: It is dark.", "Mend lamp"]
        assert lamp.broken


def test_more_presses_than_a_socket_holds_are_all_done() -> None:
    lamp = Lamp()
    with Tour([lamp.button("lamp")]) as tour:
        for _ in range(5001):
            tour.press("lamp")
        assert len(tour.turn()) == 5001
        assert lamp.broken


def test_an_unknown_button_is_refused_and_a_late_one_is_not_an_error() -> None:
    with (
        Tour([Lamp().button("lamp")]) as tour,
        pytest.raises(DemoError, match="no button 'bell': expected one of lamp"),
    ):
        tour.press("bell")
    tour.press("lamp")


def test_what_cannot_be_mended_ends_the_demo_with_the_reason(tmp_path: Path) -> None:
    with ExitStack() as stack:
        jira = stack.enter_context(JiraServer(Site(), cloud=False, account=ACCOUNT))
        processes = stack.enter_context(Processes(tmp_path, {}))
        strip = stack.enter_context(Strip(tmp_path, 1))
        start = partial(processes.start, "broker", [str(tmp_path / "missing")])
        tour = stack.enter_context(Tour(buttons(Parts(processes, start, jira, strip, Life(Site(), Random(1))))))
        with pytest.raises(DemoError, match="cannot start the broker: No such file"):
            start()
        tour.press("jira")
        tour.turn()
        stack.enter_context(socket.create_server(("127.0.0.1", int(jira.url.rpartition(":")[2]))))
        tour.press("jira")
        with pytest.raises(DemoError, match="cannot start Jira again: Address already in use"):
            tour.turn()
