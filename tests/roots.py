"""Roots of a Pi's Debian, as scripts/arm makes them: programs in one run here by emulation, on this machine's network.

APIMON_ARM names some, parted by colons. It takes root to enter one.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

PROCESSORS = {
    "lib/ld-linux.so.3": ("armv6l", "arm1176"),  # a Pi Zero W
    "lib/ld-linux-aarch64.so.1": ("aarch64", "cortex-a53"),  # a Pi 3, a Pi Zero 2 W
}
"""By the loader that a root has: what `uname -m` says there, and the processor by its name in qemu."""

ENVIRONMENT = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "PIP_CERT": "/etc/ssl/certs/ca-certificates.crt",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}

VENV = "/opt/apimon"

ENTER = 'root=$0 && mount -t proc proc "$root/proc" && exec env -i "$@"'
"""In a namespace of its own, so that no mount stays behind. The shell becomes the program: a signal reaches it."""


class Root(NamedTuple):
    """A root, and the processor that it is for."""

    path: Path
    machine: str
    cpu: str

    def command(self, *command: str) -> tuple[str, ...]:
        """Give the command that runs one in the root."""
        environment = [f"{name}={value}" for name, value in (ENVIRONMENT | {"QEMU_CPU": self.cpu}).items()]
        inside = (*environment, "chroot", str(self.path), *command)
        return ("unshare", "--mount", "sh", "-c", ENTER, str(self.path), *inside)

    def python(self, *arguments: str) -> tuple[str, ...]:
        """Give the command that runs Python, with what install() has brought."""
        return self.command(f"{VENV}/bin/python", *arguments)

    def run(self, *command: str) -> str:
        """Run a command to its end; give what it printed."""
        done = subprocess.run(self.command(*command), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def install(self, folder: Path) -> None:
        """Install the wheel of this checkout with what it needs, nothing of which may have been built before."""
        build = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), ".")
        subprocess.run(build, check=True)
        (wheel,) = folder.glob("apimon_node-*.whl")
        shutil.copy(wheel, self.path / "tmp")
        self.run("python3", "-m", "venv", "--clear", VENV)
        self.run(f"{VENV}/bin/pip", "install", "--quiet", "--no-cache-dir", f"/tmp/{wheel.name}")

    def write(self, name: str, text: str) -> str:
        """Put a file into the root; give its path there."""
        (self.path / "tmp" / name).write_text(text, encoding="utf-8")
        return f"/tmp/{name}"


def named() -> list[Root]:
    """Give the roots that the environment names."""
    return [_root(Path(path)) for path in os.environ.get("APIMON_ARM", "").split(":") if path]


def _root(path: Path) -> Root:
    found = [processor for loader, processor in PROCESSORS.items() if (path / loader).exists()]
    assert found, f"APIMON_ARM: {path} is no root that scripts/arm has made"
    return Root(path, *found[0])
