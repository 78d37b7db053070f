"""Installing, upgrading and going back in a folder that stands for `/`: real virtual environments, a real pip."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from parts import wait_until
from toy_release import toy_wheel

from apimon_node.commands.cli import main
from apimon_node.errors import ConfigError, InstallError
from apimon_node.install import commands, edge, pip, places, releases, source, systemd
from apimon_node.install.change import Talk
from apimon_node.install.cli import ask, say
from apimon_node.install.edge import Edge, look
from apimon_node.install.host import SPI_DROP_INS
from apimon_node.install.steps import Remove, Step, Write

SYSTEMCTL = Path(__file__).with_name("fake_systemctl.py")
NODE_UNIT = "apimon-node.service"
EVERYTHING = frozenset(["node", "poller", "ws281x"])


class Pi(NamedTuple):
    """A machine: the folder that stands for its root, what systemd was asked for, and what was said."""

    edge: Edge
    state: Path
    wheels: Path
    lines: list[str]

    @property
    def talk(self) -> Talk:
        return Talk(self.lines.append, lambda _: True)

    def at(self, path: str) -> Path:
        return self.edge.at(path)

    def install(
        self, version: str | Path | None = "1.0", words: frozenset[str] = frozenset(), talk: Talk | None = None
    ) -> None:
        wheel = toy_wheel(self.wheels, version) if isinstance(version, str) else version
        commands.install(str(wheel) if wheel else None, words, self.edge, talk or self.talk, dry_run=False)

    def upgrade(self, version: str) -> None:
        commands.upgrade(str(toy_wheel(self.wheels, version)), self.edge, self.talk, dry_run=False)

    def rollback(self) -> None:
        commands.rollback(self.edge, self.talk, dry_run=False)

    def uninstall(self, *, purge: bool = False) -> None:
        commands.uninstall(self.edge, self.talk, dry_run=False, purge=purge)

    def fates(self, **fates: str) -> None:
        """Say how versions fare; v2 is 2.0."""
        said = {f"{name[1:]}.0": fate for name, fate in fates.items()}
        (self.state / "fates.json").write_text(json.dumps(said), encoding="utf-8")

    def history(self) -> list[str]:
        """Give what systemd was asked for, but for looks, and forget it."""
        path = self.state / "history"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        path.write_text("", encoding="utf-8")
        return [line for line in lines if not line.startswith("show")]

    def runs(self) -> str:
        """Give the version that the installed command is."""
        done = subprocess.run([self.at(places.COMMAND_TARGET), "x"], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    def tree(self) -> dict[str, str]:
        """Give all files and links, but for what releases are made of."""
        found = {}
        for path in sorted(self.edge.root.rglob("*")):
            name = str(path.relative_to(self.edge.root))
            if path.is_symlink():
                found[name] = str(path.readlink())
            elif path.is_file() and name.count("/") < 5 and name != "run/apimon-node.lock":
                found[name] = path.read_text(encoding="utf-8")
        return found


@pytest.fixture
def pi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pi:
    root, state, bin_folder = tmp_path / "root", tmp_path / "systemd", tmp_path / "bin"
    for folder in (
        state,
        bin_folder,
        *(root / name for name in ("run/systemd/system", "etc", "boot/firmware")),
    ):
        folder.mkdir(parents=True)
    model = root / "proc/device-tree/model"
    model.parent.mkdir(parents=True)
    model.write_text("Raspberry Pi Zero W Rev 1.1\0", encoding="utf-8")
    (root / "boot/firmware/config.txt").write_text("dtparam=audio=on\n", encoding="utf-8")
    (root / "etc/group").write_text("root:x:0:\nspi:x:989:pi\n", encoding="utf-8")
    program = bin_folder / "systemctl"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {SYSTEMCTL} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}:{os.environ['PATH']}")
    monkeypatch.setenv("SYSTEMD_ROOT", str(root))
    monkeypatch.setenv("SYSTEMD_STATE", str(state))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr(systemd, "PATIENCE", 5.0)
    monkeypatch.setattr(systemd, "LOOK_EVERY", 0.05)
    return Pi(Edge(root, stay=0.3), state, tmp_path / "wheels", [])


def changed(pi: Pi, do: Callable[[], None]) -> set[str]:
    """Give the files that something changes."""
    before = pi.tree()
    do()
    after = pi.tree()
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


# Install


def test_a_fresh_machine_has_the_program_running_and_a_second_time_changes_nothing(pi: Pi) -> None:
    pi.install()

    assert pi.runs() == "1.0"
    assert pi.history() == ["daemon-reload", "enable --now apimon-node.service"]
    assert stat.S_IMODE(pi.at(places.CREDENTIALS).stat().st_mode) == 0o700
    assert "driver: spi  " in pi.at(places.CONFIG).read_text(encoding="utf-8")
    assert {path.name for path in pi.at(places.UNITS).glob("apimon*")} >= {*source.shipped().units}
    assert all(pi.at(places.unit(place)).read_text(encoding="utf-8") == source.shipped().spi for place in SPI_DROP_INS)
    assert "dtparam=spi=on\ncore_freq=250\n" in pi.at("/boot/firmware/config.txt").read_text(encoding="utf-8")
    assert pi.at("/boot/firmware/config.txt.before-apimon").read_text(encoding="utf-8") == "dtparam=audio=on\n"
    assert str(pi.at(places.COMMAND).readlink()) == places.COMMAND_TARGET
    assert pi.lines[-2] == "next        sudo reboot: the boot settings have changed"
    assert pi.lines[-1].startswith("next        edit /etc/apimon/config.yaml")

    pi.lines.clear()
    assert changed(pi, pi.install) == set()
    assert pi.history() == []
    assert [line for line in pi.lines if not line.startswith(("already so", "now"))] == []
    assert releases.names(pi.edge.root) == ["1.0-1"]


def test_what_is_installed_can_be_added_to_and_the_rest_stays(pi: Pi) -> None:
    pi.install()
    pi.at(places.CONFIG).write_text("node: {id: mine}\n", encoding="utf-8")
    pi.history()
    pi.install("1.0", frozenset(["poller"]))

    assert releases.about(pi.edge.root, "1.0-2").roles == ("node", "poller", "spi")
    assert pi.at(places.CONFIG).read_text(encoding="utf-8") == "node: {id: mine}\n"
    assert pi.history() == ["restart apimon-node.service", "enable --now apimon-poller.service"]


def test_a_dry_run_shows_everything_and_changes_nothing(pi: Pi) -> None:
    wheel = str(toy_wheel(pi.wheels, "1.0"))

    def shown() -> None:
        commands.install(wheel, EVERYTHING, pi.edge, pi.talk, dry_run=True)

    assert changed(pi, shown) == set()
    assert "would       enable and start apimon-strip.socket" in pi.lines
    assert pi.history() == []

    pi.install()
    pi.lines.clear()
    assert changed(pi, lambda: commands.upgrade(None, pi.edge, pi.talk, dry_run=True)) == set()
    assert "would       start apimon-node.service anew" in pi.lines
    assert changed(pi, lambda: commands.uninstall(pi.edge, pi.talk, dry_run=True, purge=True)) == set()
    assert "would       remove /opt/apimon-node" in pi.lines


def test_boot_settings_are_left_where_nobody_agrees(pi: Pi) -> None:
    asked: list[str] = []

    def refuse(question: str) -> bool:
        asked.append(question)
        return False

    pi.install(talk=Talk(pi.lines.append, refuse))

    assert pi.at("/boot/firmware/config.txt").read_text(encoding="utf-8") == "dtparam=audio=on\n"
    assert "+core_freq=250" in asked[0]
    assert "not done    write dtparam=spi=on and core_freq=250" in "\n".join(pi.lines)


def test_a_configuration_that_is_wrong_is_told_and_nothing_is_done(pi: Pi) -> None:
    pi.at(places.CONFIG).parent.mkdir(parents=True)
    pi.at(places.CONFIG).write_text("strips: 7\n", encoding="utf-8")

    def install() -> None:
        with pytest.raises(ConfigError, match=r"/etc/apimon/config.yaml:1"):
            pi.install()

    assert changed(pi, install) == set()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "does not exist: expected a folder or a wheel of apimon-node"),
        ("no zip", "cannot get the new release: pip says: "),
    ],
)
def test_a_source_that_is_none_leaves_the_machine_as_it_was(pi: Pi, content: str | None, text: str) -> None:
    wheel = pi.wheels / "apimon_node-3.0-py3-none-any.whl"
    if content is not None:
        wheel.parent.mkdir()
        wheel.write_text(content, encoding="utf-8")

    def install() -> None:
        with pytest.raises(InstallError, match=text):
            pi.install(wheel)

    assert changed(pi, install) == set()
    assert releases.names(pi.edge.root) == []


def test_a_library_that_cannot_be_had_leaves_no_half_release(pi: Pi, tmp_path: Path) -> None:
    """The real wheel needs paho-mqtt, and here is no index."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(command, cwd=source.PACKAGE.parent, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")

    with pytest.raises(
        InstallError, match=r"^cannot install the new release: pip says: No matching distribution found"
    ):
        pi.install(wheel)
    assert releases.names(pi.edge.root) == []
    assert not list(pi.at(places.HOME).glob("stage-*"))
    packed = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", str(wheel)], capture_output=True, text=True, check=True
    )
    assert all(f"{source.SHARE}/systemd/{name}" in packed.stdout for name in [*source.shipped().units, "spi.conf"])
    assert f"{source.SHARE}/config.yaml" in packed.stdout


