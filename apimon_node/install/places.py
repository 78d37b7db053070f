"""Where everything lies on a machine that has the program installed. Pure."""

HOME = "/opt/apimon-node"
RELEASES = f"{HOME}/releases"
"""A virtual environment for each release: <version>-<n>."""

CURRENT, PREVIOUS = f"{HOME}/current", f"{HOME}/previous"
"""Links to the release that runs and to the one before it, which `rollback` takes."""

COMMAND = "/usr/local/bin/apimon-node"
COMMAND_TARGET = f"{CURRENT}/bin/apimon-node"

CONFIG_FOLDER = "/etc/apimon"
CONFIG = f"{CONFIG_FOLDER}/config.yaml"
CREDENTIALS = f"{CONFIG_FOLDER}/credentials"
"""Secrets, a file each; root alone reads them, systemd hands them to the services."""

UNITS = "/etc/systemd/system"
LOCK = "/run/apimon-node.lock"
"""Not in /run/lock, which is open to all: whoever holds it there could keep the program from being upgraded."""

STRIP_SOCKET = "/run/apimon/strip.sock"
"""Where apimon-strip.socket listens."""

BACKUP = ".before-apimon"
"""What the copy of a file of somebody else's is called, beside it."""


def release(name: str) -> str:
    """Return the folder of a release."""
    return f"{RELEASES}/{name}"


def unit(name: str) -> str:
    """Return the file of a unit."""
    return f"{UNITS}/{name}"


def cmdline_of(config_txt: str) -> str:
    """Return the file with the kernel's parameters, which lies beside config.txt."""
    return config_txt.replace("config.txt", "cmdline.txt")
