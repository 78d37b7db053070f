"""Why the broker cannot be reached, or refuses us: a sentence for each, which says what to do. Pure.

What to do comes last, after a colon, and begins with `check` or `set`: `apimon-node doctor` parts it there.
"""

from collections.abc import Mapping

from apimon_node import wire
from apimon_node.config.settings import MqttSettings, TlsSettings

UNSUPPORTED_PROTOCOL = "Unsupported protocol version"
"""paho's name of CONNACK 132 (MQTT 5) and 1 (3.1.1)."""

NOT_AUTHORIZED = "Not authorized"

REASONS = {
    "Bad user name or password": "refuses the user name or password: check mqtt.username and its password",
    NOT_AUTHORIZED: "does not let us in: check mqtt.username, its password and the broker's access list",
    "Client identifier not valid": "refuses our client id {id}: check its access list",
    "Session taken over": "let another client take our place: check who else uses the id {id}",
    "Retain not supported": "keeps no messages (retain), which nodes need: check its configuration",
    "QoS not supported": "confirms no messages (QoS 1), which nodes need: check its configuration",
    "Packet too large": "ended the connection because a message was too large: check its limit for packets",
    UNSUPPORTED_PROTOCOL: "does not speak this version of MQTT: set mqtt.protocol to auto",
}
"""By paho's names of the reason codes of CONNACK and DISCONNECT."""

TLS_ALERT, HTTP, CONNACK = b"\x15", b"H", b"\x20"
"""What an answer begins with: an alert of TLS (RFC 8446, section 5.1), HTTP, or MQTT."""

FOREIGN = frozenset([TLS_ALERT, HTTP])
"""Answers that another version of MQTT would not change."""


def refused(mqtt: MqttSettings, reason: str, client_id: str) -> str:
    """Return why the broker does not take the connection, by paho's name of the reason."""
    if reason == NOT_AUTHORIZED and mqtt.username is None:
        return f"the broker at {mqtt.address} does not let us in without a user: set mqtt.username and its password"
    text = REASONS.get(reason, "refuses the connection: " + reason)
    return f"the broker at {mqtt.address} {text.format(id=client_id)}"


def ended(mqtt: MqttSettings, reason: str, client_id: str) -> str:
    """Return why the broker ended the connection, where it told."""
    text = REASONS.get(reason, "ended the connection: " + reason)
    return f"the broker at {mqtt.address} {text.format(id=client_id)}"


def unanswered(mqtt: MqttSettings, first: bytes) -> str:
    """Return what may be wrong where a connection ends before the broker has let us in; `first` is its first byte."""
    if first == TLS_ALERT:
        return f"{mqtt.address} speaks TLS: set mqtt.tls, or another mqtt.port"
    if first == HTTP:
        return f"{mqtt.address} speaks HTTP: check mqtt.port, or set mqtt.transport to websockets"
    if first == CONNACK:
        return refused(mqtt, UNSUPPORTED_PROTOCOL, "")
    mend = "check that an MQTT broker listens there"
    if mqtt.tls is None:
        mend += ", without TLS"
    elif mqtt.tls.cert_file is None:
        mend = "check whether it asks for a certificate of ours (mqtt.tls.cert_file)"
    return f"{mqtt.address} hung up before it answered: {mend}"


def lost_again(mqtt: MqttSettings, client_id: str) -> str:
    """Return what may be wrong where connections end soon and the broker does not say why, as with MQTT 3.1.1."""
    mend = f"check whether another client uses the id {client_id}, or a message is too large, and what its log says"
    return f"the connection to the broker at {mqtt.address} is lost again and again soon after it came about: {mend}"


# Messages


def denied(who: str, what: str, topic: str) -> str:
    """Return the text for a topic that the broker does not let `who` (this node, this poller, us) read or write."""
    return f"the broker refuses to let {who} {what} {topic}: check its access list"


def not_taken(topic: str, reason: str) -> str:
    """Return why the broker has not taken a message, where that is not for its access list; else nothing."""
    return "" if reason == NOT_AUTHORIZED else f"the broker does not take {topic}: {reason}"


def too_large(topic: str, size: int) -> str:
    """Return the text for a message that is not sent, since the broker would not take it."""
    return f"{topic} is larger than the broker takes ({size} bytes)"


# Before the first word of MQTT


def unreachable(mqtt: MqttSettings, err: OSError | ValueError) -> str:
    """Return why there is no connection. ValueError: a host name that can not be one."""
    if mqtt.socket is not None:
        for kind, text in UNIX.items():
            if isinstance(err, kind):
                return text.format(socket=mqtt.socket)
    reason = "timed out" if isinstance(err, TimeoutError) else getattr(err, "strerror", None) or str(err)
    return f"cannot reach the broker at {mqtt.address}: {reason}"


