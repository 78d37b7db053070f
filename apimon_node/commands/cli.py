"""The commands of apimon-node. Exit codes: 0 well, 1 it failed, 2 wrong configuration or arguments, 70 a bug."""

import argparse
import json
import logging
import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from apimon_node import __version__, wire
from apimon_node.config import scalars, schema
from apimon_node.config.settings import Settings
from apimon_node.contract.topics import Topics
from apimon_node.errors import ApimonError, ConfigError, PayloadError
from apimon_node.install import cli as installation
from apimon_node.mqtt.messages import Publish
from apimon_node.process import logs
from apimon_node.process.remarks import LogLevel
from apimon_node.tickets import snapshot

NOBODY = "node, poller: both are missing: there is nobody to announce to Home Assistant"

FAILED, USAGE, BUG, INTERRUPTED = 1, 2, 70, 130
"""Exit codes; 70 is EX_SOFTWARE of sysexits.h, 130 is what shells give for SIGINT."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code."""
    args = _parser().parse_args(argv)
    logs.start(LogLevel(args.log_level))
    try:
        args.run(args)
    except ConfigError as err:
        logs.complain(str(err))
        return USAGE
    except ApimonError as err:
        logs.complain(f"apimon-node: {err}")
        return FAILED
    except KeyboardInterrupt:  # only the commands that soon end by themselves leave it to Python
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough. Python would complain once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception:
        logging.critical("this is a bug in apimon-node:", exc_info=True)  # noqa: LOG015 - no module owns it
        return BUG
    return 0


def _run(args: argparse.Namespace) -> None:
    from apimon_node.node.app import run_node  # noqa: PLC0415 - `check` needs no broker

    settings = _logged_settings(args)
    if not settings.strips:
        raise ConfigError("strips: is missing: a node needs a strip to light")
    run_node(settings)


def _poll(args: argparse.Namespace) -> None:
    from apimon_node.poller.app import run_poller  # noqa: PLC0415 - as above

    settings = _logged_settings(args)
    if settings.poller is None:
        raise ConfigError("poller: is missing: a poller needs a Jira to ask")
    run_poller(settings)


def _check(args: argparse.Namespace) -> None:
    from apimon_node.config.explain import explain  # noqa: PLC0415 - as above

    settings = _settings(args)
    print(f"config    {settings.file}")
    for line in explain(settings):
        print(line)


def _preview(args: argparse.Namespace) -> None:
    from apimon_node.commands.preview import preview  # noqa: PLC0415 - as above

    settings = _load(args.file or args.config)
    if not settings.strips:
        raise ConfigError("strips: is missing: without a strip there is nothing to draw")
    picture = preview(settings)
    if args.output is None:
        print(picture)
        return
    try:
        args.output.write_text(f"{picture}\n", encoding="utf-8")
    except OSError as err:
        raise ApimonError(f"{args.output}: cannot be written: {err.strerror}; name a file with --output") from None


def _publish(args: argparse.Namespace) -> None:
    from apimon_node.mqtt.participant import publish  # noqa: PLC0415 - as above

    settings = _settings(args)
    topic = Topics(settings.mqtt.base_topic).tickets(_identifier("board", args.board))
    publish(settings, Publish(topic, _counts(args.counts)))
    print(f"published to {args.board}")


def _doctor(args: argparse.Namespace) -> None:
    from apimon_node.commands.doctor import examine  # noqa: PLC0415 - as above
    from apimon_node.machine.checks import Finding, Level, line  # noqa: PLC0415 - as above
    from apimon_node.picture.wording import quantity  # noqa: PLC0415 - as above

    settings = _settings(args)
    print(line(Finding("config", Level.OK, settings.file)), flush=True)
    problems = 0
    for finding in examine(settings):
        print(line(finding), flush=True)
        problems += finding.level is Level.PROBLEM
    if problems:
        raise ApimonError(f"{quantity(problems, 'problem')} found")


def _watch(args: argparse.Namespace) -> None:
    from apimon_node.watch.app import watch  # noqa: PLC0415 - as above

    settings = _settings(args)
    watch(settings, None if args.node is None else _identifier("node", args.node))


def _show_discovery(args: argparse.Namespace) -> None:
    from apimon_node.home_assistant import node, poller  # noqa: PLC0415 - as above

    settings = _settings(args)
    messages = []
    if settings.node is not None:
        messages.append(node.discovery(settings, __version__))
    if settings.poller is not None:
        messages.append(poller.discovery(settings, {}, __version__))
    if not messages:
        raise ConfigError(NOBODY)
    payloads = {message.topic: json.loads(message.payload) for message in messages}
    print(json.dumps(payloads, indent=2, ensure_ascii=False))


