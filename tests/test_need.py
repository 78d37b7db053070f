"""scripts/need with the real apt-get, whose lists, locks and packages are the test's own."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from parts import PATIENCE, wait_until

NEED = Path(__file__).parents[1] / "scripts" / "need"

pytestmark = pytest.mark.skipif(shutil.which("apt-get") is None, reason="this is no Debian: it has no apt-get")


def private_apt(folder: Path) -> dict[str, str]:
    """Return an environment in which apt-get knows no package and works in `folder`, without root."""
    etc = ("etc/apt.conf.d", "etc/preferences.d", "etc/sources.list.d")
    for name in ("lists/partial", "archives/partial", "dpkg/updates", "bin", *etc):
        (folder / name).mkdir(parents=True)
    for name in ("dpkg/status", "etc/sources.list"):
        (folder / name).touch()
    config = folder / "apt.conf"
    config.write_text(
        f"""
        Dir::Etc "{folder}/etc";
        Dir::State::Lists "{folder}/lists";
        Dir::State::status "{folder}/dpkg/status";
        Dir::Cache "{folder}";
        Dir::Cache::Archives "{folder}/archives";
        """,
        encoding="utf-8",
    )
    sudo = folder / "bin" / "sudo"
    sudo.write_text('#!/bin/sh\n[ "$1" != -n ] || shift\nexec "$@"\n', encoding="utf-8")
    sudo.chmod(0o755)
    return os.environ | {"APT_CONFIG": str(config), "PATH": f"{sudo.parent}:{os.environ['PATH']}"}


@pytest.mark.parametrize("lock", ["lists/lock", "dpkg/lock-frontend", "dpkg/lock"])
def test_a_lock_that_another_holds_is_waited_for_and_told(tmp_path: Path, lock: str) -> None:
    environment = private_apt(tmp_path)
    out, err = tmp_path / "out", tmp_path / "err"
    with (tmp_path / lock).open("w") as held, out.open("w") as told, err.open("w") as complaints:
        fcntl.lockf(held, fcntl.LOCK_EX)
        command: list[str | Path] = [NEED, "no-such-command", "no-such-package"]
        process = subprocess.Popen(command, env=environment, stdout=told, stderr=complaints)
        wait_until(lambda: process.poll() is not None or "waiting" in out.read_text(), "word of the lock")
        assert process.poll() is None, err.read_text()
        fcntl.lockf(held, fcntl.LOCK_UN)
        assert process.wait(PATIENCE) == 1

    here = f"{tmp_path / lock}. It is held by process {os.getpid()} ("
    assert out.read_text().startswith(f"installing no-such-package\nwaiting for the lock {here}")
    assert out.read_text().count("waiting") == 1
    assert err.read_text() == "E: Unable to locate package no-such-package\n"


def test_another_failure_of_apt_get_is_told_and_not_tried_again(tmp_path: Path) -> None:
    done = subprocess.run(
        [NEED, "no-such-command", "no-such-package"],
        env=private_apt(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "installing no-such-package\n")
    assert done.stderr == "E: Unable to locate package no-such-package\n"


def test_a_command_that_is_here_needs_no_package(tmp_path: Path) -> None:
    done = subprocess.run([NEED, "sh", "no-such-package"], env=private_apt(tmp_path), capture_output=True, check=True)

    assert (done.stdout, done.stderr) == (b"", b"")


def test_where_nothing_may_be_installed_it_says_what_is_missing(tmp_path: Path) -> None:
    environment = private_apt(tmp_path) | {"INSTALL": "no"}
    command: list[str | Path] = [NEED, "no-such-command", "no-such-package"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "no-such-command is missing: it is in Debian's package no-such-package\n"