UNIX: Mapping[type[OSError], str] = {
    FileNotFoundError: "there is no socket {socket}: check mqtt.socket, and whether the broker runs and listens there",
    PermissionError: "we may not use the socket {socket}: check its mode, its group, and that of its folder",
    ConnectionRefusedError: "nobody listens on the socket {socket}: check whether the broker runs",
}


def mute(mqtt: MqttSettings, seconds: float) -> str:
    """Return the text for a peer that accepts the connection, and then does not answer."""
    ports = "for TLS (8883 as a rule)" if mqtt.tls is not None else "for websockets"
    return (
        f"{mqtt.address} took the connection, and said nothing within {seconds:g} s: check that its port is one {ports}"
    )


def websocket(mqtt: MqttSettings, status: int, first: bytes = b"") -> str:
    """Return why there is no websocket; `status` is HTTP's, or 0 for another answer, which began with `first`."""
    if first == TLS_ALERT:
        return unanswered(mqtt, first)
    if not status:
        tls = ", and whether it wants TLS" if mqtt.tls is None else ""
        return f"{mqtt.address} does not speak websockets: check mqtt.port and mqtt.transport{tls}"
    if status == 404:  # noqa: PLR2004 - HTTP: not found
        return f"{mqtt.address} has nothing at {mqtt.path} (HTTP 404): check mqtt.path"
    return f"{mqtt.address} does not open a websocket at {mqtt.path} (HTTP {status}): check mqtt.path and mqtt.port"


# TLS


def file(key: str, path: object, reason: str) -> str:
    """Return what is wrong with a file for TLS."""
    return f"mqtt.tls.{key} {path}: {reason}"


def no_pem(key: str) -> str:
    """Return the error for a file with the wrong content."""
    what = "private key" if key == "key_file" else "certificate"
    return f"there is no {what} in it (PEM, which begins with -----BEGIN)"


ENCRYPTED = "the key is encrypted: set it to one without a password (openssl pkey -in … -out …)"
MISMATCH = "it is not the key of cert_file: check which of the two is wrong"

EXPIRED, NOT_YET_VALID = 10, 9
NAMES = frozenset([62, 64])
UNKNOWN_CA = frozenset([2, 18, 19, 20, 21])
"""Results of OpenSSL's verification (X509_V_ERR_… in x509_vfy.h)."""


def certificate(mqtt: MqttSettings, code: int, message: str, now: float) -> str:
    """Return why the broker's certificate does not count; `now` is the wall clock's (seconds since 1970)."""
    tls = mqtt.tls or TlsSettings()
    broker = f"the certificate of the broker at {mqtt.address}"
    today = wire.format_time(int(now))[
        : len("2026-11-23")
    ]  # the time of day would make a new line in the log each time
    if code == EXPIRED:
        return f"{broker} has expired; the clock of this machine says {today}: check whether it is right, or renew it"
    if code == NOT_YET_VALID:
        return f"{broker} is not valid yet; the clock of this machine says {today}: check whether it is right"
    if code in NAMES:
        name = tls.server_name or mqtt.host
        return f"{broker} is not for {name}: set mqtt.tls.server_name to the name that it bears"
    if code in UNKNOWN_CA and tls.ca_file is None:
        return (
            f"{broker} is signed by nobody whom this system knows: set mqtt.tls.ca_file to the certificate of who did"
        )
    if code in UNKNOWN_CA:
        return f"{broker} is not signed by {tls.ca_file}: check mqtt.tls.ca_file"
    return f"{broker} does not count: check it ({message})"


WANTED = frozenset(["TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_HANDSHAKE_FAILURE"])
"""What a broker answers to one without a certificate, by OpenSSL's names: with TLS 1.3, and with 1.2."""

OURS = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED", "DECRYPT_ERROR")
"""Parts of the names of alerts by which a broker refuses our certificate."""

NO_TLS = frozenset(["WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNEXPECTED_EOF_WHILE_READING", "RECORD_LAYER_FAILURE"])
"""What becomes of TLS with somebody who does not speak it."""


def tls(mqtt: MqttSettings, reason: str) -> str:
    """Return why TLS does not come about, or ends, by OpenSSL's name of the reason."""
    _, alert, word = reason.partition("ALERT_")
    tls = mqtt.tls or TlsSettings()
    if reason in WANTED and tls.cert_file is None:
        return f"the broker at {mqtt.address} asks for a certificate of ours: set mqtt.tls.cert_file and key_file"
    if alert and any(part in word for part in OURS):
        words = word.lower().replace("_", " ")
        mend = "check mqtt.tls.cert_file, and who signed it"
        return f"the broker at {mqtt.address} refuses our certificate ({words}): {mend}"
    if reason in NO_TLS or not reason:
        return f"{mqtt.address} does not speak TLS: check mqtt.port (8883 as a rule), or set mqtt.tls to null"
    words = reason.lower().replace("_", " ")
    mend = "check which versions of TLS and which ciphers the broker has"
    return f"the broker at {mqtt.address} and we do not agree on TLS ({words}): {mend}"
