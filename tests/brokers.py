"""Real brokers of several makes, each started on a free port of loopback, and what sets it apart from the others.

Debian's mosquitto and the demo's amqtt are always there. mosquitto 2.1 runs where APIMON_MOSQUITTO_21 holds a command
that starts it, and RabbitMQ where APIMON_RABBITMQ holds the path of its rabbitmq-server. docs/brokers.md has the
differences in words.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

import pytest
from parts import PATIENCE, wait_until
from ports import free_port

from apimon_node.demo import broker as demo_broker


class Account(NamedTuple):
    user: str
    password: str


class Broker:
    """A broker that can be stopped in order, killed, and started again on the same port with what it has kept."""

    speaks: ClassVar[str] = "5"
    """The version of MQTT that `protocol: auto` ends with."""
    wildcards: ClassVar[bool] = True
    """Whether a subscription with + or # gets what is retained."""
    remembers: ClassVar[bool] = True
    """Whether it can keep what is retained over a restart."""

    def __init__(self, folder: Path, *, account: Account | None = None, memory: bool = False) -> None:
        """Only `account` is let in, where there is one, else everybody. With `memory` it remembers over a restart."""
        self.folder = folder
        self.account = account
        self.memory = memory
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def missing() -> str | None:
        """Tell why it can not be run here, if so."""
        return None

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return {}

    def start(self) -> None:
        with (self.folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                env=os.environ | self.environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,  # RabbitMQ is several processes
            )
        demo_broker.wait_for(self.port, self._process)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, number)
            self._process.wait(PATIENCE)
            self._process = None

    @property
    def log(self) -> str:
        return (self.folder / "broker.log").read_text(encoding="utf-8", errors="replace")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class Mosquitto20(Broker):
    """As Debian 12 has it."""

    limit: ClassVar[str] = ""
    """Lines of configuration without which the contract's largest snapshot is not taken."""

    def program(self) -> list[str]:
        mosquitto = demo_broker.find_mosquitto()
        assert mosquitto, "mosquitto is missing: make test installs it"
        return [mosquitto]

    lines: tuple[str, ...] = ()
    """Of its configuration, about who may come in and do what; else everybody may do everything."""

    def command(self) -> list[str]:
        lines = [
            *(self.lines or self._access()),
            "user root",  # else it drops to a user who may not read the folder of a test
            f"persistence {str(self.memory).lower()}",
            f"persistence_location {self.folder}/",
            "log_type all",
            self.limit,
        ]
        conf = self.folder / "mosquitto.conf"
        conf.write_text("\n".join(lines), encoding="utf-8")
        return [*self.program(), "-c", str(conf)]

    def _access(self) -> list[str]:
        lines = [f"listener {self.port} 127.0.0.1", f"allow_anonymous {str(self.account is None).lower()}"]
        if self.account is not None:
            write_passwords(self.folder / "passwd", self.account)
            lines.append(f"password_file {self.folder}/passwd")
        return lines


class Mosquitto21(Mosquitto20):
    """It takes 2,000,000 bytes unless told otherwise, which is less than the contract's 2 MiB."""

    @staticmethod
    def missing() -> str | None:
        return None if "APIMON_MOSQUITTO_21" in os.environ else "APIMON_MOSQUITTO_21: a command that starts it"

    def program(self) -> list[str]:
        return shlex.split(os.environ["APIMON_MOSQUITTO_21"])


AMQTT_WITH_PASSWORDS = """
import asyncio, signal, sys
from amqtt.broker import Broker
async def main():
    config = {
        "listeners": {"default": {"type": "tcp", "bind": "127.0.0.1:" + sys.argv[1]}},
        "plugins": {"amqtt.plugins.authentication.FileAuthPlugin": {"password_file": sys.argv[2]}},
    }
    await Broker(config).start()
    await asyncio.Event().wait()
asyncio.run(main())
"""


