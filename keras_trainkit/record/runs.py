"""Several records as one table."""

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from keras_trainkit.arguments import received
from keras_trainkit.record.frame import RARE
from keras_trainkit.record.readings import Readings
from keras_trainkit.record.stored import FILE
from keras_trainkit.record.training_record import TrainingRecord

if TYPE_CHECKING:
    import pandas

Source = TrainingRecord | str | os.PathLike[str]


class Runs(Mapping[str, TrainingRecord]):
    """Several runs side by side: their records by name, and as one table.

    Args:
        source: A directory, below which every run directory is taken; or run
            directories, record files and records in a sequence; or a mapping of
            names to them. Runs that have no name get the part of their path that
            tells them apart.

    Raises:
        ValueError: If there is none, or one of a sequence or mapping cannot be read.
            Of those found below a directory, a damaged one is left out with a
            warning.

    Example:
        ```python
        runs = tk.record.Runs("runs")
        frame = runs.to_frame(measure="val_loss")
        frame.pivot(index="epoch", columns="run", values="value").plot()
        runs.summary()  # one row a run
        ```
    """

    def __init__(
        self, source: str | os.PathLike[str] | Iterable[Source] | Mapping[str, Source]
    ) -> None:
        if isinstance(source, str | os.PathLike):
            self._records = _below(os.fspath(source))
        elif isinstance(source, Mapping):
            self._records = {
                str(name): TrainingRecord.of(one) for name, one in source.items()
            }
        elif isinstance(source, Iterable) and not isinstance(source, TrainingRecord):
            listed = list(source)
            names = _names(listed)
            self._records = dict(
                zip(names, map(TrainingRecord.of, listed), strict=True)
            )
        else:
            raise ValueError(
                "`source` must be a directory, a sequence of runs or a mapping of "
                f"names to runs. {received('source', source)}"
            )
        if not self._records:
            raise ValueError(
                f"`source` must hold at least one run. {received('source', source)}"
            )

    def __getitem__(self, name: str) -> TrainingRecord:
        return self._records[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def __repr__(self) -> str:
        return f"Runs({', '.join(self._records)})"

    def to_frame(
        self, measure: str | None = None, layer: str | None = None
    ) -> "pandas.DataFrame":
        """Returns all records, or a part of each, as one tidy pandas table.

        Args:
            measure: Only this measure, e.g. `"val_loss"`.
            layer: Only this layer.

        Returns:
            The rows of `TrainingRecord.to_frame`, run after run, with the name of
            the run in the column `run` before them.

        Raises:
            ValueError: If no run knows the measure or the layer.
        """
        import pandas

        frames, errors = [], []
        for name, record in self.items():
            try:
                frame = record.to_frame(measure, layer)
            except ValueError as error:
                errors.append(error)
                continue
            frame.insert(0, "run", name)
            frames.append(frame)
        if not frames:
            raise errors[0]
        columns = dict.fromkeys(name for frame in frames for name in frame)
        columns["value"] = columns.pop("value")  # stays the last
        table = pandas.concat(frames, ignore_index=True).reindex(columns=list(columns))
        for name in RARE:
            if name in columns:
                table[name] = table[name].fillna("")
        return table

    def summary(self) -> "pandas.DataFrame":
        """Returns one row a run: steps, epochs and the last value of each metric.

        Returns:
            A frame with the names of the runs as its index; `best_<metric>` is the
            lowest value of a validation loss. NaN where a run has not the metric.
        """
        import pandas

        rows = {name: _summary(Readings(record)) for name, record in self.items()}
        return pandas.DataFrame.from_dict(rows, orient="index")


def _summary(readings: Readings) -> dict[str, float]:
    row: dict[str, float] = {}
    ends = [
        (int(steps[-1]), int(epochs.max()))
        for series in readings.record.series
        if (steps := readings.arrays(series)[0]).size
        and (epochs := readings.arrays(series)[1]).size
    ]
    row["steps"] = max((step for step, _ in ends), default=-1) + 1
    row["epochs"] = max((epoch for _, epoch in ends), default=-1) + 1
    for metric in readings.metrics:
        train, _ = readings.training_series(metric)
        validation = readings.validation_series(metric)
        if train is not None:
            row[metric] = readings.latest(train)
        if validation is not None:
            row[f"val_{metric}"] = readings.latest(validation)
            values = readings.arrays(validation)[2]
            if metric == "loss" and np.isfinite(values).any():
                row["best_val_loss"] = float(np.nanmin(values))
    return row


def _below(directory: str) -> dict[str, TrainingRecord]:
    """Every record below a directory that can be read, by its place in it."""
    if not os.path.isdir(directory):
        raise ValueError(
            "`source` must be a directory that holds runs. "
            + received("source", directory)
        )
    records = {}
    for place, folders, files in os.walk(directory):
        folders.sort()
        if FILE not in files:
            continue
        name = os.path.relpath(place, directory)
        if name == ".":
            name = os.path.basename(os.path.abspath(directory))
        try:
            records[name] = TrainingRecord.open(place)
        except ValueError as error:
            warnings.warn(f"A run was left out: {error}", stacklevel=4)
    return records


def _names(listed: list[Source]) -> list[str]:
    """As much of the end of each path as tells the runs apart."""
    parts = []
    for place, one in enumerate(listed):
        if isinstance(one, TrainingRecord):
            path = one.path or str(one.metadata.get("model_name") or f"run {place + 1}")
        elif isinstance(one, str | os.PathLike):
            path = os.fspath(one)
        else:
            raise ValueError(
                "`source` must hold records or their paths. " + received("source", one)
            )
        path = os.path.normpath(path)
        if os.path.basename(path) == FILE:
            path = os.path.dirname(path) or FILE
        parts.append(path.split(os.sep))
    for length in range(1, max(map(len, parts), default=0) + 1):
        names = ["/".join(one[-length:]) for one in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{one[-1]} ({place + 1})" for place, one in enumerate(parts)]
