"""Sizes of gradients and weights."""

import numpy as np

from keras_trainkit.record.readings import Readings
from keras_trainkit.report.figures.measured import draw_measures
from keras_trainkit.report.figures.specification import Specification

_MEASURES = {
    "gradient_norm": "Gradients",
    "weight_norm": "Weights",
}


def draw(readings: Readings) -> Specification | None:
    """Draws the norms of gradients and weights, variable by variable."""
    return draw_measures(
        readings,
        _MEASURES,
        badness=_extremity,
        logarithmic=True,
        name="norms",
        title="Norms of gradients and weights",
        caption="Gradients that shrink or grow by orders of magnitude from layer to "
        "layer vanish or explode; weights that only ever grow want weight decay or a "
        "smaller rate. The most extreme first.",
        layout={"yaxis": {"title": {"text": "Euclidean norm"}}},
        wide=True,
    )


def _extremity(norm: float) -> float:
    """Distance from 1 in decades; a norm of 0 is the most extreme."""
    return abs(float(np.log10(norm))) if norm > 0 else np.inf
