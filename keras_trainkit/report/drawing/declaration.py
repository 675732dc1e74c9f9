"""A figure, declared once: what it shows, where it stands, how it is drawn."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from keras_trainkit.record.readings import Readings
from keras_trainkit.record.training_record import TrainingRecord
from keras_trainkit.report.drawing.notebook import figure
from keras_trainkit.report.drawing.specification import Specification

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Source = TrainingRecord | str | os.PathLike[str]


class Declaration(NamedTuple):
    """One figure of the page; a file of `figures/` keeps its own in `FIGURES`.

    Args:
        words: What it shows, as a page says that it is missing.
        place: Where it stands among the others, the smallest first.
        draw: Draws it, `None` if the record holds nothing to draw.
    """

    words: str
    place: int
    draw: Callable[[Readings], Specification | None]

    def plotted(self, record: Source) -> "Figure":
        """Draws it alone, for a notebook; an empty figure that says so if it must."""
        return figure(self.draw(Readings.of(record)), self.words)
