"""Sizes of gradients and weights."""

from typing import TYPE_CHECKING

from keras_trainkit.record.readings import Readings
from keras_trainkit.report.drawing.declaration import Declaration, Source
from keras_trainkit.report.drawing.measured import draw_measures
from keras_trainkit.report.drawing.specification import Specification

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_MEASURES = ("gradient_norm", "weight_norm")


def weight_and_gradient_norms(record: Source) -> "Figure":
    """Draws the Euclidean norms of gradients and weights by variable.

    Args:
        record: The record, its file, or the run directory.
    """
    return FIGURES[0].plotted(record)


def draw(readings: Readings) -> Specification | None:
    """Draws the norms of gradients and weights, variable by variable."""
    return draw_measures(
        readings,
        _MEASURES,
        name="norms",
        title="Norms of gradients and weights",
        caption="Gradients that shrink or grow by orders of magnitude from layer to "
        "layer vanish or explode; weights that only ever grow want weight decay or a "
        "smaller rate. The most extreme first.",
        layout={"yaxis": {"title": {"text": "Euclidean norm"}}},
        wide=True,
    )


FIGURES = (Declaration("norms of gradients and weights", 80, draw, _MEASURES),)