def _clear_discovery(args: argparse.Namespace) -> None:
    from apimon_node.home_assistant.entities import config_topics  # noqa: PLC0415 - as above
    from apimon_node.mqtt.participant import publish  # noqa: PLC0415 - as above

    settings = _settings(args)
    topics = config_topics(settings)
    if not topics:
        raise ConfigError(NOBODY)
    for topic in topics:
        publish(settings, Publish(topic, b""))
        print(f"cleared {topic}")
    if settings.home_assistant.enabled:
        print(
            "a node or poller that runs announces itself again at its next connection:"
            " stop it, or set home_assistant.enabled to false and restart it, before you clear"
        )


def _acl(args: argparse.Namespace) -> None:
    from apimon_node.commands.acl import access_list  # noqa: PLC0415 - as above

    fleet = [_load(path) for path in args.config or [None]]
    print("\n".join(access_list(fleet, args.operator, args.home_assistant)))


def _strip(args: argparse.Namespace) -> None:
    from apimon_node.strip.drivers import library  # noqa: PLC0415 - as above
    from apimon_node.strip.serve import serve  # noqa: PLC0415 - as above

    serve(args.socket, args.user, library())


def _view(args: argparse.Namespace) -> None:
    from apimon_node.process import extras  # noqa: PLC0415 - as above
    from apimon_node.view import address  # noqa: PLC0415 - as above

    extras.need("view", "starlette", "uvicorn")
    from apimon_node.view.app import run_view  # noqa: PLC0415 - it needs what the line above looks for

    run_view(_logged_settings(args), address.parse(args.listen), args.name, lambda url: print(url, flush=True))


def _demo(args: argparse.Namespace) -> None:
    from apimon_node.demo.demo import run  # noqa: PLC0415 - as above

    run(args.seconds)


def _settings(args: argparse.Namespace) -> Settings:
    return _load(args.config)._replace(log_level=LogLevel(args.log_level))


def _logged_settings(args: argparse.Namespace) -> Settings:
    """Return the settings of a program that runs for long; its log says which file was found where none was named."""
    settings = _settings(args)
    if args.config is None:
        logs.log.info("configuration: %s", settings.file)
    return settings


def _load(path: Path | None) -> Settings:
    settings, warnings = schema.load(path)
    for warning in warnings:
        logs.complain(f"{warning} (warning)", logging.WARNING)
    return settings


def _identifier(what: str, name: str) -> str:
    try:
        return scalars.identifier(name)
    except ValueError as err:
        raise ConfigError(f"{what}: expected {err}, got {name!r}") from None


def _counts(arguments: Sequence[str]) -> bytes:
    """Make the snapshot, and hold it against the contract before anybody else does."""
    counts = [_count(argument) for argument in arguments]
    if len(dict(counts)) != len(counts):
        raise ConfigError(f"expected each status once, got {' '.join(arguments)}")
    try:
        payload = wire.dump({"counts": dict(counts), "at": wire.format_time(int(time.time()))})
        snapshot.parse(payload)
    except (PayloadError, UnicodeEncodeError) as err:
        raise ConfigError(str(err)) from None
    return payload


