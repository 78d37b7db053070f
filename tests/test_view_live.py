"""`apimon-node view` as a process: a real broker, a real node, a real browser."""

import math
import re
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from browser import Listener, Watched, chromium
from parts import PATIENCE, Mosquitto, Observer, Program, node_config, wait_until
from playwright.sync_api import Browser, Page, expect

from apimon_node.config import schema
from apimon_node.config.settings import Settings
from apimon_node.view.address import Address
from apimon_node.view.app import View

expect.set_options(timeout=PATIENCE * 1000)

STRIP = "apimon/nodes/hall/strips/ops"
TICKETS = "apimon/tickets/ops"
COLORS = "all => all.map(led => led.dataset.color)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def view(folder: Path, broker: Mosquitto, before: str = "") -> Program:
    """Start the page with a configuration that has nothing but the broker."""
    path = folder / "view.yaml"
    path.write_text(f"mqtt: {{host: 127.0.0.1, port: {broker.port}}}\n", encoding="utf-8")
    return Program(folder, "view", "--config", str(path), "--listen", "127.0.0.1:0", before=before)


def address(program: Program) -> str:
    """Give the address that it prints, once it does."""
    wait_until(lambda: program.out.endswith("\n"), "the address of the page")
    return program.out.strip()


def port(program: Program) -> int:
    return int(address(program).rpartition(":")[2])


def tickets(*statuses: str) -> dict[str, object]:
    return {"tickets": [{"key": f"OPS-{at}", "status": status} for at, status in enumerate(statuses, start=1)]}


def wait_for_lit(observer: Observer, number: int) -> list[str]:
    """Wait until the node lights so many pixels; give the colours that it says."""

    def lit() -> list[str]:
        pixels: list[str] = observer.json(STRIP).get("pixels", [])
        return pixels if len(pixels) - pixels.count("000000") == number else []

    colors: list[str] = wait_until(lit, f"{number} pixels of the node")
    return colors


def wait_for_leds(page: Page, colors: list[str]) -> None:
    wait_until(lambda: page.locator(".led").evaluate_all(COLORS) == colors, f"{colors} on the page")


def test_the_page_shows_what_the_node_says_and_what_stands_behind_it(
    tmp_path: Path, broker: Mosquitto, observer: Observer, browser: Browser
) -> None:
    node = Program(tmp_path, "run", "--config", node_config(tmp_path, broker.port, driver="memory"))
    with node, view(tmp_path, broker) as program, Watched(browser) as watched:
        page = watched.page
        page.goto(address(program))
        for statuses in (("A",), ("A", "B", "C", "C"), ("B",) * 12, ()):
            observer.publish(TICKETS, tickets(*statuses))
            said = wait_for_lit(observer, min(10, len(statuses)))
            if len(statuses) > len(said):
                said[-1] = "ffffff"  # overflow
            wait_for_leds(page, said)
        observer.publish(TICKETS, tickets("A", "B"))
        wait_until(lambda: "00ff00" in page.locator(".led").evaluate_all(COLORS), "B")
        page.locator(".led").nth(1).hover()
        expect(page.locator(".panel")).to_contain_text("OPS-2")
        expect(page.get_by_role("heading", name="Everything works")).to_be_visible()
        assert program.stop()[0] == 0
        assert "Traceback" not in program.err
        assert [text for text in watched.complaints if "ERR_" not in text] == []  # the browser notes that we are gone


def test_the_page_tells_that_the_broker_is_lost_and_comes_back_with_it(
    tmp_path: Path, broker: Mosquitto, browser: Browser
) -> None:
    node = Program(tmp_path, "run", "--config", node_config(tmp_path, broker.port, driver="memory"))
    with node, view(tmp_path, broker) as program, Watched(browser) as watched:
        page = watched.page
        page.goto(address(program))
        expect(page.locator(".machine")).to_contain_text("Node hall")

        broker.kill()
        expect(page.locator("#faults")).to_contain_text("The broker cannot be reached")
        expect(page.locator("#faults")).to_contain_text("all of them come back by themselves")
        broker.start()
        expect(page.locator("#faults")).not_to_contain_text("The broker cannot be reached")
        with Observer(broker.port) as observer:
            observer.publish(TICKETS, tickets("A"))
            wait_until(lambda: "ff0000" in page.locator(".led").evaluate_all(COLORS), "the ticket")
        assert watched.complaints == []


