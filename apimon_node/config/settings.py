"""What the configuration says, as frozen values: the rest of the program sees nothing else of config.yaml.

Durations are in seconds, shares (brightness) from 0 to 1. The shipped config.yaml explains every key.
"""

from collections.abc import Mapping
from datetime import time, tzinfo
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from apimon_node.picture.effects import Effect
from apimon_node.picture.looks import Look
from apimon_node.picture.painting import StatusPixel
from apimon_node.picture.scene import Scene
from apimon_node.process.remarks import LogLevel
from apimon_node.tickets.snapshot import MAX_TICKETS


class Protocol(StrEnum):
    """Which MQTT to speak: `auto` is 5, and 3.1.1 with a broker that refuses 5."""

    AUTO = "auto"
    V5 = "5"
    V311 = "3.1.1"


class Transport(StrEnum):
    """What carries MQTT to the broker."""

    TCP = "tcp"
    WEBSOCKETS = "websockets"
    UNIX = "unix"


class AuthType(StrEnum):
    """How to sign in to Jira."""

    PAT = "pat"  # Data Center: a personal access token, as bearer
    API_TOKEN = "api_token"  # noqa: S105 - a name, no secret. Cloud: e-mail address and API token
    BASIC = "basic"  # Data Center: user and password
    OAUTH2 = "oauth2"  # client credentials, of Data Center, a gateway before it, or a service account of Cloud
    NONE = "none"


class ClientAuth(StrEnum):
    """Where a client of OAuth2 shows its secret to the token server: in the header or in the form."""

    BASIC = "basic"
    BODY = "body"


class OverdueSince(StrEnum):
    """From when on the age of a ticket is counted."""

    CREATED = "created"
    STATUS = "status"  # since it came into its status


ALL_SLA = ("all",)
"""The `sla` of a board that heeds every SLA there is."""


class TlsSettings(NamedTuple):
    """How to know the broker, and how to be known to it. Without `ca_file` the system's authorities count.

    `server_name` is the name that the broker's certificate bears, where that is not mqtt.host.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    server_name: str | None = None


class MqttSettings(NamedTuple):
    """The broker, how to reach it, and how to speak to it. `path` is for websockets, `socket` for unix."""

    host: str = "localhost"
    port: int = 1883
    username: str | None = None
    password_file: Path | None = None
    base_topic: str = "apimon"
    protocol: Protocol = Protocol.AUTO
    keepalive: int = 60
    transport: Transport = Transport.TCP
    tls: TlsSettings | None = None
    path: str = "/mqtt"
    socket: Path | None = None

    @property
    def address(self) -> str:
        """Where the broker is: its host and port, or its socket."""
        if self.socket is not None:
            return str(self.socket)
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class QuietHours(NamedTuple):
    """When the light is quiet, each day, and what is seen then. `time_zone` None is the machine's own."""

    begin: time
    end: time
    effect: Scene = Scene.NIGHT
    time_zone: tzinfo | None = None


class NodeSettings(NamedTuple):
    """Who this node is, its pace, and when it is quiet."""

    id: str
    render_interval: float = 0.5
    refresh_interval: float = 60.0
    quiet_hours: QuietHours | None = None


class Ws281xSettings(NamedTuple):
    """The C library rpi_ws281x: its DMA channel, and the socket of a strip service, or None for a child of the node."""

    dma: int = 10
    socket: Path | None = None


class StripSettings(NamedTuple):
    """One strip. `order` names the channels as they go out, `max_milliamps` 0 is no limit.

    `gpio` is the pin of driver ws281x (BCM numbers), `device` the file of driver spi.
    """

    name: str
    driver: str
    pixels: int
    boards: tuple[str, ...]
    brightness: float = 1.0
    status_pixel: StatusPixel = StatusPixel.FIRST
    heartbeat: bool = False
    reverse: bool = False
    order: str = "RGB"
    gamma: float = 1.0
    max_milliamps: int = 0
    gpio: int | None = None
    device: Path = Path("/dev/spidev0.0")

    @property
    def channels(self) -> int:
        """Bytes of a pixel."""
        return len(self.order)


class AuthSettings(NamedTuple):
    """How to sign in to Jira; the secret itself stands in `secret_file`, the environment or a credential.

    What comes after it is for OAuth2 alone.
    """

    type: AuthType
    user: str | None = None
    secret_file: Path | None = None
    client_id: str | None = None
    token_url: str | None = None
    scope: str | None = None
    client_auth: ClientAuth = ClientAuth.BASIC

    @property
    def secret_name(self) -> str:
        """The name of the secret where there is no file: of a credential, or of a variable of the environment."""
        names = {AuthType.BASIC: "jira-password", AuthType.OAUTH2: "jira-client-secret"}
        return names.get(self.type, "jira-token")


class JiraSettings(NamedTuple):
    """A Jira site. `timeout` bounds each answer as a whole, in seconds; `site` is its URL in browsers, if another."""

    url: str
    auth: AuthSettings
    timeout: float = 20.0
    site: str | None = None

    @property
    def browse(self) -> str:
        """The beginning of every ticket's address in a browser."""
        return f"{self.site or self.url}/browse/"


class PollerSettings(NamedTuple):
    """Who this poller is, its pace, and what it takes from Jira.

    `fields` are those of a ticket that are published, beside key and status. Due dates end by `time_zone`, or by the
    machine's own where it is None.
    """

    jira: JiraSettings
    id: str = "main"
    interval: float = 60.0
    valid_for: float = 3600.0
    fields: tuple[str, ...] = ("category", "priority", "created", "due")
    time_zone: tzinfo | None = None


class BoardSettings(NamedTuple):
    """One board: a query, and when its tickets are overdue.

    `overdue_after` has seconds by the status, name or id, or its category; `sla` the SLA fields that count, names or
    ids, or ALL_SLA. `interval` is None where it is the poller's.
    """

    name: str
    jql: str
    overdue_after: Mapping[str, float] = MappingProxyType({})
    overdue_since: OverdueSince = OverdueSince.CREATED
    due_date: bool = False
    sla: tuple[str, ...] = ()
    interval: float | None = None
    max_tickets: int = MAX_TICKETS


class HomeAssistantSettings(NamedTuple):
    """Whether Home Assistant is told of nodes and pollers, and where. `status_topic` is None where it is the usual."""

    enabled: bool = True
    discovery_prefix: str = "homeassistant"
    status_topic: str | None = None

    @property
    def birth_topic(self) -> str:
        """Where Home Assistant says that it has started."""
        return self.status_topic or f"{self.discovery_prefix}/status"


class Settings(NamedTuple):
    """All of config.yaml, and of the command line. `node` and `poller` are None where the file has no such part.

    `file` is the whole name of the file, for people to read; empty where there is none.
    """

    mqtt: MqttSettings
    node: NodeSettings | None
    strips: tuple[StripSettings, ...]
    looks: tuple[Look, ...]
    overdue_effect: Effect
    poller: PollerSettings | None
    boards: tuple[BoardSettings, ...]
    ws281x: Ws281xSettings = Ws281xSettings()
    home_assistant: HomeAssistantSettings = HomeAssistantSettings()
    log_level: LogLevel = LogLevel.INFO
    file: str = ""