def _count(argument: str) -> tuple[str, dict[str, int]]:
    """Read STATUS=TOTAL or STATUS=TOTAL/OVERDUE."""
    status, _, numbers = argument.rpartition("=")
    total, _, overdue = numbers.partition("/")
    if not status or not re.fullmatch(r"\d{1,9}(/\d{1,9})?", numbers):
        raise ConfigError(
            f"expected STATUS=NUMBER or STATUS=NUMBER/OVERDUE such as 'In Progress=2/1', got {argument!r}"
        )
    return status, {"total": int(total), "overdue": int(overdue or 0)}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="apimon-node", description="A wall light for tickets.")
    parser.add_argument("--version", action="version", version=__version__)
    parser.set_defaults(log_level=LogLevel.INFO)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    logged = argparse.ArgumentParser(add_help=False)
    logged.add_argument(
        "--log-level",
        choices=[level.value for level in LogLevel],
        default=LogLevel.INFO.value,
        help="log what is at least so grave; debug adds each message, by its topic (default: info)",
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--config", type=Path, metavar="FILE", help="default: ./config.yaml, then /etc/apimon/config.yaml"
    )
    for name, run, text in (
        ("run", _run, "be a node: show the boards on its strips"),
        ("poll", _poll, "be a poller: publish the boards from Jira"),
    ):
        commands.add_parser(name, parents=[common, logged], help=text, description=text).set_defaults(run=run)
    for name, run, text in (
        ("check", _check, "say what the configuration means, or what is wrong with it"),
        ("doctor", _doctor, "say what is wrong with strips, broker and Jira, and how to mend it"),
    ):
        commands.add_parser(name, parents=[common], help=text, description=text).set_defaults(run=run)
    _add_preview(commands)
    text = "publish the tickets of a board by hand, as numbers"
    publish = commands.add_parser("publish", parents=[common], help=text, description=text)
    publish.add_argument("board")
    publish.add_argument(
        "counts", nargs="+", metavar="STATUS=NUMBER[/OVERDUE]", help="such as Open=3 or 'In Progress=2/1'"
    )
    publish.set_defaults(run=_publish)
    text = "see the strips of all nodes, or of one, live in this terminal"
    watch = commands.add_parser("watch", parents=[common], help=text, description=text)
    watch.add_argument("node", nargs="?", metavar="NODE")
    watch.set_defaults(run=_watch)
    _add_discovery(commands, common)
    text = "print an access list for mosquitto: one user for each node and poller, with its own topics alone"
    acl = commands.add_parser("acl", help=text, description=text)
    acl.add_argument(
        "--config",
        type=Path,
        action="append",
        metavar="FILE",
        help="once for each node and poller; default: ./config.yaml, …",
    )
    acl.add_argument(
        "--operator", action="append", default=[], metavar="NAME", help="a user who sees all, and commands all nodes"
    )
    acl.add_argument(
        "--home-assistant", action="append", default=[], metavar="NAME", help="the user that Home Assistant signs in as"
    )
    acl.set_defaults(run=_acl)
    _add_view(commands, common)
    text = "be a strip service: drive ws281x, as root, for a node that is not"
    strip = commands.add_parser("strip", parents=[logged], help=text, description=text)
    strip.add_argument("--socket", type=Path, metavar="PATH", help="where to listen, unless systemd passes a socket")
    strip.add_argument(
        "--user", action="append", default=[], metavar="NAME", help="who may connect, beside root and our own user"
    )
    strip.set_defaults(run=_strip)
    installation.add(commands)
    text = "try it: a broker, a Jira that lives, a poller and a node, all on this machine"
    demo = commands.add_parser("demo", help=text, description=text)
    demo.add_argument("--seconds", type=float, metavar="N", help="end after so many seconds")
    demo.set_defaults(run=_demo)
    return parser


def _add_preview(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    text = "draw what each look and each state of the configuration will look like, as SVG"
    preview = commands.add_parser("preview", help=text, description=text)
    which = preview.add_mutually_exclusive_group()
    which.add_argument("file", nargs="?", type=Path, metavar="CONFIG", help="the configuration")
    which.add_argument(
        "--config", type=Path, metavar="FILE", help="the same; default: ./config.yaml, then /etc/apimon/config.yaml"
    )
    preview.add_argument("--output", type=Path, metavar="FILE.svg", help="default: standard output")
    preview.set_defaults(run=_preview)


def _add_view(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    text = "serve a page that shows all strips, boards and faults, live"
    view = commands.add_parser("view", parents=[common], help=text, description=text)
    view.add_argument(
        "--listen",
        default="127.0.0.1:8765",
        metavar="HOST:PORT",
        help="default: 127.0.0.1:8765, for this machine alone; port 0 takes one that is free",
    )
    view.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="NAME",
        help="a name by which browsers reach it, such as a proxy's",
    )
    view.set_defaults(run=_view)


def _add_discovery(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser
) -> None:
    text = "see or remove what the node and the poller tell Home Assistant of themselves"
    discovery = commands.add_parser("discovery", help=text, description=text)
    verbs = discovery.add_subparsers(required=True, metavar="show | clear")
    for name, run, text in (
        ("show", _show_discovery, "print what Home Assistant is told, but for the statuses that a poller finds"),
        ("clear", _clear_discovery, "remove the devices of this configuration from Home Assistant"),
    ):
        verbs.add_parser(name, parents=[common], help=text, description=text).set_defaults(run=run)
