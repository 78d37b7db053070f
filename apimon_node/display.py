"""The display: one strip's part of a node, from the picture to its frame at a moment. Pure."""

from apimon_node.picture.effects import period
from apimon_node.picture.layout import Picture, Pixel
from apimon_node.picture.painting import HEARTBEAT, STATUS, Output, Painting, Status, compose
from apimon_node.settings import NodeSettings, StatusPixel, StripSettings


class Display:
    """What a strip shows. The node says what; this says how."""

    def __init__(self, strip: StripSettings, node: NodeSettings) -> None:
        self.settings = strip
        self._period = period(node.render_interval)
        self._output = Output(strip.order, strip.gamma, strip.brightness, strip.reverse, strip.max_milliamps)
        self._row: tuple[Pixel, ...] = ()
        self._painting = Painting((), self._output)
        self.picture: Picture | None = None
        self.status = Status.OK
        self.unmatched = 0

    def show(
        self, picture: Picture, *, status: Status, dimmed: bool, over: tuple[Pixel, ...] | None, unmatched: int
    ) -> bool:
        """Set what should be seen from now on, with what lies over all of it; tell whether that differs from before."""
        self.picture, self.status, self.unmatched = picture, status, unmatched
        last = len(picture.pixels) - 1
        row = over or compose(
            picture,
            dimmed=dimmed,
            status=self._status_pixel(status),
            status_at=last if self.settings.status_pixel is StatusPixel.LAST else 0,
        )
        if row == self._row:
            return False
        self._row = row
        self._painting = Painting(row, self._output, self._period)
        return True

    @property
    def drawn(self) -> bool:
        """Tell whether there is anything to be seen yet."""
        return bool(self._row)

    @property
    def animated(self) -> bool:
        """Tell whether frames differ over time."""
        return self._painting.animated

    def frame(self, now: float) -> bytes:
        """Give the frame at a moment (monotonic seconds), as it goes out on the wire."""
        return self._painting.frame(now)

    def dark(self) -> bytes:
        """Give the frame of a strip that is off."""
        return bytes(self.settings.pixels * self.settings.channels)

    @property
    def limited(self) -> bool:
        """Tell whether the strip is dimmed to its limit of current."""
        return self._painting.limited

    def report(self) -> dict[str, object]:
        """Give the strip's part of the status topic."""
        return {
            "driver": self.settings.driver,
            "pixels": self.settings.pixels,
            "unmatched": self.unmatched,
            "limited": self.limited,
            "milliamps": round(self._painting.milliamps),
        }

    def content(self) -> dict[str, object] | None:
        """Give the message of the strips topic: the tickets on the strip before anything is laid over them."""
        if self.picture is None:
            return None
        return {
            "pixels": [bytes(pixel.color).hex() for pixel in self.picture.pixels],
            "effects": [None if pixel.effect == "steady" else pixel.effect for pixel in self.picture.pixels],
            "overflow": self.picture.overflow,
            "status": self.status.value,
            "limited": self.limited,
        }

    def _status_pixel(self, status: Status) -> Pixel | None:
        if self.settings.status_pixel is StatusPixel.NONE:
            return None
        return STATUS.get(status) or (HEARTBEAT if self.settings.heartbeat else None)
