"""Units that never speak, seldom speak, or always shout."""

from typing import TYPE_CHECKING

from keras_trainkit.record.readings import Readings
from keras_trainkit.report.drawing.declaration import Declaration, Source
from keras_trainkit.report.drawing.measured import draw_measures
from keras_trainkit.report.drawing.specification import Specification

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_MEASURES = ("dead_fraction", "zero_fraction", "saturated_fraction")


def silent_units(record: Source) -> "Figure":
    """Draws the dead, zero and saturated fractions of the layers, the worst first.

    Args:
        record: The record, its file, or the run directory.
    """
    return FIGURES[0].plotted(record)


def draw(readings: Readings) -> Specification | None:
    """Draws the dead, zero and saturated fractions of the layers."""
    return draw_measures(
        readings,
        _MEASURES,
        name="silent-units",
        title="Dead, silent and saturated units",
        caption="Zeros are normal: a sparse ReLU layer has half to three quarters of "
        "them. A dead unit is silent on every batch of an epoch and learns nothing; "
        "a saturated one passes hardly any gradient back.",
        layout={"yaxis": {"title": {"text": "Fraction"}, "range": [-0.03, 1.03]}},
    )


FIGURES = (Declaration("dead, silent and saturated units", 60, draw, _MEASURES),)
