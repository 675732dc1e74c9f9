"""Readings as one tidy pandas table."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_trainkit.record.series import Series

if TYPE_CHECKING:
    import pandas

# Columns of a frame that are there only where a number in it has such a name.
RARE = ("tensor", "metric", "bin", "training")


def tidy_frame(
    readings: Mapping[Series, tuple[np.ndarray, np.ndarray, np.ndarray]],
    starts: Sequence[int],
) -> "pandas.DataFrame":
    """Returns readings as a table of one row a number, by step.

    Args:
        readings: Steps, epochs and values of each series, each `(n,)`.
        starts: The first step of each `fit`, ascending.

    Returns:
        See `TrainingRecord.to_frame`.
    """
    import pandas

    counts = [len(steps) for steps, _, _ in readings.values()]
    steps = _concatenate([steps for steps, _, _ in readings.values()], np.int64)
    epochs = _concatenate([epochs for _, epochs, _ in readings.values()], np.int64)
    values = _concatenate([values for _, _, values in readings.values()], np.float64)
    frame = pandas.DataFrame({"step": steps, "epoch": epochs})
    frame["fit"] = np.searchsorted(starts[1:], steps, side="right")
    for name in Series._fields:
        names = [getattr(series, name) for series in readings]
        if name not in RARE or any(names):
            frame[name] = np.repeat(np.array(names, dtype=str), counts)
    frame["value"] = values
    return frame.sort_values("step", kind="stable", ignore_index=True)


def _concatenate(arrays: list[np.ndarray], dtype: Any) -> np.ndarray:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype)
