"""What is known of a run, as a table that can be read."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from keras_trainkit.record.readings import Readings
from keras_trainkit.record.series import Series
from keras_trainkit.report.drawing.specification import number, sentence
from keras_trainkit.report.progress import duration, moment, progress_of

# Shown elsewhere on the page, or said by the rows of the table.
_TOLD = (
    "batch_size",
    "command",
    "commit",
    "device",
    "directory",
    "epochs",
    "every",
    "fits",
    "host",
    "layers",
    "loss",
    "measured",
    "measures",
    "model_name",
    "model_summary",
    "optimizer",
    "overhead",
    "started",
    "status",
    "updated",
    "versions",
)


def run_rows(readings: Readings, live: bool) -> list[tuple[str, str]]:
    """Returns the rows of the table, those that are not known left out."""
    metadata = readings.record.metadata
    progress = progress_of(readings)
    of = f" of {progress.planned}" if progress.planned is not None else ""
    ended = "Last written" if live or metadata.get("status") == "running" else "Ended"
    each = progress.step_seconds
    waiting = _typical(readings, "data_seconds")
    step = "" if each is None else f"{each * 1000:.3g} ms"
    if each and waiting is not None:
        step += f", {waiting / each:.0%} of it waiting for data"
    left = progress.seconds_left if live else None
    batch = _typical(readings, "batch_size")
    rows = {
        "Model": _text(metadata.get("model_name")),
        "Directory": readings.record.directory or _text(metadata.get("directory")),
        "Started": _stamp(metadata.get("started")),
        ended: _stamp(metadata.get("updated")),
        "Duration": "" if progress.seconds is None else duration(progress.seconds),
        "Time left": "" if left is None else f"about {duration(left)}",
        "Epochs": f"{progress.epochs}{of}" if progress.steps else "",
        "Steps": f"{progress.steps}" if progress.steps else "",
        "Fits": _fits(readings),
        "Time of a step": step,
        "Batch size": _text(metadata.get("batch_size"))
        or ("" if batch is None else f"{batch:.0f}"),
        "Loss": _loss(metadata),
        "Optimizer": _optimizer(metadata.get("optimizer")),
        "Learning rate": _rate(readings),
        "Device": _text(metadata.get("device")),
        "Host": _text(metadata.get("host")),
        "Command": _text(metadata.get("command")),
        "Commit": _text(metadata.get("commit")),
        "Versions": _joined(metadata.get("versions")),
        "Measured": _rhythm(metadata.get("every")),
    }
    return [(name, words) for name, words in rows.items() if words]


def other_facts(readings: Readings) -> list[tuple[str, str]]:
    """Returns what else is known, one plain value a row."""
    rows = []
    for name, value in readings.record.metadata.items():
        if name not in _TOLD:
            rows += list(_flat(sentence(str(name)), value))
    config = readings.record.metadata.get("optimizer")
    if isinstance(config, Mapping):
        rows += list(_flat("Optimizer", config.get("config", config)))
    return rows


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(f"{name}, {str(key).replace('_', ' ')}", item)
    elif isinstance(value, list | tuple):
        words = ", ".join(str(item) for item in value)
        if words:
            yield name, words
    elif value is not None and value != "":
        yield name, number(value) if isinstance(value, float) else str(value)


def _typical(readings: Readings, measure: str) -> float | None:
    values = readings.arrays(Series(measure))[2]
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else None


def _fits(readings: Readings) -> str:
    fits = readings.record.fits
    if len(fits) < 2:
        return ""
    return f"{len(fits)}, begun at steps {', '.join(str(fit.step) for fit in fits)}"


def _loss(metadata: Mapping[str, Any]) -> str:
    task = metadata.get("task")
    named = task.get("loss") if isinstance(task, Mapping) else None
    return _text(metadata.get("loss") or named).replace("_", " ")


def _optimizer(config: Any) -> str:
    return _text(config.get("class_name")) if isinstance(config, Mapping) else ""


def _rate(readings: Readings) -> str:
    values = readings.arrays(Series("learning_rate"))[2]
    if not len(values):
        return ""
    if (values == values[0]).all():
        return number(float(values[0]))
    return f"{number(float(values[0]))} at first, {number(float(values[-1]))} now"


def _joined(value: Any) -> str:
    if not isinstance(value, Mapping):
        return ""
    return ", ".join(
        f"{name} {item}"
        for name, item in value.items()
        if isinstance(item, str | int | float) and not isinstance(item, bool)
    )


def _rhythm(value: Any) -> str:
    if not isinstance(value, Mapping):
        return ""
    return ", ".join(
        f"{name} every step" if each == 1 else f"{name} every {each} steps"
        for name, each in value.items()
        if isinstance(each, int)
    )


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | int) and value != "" else ""


def _stamp(value: Any) -> str:
    found = moment(value)
    return f"{found:%Y-%m-%d %H:%M:%S %Z}".strip() if found else ""