def test_a_node_that_dies_is_told_of(tmp_path: Path, broker: Mosquitto, browser: Browser) -> None:
    node = Program(tmp_path, "run", "--config", node_config(tmp_path, broker.port, driver="memory"))
    with node, view(tmp_path, broker) as program, Watched(browser) as watched:
        watched.page.goto(address(program))
        expect(watched.page.locator(".machine")).to_contain_text("Node hall")
        node.process.kill()

        expect(watched.page.locator("#faults")).to_contain_text("Node hall is offline")
        expect(watched.page.locator(".notes")).to_contain_text("The node is away")


def test_a_board_and_what_its_node_makes_of_it_are_told_together(
    tmp_path: Path, broker: Mosquitto, observer: Observer
) -> None:
    patient = "from apimon_node.view import app, feed; app.SETTLE, app.PACE, feed.PACE = 2.0, 0.0, 0.0"
    looks: list[dict[str, object]] = [{"name": "all", "match": {}, "color": "ff0000", "effect": None}]
    described = {"boards": ["ops"], "pixels": 2, "status_pixel": "none", "brightness": 1, "period": 2, "looks": looks}
    observer.publish(f"{STRIP}/config", described | {"overdue_effect": "pulse"})
    with view(tmp_path, broker, before=patient) as program, Listener(port(program)) as listener:
        strips = (event["sections"].get("strip/hall/ops") for event in iter(listener.event, None))
        told = (strip for strip in strips if strip is not None)
        assert next(told)["said"] == ["000000", "000000"]
        for number in (1, 2):
            lit = ["ff0000"] * number + ["000000"] * (2 - number)
            observer.publish(TICKETS, tickets(*"A" * number))
            observer.publish(STRIP, {"pixels": lit, "effects": [None, None], "overflow": False, "status": "ok"})
            strip = next(told)
            assert (strip["said"], strip["matched"]) == (lit, True)


def test_it_ends_well_at_a_signal_with_browsers_that_listen(tmp_path: Path, broker: Mosquitto) -> None:
    with view(tmp_path, broker) as program, Listener(port(program)) as listener:
        listener.event()
        code, _ = program.stop()
        while listener.block():
            pass

    assert code == 0
    assert program.err == "INFO stopped\n"


def test_who_lets_others_reach_it_is_told_what_they_see(tmp_path: Path, broker: Mosquitto) -> None:
    open_to_all = "from apimon_node.view.address import Address; Address.loopback = False"
    with view(tmp_path, broker, before=open_to_all) as program:
        where = address(program)
        wait_until(lambda: "WARNING" in program.err, "the warning")

    assert program.err.splitlines()[0] == f"WARNING whoever reaches {where} sees all tickets: there is no sign-in"


def settings(port: int) -> Settings:
    parsed, _ = schema.parse(f"mqtt: {{host: 127.0.0.1, port: {port}}}")
    return parsed


def client_id(broker: socket.socket) -> bytes:
    """Give the name by which a page comes to a broker, which says nothing to it."""
    with View(settings(broker.getsockname()[1]), Address(port=0)) as view:
        view.turn(time.monotonic())
        sock, _ = broker.accept()
        with sock:
            until = time.monotonic() + PATIENCE
            sock.settimeout(0)
            data = b""
            while not (found := re.search(rb"apimon-view-[0-9a-f]{8}", data)) and time.monotonic() < until:
                view.turn(time.monotonic() + 0.05, sock)
                with suppress(BlockingIOError):
                    data += sock.recv(4096)
    assert found, data
    return found[0]


def test_each_has_a_name_of_its_own_for_the_broker_though_process_ids_may_be_alike() -> None:
    with socket.create_server(("127.0.0.1", 0)) as broker:
        assert client_id(broker) != client_id(broker)


class Buttons:
    """A tour whose button changes by itself."""

    def __init__(self) -> None:
        self.asked = 0

    def buttons(self) -> list[dict[str, object]]:
        self.asked += 1
        return [{"name": "broker", "label": "", "mend": "", "broken": self.asked > 1, "text": ""}]

    def press(self, _name: str) -> None: ...


def test_the_buttons_of_a_tour_are_looked_at_again_and_again() -> None:
    tour = Buttons()
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        View(settings(silent.getsockname()[1]), Address(port=0), tour=tour) as view,
        Listener(int(view.url.rpartition(":")[2])) as listener,
    ):
        while tour.asked < 3:
            view.turn(math.inf)
        while not listener.event()["sections"].get("tour", [{"broken": False}])[0]["broken"]:
            pass


def test_a_page_for_all_addresses_is_called_by_the_name_of_the_machine() -> None:
    assert View(settings(1883), Address("0.0.0.0", 80)).url == f"http://{socket.gethostname()}:80"
    assert View(settings(1883), Address("::", 80)).url == f"http://{socket.gethostname()}:80"
    assert View(settings(1883), Address("::1", 80)).url == "http://[::1]:80"
