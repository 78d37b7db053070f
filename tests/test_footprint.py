"""What a node that runs has imported: all of it stays in memory for years, on a machine with 512 MB."""

import subprocess
import sys
from pathlib import Path

import pytest
from parts import Mosquitto, Observer, Program, node_config, wait_until

NODE = "apimon/nodes/hall"

LISTING = """
import atexit, ssl, sys
class Context(ssl.SSLContext):
    def __new__(cls, *_): sys.exit("TLS is used")
ssl.SSLContext = Context
earlier = set(sys.modules)  # a coverage tool brings modules of its own
later = lambda: {name for name, module in sys.modules.items() if getattr(module, "__spec__", None)} - earlier
atexit.register(lambda: print(*later()))
"""
"""Before the program: refuses TLS, and prints what is imported when the program ends. Cython makes modules of no file.
"""

OF_OTHERS = {"paho", "yaml", "webcolors"}
"""webcolors only where the configuration has colours by name."""

OURS_FOR_OTHERS = (
    "commands.acl",
    "commands.doctor",
    "commands.example",
    "commands.preview",
    "demo",
    "home_assistant.poller",
    "machine",  # of real strips
    "poller",
    "strip.serve",
    "strip.spi",
    "strip.terminal",
    "strip.ws281x",
)

UNUSED = {"asyncio", "concurrent", "dataclasses", "inspect", "multiprocessing", "sqlite3", "subprocess", "unittest"}
"""Large parts of the standard library that a node has no use for, and that come in unnoticed."""


@pytest.fixture
def imported(tmp_path: Path, broker: Mosquitto, observer: Observer) -> set[str]:
    """Give what a node with the driver memory has imported after a full life, without TLS."""
    config = node_config(tmp_path, broker.port, driver="memory")
    with Program(tmp_path, "run", "--config", config, before=LISTING) as program:
        observer.publish("apimon/tickets/ops", {"tickets": [{"key": "OPS-1", "status": "A", "due": None}]})
        wait_until(lambda: observer.json(f"{NODE}/strips/ops").get("pixels", [])[:1] == ["ff0000"], "the ticket")
        wait_until(lambda: observer.latest.get(f"{NODE}/strips/ops/image"), "the image")
        observer.publish(f"{NODE}/light/set", {"brightness": 100}, retain=False)
        observer.publish(f"{NODE}/request/identify", "", retain=False)
        wait_until(lambda: observer.json(f"{NODE}/response/identify"), "the answer")
        wait_until(lambda: observer.json(f"{NODE}/light").get("brightness") == 100, "the light")

        assert program.stop()[0] == 0, program.err
        return set(program.out.split())


def test_a_running_node_has_imported_nothing_that_it_does_without(imported: set[str]) -> None:
    """Nothing of Jira, of the terminal, the demo, the tests, the other drivers and the other commands."""
    outermost = {name.partition(".")[0] for name in imported}
    ours = {name.removeprefix("apimon_node.") for name in imported if name.startswith("apimon_node.")}

    assert outermost - set(sys.stdlib_module_names) == OF_OTHERS | {"apimon_node"}
    assert "node.node" in ours
    assert {name for name in ours if name.startswith(OURS_FOR_OTHERS)} == set()
    assert outermost & UNUSED == set()


def test_that_the_module_ssl_is_there_without_tls_is_paho_s_doing() -> None:
    """Both paho and the urllib.request that it imports bring it: there is nothing to gain by leaving it out of ours."""
    code = "import sys, paho.mqtt.client; print('ssl' in sys.modules, 'urllib.request' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "True True\n"
