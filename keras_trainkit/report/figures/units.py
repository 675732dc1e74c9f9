"""Units that never speak, seldom speak, or always shout."""

from keras_trainkit.record.readings import Readings
from keras_trainkit.report.figures.measured import draw_measures
from keras_trainkit.report.figures.specification import Specification

_MEASURES = ("dead_fraction", "zero_fraction", "saturated_fraction")


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
