"""Wheels of a program that is called apimon-node, has its commands, and needs nothing: releases to install."""

import base64
import hashlib
import zipfile
from pathlib import Path

from apimon_node.install import source

PROGRAM = """
import sys
from pathlib import Path

VERSION = "{version}"

def main():
    if sys.argv[1] == "check":
        text = Path(sys.argv[3]).read_text()
        if f"not for {{VERSION}}" in text:
            print(f"{{sys.argv[3]}}:1: colour: is not known any more: expected color", file=sys.stderr)
            return 2
    print(VERSION)
"""


def toy_wheel(folder: Path, version: str, units: dict[str, str] | None = None, more: str = "") -> Path:
    """Write the wheel of a version, with these units or the real ones."""
    shipped = source.shipped()
    files = {
        "apimon_node/__init__.py": f'__version__ = "{version}"\n{more}',
        "apimon_node/commands/cli.py": PROGRAM.format(version=version),
        "apimon_node/share/config.yaml": shipped.config,
        "apimon_node/share/systemd/spi.conf": shipped.spi,
    }
    files |= {f"apimon_node/share/systemd/{name}": text for name, text in (units or shipped.units).items()}
    info = f"apimon_node-{version}.dist-info"
    files |= {
        f"{info}/METADATA": (
            f"Metadata-Version: 2.1\nName: apimon-node\nVersion: {version}\n"
            "Provides-Extra: jira\nProvides-Extra: ws281x\n"
        ),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: toy\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\napimon-node = apimon_node.commands.cli:main\n",
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"apimon_node-{version}-py3-none-any.whl"
    record = "".join(f"{name},{_digest(text)},{len(text.encode())}\n" for name, text in files.items())
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            wheel.writestr(zipfile.ZipInfo(name), text)
    return path


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
