"""The wheel on a Pi's processor: only where APIMON_ARM names roots that scripts/arm has made.

The processor is emulated, and the kernel is this machine's. It takes two minutes a root, root's rights, and a registry.
"""

from pathlib import Path

import pytest
from parts import NODE_CONFIG, Mosquitto, Observer, Program, wait_until
from roots import VENV, Root, named

ROOTS = named()
COMPILERS = ("cc", "gcc", "g++", "clang", "tcc", "rustc")
NODE = "apimon/nodes/hall"

pytestmark = [
    pytest.mark.skipif(not ROOTS, reason="APIMON_ARM names no root of a Pi's Debian to try (scripts/arm makes them)"),
    pytest.mark.timeout(900),
]


@pytest.mark.parametrize("root", ROOTS or [None], ids=lambda root: root and root.machine)
def test_the_wheel_installs_without_a_compiler_and_shows_tickets(
    tmp_path: Path, broker: Mosquitto, observer: Observer, root: Root
) -> None:
    assert root.run("uname", "-m").strip() == root.machine
    assert [tool for tool in COMPILERS if root.run("sh", "-c", f"command -v {tool} || true")] == []

    root.install(tmp_path)

    root.run(f"{VENV}/bin/pip", "check")
    if root.machine == "armv6l":  # where the index of Python's packages has no built ones
        assert list((root.path / VENV.strip("/")).rglob("*.so")) == []
    config = root.write("node.yaml", NODE_CONFIG.format(port=broker.port, mqtt="", driver="memory"))
    assert "node      hall" in root.run(f"{VENV}/bin/apimon-node", "check", "--config", config)
    observer.publish("apimon/tickets/ops", {"counts": {"A": 2, "B": {"total": 1, "overdue": 1}}})
    with Program(tmp_path, "run", "--config", config, python=root.python()) as program:
        strip = wait_until(lambda: observer.json(f"{NODE}/strips/ops"), "the strip", 60)
        assert strip["pixels"][:4] == ["ff0000", "ff0000", "00ff00", "000000"]
        assert strip["effects"][:4] == [None, None, "pulse", None]
        observer.wait_for(f"{NODE}/availability", b"online")
        status = wait_until(
            lambda: (status := observer.json(f"{NODE}/status")).get("state") == "ok" and status, "the state ok", 60
        )
        assert status["boards"]["ops"]["tickets"] == 3

        assert program.stop()[0] == 0
    observer.wait_for(f"{NODE}/availability", b"offline")
