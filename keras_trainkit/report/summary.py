"""The few numbers on top of the page."""

from typing import Any

import numpy as np

from keras_trainkit.record.readings import Readings
from keras_trainkit.record.series import Series
from keras_trainkit.record.vocabulary import measure_named
from keras_trainkit.report.drawing.specification import number
from keras_trainkit.report.drawing.tile import Tile


def summarise(readings: Readings, live: bool) -> list[Tile]:
    """Returns the tiles of a record, leaving out what was not recorded."""
    return [
        _status(readings.record.metadata, live),
        *_progress(readings),
        *_latest_metrics(readings),
        *_gap(readings),
        *_worst_ratio(readings),
        *_most_dead(readings),
        *_finiteness(readings),
        *_overhead(readings.record.metadata),
    ]


def _status(metadata: dict[str, Any], live: bool) -> Tile:
    started = _moment(metadata.get("started"))
    note = f"since {started}" if started else ""
    if live:
        return Tile("Status", "running", note)
    status = metadata.get("status")
    if status == "running":
        updated = _moment(metadata.get("updated"))
        words = "was still running when last written"
        return Tile("Status", "not finished", f"{words} {updated}".strip(), "warning")
    if status in ("finished", "interrupted"):
        return Tile("Status", status, note, "warning" if status != "finished" else "")
    return Tile("Status", "recorded", note)


def _progress(readings: Readings) -> list[Tile]:
    steps, epochs, _ = readings.arrays(Series("loss"))
    last_step = int(steps[-1]) if len(steps) else -1
    done = int(epochs.max()) if len(steps) else 0
    for measure in _epoch_measures(readings):
        steps, epochs, _ = readings.arrays(Series(measure))
        last_step = max(last_step, int(steps[-1]))
        done = max(done, int(epochs.max()) + 1)
    if last_step < 0:
        return [Tile("Progress", "nothing recorded yet")]
    planned = readings.record.metadata.get("epochs")
    of = f" of {planned}" if isinstance(planned, int) else ""
    note = f"{last_step + 1:,} steps".replace(",", "\u202f")
    return [Tile("Epochs done", f"{done}{of}", note)]


def _epoch_measures(readings: Readings) -> list[str]:
    names = []
    for metric in readings.metrics:
        train, _ = readings.training_series(metric)
        validation = readings.validation_series(metric)
        names += [series.measure for series in (train, validation) if series]
    return names


def _latest_metrics(readings: Readings) -> list[Tile]:
    tiles = []
    for metric in readings.metrics[:2]:
        validation = readings.validation_series(metric)
        train, _ = readings.training_series(metric)
        notes = []
        if validation:
            value = readings.latest(validation)
            if train:
                notes.append(f"training {number(readings.latest(train))}")
            if best := _best(readings, validation, metric):
                notes.append(best)
            tiles.append(_metric_tile(f"Validation {metric}", value, notes))
        elif train:
            tiles.append(_metric_tile(f"Training {metric}", readings.latest(train), []))
    if not tiles and len(readings.arrays(Series("loss"))[2]):
        value = readings.latest(Series("loss"))
        tiles.append(_metric_tile("Loss of a batch", value, []))
    return tiles


def _metric_tile(name: str, value: float, notes: list[str]) -> Tile:
    state = "" if np.isfinite(value) else "bad"
    return Tile(name.replace("_", " "), number(value), ", ".join(notes), state)


def _best(readings: Readings, validation: Series, metric: str) -> str:
    """Only for the loss: whether a smaller metric is better is not in the record."""
    _, epochs, values = readings.arrays(validation)
    if metric != "loss" or not np.isfinite(values).any():
        return ""
    row = int(np.nanargmin(np.where(np.isfinite(values), values, np.nan)))
    return f"lowest {number(float(values[row]))} in epoch {epochs[row]}"


def _gap(readings: Readings) -> list[Tile]:
    tiles = []
    for series in readings.select("overfitting_gap"):
        if series.metric not in ("", "loss"):
            continue
        trend_series = series._replace(measure="overfitting_gap_trend")
        trend = readings.latest(trend_series)
        note = f"{trend:+.2g} an epoch" if np.isfinite(trend) else ""
        tiles.append(Tile("Overfitting gap", number(readings.latest(series)), note))
    return tiles


def _worst_ratio(readings: Readings) -> list[Tile]:
    worst = _worst(readings, "update_ratio")
    if worst is None:
        return []
    value = readings.latest(worst)
    band = measure_named("update_ratio").healthy
    assert band is not None
    if not np.isfinite(value):
        state, words = "bad", "not finite"
    elif band.holds(value):
        state, words = "good", "within 1e-4 to 1e-2"
    else:
        low = value < band.low
        state, words = "warning", "below 1e-4" if low else "above 1e-2"
    return [
        Tile(
            "Worst update ratio", number(value), f"{worst.tensor_name}, {words}", state
        )
    ]


def _most_dead(readings: Readings) -> list[Tile]:
    worst = _worst(readings, "dead_fraction")
    if worst is None:
        return []
    value = readings.latest(worst)
    band = measure_named("dead_fraction").healthy
    state = "" if band is not None and band.holds(value) else "warning"
    note = "in any layer" if value == 0 else worst.layer
    text = f"{value:.0%}" if np.isfinite(value) else number(value)
    return [Tile("Most dead units", text, note, state)]


def _worst(readings: Readings, name: str) -> Series | None:
    measure = measure_named(name)

    def rank(series: Series) -> float:
        value = readings.latest(series)
        return measure.badness(value) if np.isfinite(value) else np.inf

    return max(readings.select(name), key=rank, default=None)


def _finiteness(readings: Readings) -> list[Tile]:
    first = readings.first_nonfinite
    if first is not None:
        tensor = first.series.tensor_name
        note = f"first at step {first.step} (epoch {first.epoch}): {tensor}"
        return [Tile("NaN or infinity", f"{first.count} values", note, "bad")]
    if readings.select("nonfinite_count"):
        return [Tile("NaN or infinity", "none", "in any tensor measured", "good")]
    return []


def _overhead(metadata: dict[str, Any]) -> list[Tile]:
    overhead = metadata.get("overhead")
    if not isinstance(overhead, int | float) or not np.isfinite(overhead):
        return []
    return [Tile("Cost of watching", f"{overhead:.1%}", "of the training time")]


def _moment(stamp: Any) -> str:
    """An ISO moment to the minute, as it was written down."""
    return str(stamp)[:16].replace("T", " ") if stamp else ""
