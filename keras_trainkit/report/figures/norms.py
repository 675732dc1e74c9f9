"""Sizes of gradients and weights."""

from keras_trainkit.record.readings import Readings
from keras_trainkit.report.figures.measured import draw_measures
from keras_trainkit.report.figures.specification import Specification

_MEASURES = ("gradient_norm", "weight_norm")


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