def test_a_machine_that_cannot_is_left_alone(pi: Pi) -> None:
    pi.at("/run/systemd/system").rmdir()

    def install() -> None:
        with pytest.raises(InstallError, match=r"^systemd does not run here"):
            pi.install()

    assert changed(pi, install) == set()


def test_a_step_that_fails_says_which_and_running_again_goes_on(pi: Pi) -> None:
    (pi.state / "refuse").write_text("enable", encoding="utf-8")
    with pytest.raises(
        InstallError, match=r"^cannot enable and start apimon-node.service: systemctl enable --now .*timed"
    ):
        pi.install()
    (pi.state / "refuse").unlink()
    pi.lines.clear()
    pi.install()

    assert [line for line in pi.lines if line.startswith("done")] == [
        "done        enable and start apimon-node.service",
        "done        see that apimon-node.service run, and stay so",
    ]


def test_two_at_once_are_one_too_many(pi: Pi) -> None:
    with commands._alone(pi.edge, dry_run=False), pytest.raises(InstallError, match=r"^another install, upgrade"):
        pi.rollback()


def test_nobody_but_root_can_be_at_work() -> None:
    assert not Path(places.LOCK).parent.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def test_the_release_that_runs_knows_where_it_comes_from_and_builds_nothing(
    pi: Pi, monkeypatch: pytest.MonkeyPatch
) -> None:
    pi.install()
    monkeypatch.setattr(sys, "prefix", str(pi.at(places.release("1.0-1"))))
    (wheel,) = pi.wheels.iterdir()
    wheel.rename(wheel.with_name("elsewhere.whl"))
    pi.lines.clear()

    assert changed(pi, lambda: pi.install(None)) == set()
    assert pi.lines[0] == f"already so  build a release from {wheel.as_uri()}"
    with pytest.raises(InstallError, match=r"apimon_node-1.0-py3-none-any.whl, where this program came from, is gone"):
        commands.upgrade(None, pi.edge, pi.talk, dry_run=False)


