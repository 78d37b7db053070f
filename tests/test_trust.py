"""Whose configuration root believes where nobody has named one, which file is read, and who says so."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from test_machine import as_nobody

from apimon_node.config import schema
from apimon_node.errors import ConfigError

BOB, ALICE = 54321, 54322
"""Users of no name."""

CONFIG = """\
mqtt: {host: 127.0.0.1, port: 1, password_file: secret}
node: {id: hall}
strips: [{name: ops, driver: memory, pixels: 8, boards: [ops]}]
looks: [{color: red}]
poller: {jira: {url: "http://127.0.0.1:1", auth: {type: none}}}
boards: [{name: ops, jql: project = OPS}]
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can have the files of others, and is refused them")


def start(folder: Path, *command: str, sudo: int | None = None, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, as the shell of root does, or as sudo does for a user."""
    program = f"{before}\nimport sys\nfrom apimon_node.commands.cli import main\nsys.exit(main())"
    environment = {name: value for name, value in os.environ.items() if name != "SUDO_UID"}
    return subprocess.run(
        [sys.executable, "-c", program, *command],
        cwd=folder,
        env=environment if sudo is None else environment | {"SUDO_UID": str(sudo)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="surrogateescape", timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with a configuration and its secret, all our own."""
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o755)
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "secret").write_text("hunter2")
    return folder


# --- whose file it is ---


def file_of_bob(folder: Path) -> None:
    os.chown(folder / "config.yaml", BOB, BOB)


def all_of_bob(folder: Path) -> None:
    file_of_bob(folder)
    os.chown(folder, BOB, BOB)


def folder_of_bob(folder: Path) -> None:
    os.chown(folder, BOB, BOB)


def link(folder: Path) -> None:
    (folder / "config.yaml").rename(folder / "real.yaml")
    (folder / "config.yaml").symlink_to("real.yaml")


def link_of_bob(folder: Path) -> None:
    link(folder)
    os.chown(folder / "config.yaml", BOB, BOB, follow_symlinks=False)


def link_to_file_of_bob(folder: Path) -> None:
    link(folder)
    os.chown(folder / "real.yaml", BOB, BOB)


def file_for_everybody(folder: Path) -> None:
    (folder / "config.yaml").chmod(0o666)


def folder_for_everybody(folder: Path) -> None:
    folder.chmod(0o777)


def as_tmp(folder: Path) -> None:
    folder.chmod(0o1777)


def pipe_of_bob(folder: Path) -> None:
    (folder / "config.yaml").unlink()
    os.mkfifo(folder / "config.yaml")
    file_of_bob(folder)


BOBS = f"belongs to user {BOB}, and neither to root nor to the user who called sudo"
EVERYBODYS = "can be written by everybody"


@as_root
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (file_of_bob, f"it {BOBS}"),
        (all_of_bob, f"its folder {BOBS}"),
        (folder_of_bob, f"its folder {BOBS}"),
        (link_of_bob, f"it {BOBS}"),
        (link_to_file_of_bob, f"what it links to {BOBS}"),
        (pipe_of_bob, f"it {BOBS}"),
        (file_for_everybody, f"it {EVERYBODYS}"),
        (folder_for_everybody, f"its folder {EVERYBODYS}"),
    ],
)
def test_root_believes_no_stranger(folder: Path, change: Callable[[Path], None], reason: str) -> None:
    change(folder)
    done = start(folder, "check", sudo=ALICE)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{folder}/config.yaml: {reason}: if you trust it, name the file: --config config.yaml\n"


@as_root
@pytest.mark.parametrize(
    ("change", "sudo"), [(link, None), (as_tmp, None), (all_of_bob, BOB), (file_of_bob, BOB), (link_of_bob, BOB)]
)
def test_root_believes_itself_and_who_called_sudo(
    folder: Path, change: Callable[[Path], None], sudo: int | None
) -> None:
    change(folder)
    done = start(folder, "check", sudo=sudo)

    assert (done.returncode, done.stderr) == (0, "")


@as_root
def test_a_file_that_is_named_is_believed(folder: Path) -> None:
    all_of_bob(folder)
    done = start(folder, "check", "--config", "config.yaml")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"config    {folder}/config.yaml\nbroker ")


def test_who_is_not_root_reads_what_anybody_has_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.chmod(0o777)
    (folder / "config.yaml").chmod(0o666)
    monkeypatch.chdir(folder)
    with as_nobody():
        settings, warnings = schema.load(None)

    assert (settings.file, warnings) == (f"{folder}/config.yaml", [])