class Amqtt(Broker):
    """The demo's own, where there is no mosquitto. MQTT 5 it leaves without an answer."""

    speaks = "3.1.1"
    remembers = False

    def command(self) -> list[str]:
        if self.account is None:
            return demo_broker.command(self.port, self.folder, None)
        from pwdlib import PasswordHash  # noqa: PLC0415 - comes with amqtt
        from pwdlib.hashers.argon2 import Argon2Hasher  # noqa: PLC0415 - as above

        passwords = self.folder / "passwd"
        hashed = PasswordHash((Argon2Hasher(),)).hash(self.account.password)
        passwords.write_text(f"{self.account.user}:{hashed}\n", encoding="utf-8")
        return [sys.executable, "-c", AMQTT_WITH_PASSWORDS, str(self.port), str(passwords)]


class RabbitMq(Broker):
    """As Debian 12 has it, 3.10, with its MQTT plugin; its data, its ports and its epmd are the test's own."""

    speaks = "3.1.1"
    wildcards = False

    def __init__(self, folder: Path, *, account: Account | None = None, memory: bool = False) -> None:
        super().__init__(folder, account=account, memory=memory)
        self._names: subprocess.Popen[bytes] | None = None
        self._names_port, self._cluster_port = free_port(), free_port()

    @staticmethod
    def missing() -> str | None:
        return None if "APIMON_RABBITMQ" in os.environ else "APIMON_RABBITMQ: the path of rabbitmq-server"

    def start(self) -> None:
        if not self.memory:
            shutil.rmtree(self.folder / "mnesia", ignore_errors=True)
        # Erlang would start it as a daemon, and leave it behind.
        command = ["epmd", "-address", "127.0.0.1", "-port", str(self._names_port)]
        self._names = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        demo_broker.wait_for(self._names_port, self._names)
        started = "Server startup complete"
        before = self.log.count(started) if (self.folder / "broker.log").exists() else 0
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(demo_broker, "START_TIMEOUT", 90.0)
            super().start()
        wait_until(lambda: self.log.count(started) > before, "RabbitMQ", 90.0)

    def _end(self, number: signal.Signals) -> None:
        super()._end(number)
        if self._names is not None:
            self._names.kill()
            self._names.wait()
            self._names = None

    def command(self) -> list[str]:
        lines = ["listeners.tcp = none", f"mqtt.listeners.tcp.1 = 127.0.0.1:{self.port}"]
        lines.append(f"mqtt.allow_anonymous = {str(self.account is None).lower()}")
        if self.account is not None:
            lines += [f"default_user = {self.account.user}", f"default_pass = {self.account.password}"]
        (self.folder / "rabbitmq.conf").write_text("\n".join(lines), encoding="utf-8")
        (self.folder / "plugins").write_text("[rabbitmq_mqtt].", encoding="utf-8")
        return [os.environ["APIMON_RABBITMQ"]]

    def environment(self) -> dict[str, str]:
        folder = str(self.folder)
        return {
            "HOME": folder,  # its cookie
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._names_port),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_NODENAME": f"apimon-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._cluster_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": folder,
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
        }


BROKERS: tuple[type[Broker], ...] = (Mosquitto20, Amqtt, Mosquitto21, RabbitMq)

EVERY_BROKER = [pytest.param(make, id=make.__name__) for make in BROKERS if not make.missing()]
"""Those that are here, for parametrize."""

MOSQUITTOS = [pytest.param(make, id=make.__name__) for make in (Mosquitto20, Mosquitto21) if not make.missing()]
"""For what mosquitto alone has: access lists and bridges."""


def write_passwords(file: Path, *accounts: Account) -> None:
    """Make a password file for mosquitto."""
    tool = shutil.which("mosquitto_passwd")
    assert tool, "mosquitto_passwd is missing: it comes with mosquitto"
    file.write_text("".join(f"{user}:{password}\n" for user, password in accounts), encoding="utf-8")
    subprocess.run([tool, "-U", str(file)], check=True, capture_output=True)