def test_what_is_missing_and_what_is_left_to_do_is_said(pi: Pi) -> None:
    pi.at("/etc/group").write_text("root:x:0:\n", encoding="utf-8")
    commands.install(str(toy_wheel(pi.wheels, "1.0")), frozenset(["spi"]), pi.edge, pi.talk, dry_run=True)
    assert pi.lines[0].startswith("note        there is no group spi")
    pi.install("1.0", frozenset(["poller"]))

    assert pi.lines[-1].startswith("next        put the secret for Jira into /etc/apimon/credentials")
    assert releases.about(pi.edge.root, "1.0-1").roles == ("poller",)


def test_a_dry_run_says_what_would_stand_in_the_way(pi: Pi) -> None:
    pi.at("/run/systemd/system").rmdir()
    commands.install(str(toy_wheel(pi.wheels, "1.0")), frozenset(), pi.edge, pi.talk, dry_run=True)

    assert pi.lines[-1].startswith("note        systemd does not run here")


def test_a_program_that_has_no_pip_makes_one_for_the_purpose(pi: Pi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "find_spec", lambda _name: None)
    pi.install()

    assert pi.runs() == "1.0"
    assert not list(pi.at(places.release("1.0-1")).glob("bin/pip*"))


def test_a_pip_that_hangs_is_given_up(pi: Pi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "PIP_TIMEOUT", 0.01)
    with pytest.raises(InstallError, match=r"^cannot get the new release: it takes too long$"):
        pi.install()


