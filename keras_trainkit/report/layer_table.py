"""The table of layers: one row each, the present value of everything measured."""

from typing import NamedTuple

import numpy as np

from keras_trainkit.record.readings import Readings
from keras_trainkit.record.series import Series
from keras_trainkit.record.vocabulary import Measure, measure_named, registered

# Measured of layers and variables, but no column here.
_LEFT_OUT = ("update_norm", "activation_gradient_mean", "filter_smoothness")


class Cell(NamedTuple):
    """A number as written, as sorted by, and whether it stands out."""

    text: str
    key: float | None
    state: str = ""


class Row(NamedTuple):
    """A layer."""

    layer: str
    place: int
    cells: list[Cell]


class Table(NamedTuple):
    """All layers, the most conspicuous first."""

    columns: list[str]
    rows: list[Row]


def tabulate(readings: Readings) -> Table:
    """Returns the table; without rows if nothing was recorded of any layer."""
    measures = _columns(readings)
    recorded: dict[Measure, dict[str, list[Series]]] = {
        measure: {} for measure in measures
    }
    for measure, of_layer in recorded.items():
        for series in readings.select(measure.name):
            of_layer.setdefault(series.layer, []).append(series)
    rows = []
    for place, layer in enumerate(readings.layers):
        values = {
            measure: _worst(readings, measure, of_layer.get(layer, []))
            for measure, of_layer in recorded.items()
        }
        if any(value is not None for value in values.values()):
            cells = [_cell(measure, value) for measure, value in values.items()]
            rows.append((_badness(values), Row(layer, place, cells)))
    rows.sort(key=lambda item: -item[0])
    columns = [measure.words for measure in measures]
    return Table(columns, [row for _, row in rows])


def _columns(readings: Readings) -> list[Measure]:
    """All that is measured of layers and variables: ours in the known order first."""
    places = {measure.name: place for place, measure in enumerate(registered())}
    names = sorted(
        readings.record.measures, key=lambda name: places.get(name, len(places))
    )
    measures = [measure_named(name) for name in names]
    return [
        measure
        for measure in measures
        if measure.of in ("layer", "variable")
        and not measure.bins
        and measure.name not in _LEFT_OUT
    ]


def _worst(readings: Readings, measure: Measure, chosen: list[Series]) -> float | None:
    """One number for all variables of a layer: what is worst among them."""
    values = [readings.latest(series) for series in chosen]
    if not values:
        return None
    bad = [value for value in values if not np.isfinite(value)]
    if bad:
        return bad[0]
    return max(values, key=measure.badness if measure.healthy else float)


def _cell(measure: Measure, value: float | None) -> Cell:
    if value is None:
        return Cell("", None)
    if not np.isfinite(value):
        return Cell(measure.written(value), None, "bad")
    healthy = measure.healthy is None or measure.healthy.holds(value)
    return Cell(measure.written(value), value, "" if healthy else "warning")


def _badness(values: dict[Measure, float | None]) -> float:
    """Not finite before dead before an update ratio far from 1/1000."""
    known = [value for value in values.values() if value is not None]
    if not all(np.isfinite(known)):
        return np.inf
    total = 0.0
    for measure, value in values.items():
        if measure.healthy is None or value is None:
            continue
        weight = 4.0 if measure.unit == "fraction" else 1.0
        total += weight * min(measure.badness(value), 8.0)
    return total
