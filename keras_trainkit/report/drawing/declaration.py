"""A figure, declared once: what it shows, where it stands, how it is drawn."""

import dataclasses
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from keras_trainkit.record.readings import Readings
from keras_trainkit.record.training_record import TrainingRecord
from keras_trainkit.report.drawing.fit_marks import mark_fits
from keras_trainkit.report.drawing.notebook import figure
from keras_trainkit.report.drawing.specification import Specification

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# What the figures declared so far show.
_shown: set[str] = set()

Source = TrainingRecord | str | os.PathLike[str]


@dataclasses.dataclass(frozen=True)
class Declaration:
    """One figure of the page; a file of `figures/` keeps its own in `FIGURES`.

    Args:
        words: What it shows, as a page says that it is missing.
        place: Where it stands among the others, the smallest first.
        draw: Draws it, `None` if the record holds nothing to draw.
        measures: Measures that it shows; those that no figure shows get one of
            their own.
    """

    words: str
    place: int
    draw: Callable[[Readings], Specification | None]
    measures: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _shown.update(self.measures)

    def drawn(self, readings: Readings) -> Specification | None:
        """Draws it, with a line where each later `fit` began."""
        specification = self.draw(readings)
        if specification is not None:
            mark_fits(readings, specification)
        return specification

    def plotted(self, record: Source | Readings) -> "Figure":
        """Draws it alone, for a notebook; an empty figure that says so if it must."""
        return figure(self.drawn(Readings.of(record)), self.words)


def is_shown(measure: str) -> bool:
    """Whether a figure that was declared shows a measure."""
    return measure in _shown