def test_a_release_that_cannot_be_finished_is_none(pi: Pi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "RECORD", "no/such/folder")
    with pytest.raises(InstallError, match=r"^cannot make release 1.0-1: No such file or directory$"):
        pi.install()
    assert releases.names(pi.edge.root) == []


def test_a_program_knows_where_it_was_installed_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pip, "PACKAGE", "pytest")  # from an index
    assert source.own() == "pytest"
    monkeypatch.setattr(pip, "PACKAGE", "no-such-package")  # it was never installed
    assert source.own() == source.PACKAGE.parent.as_uri()


@pytest.mark.parametrize(
    ("args", "codes"),
    [
        (["install", "--dry-run", "--with", "poller", "--yes"], {0}),
        (["upgrade", "--dry-run"], {0, 1}),  # 1: nothing is installed
        (["rollback", "--dry-run"], {0, 1}),
        (["uninstall", "--dry-run", "--purge"], {0}),
        (["install", "--dry-run", "--with", "pooler"], {2}),
    ],
)
def test_the_commands_are_there(args: list[str], codes: set[int], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(args) in codes
    assert "Traceback" not in capsys.readouterr().err


# Upgrade and rollback


def test_an_upgrade_runs_and_a_rollback_brings_the_old_one_back(pi: Pi) -> None:
    pi.install()
    pi.history()
    pi.upgrade("2.0")

    assert pi.runs() == "2.0"
    assert pi.history() == ["restart apimon-node.service"]
    assert pi.at(f"{places.release('1.0-1')}/config/config.yaml").exists()

    pi.rollback()
    assert pi.runs() == "1.0"
    assert pi.history() == ["restart apimon-node.service"]

    pi.rollback()
    assert pi.runs() == "2.0"
    pi.upgrade("3.0")
    assert releases.names(pi.edge.root) == ["2.0-1", "3.0-1"]  # the older one is gone


def test_the_same_program_is_no_upgrade_unless_it_is_asked_for(pi: Pi) -> None:
    pi.install()
    pi.history()

    assert changed(pi, lambda: pi.upgrade("1.0")) == set()
    assert pi.history() == []
    commands.upgrade(None, pi.edge, pi.talk, dry_run=False, rebuild=True)
    assert releases.names(pi.edge.root) == ["1.0-1", "1.0-2"]
    assert pi.history() == ["restart apimon-node.service"]


@pytest.mark.parametrize("fate", ["fails", "flaps"])
def test_a_version_that_does_not_hold_is_rolled_back_by_itself(pi: Pi, fate: str) -> None:
    pi.install()
    pi.history()
    pi.fates(v2=fate)

    def upgrade() -> None:
        with pytest.raises(
            InstallError, match=r"^release 2.0-1 is not taken: cannot (re)?(start|see) .*apimon-node.service"
        ):
            pi.upgrade("2.0")

    left = changed(pi, upgrade)
    assert {name for name in left if "config/" not in name} == set()
    assert pi.runs() == "1.0"
    assert pi.history()[-1] == "restart apimon-node.service"
    assert look(pi.edge).states[NODE_UNIT] == "active"
    assert releases.names(pi.edge.root) == ["1.0-1"]
    assert "done        1.0-1 runs again" in pi.lines


def test_a_version_with_other_units_takes_them_along_and_back(pi: Pi) -> None:
    pi.install()
    units = {**source.shipped().units, NODE_UNIT: "[Service]\n# two\n"}
    del units["apimon-poller.service"]
    wheel = toy_wheel(pi.wheels, "2.0", units)
    commands.upgrade(str(wheel), pi.edge, pi.talk, dry_run=False)

    assert pi.at(places.unit(NODE_UNIT)).read_text(encoding="utf-8") == "[Service]\n# two\n"
    assert not pi.at(places.unit("apimon-poller.service")).exists()
    assert "daemon-reload" in pi.history()
    pi.rollback()
    assert pi.at(places.unit(NODE_UNIT)).read_text(encoding="utf-8") == source.shipped().units[NODE_UNIT]
    assert pi.at(places.unit("apimon-poller.service")).exists()
    assert not list(pi.at(places.UNITS).glob("*.before-apimon"))


def test_a_version_that_does_not_take_the_configuration_says_why_and_changes_nothing(pi: Pi) -> None:
    pi.install()
    with pi.at(places.CONFIG).open("a", encoding="utf-8") as file:
        file.write("# not for 2.0\n")
    pi.history()

    def upgrade() -> None:
        with pytest.raises(ConfigError) as told:
            pi.upgrade("2.0")
        assert told.value.problems[0] == "release 2.0-1 does not take /etc/apimon/config.yaml; nothing was changed:"
        assert "colour: is not known any more: expected color" in told.value.problems[1]

    assert changed(pi, upgrade) == set()
    assert pi.history() == []
    assert releases.names(pi.edge.root) == ["1.0-1"]


def test_a_configuration_that_the_old_version_does_not_take_is_not_kept_as_its_own(pi: Pi) -> None:
    pi.install()
    pi.upgrade("2.0")
    with pi.at(places.CONFIG).open("a", encoding="utf-8") as file:
        file.write("# not for 2.0\n")
    pi.upgrade("3.0")

    assert not pi.at(f"{places.release('2.0-1')}/config").exists()
    assert "2.0-1 does not take it, or there is no room" in "".join(pi.lines)


def test_a_full_disk_does_not_keep_anybody_from_going_back(pi: Pi, monkeypatch: pytest.MonkeyPatch) -> None:
    pi.install()
    pi.upgrade("2.0")
    kept = pi.at(f"{places.release('2.0-1')}/config/config.yaml")
    kept.parent.mkdir()
    kept.write_text("kept before", encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copy2", full)
    pi.history()
    pi.rollback()
    assert pi.runs() == "1.0"
    assert pi.history() == ["restart apimon-node.service"]
    assert kept.read_text(encoding="utf-8") == "kept before"


def test_a_configuration_that_only_the_new_version_takes_is_no_obstacle(pi: Pi) -> None:
    pi.install()
    with pi.at(places.CONFIG).open("a", encoding="utf-8") as file:
        file.write("new_key: 1\n")
    commands.upgrade(str(toy_wheel(pi.wheels, "2.0")), pi.edge, pi.talk, dry_run=True)
    pi.upgrade("2.0")

    assert pi.runs() == "2.0"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Python leaves the systemctl it kills
def test_whoever_interrupts_an_upgrade_has_the_old_version_back(pi: Pi) -> None:
    pi.install()
    pi.history()
    pi.fates(v2="hangs")
    asked = pi.state / "history"

    def interrupt() -> None:
        wait_until(lambda: "restart" in asked.read_text(encoding="utf-8"), "the restart", 100)
        pi.fates()
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        pi.upgrade("2.0")
    thread.join()

    assert pi.runs() == "1.0"
    assert look(pi.edge).states[NODE_UNIT] == "active"
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_way_back_that_fails_too_is_told_and_is_gone_to_its_end(pi: Pi) -> None:
    pi.install()
    (pi.state / "refuse").write_text("restart", encoding="utf-8")

    with pytest.raises(
        InstallError, match=r"^release 2.0-1 does not hold, and going back fails: .*Connection timed out"
    ):
        pi.upgrade("2.0")
    assert pi.runs() == "1.0"


def test_a_full_disk_in_the_middle_leaves_the_old_version_running(pi: Pi, monkeypatch: pytest.MonkeyPatch) -> None:
    pi.install()
    units = {**source.shipped().units, NODE_UNIT: "[Service]\n# two\n"}
    wheel = toy_wheel(pi.wheels, "2.0", units)
    folder = pi.at(places.UNITS)
    original = edge._settle

    def full(path: Path) -> None:
        if path == folder:
            raise OSError(28, "No space left on device")
        original(path)

    monkeypatch.setattr(edge, "_settle", full)
    with pytest.raises(InstallError, match=r"No space left on device"):
        commands.upgrade(str(wheel), pi.edge, pi.talk, dry_run=False)
    assert pi.runs() == "1.0"
    assert pi.at(places.unit(NODE_UNIT)).read_text(encoding="utf-8") == source.shipped().units[NODE_UNIT]


def killed(pi: Pi, version: str) -> None:
    """Upgrade to a version, and be killed when it is current, before anything is started anew."""
    pi.upgrade(version)
    target = pi.at(places.CURRENT).readlink()
    (pi.at(places.HOME) / target / releases.HELD).unlink()
    pi.history()


def test_an_upgrade_that_was_killed_is_brought_to_its_end_when_it_is_asked_for_again(pi: Pi) -> None:
    pi.install()
    killed(pi, "2.0")
    pi.upgrade("2.0")

    assert pi.runs() == "2.0"
    assert pi.history() == ["restart apimon-node.service"]
    pi.upgrade("2.0")
    assert pi.history() == []
    pi.rollback()
    assert pi.runs() == "1.0"


def test_an_upgrade_that_was_killed_and_does_not_hold_goes_back_to_the_one_before(pi: Pi) -> None:
    pi.install()
    killed(pi, "2.0")
    pi.fates(v2="fails")
    with pytest.raises(InstallError, match=r"^release 2.0-1 is not taken"):
        pi.upgrade("2.0")

    assert pi.runs() == "1.0"
    assert look(pi.edge).states[NODE_UNIT] == "active"
    assert releases.names(pi.edge.root) == ["1.0-1"]


def test_what_was_left_by_a_kill_does_not_fill_the_disk_for_the_next(pi: Pi) -> None:
    pi.install()
    (pi.at(places.RELEASES) / "2.0-1").mkdir()
    (pi.at(places.HOME) / "stage-x").mkdir()
    with pytest.raises(InstallError, match="only one is installed"):
        pi.rollback()

    assert releases.names(pi.edge.root) == ["1.0-1"]
    assert not list(pi.at(places.HOME).glob("stage-*"))


def test_a_release_of_another_python_is_made_anew_from_the_same_source(pi: Pi) -> None:
    pi.install()
    (library,) = pi.at(places.release("1.0-1")).glob("lib/python*")
    library.rename(library.with_name("python3.10"))
    pi.install()

    assert pi.runs() == "1.0"
    assert pi.at(places.CURRENT).readlink().name == "1.0-2"


def test_a_pip_that_lies_about_is_not_run_as_root(pi: Pi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pip", "venv", "ensurepip"):
        (tmp_path / f"{name}.py").write_text("open('caught', 'w')\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    pi.install()

    assert pi.runs() == "1.0"
    assert not (tmp_path / "caught").exists()


def test_a_release_is_on_the_disk_before_it_counts(pi: Pi, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []
    monkeypatch.setattr(os, "sync", lambda: seen.extend(pi.at(places.RELEASES).glob("*")))
    monkeypatch.setattr(json, "dumps", lambda *_: pytest.fail("nothing is on the disk") if not seen else "{}")
    releases.build(pi.edge.root, toy_wheel(pi.wheels, "1.0").as_uri(), (), "")

    assert [path.name for path in seen] == ["1.0-1"]


def test_boot_settings_with_letters_of_another_time_keep_every_byte(pi: Pi) -> None:
    path = pi.at("/boot/firmware/config.txt")
    before = b"# f\xfcr die K\xfcche\ndtparam=audio=on\n"
    path.write_bytes(before)
    pi.install()

    assert path.read_bytes().startswith(before)
    assert b"dtparam=spi=on" in path.read_bytes()
    assert path.with_name("config.txt.before-apimon").read_bytes() == before
    pi.uninstall()
    assert path.read_bytes() == before


def test_there_is_no_way_back_from_the_first_release(pi: Pi) -> None:
    with pytest.raises(InstallError, match=r"^nothing is installed yet: apimon-node install$"):
        pi.rollback()
    pi.install()
    with pytest.raises(InstallError, match=r"^there is no release to go back to: only one is installed$"):
        pi.rollback()
    pi.upgrade("2.0")
    pi.lines.clear()
    commands.rollback(pi.edge, pi.talk, dry_run=True)
    assert "would       let /opt/apimon-node/current lead to 1.0-1" in pi.lines


def test_a_release_that_does_not_start_is_not_taken(pi: Pi) -> None:
    pi.install()
    pi.upgrade("2.0")
    pi.at(f"{places.release('1.0-1')}/bin/apimon-node").unlink()

    with pytest.raises(InstallError, match=r"^release 1.0-1 does not start: No such file or directory; nothing was"):
        pi.rollback()
    assert pi.runs() == "2.0"


# Uninstall


def test_uninstall_leaves_the_machine_as_it_was_but_for_configuration_and_secrets(pi: Pi) -> None:
    before = pi.tree()
    pi.install()
    pi.at(f"{places.CREDENTIALS}/mqtt-password").write_text("secret", encoding="utf-8")
    pi.uninstall()
    left = {name for name in pi.tree() if pi.tree()[name] != before.get(name)}

    assert left == {"etc/apimon/config.yaml", "etc/apimon/credentials/mqtt-password"}
    assert pi.tree().items() >= before.items()
    assert not pi.at(places.HOME).exists()
    assert "disable --now apimon-node.service" in pi.history()

    pi.uninstall(purge=True)
    assert pi.tree() == before
    assert changed(pi, lambda: pi.uninstall(purge=True)) == set()


def test_a_folder_of_drop_ins_stays_while_somebody_elses_are_in_it(pi: Pi) -> None:
    pi.install()
    mine = pi.at(places.unit("apimon-node.service.d/override.conf"))
    mine.write_text("[Service]\nNice=5\n", encoding="utf-8")
    pi.uninstall(purge=True)

    assert mine.exists()
    assert not pi.at(places.unit("apimon-node@.service.d")).exists()


# Parts of the edge


def test_a_file_is_written_whole_or_not_at_all(pi: Pi, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pi.at("/etc/x")
    path.write_text("old", encoding="utf-8")

    def full(_number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InstallError, match=r"^cannot write it: No space left on device$"):
        edge.do(Step("write it", "", "", Write("/etc/x", "new")), pi.edge)
    assert path.read_text(encoding="utf-8") == "old"
    assert {file.name for file in path.parent.iterdir()} == {"group", "x"}


def test_what_is_not_there_is_removed_already(pi: Pi) -> None:
    edge.do(Step("remove it", "", "", Remove("/etc/nothing")), pi.edge)


def test_a_machine_without_systemd_has_no_units(pi: Pi, monkeypatch: pytest.MonkeyPatch) -> None:
    (pi.state / "refuse").write_text("show", encoding="utf-8")
    assert systemd.states() == ({}, False)
    monkeypatch.setenv("PATH", "/nowhere")
    assert systemd.states() == ({}, False)
    with pytest.raises(InstallError, match=r"^systemctl stop x: No such file or directory$"):
        systemd.systemctl("stop", "x")


def test_a_systemd_that_does_not_answer_is_not_waited_for(pi: Pi, monkeypatch: pytest.MonkeyPatch) -> None:
    pi.fates(v="holds")
    monkeypatch.setattr(systemd, "TIMEOUT", 0.01)
    with pytest.raises(InstallError, match=r"^systemctl stop x: no answer$"):
        systemd.systemctl("stop", "x")


@pytest.mark.usefixtures("pi")
def test_a_unit_that_comes_late_has_come() -> None:
    late = threading.Timer(0.2, systemd.systemctl, ["start", "y.service"])
    late.start()
    systemd.stay(["y.service"], 0.1)
    late.join()


@pytest.mark.usefixtures("pi")
def test_a_unit_that_does_not_come_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "PATIENCE", 0.1)
    with pytest.raises(InstallError, match=r"^y.service is inactive \(journalctl -u y.service -n 50 says why\)$"):
        systemd.stay(["y.service"], 0)


def test_units_that_are_not_as_their_files_are_read_anew(pi: Pi) -> None:
    pi.install()
    loaded = json.loads((pi.state / "loaded.json").read_text(encoding="utf-8"))
    loaded[NODE_UNIT]["stale"] = True
    (pi.state / "loaded.json").write_text(json.dumps(loaded), encoding="utf-8")
    pi.history()
    pi.install()

    assert pi.history() == ["daemon-reload"]


def test_a_further_node_goes_along_and_is_asked_for_its_configuration(pi: Pi) -> None:
    pi.install()
    kitchen = "apimon-node@kitchen.service"
    subprocess.run(["systemctl", "enable", "--now", kitchen], check=True)
    own = pi.at("/etc/apimon/kitchen.yaml")
    own.write_text("# not for 3.0\n", encoding="utf-8")
    pi.history()
    pi.upgrade("2.0")
    assert pi.history() == [f"restart {NODE_UNIT} {kitchen}"]
    with pytest.raises(ConfigError, match=r"kitchen\.yaml"):
        pi.upgrade("3.0")

    pi.uninstall()
    assert not list(pi.at(places.UNITS).glob("*.wants/*"))
    assert kitchen not in look(pi.edge).states


def test_a_record_that_is_none_is_told(pi: Pi) -> None:
    with pytest.raises(
        InstallError, match=r"/releases/x is no whole release: apimon-node install SOURCE makes a new one$"
    ):
        releases.about(pi.edge.root, "x")


def test_agreement_is_asked_for_at_a_terminal_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path(os.devnull).open(encoding="utf-8") as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert not ask("+dtparam=spi=on?")
    assert capsys.readouterr().out == "+dtparam=spi=on?\n"


@pytest.mark.parametrize(
    ("typed", "agreed"), [("y\n", True), ("Yes\n", True), ("n\n", False), ("\n", False), ("\x04", False)]
)
def test_only_yes_is_agreement(typed: str, *, agreed: bool) -> None:
    code = "from apimon_node.install.cli import ask; print('agreed' if ask('so?') else 'refused')"
    ours, theirs = os.openpty()
    with subprocess.Popen([sys.executable, "-c", code], stdin=theirs, stdout=subprocess.PIPE) as process:
        os.write(ours, typed.encode())
        assert process.stdout
        said = process.stdout.read().decode()
    os.close(ours)
    os.close(theirs)

    assert said == f"so? [y/N] {'agreed' if agreed else 'refused'}\n"


def test_a_terminal_that_is_gone_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w", encoding="utf-8", buffering=1) as full:
        monkeypatch.setattr(sys, "stdout", full)
        say("x")
        monkeypatch.undo()
        with pytest.raises(OSError, match="No space"):
            full.close()
