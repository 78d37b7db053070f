"""The units as they are written: systemd reads them, they leave little open, and both kinds of node are one.

What a real systemd makes of them is in test_systemd_live.py.
"""

import os
import re
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest
from pi_facts import CHARACTER_DEVICES

UNITS = Path("systemd")
NODE, NODES, POLLER = "apimon-node.service", "apimon-node@.service", "apimon-poller.service"
STRIP, STRIP_SOCKET = "apimon-strip.service", "apimon-strip.socket"
SERVICES = (NODE, NODES, POLLER, STRIP)
SPI = "spi.conf"

ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is missing: apt-get install systemd")

NEWER = re.compile(r".*: Unknown key(?: name)? 'Restart(?:Steps|MaxDelaySec)' in section \S+, ignoring\.")
"""What a systemd before 254 says, and does well without."""


def read(name: str) -> str:
    return (UNITS / name).read_text(encoding="utf-8")


def settings(name: str) -> list[tuple[str, str]]:
    """Give what a unit sets, in its order."""
    lines = (line for line in read(name).splitlines() if line and line[0] not in "#[")
    return [(key, value) for key, _, value in (line.partition("=") for line in lines)]


def analyze(*args: str) -> str:
    """Ask systemd-analyze; give all that it says."""
    assert ANALYZE is not None
    environment = os.environ | {"SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": "", "LC_ALL": "C.UTF-8"}
    done = subprocess.run([ANALYZE, *args], capture_output=True, text=True, env=environment, check=False)
    return done.stdout + done.stderr


def exposure(folder: Path, name: str, text: str) -> float:
    """Ask systemd how much of the system a unit leaves open, from 0 to 10."""
    file = folder / name
    file.write_text(text, encoding="utf-8")
    said = analyze("security", "--no-pager", "--offline=true", str(file))
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert found is not None, said
    return float(found[1])


@needs_systemd
def test_systemd_reads_every_line(tmp_path: Path) -> None:
    program = tmp_path / "apimon-node"
    program.touch(mode=0o755)
    for name in (*SERVICES, STRIP_SOCKET):
        text = read(name).replace("/opt/apimon-node/current/bin/apimon-node", str(program))
        (tmp_path / name).write_text(text, encoding="utf-8")
    said = analyze("verify", *(str(tmp_path / name) for name in (*SERVICES, STRIP_SOCKET)))

    assert [line for line in said.splitlines() if not NEWER.fullmatch(line)] == []


def written(name: str) -> float:
    """Give the exposure that docs/security.md tells."""
    page = Path("docs/security.md").read_text(encoding="utf-8")
    found = re.search(rf"^\| `{re.escape(name)}`[^|]*\| ([\d.]+) \|", page, re.MULTILINE)
    assert found is not None, f"docs/security.md does not tell of {name}"
    return float(found[1])


@needs_systemd
@pytest.mark.parametrize(
    ("name", "more", "most"), [(NODE, "", 1.5), (NODES, "", 1.5), (NODE, SPI, 1.5), (POLLER, "", 1.5), (STRIP, "", 3.0)]
)
def test_a_unit_leaves_no_more_open_than_is_written(tmp_path: Path, name: str, more: str, most: float) -> None:
    text = read(name) + (read(more) if more else "")
    told = written(f"{name} with {more}" if more else name)

    assert exposure(tmp_path, name, text) <= told <= most


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_a_line_that_is_lost_is_seen(tmp_path: Path, name: str) -> None:
    lost = re.sub(r"^SystemCallFilter=.*\n", "", read(name), flags=re.MULTILINE)

    assert exposure(tmp_path, name, lost) > written(name)


def test_the_two_units_of_nodes_differ_only_in_whose_files_they_read() -> None:
    one = read(NODE).replace("/etc/apimon/config.yaml", "/etc/apimon/%i.yaml")
    one = one.replace("/credentials/mqtt", "/credentials/%i/mqtt").replace("edit apimon-node", "edit apimon-node@NAME")

    assert read(NODES) == one.replace("Apimon node:", "Apimon node %i:")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_comes_back_whatever_happens_and_is_watched(name: str) -> None:
    ours = settings(name)

    for line in (
        ("Type", "notify"),
        ("Restart", "always"),
        ("StartLimitIntervalSec", "0"),
        ("WatchdogSec", "30s"),
        ("RestartMaxDelaySec", "30s"),
    ):
        assert line in ours


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_needs_the_network_or_the_time_before_it_starts(name: str) -> None:
    text = read(name)

    for target in ("network-online.target", "time-sync.target"):
        assert target not in text


@pytest.mark.parametrize("name", [NODE, NODES, POLLER])
def test_each_secret_may_be_missing(name: str) -> None:
    loaded = [value.partition(":")[0] for key, value in settings(name) if key == "LoadCredential"]
    instead = [value for key, value in settings(name) if key == "SetCredential"]

    assert instead == [f"{secret}:\\n" for secret in loaded]


@pytest.mark.parametrize("name", [NODE, NODES, STRIP])
def test_each_group_of_devices_has_a_name_that_the_kernel_knows(name: str) -> None:
    """systemd passes over others without a word, and what they should have opened stays closed."""
    allowed = [value.split()[0] for key, value in settings(name) if key == "DeviceAllow"]
    groups = [value.removeprefix("char-") for value in allowed if value.startswith("char-")]

    assert groups
    assert [group for group in groups if not any(fnmatch(known, group) for known in CHARACTER_DEVICES)] == []


def test_the_readme_explains_each_unit_and_every_setting() -> None:
    page = read("README.md")
    obvious = {"Description", "ExecStart", "ListenStream"}
    keys = {key for name in (*SERVICES, STRIP_SOCKET, SPI) for key, _ in settings(name)} - obvious

    assert {key for key in keys if f"`{key}=" not in page} == set()
    assert {file.name for file in UNITS.iterdir() if f"`{file.name}`" not in page} == {"README.md"}


def test_every_program_is_allowed_the_socket_that_the_units_make() -> None:
    users = [value for name in (NODE, NODES) for key, value in settings(name) if key == "User"]

    assert set(users) == {"apimon-node"}
    assert dict(settings(STRIP))["ExecStart"].endswith(" strip --user apimon-node")
    assert dict(settings(STRIP_SOCKET))["ListenStream"] == "/run/apimon/strip.sock"
