"""Which drivers there are, and where the library of one lies."""

from importlib.util import find_spec

from apimon_node.process.extras import need

HARDWARE = ("spi", "ws281x")
DRIVERS = ("terminal", "memory", *HARDWARE)


def library() -> str:
    """Return the path of the C library. Raises InstallError where it is missing."""
    need("ws281x", "_rpi_ws281x")
    spec = find_spec("_rpi_ws281x")
    assert spec is not None
    assert spec.origin is not None
    return spec.origin
