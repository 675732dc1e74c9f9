"""Where on the page a finding can be seen: its figures, and its layer's row."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

from keras_trainkit.finding import Finding
from keras_trainkit.report.drawing.declaration import Declaration, is_shown
from keras_trainkit.report.drawing.specification import Specification
from keras_trainkit.report.layer_table import Table

_MOST_FIGURES = 2
_FILTERS = ("filter_smoothness", "noise_smoothness")
_OTHERS = "other-measures"


class Link(NamedTuple):
    """A place on the page, and what is to be seen there."""

    anchor: str
    words: str


@dataclasses.dataclass(frozen=True)
class Places:
    """What stands on a page, as findings ask for it.

    Args:
        figures: Each declared figure with what was drawn of it, `None` for nothing.
        table: The layers.
        filters: Whether the filters are shown.
    """

    figures: Mapping[Declaration, Specification | None]
    table: Table
    filters: bool

    def __call__(self, finding: Finding) -> list[Link]:
        """Returns the figures that show a finding, two at most, and its layer."""
        found: dict[str, str] = {}
        for measure in finding.measures:
            link = self._figure(measure)
            if link is not None and len(found) < _MOST_FIGURES:
                found.setdefault(*link)
        for row in self.table.rows:
            if row.anchor and row.layer and row.layer == finding.where:
                found[row.anchor] = f"Layer {row.layer}"
        return [Link(*item) for item in found.items()]

    def _figure(self, measure: str) -> Link | None:
        if measure in _FILTERS:
            words = "Filters of the first layer"
            return Link("figure-filters", words) if self.filters else None
        for declaration, drawing in self.figures.items():
            shows = measure in declaration.measures or (
                drawing is not None
                and drawing.name == _OTHERS
                and not is_shown(measure)
            )
            if drawing is not None and shows:
                return Link(f"figure-{drawing.name}", drawing.title)
        return None