@as_root
@pytest.mark.parametrize(
    "command",
    [
        ["run"],
        ["poll"],
        ["check"],
        ["doctor"],
        ["preview"],
        ["publish", "ops", "Open=1"],
        ["watch"],
        ["discovery", "show"],
        ["discovery", "clear"],
        ["acl"],
        ["view", "--listen", "127.0.0.1:0"],
    ],
    ids=" ".join,
)
def test_no_command_of_root_calls_the_broker_of_a_stranger(folder: Path, command: Sequence[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as broker:
        broker.settimeout(0)
        (folder / "config.yaml").write_text(CONFIG.replace("port: 1,", f"port: {broker.getsockname()[1]},"))
        all_of_bob(folder)
        done = start(folder, *command)

        assert (done.returncode, done.stdout) == (2, "")
        assert f"{folder}/config.yaml: its folder belongs to user {BOB}" in done.stderr
        with pytest.raises(BlockingIOError):
            broker.accept()


def test_it_is_by_name_where_there_is_one(folder: Path) -> None:
    (folder / "config.yaml").chmod(0o600)
    status = os.stat_result([0o100600, 0, 0, 1, 2, 2, 0, 0, 0, 0])

    with pytest.raises(ConfigError, match="it belongs to bin, and neither to root"):
        schema._refuse_stranger(folder / "config.yaml", "it", status)


@as_root
def test_what_is_refused_is_not_passed_over(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = folder.parent / "etc.yaml"
    other.write_text(CONFIG)
    file_of_bob(folder)
    monkeypatch.setattr(schema, "PATHS", (folder / "config.yaml", other))
    monkeypatch.delenv("SUDO_UID", raising=False)

    with pytest.raises(ConfigError, match=f"^{folder}/config.yaml: it belongs to user {BOB}, "):
        schema.load(None)


# --- which file it is ---


def test_a_link_to_nowhere_is_not_passed_over(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "lost.yaml").symlink_to("nowhere.yaml")
    monkeypatch.setattr(schema, "PATHS", (folder / "lost.yaml", folder / "config.yaml"))

    with pytest.raises(ConfigError, match=f"^{folder}/lost.yaml: cannot be read: No such file or directory$"):
        schema.load(None)


def test_the_file_that_was_not_read_is_named_too(folder: Path) -> None:
    (folder / "etc.yaml").write_text(CONFIG)
    done = start(
        folder, "check",
        before="from apimon_node.config import schema\n"
        f"schema.PATHS = (schema.PATHS[0], schema.Path('{folder}/etc.yaml'))",
    )  # fmt: skip

    assert done.returncode == 0
    assert done.stdout.startswith(f"config    {folder}/config.yaml\nbroker ")
    assert done.stderr == (
        f"{folder}/config.yaml: was read, and {folder}/etc.yaml was not:"
        " name the one that you mean with --config (warning)\n"
    )


def test_two_names_of_one_file_are_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link(folder)
    monkeypatch.setattr(schema, "PATHS", (folder / "config.yaml", folder / "real.yaml"))

    settings, warnings = schema.load(None)

    assert warnings == []
    assert settings.file == f"{folder}/config.yaml"


def test_a_mistake_in_a_file_that_was_found_has_its_whole_name(folder: Path) -> None:
    (folder / "config.yaml").write_text("mqtt: {port: 0}\n")
    done = start(folder, "check")

    assert done.returncode == 2
    assert done.stderr == f"{folder}/config.yaml:1: mqtt.port: expected 1 to 65535, got 0\n"


def test_the_doctor_says_first_what_it_has_read(folder: Path) -> None:
    done = start(folder, "doctor", "--config", "../folder/config.yaml")

    assert done.stdout.startswith(f"ok       config      {folder}/../folder/config.yaml\n")


@pytest.mark.parametrize("command", [["preview"], ["acl"], ["discovery", "show"]], ids=" ".join)
def test_what_machines_read_is_not_mixed_with_it(folder: Path, command: Sequence[str]) -> None:
    done = start(folder, *command)

    assert (done.returncode, done.stderr) == (0, "")
    assert "config.yaml" not in done.stdout


@pytest.mark.parametrize("command", ["check", "doctor"])
def test_a_folder_of_any_name_is_shown_on_a_line(folder: Path, command: str) -> None:
    strange = Path(os.fsdecode(bytes(folder) + b"\xff\x1b[2J"))
    folder.rename(strange)
    done = start(strange, command)

    assert done.stdout.splitlines()[0].endswith(f" {folder}??[2J/config.yaml")
