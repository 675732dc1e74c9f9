"""All that is measured and that no other figure shows."""

from typing import TYPE_CHECKING

from keras_trainkit.record.readings import Readings
from keras_trainkit.record.vocabulary import is_registered
from keras_trainkit.report.drawing.declaration import Declaration, Source, is_shown
from keras_trainkit.report.drawing.measured import draw_measures
from keras_trainkit.report.drawing.specification import Specification

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# Told elsewhere on the page, in a table or beside a picture.
_TOLD = ("nonfinite_count", "filter_smoothness", "noise_smoothness")


def other_measures(record: Source) -> "Figure":
    """Draws every measure that has no figure of its own, e.g. of your instruments.

    Args:
        record: The record, its file, or the run directory.

    Returns:
        One measure at a time; a menu chooses.
    """
    return FIGURES[0].plotted(record)


def draw(readings: Readings) -> Specification | None:
    """Draws the measures left over, one at a time."""
    own = readings.record.metadata.get("measures")
    described = set(own) if isinstance(own, dict) else set()
    left = [
        name
        for name in readings.record.measures
        if (is_registered(name) or name in described)
        and not is_shown(name)
        and name not in _TOLD
        and not readings.record.measure(name).bins
    ]
    return draw_measures(
        readings,
        left,
        name="other-measures",
        title="Other measures",
        caption="What else was measured, instruments of your own included.",
        layout={"yaxis": {"title": {"text": ""}}},
    )


FIGURES = (Declaration("other measures", 100, draw),)
