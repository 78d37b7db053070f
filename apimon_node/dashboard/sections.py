"""The sections: the overview as JSON-able values by id, for pages and other programs. Pure."""

from apimon_node.dashboard.overview import Overview


class Sections:
    """Makes sections of one overview after another: the section of a part that is as it was is the same object."""

    def of(self, overview: Overview) -> dict[str, object]:
        """Give all sections by their ids."""
        raise NotImplementedError


def sections(overview: Overview) -> dict[str, object]:
    """Give the sections of a single overview."""
    return Sections().of(overview)
