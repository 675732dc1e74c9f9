"""How far a run is, how long it took, and how long it will take."""

import datetime
from typing import Any, NamedTuple

import numpy as np

from keras_trainkit.record.readings import Readings
from keras_trainkit.record.series import Series


class Progress(NamedTuple):
    """Where a run stands.

    Args:
        steps: Steps recorded.
        epochs: Epochs that are done.
        planned: Epochs that are to be done, `None` if that is not known.
        seconds: From its start to what was written last, `None` if not known.
        step_seconds: Median time of a step, `None` if it was not measured.
        seconds_left: What the epochs left will take, `None` if that is not known.
    """

    steps: int
    epochs: int
    planned: int | None
    seconds: float | None
    step_seconds: float | None
    seconds_left: float | None


def progress_of(readings: Readings) -> Progress:
    """Reads the progress of a run off its record."""
    steps, epochs, _ = readings.arrays(Series("loss"))
    last = int(steps[-1]) if len(steps) else -1
    done = int(epochs.max()) if len(steps) else 0
    for metric in readings.metrics:
        train, _ = readings.training_series(metric)
        for series in (train, readings.validation_series(metric)):
            if series is None:
                continue
            steps, epochs, _ = readings.arrays(series)
            last = max(last, int(steps[-1]))
            done = max(done, int(epochs.max()) + 1)
    metadata = readings.record.metadata
    planned = metadata.get("epochs")
    planned = planned if isinstance(planned, int) else None
    fit = readings.record.fits[-1]
    if planned is not None and len(readings.record.fits) > 1:
        # Keras counts each fit by itself.
        planned += fit.epoch - int(fit.about.get("initial_epoch", 0) or 0)
    begun, end = moment(metadata.get("started")), moment(metadata.get("updated"))
    seconds = (end - begun).total_seconds() if begun and end else None
    seconds = seconds if seconds is not None and seconds >= 0 else None
    fit_begun = moment(fit.about.get("started")) or begun
    in_fit = done - fit.epoch
    left = None
    if planned is not None and fit_begun and end and in_fit > 0:
        spent = max((end - fit_begun).total_seconds(), 0.0)
        left = spent / in_fit * max(planned - done, 0)
    times = readings.arrays(Series("step_seconds"))[2]
    times = times[np.isfinite(times)]
    each = float(np.median(times)) if len(times) else None
    return Progress(last + 1, done, planned, seconds, each, left)


def moment(stamp: Any) -> datetime.datetime | None:
    """The moment that a stamp of a record names, `None` if it is none."""
    try:
        if isinstance(stamp, int | float) and not isinstance(stamp, bool):
            return datetime.datetime.fromtimestamp(stamp, datetime.UTC)
        found = datetime.datetime.fromisoformat(str(stamp))
    except (ValueError, OverflowError, OSError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)


def duration(seconds: float) -> str:
    """A duration as a reader says it: two units at most."""
    if seconds < 0.95:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 59.5:
        return f"{seconds:.2g} s" if seconds < 9.95 else f"{seconds:.0f} s"
    seconds = max(seconds, 60.0)
    for unit, size, smaller, part in (
        ("min", 60, "s", 1),
        ("h", 3600, "min", 60),
        ("d", 86400, "h", 3600),
    ):
        if seconds < {"min": 3600, "h": 86400}.get(unit, np.inf):
            whole, rest = divmod(seconds, size)
            return f"{whole:.0f} {unit} {rest // part:.0f} {smaller}"
    return ""
