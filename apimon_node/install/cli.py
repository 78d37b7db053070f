"""The arguments of `install`, `upgrade`, `rollback` and `uninstall`, and how they talk with whoever runs them."""

import argparse
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from apimon_node.errors import ConfigError

if TYPE_CHECKING:
    from apimon_node.install.change import Talk

SOURCE = "a folder, a wheel, a git URL, or apimon-node==VERSION; default: where this program came from"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the four commands."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--dry-run", action="store_true", help="say what would be done, why, and how to undo it")
    text = "have the program on this machine as services; safe to run again"
    install = commands.add_parser("install", parents=[common], help=text, description=text)
    install.add_argument("source", nargs="?", metavar="SOURCE", help=SOURCE)
    install.add_argument(
        "--with",
        dest="wanted",
        default="",
        metavar="WORDS",
        help="some of node,poller,spi,ws281x; default: what is installed, else a node, with spi on a Raspberry Pi",
    )
    install.add_argument("--yes", action="store_true", help="agree to changes of the boot settings")
    install.set_defaults(run=_install)
    text = "let a newer release run; back to the one before, if it does not hold"
    upgrade = commands.add_parser("upgrade", parents=[common], help=text, description=text)
    upgrade.add_argument("source", nargs="?", metavar="SOURCE", help="as for install; default: that of the last time")
    upgrade.add_argument(
        "--rebuild", action="store_true", help="even where the program is the same: with newer libraries"
    )
    upgrade.set_defaults(run=_upgrade)
    text = "let the release before run again"
    rollback = commands.add_parser("rollback", parents=[common], help=text, description=text)
    rollback.set_defaults(run=_rollback)
    text = "take away what install has made, but for configuration and secrets"
    uninstall = commands.add_parser("uninstall", parents=[common], help=text, description=text)
    uninstall.add_argument("--purge", action="store_true", help="configuration and secrets too")
    uninstall.set_defaults(run=_uninstall)


def _install(args: argparse.Namespace) -> None:
    from apimon_node.install import commands, edge  # noqa: PLC0415 - a node needs none of it

    try:
        wanted = commands.chosen(args.wanted)
    except ValueError as err:
        raise ConfigError(f"--with: {err}") from None
    commands.install(args.source, wanted, edge.Edge(), _talk(yes=args.yes), dry_run=args.dry_run)


def _upgrade(args: argparse.Namespace) -> None:
    from apimon_node.install import commands, edge  # noqa: PLC0415 - as above

    commands.upgrade(args.source, edge.Edge(), _talk(), dry_run=args.dry_run, rebuild=args.rebuild)


def _rollback(args: argparse.Namespace) -> None:
    from apimon_node.install import commands, edge  # noqa: PLC0415 - as above

    commands.rollback(edge.Edge(), _talk(), dry_run=args.dry_run)


def _uninstall(args: argparse.Namespace) -> None:
    from apimon_node.install import commands, edge  # noqa: PLC0415 - as above

    commands.uninstall(edge.Edge(), _talk(), dry_run=args.dry_run, purge=args.purge)


def _talk(*, yes: bool = False) -> "Talk":
    from apimon_node.install.change import Talk  # noqa: PLC0415 - as above

    return Talk(say, (lambda _: True) if yes else ask)


def say(line: str) -> None:
    """Print a line. A terminal that is gone does not stop an upgrade."""
    with suppress(OSError):
        print(line, flush=True)


def ask(question: str) -> bool:
    """Ask for agreement at a terminal; nowhere else there is any."""
    if not sys.stdin.isatty():
        say(question)
        return False
    with suppress(EOFError):
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    return False
