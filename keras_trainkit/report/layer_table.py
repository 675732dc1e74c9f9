"""The table of layers: one row a variable, the present value of each measure."""

from typing import NamedTuple

import numpy as np

from keras_trainkit.record.readings import Readings
from keras_trainkit.record.vocabulary import Measure, registered

# Measured of layers and variables, but no column here.
_LEFT_OUT = (
    "update_norm",
    "activation_gradient_mean",
    "filter_smoothness",
    "noise_smoothness",
)


class Cell(NamedTuple):
    """A number as written, as sorted by, and whether it stands out."""

    text: str
    key: float | None
    state: str = ""


class Row(NamedTuple):
    """A variable of a layer, or a layer without any.

    The first row of a layer bears the anchor by which findings lead to it, others "".
    """

    layer: str
    variable: str
    place: int
    cells: list[Cell]
    anchor: str = ""


class Table(NamedTuple):
    """All variables, those of the most conspicuous layer first."""

    columns: list[str]
    rows: list[Row]


def tabulate(readings: Readings) -> Table:
    """Returns the table; without rows if nothing was recorded of any layer."""
    measures = _columns(readings)
    found: dict[str, dict[str, dict[str, float]]] = {}
    for measure in measures:
        for series in readings.select(measure.name):
            of_layer = found.setdefault(series.layer, {})
            of_variable = of_layer.setdefault(series.variable, {})
            of_variable[measure.name] = readings.latest(series)
    rows = []
    for place, layer in enumerate((*readings.layers, "")):
        of_layer = found.get(layer, {})
        whole = of_layer.pop("", {})
        variables = of_layer or {"": {}}
        if not whole and not of_layer:
            continue
        badness = max(
            _badness(measures, {**whole, **values}) for values in variables.values()
        )
        own = []
        for number, (variable, values) in enumerate(variables.items()):
            values = {**whole, **values} if not number else values
            cells = [_cell(measure, values.get(measure.name)) for measure in measures]
            anchor = "" if number else f"layer-{place}"
            own.append(Row(layer, variable, place, cells, anchor))
        rows.append((badness, own))
    rows.sort(key=lambda item: -item[0])
    columns = [measure.words for measure in measures]
    return Table(columns, [row for _, own in rows for row in own])


def _columns(readings: Readings) -> list[Measure]:
    """All that is measured of layers and variables: ours in the known order first."""
    places = {measure.name: place for place, measure in enumerate(registered())}
    names = sorted(
        readings.record.measures, key=lambda name: places.get(name, len(places))
    )
    measures = [readings.record.measure(name) for name in names]
    return [
        measure
        for measure in measures
        if measure.of in ("layer", "variable")
        and not measure.bins
        and measure.name not in _LEFT_OUT
    ]


def _cell(measure: Measure, value: float | None) -> Cell:
    if value is None:
        return Cell("", None)
    if not np.isfinite(value):
        return Cell(measure.written(value), None, "bad")
    # A ratio is judged by the course of a run, not by where it is now.
    judged = measure.healthy is not None and measure.healthy.aim is None
    warns = judged and not measure.healthy.holds(value)  # type: ignore[union-attr]
    return Cell(measure.written(value), value, "warning" if warns else "")


def _badness(measures: list[Measure], values: dict[str, float]) -> float:
    """Not finite before dead before an update ratio far from 1/1000."""
    if not all(np.isfinite(value) for value in values.values()):
        return np.inf
    total = 0.0
    for measure in measures:
        if measure.healthy is not None and measure.name in values:
            weight = 4.0 if measure.unit == "fraction" else 1.0
            total += weight * min(measure.badness(values[measure.name]), 8.0)
    return total
