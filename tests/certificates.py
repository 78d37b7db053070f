"""Certificates for brokers and their clients: good ones, and one for each way of being wrong."""

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import trustme

HOST = "broker.test"
"""What the certificates of our brokers are for, beside the loopback address."""

PAST, FUTURE = datetime(2000, 1, 2, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class Pair(NamedTuple):
    """The files of a certificate and its key."""

    cert: Path
    key: Path


class Authority:
    """Signs certificates; `file` is its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self._ca = trustme.CA()
        self._folder = folder
        self.file = folder / f"{name}.pem"
        self._ca.cert_pem.write_to_path(str(self.file))

    def issue(
        self, name: str, *hosts: str, not_before: datetime | None = None, not_after: datetime | None = None
    ) -> Pair:
        made = self._ca.issue_cert(
            *(hosts or ("127.0.0.1", HOST)), common_name=name, not_before=not_before, not_after=not_after
        )
        pair = Pair(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        pair.cert.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        made.private_key_pem.write_to_path(str(pair.key))
        return pair


def secured(port: int, pair: Pair, more: str = "") -> str:
    """Write mosquitto's configuration of a listener with TLS."""
    return f"listener {port} 127.0.0.1\ncertfile {pair.cert}\nkeyfile {pair.key}\n{more}"
