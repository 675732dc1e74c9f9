"""The few numbers on top of the page."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_trainkit.finding import Finding
from keras_trainkit.record.readings import Readings
from keras_trainkit.record.series import Series
from keras_trainkit.record.vocabulary import measure_named
from keras_trainkit.report.drawing.specification import number
from keras_trainkit.report.drawing.tile import Tile
from keras_trainkit.report.progress import Progress, duration, moment, progress_of
from keras_trainkit.report.verdict import STATES, unfinished

# Biases and scales may start at zero; these tell of a whole layer.
_KERNELS = ("kernel", "embeddings")
_FIRST_STEPS = 50
_LEVEL = 1e-9  # of the gap itself, an epoch
_STANDS_OUT = 30  # times the median of the first steps


def summarise(
    readings: Readings, live: bool, findings: Sequence[Finding] | None = None
) -> list[Tile]:
    """Returns the tiles of a record, leaving out what was not recorded.

    A tile raises an alarm only where a finding does, or where a number is not finite:
    what stands side by side must agree.
    """
    found = [one for finding in findings or () for one in (finding, *finding.symptoms)]
    progress = progress_of(readings)
    return [
        _status(readings.record.metadata, live),
        *_progress(progress),
        *_time(progress, live),
        *_latest_metrics(readings),
        *_gap(readings, found),
        *_ratio(readings, found),
        *_most_dead(readings, found),
        *_finiteness(readings),
        *_overhead(readings.record.metadata),
    ]


def _state(findings: Sequence[Finding], *words: str) -> str:
    """The state of a tile, from the findings whose code or category has a word."""
    states = [
        STATES[one.severity]
        for one in findings
        if any(word in f"{one.code} {one.category}" for word in words)
    ]
    return max(states, key=("", "warning", "bad").index, default="")


def _status(metadata: dict[str, Any], live: bool) -> Tile:
    started = _moment(metadata.get("started"))
    note = f"since {started}" if started else ""
    if live:
        return Tile("Status", "running", note)
    status = metadata.get("status")
    state = "warning" if unfinished(metadata, live) else ""
    if status == "running":
        updated = _moment(metadata.get("updated"))
        words = "was still running when last written"
        return Tile("Status", "not finished", f"{words} {updated}".strip(), state)
    if status in ("finished", "interrupted"):
        return Tile("Status", status, note, state)
    return Tile("Status", "recorded", note)


def _progress(progress: Progress) -> list[Tile]:
    if not progress.steps:
        return [Tile("Progress", "nothing recorded yet")]
    of = f" of {progress.planned}" if progress.planned is not None else ""
    note = f"{progress.steps:,} steps".replace(",", "\u202f")
    return [Tile("Epochs done", f"{progress.epochs}{of}", note)]


def _time(progress: Progress, live: bool) -> list[Tile]:
    if progress.seconds is None:
        return []
    notes = []
    if live and progress.seconds_left is not None:
        notes.append(f"about {duration(progress.seconds_left)} left")
    if progress.step_seconds is not None:
        notes.append(f"{progress.step_seconds * 1000:.3g} ms a step")
    return [Tile("Time", duration(progress.seconds), ", ".join(notes))]


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


def _gap(readings: Readings, findings: Sequence[Finding]) -> list[Tile]:
    tiles = []
    for series in readings.select("overfitting_gap"):
        if series.metric not in ("", "loss"):
            continue
        trend = readings.latest(series._replace(measure="overfitting_gap_trend"))
        value = readings.latest(series)
        note = f"{trend:+.2g} an epoch" if np.isfinite(trend) else ""
        if abs(trend) < _LEVEL * abs(value):  # what rounding leaves
            note = "level"
        state = _state(findings, "overfitting")
        tiles.append(Tile("Overfitting gap", number(value), note, state))
    return tiles


def _ratio(readings: Readings, findings: Sequence[Finding]) -> list[Tile]:
    """The usual update ratio of the layers, in the first steps and now."""
    chosen = readings.select("update_ratio")
    kernels = [one for one in chosen if one.variable.endswith(_KERNELS)] or chosen
    if not kernels:
        return []
    now = [readings.latest(series) for series in kernels]
    first, longest = [], []
    for series in kernels:
        steps, _, values = readings.arrays(series)
        values = values[(steps < _FIRST_STEPS) & np.isfinite(values)]
        if len(values):
            first.append(float(np.median(values)))
            longest.append(float(values.max()))
    value = float(np.median(now))
    notes = []
    if first:
        usual, peak = float(np.median(first)), float(np.median(longest))
        once = f", once {number(peak)}" if peak > _STANDS_OUT * usual else ""
        notes.append(f"{number(usual)} in the first steps{once}")
    notes.append("healthy is about 1e-3")
    state = _state(findings, "update", "learning rate") if np.isfinite(value) else "bad"
    return [Tile("Update ratio", number(value), ", ".join(notes), state)]


def _most_dead(readings: Readings, findings: Sequence[Finding]) -> list[Tile]:
    worst = _worst(readings, "dead_fraction")
    if worst is None:
        return []
    value = readings.latest(worst)
    state = _state(findings, "dead") if np.isfinite(value) else "bad"
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
        skipped = len(readings.overflow_steps)
        note = f"but gradients of {skipped} steps, skipped by loss scaling"
        note = note if skipped else "in any tensor measured"
        return [Tile("NaN or infinity", "none", note, "good")]
    return []


def _overhead(metadata: dict[str, Any]) -> list[Tile]:
    overhead = metadata.get("overhead")
    if not isinstance(overhead, int | float) or not np.isfinite(overhead):
        return []
    return [Tile("Cost of watching", f"{overhead:.1%}", "of the training time")]


def _moment(stamp: Any) -> str:
    """A moment to the minute, as it was written down."""
    found = moment(stamp)
    return f"{found:%Y-%m-%d %H:%M}" if found else ""
