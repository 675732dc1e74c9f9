"""The table of layers: one row each, the present value of everything measured."""

from typing import NamedTuple

import numpy as np

from keras_trainkit.record.readings import Readings
from keras_trainkit.record.training_record import Series
from keras_trainkit.report.figures.ratios import BAND, distance
from keras_trainkit.report.figures.specification import number

_COLUMNS = {
    "update_ratio": "Update ratio",
    "gradient_norm": "Gradient norm",
    "weight_norm": "Weight norm",
    "activation_mean": "Activation mean",
    "activation_std": "Activation deviation",
    "activation_gradient_std": "Gradient deviation",
    "zero_fraction": "Zero",
    "saturated_fraction": "Saturated",
    "dead_fraction": "Dead",
}
_FRACTIONS = ("zero_fraction", "saturated_fraction", "dead_fraction")


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
    recorded: dict[str, dict[str, list[Series]]] = {
        measure: {} for measure in _COLUMNS if readings.select(measure)
    }
    for measure, of_layer in recorded.items():
        for series in readings.select(measure):
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
    columns = [_COLUMNS[measure] for measure in recorded]
    return Table(columns, [row for _, row in rows])


def _worst(readings: Readings, measure: str, chosen: list[Series]) -> float | None:
    """One number for all variables of a layer: what is worst among them."""
    values = [readings.latest(series) for series in chosen]
    if not values:
        return None
    bad = [value for value in values if not np.isfinite(value)]
    if bad:
        return bad[0]
    return max(values, key=distance) if measure == "update_ratio" else max(values)


def _cell(measure: str, value: float | None) -> Cell:
    if value is None:
        return Cell("", None)
    if not np.isfinite(value):
        return Cell(number(value), None, "bad")
    if measure in _FRACTIONS:
        many = measure == "dead_fraction" and value >= 0.5
        return Cell(f"{value:.0%}", value, "warning" if many else "")
    outside = measure == "update_ratio" and not BAND[0] <= value <= BAND[1]
    return Cell(number(value), value, "warning" if outside else "")


def _badness(values: dict[str, float | None]) -> float:
    """Not finite before dead before an update ratio far from 1/1000."""
    known = [value for value in values.values() if value is not None]
    if not all(np.isfinite(known)):
        return np.inf
    ratio = values.get("update_ratio")
    dead = values.get("dead_fraction") or 0.0
    return 4.0 * dead + (min(distance(ratio), 8.0) if ratio is not None else 0.0)
