"""One record of everything measured during a run, read by all other parts.

The record is a tidy table: one row a number, with the columns `step, epoch,
measure, layer, variable, value`. It is kept as blocks of plain arrays, in memory
and, given a path, in one SQLite file (`keras_trainkit.record.record_file`).
"""

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_trainkit.arguments import received
from keras_trainkit.record.record_file import RecordFile
from keras_trainkit.record.vocabulary import registered

if TYPE_CHECKING:
    import pandas


class Series(NamedTuple):
    """What a number is: its measure and, where it has one, its layer and variable."""

    measure: str
    layer: str = ""
    variable: str = ""


@dataclasses.dataclass(frozen=True)
class Block:
    """Readings of several series at the same steps.

    Args:
        columns: The `k` series.
        steps: Training step of each row, shape `(n,)`, from 0.
        epochs: Epoch of each row, shape `(n,)`, from 0.
        values: Readings, shape `(n, k)`; NaN and infinity are values like others.
        present: Which readings were taken, shape `(n, k)`; `None` for all.
    """

    columns: tuple[Series, ...]
    steps: np.ndarray
    epochs: np.ndarray
    values: np.ndarray
    present: np.ndarray | None = None


class Image(NamedTuple):
    """A picture taken at the end of an epoch."""

    name: str
    epoch: int
    png: bytes


class TrainingRecord:
    """Everything measured during one run, as one tidy table.

    Args:
        path: File to keep the record in (SQLite); `None` keeps it in memory only.
            A killed process leaves in the file all that `flush` had written.

    Raises:
        ValueError: If `path` exists: a record is never written over.

    Example:
        ```python
        record = TrainingRecord()
        record.add("val_loss", 0.31, step=199, epoch=1)
        record.to_frame(measure="val_loss")
        ```
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._file = None if path is None else RecordFile.create(path)
        self._blocks: list[Block] = []
        self._pending: list[tuple[int, int, Series, float]] = []
        self._images: list[Image] = []
        self._series: dict[Series, int] = {}
        self._columns_of: dict[Series, list[tuple[Block, int]]] = {}
        self.metadata: dict[str, Any] = {}

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "TrainingRecord":
        """Reads a stored record, also while another process still writes to it.

        Args:
            path: A record file, or the run directory that holds `record.sqlite`.

        Returns:
            What the file holds now, in memory; changes to it are not stored.

        Raises:
            ValueError: If the file is missing, damaged or not a record.
        """
        if os.path.isdir(path):
            path = os.path.join(path, "record.sqlite")
        record = cls()
        content = RecordFile.read(path)
        names = [Series(*names) for names in content.series]
        for block in content.blocks:
            columns = tuple(names[index] for index in block.columns)
            record._keep(
                Block(columns, block.steps, block.epochs, block.values, block.present)
            )
        record._images = [Image(*image) for image in content.images]
        record.metadata = content.metadata
        return record

    def add(
        self,
        measure: str,
        value: float,
        *,
        step: int,
        epoch: int,
        layer: str = "",
        variable: str = "",
    ) -> None:
        """Adds one number; see `append` for many."""
        self._pending.append(
            (int(step), int(epoch), Series(measure, layer, variable), float(value))
        )

    def append(
        self,
        columns: Sequence[Series],
        steps: np.ndarray,
        epochs: np.ndarray,
        values: np.ndarray,
        present: np.ndarray | None = None,
    ) -> None:
        """Adds a block of readings.

        Args:
            columns: The series of the `k` columns.
            steps: Training step of each row, shape `(n,)`.
            epochs: Epoch of each row, shape `(n,)`.
            values: Readings, shape `(n, k)`.
            present: Which readings were taken, shape `(n, k)`; `None` for all.

        Raises:
            ValueError: If the shapes do not fit together.
        """
        values = np.asarray(values)
        if values.shape != (len(steps), len(columns)) or len(steps) != len(epochs):
            raise ValueError(
                "`values` must have one row a step and one column a series. "
                + received("values.shape", values.shape)
                + f", {len(steps)} steps, {len(epochs)} epochs, {len(columns)} columns"
            )
        if present is not None and present.shape != values.shape:
            raise ValueError(
                f"`present` must have the shape of `values`, {values.shape}. "
                + received("present.shape", present.shape)
            )
        self._take_pending()
        self._add_block(
            Block(
                tuple(columns),
                np.asarray(steps, np.int64),
                np.asarray(epochs, np.int64),
                values,
                present,
            )
        )

    def add_image(self, name: str, epoch: int, png: bytes) -> None:
        """Adds a picture, as the bytes of a PNG file."""
        image = Image(name, int(epoch), png)
        self._images.append(image)
        if self._file is not None:
            self._file.add_image(*image)

    def flush(self) -> None:
        """Writes everything to the file, if there is one."""
        self._take_pending()
        if self._file is not None:
            self._file.commit(self.metadata)

    def close(self) -> None:
        """Flushes and closes the file; the record stays readable in memory."""
        self.flush()
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def path(self) -> str | None:
        """The file of the record, `None` if it is (or now is) in memory only."""
        return None if self._file is None else self._file.path

    @property
    def series(self) -> tuple[Series, ...]:
        """All series that have at least one reading, in order of appearance."""
        self._take_pending()
        return tuple(self._columns_of)

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of all measures recorded, in order of appearance."""
        return tuple(dict.fromkeys(series.measure for series in self.series))

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of all layers recorded, in the order of the model."""
        return tuple(
            dict.fromkeys(series.layer for series in self.series if series.layer)
        )

    def images(self, name: str | None = None) -> tuple[Image, ...]:
        """All pictures, or those of one name, by epoch."""
        return tuple(image for image in self._images if name in (None, image.name))

    def select(self, measure: str, layer: str | None = None) -> Iterator[Series]:
        """All recorded series of a measure, and of a layer if one is named."""
        for series in self.series:
            if series.measure == measure and layer in (None, series.layer):
                yield series

    def values(
        self, measure: str, layer: str = "", variable: str = ""
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns one series as arrays, cheaper than a frame.

        Returns:
            `(steps, epochs, values)`, each of shape `(n,)`, by step; all empty if
            nothing was recorded under these names.
        """
        self._take_pending()
        steps, epochs, values = [], [], []
        for block, column in self._columns_of.get(Series(measure, layer, variable), ()):
            if block.present is None:
                steps.append(block.steps)
                epochs.append(block.epochs)
                values.append(block.values[:, column])
            else:
                rows = block.present[:, column]
                steps.append(block.steps[rows])
                epochs.append(block.epochs[rows])
                values.append(block.values[rows, column])
        if not steps:
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
        arrays = (
            np.concatenate(steps),
            np.concatenate(epochs),
            np.concatenate(values).astype(np.float64),
        )
        if (arrays[0][1:] >= arrays[0][:-1]).all():
            return arrays
        order = np.argsort(arrays[0], kind="stable")
        return arrays[0][order], arrays[1][order], arrays[2][order]

    def to_frame(
        self, measure: str | None = None, layer: str | None = None
    ) -> "pandas.DataFrame":
        """Returns the record, or a part of it, as a tidy pandas table.

        Args:
            measure: Only this measure, e.g. `"update_ratio"`.
            layer: Only this layer.

        Returns:
            A frame with the columns `step, epoch, measure, layer, variable, value`,
            by step. `layer` and `variable` are "" where they do not apply.

        Raises:
            ValueError: If `measure` or `layer` is unknown to the record.
        """
        import pandas

        known = {*self.measures, *(known.name for known in registered())}
        if measure is not None and measure not in known:
            raise ValueError(
                f"`measure` must be one of {sorted(known)}. "
                + received("measure", measure)
            )
        if layer is not None and layer not in self.layers:
            raise ValueError(
                f"`layer` must be one of {list(self.layers)}. "
                + received("layer", layer)
            )
        wanted = [
            series
            for series in self.series
            if measure in (None, series.measure) and layer in (None, series.layer)
        ]
        columns = [self.values(*series) for series in wanted]
        counts = [len(steps) for steps, _, _ in columns]
        frame = pandas.DataFrame(
            {
                "step": _concatenate([steps for steps, _, _ in columns], np.int64),
                "epoch": _concatenate([epochs for _, epochs, _ in columns], np.int64),
                "measure": np.repeat([series.measure for series in wanted], counts),
                "layer": np.repeat([series.layer for series in wanted], counts),
                "variable": np.repeat([series.variable for series in wanted], counts),
                "value": _concatenate([values for _, _, values in columns], np.float64),
            }
        )
        return frame.sort_values("step", kind="stable", ignore_index=True)

    def first_nonfinite(self) -> Mapping[str, Any] | None:
        """Names the first tensor that held NaN or infinity.

        Returns:
            `{"step", "epoch", "layer", "variable", "count"}`, or `None` if every
            tensor measured was finite. Among tensors of the same step the one
            computed first is named: activations in the order of the layers, then
            gradients from the last layer to the first, then weights.
        """
        found: list[tuple[tuple[int, ...], dict[str, Any]]] = []
        suspects = self._ever_positive("nonfinite_count")
        for place, series in enumerate(self.select("nonfinite_count")):
            if series not in suspects:
                continue
            steps, epochs, counts = self.values(*series)
            bad = np.flatnonzero(counts > 0)
            if not len(bad):
                continue
            row = bad[0]
            kind = _nonfinite_kind(series.variable)
            backward = kind in (1, 2)
            found.append(
                (
                    (int(steps[row]), kind, -place if backward else place),
                    {
                        "step": int(steps[row]),
                        "epoch": int(epochs[row]),
                        "layer": series.layer,
                        "variable": series.variable,
                        "count": int(counts[row]),
                    },
                )
            )
        return min(found, key=lambda item: item[0])[1] if found else None

    def _ever_positive(self, measure: str) -> set[Series]:
        """Series of a measure that may hold a value above 0, block by block."""
        self._take_pending()
        places: dict[tuple[Series, ...], list[int]] = {}
        positive: set[Series] = set()
        for block in self._blocks:
            if block.columns not in places:
                places[block.columns] = [
                    index
                    for index, series in enumerate(block.columns)
                    if series.measure == measure
                ]
            chosen = places[block.columns]
            above = (block.values[:, chosen] > 0).any(axis=0)
            positive.update(
                block.columns[chosen[place]] for place in above.nonzero()[0]
            )
        return positive

    def _take_pending(self) -> None:
        if not self._pending:
            return
        pending, self._pending = self._pending, []
        columns = tuple(dict.fromkeys(series for _, _, series, _ in pending))
        rows = tuple(dict.fromkeys((step, epoch) for step, epoch, _, _ in pending))
        column_of = {series: index for index, series in enumerate(columns)}
        row_of = {row: index for index, row in enumerate(rows)}
        values = np.zeros((len(rows), len(columns)))
        present: np.ndarray = np.zeros(values.shape, bool)
        for step, epoch, series, value in pending:
            place = row_of[step, epoch], column_of[series]
            values[place] = value
            present[place] = True
        steps, epochs = (
            np.array(numbers, np.int64) for numbers in zip(*rows, strict=True)
        )
        self._add_block(Block(columns, steps, epochs, values, present))

    def _add_block(self, block: Block) -> None:
        self._keep(block)
        if self._file is not None:
            indices = [self._index(series) for series in block.columns]
            self._file.add_block(
                indices, block.steps, block.epochs, block.values, block.present
            )

    def _keep(self, block: Block) -> None:
        self._blocks.append(block)
        for column, series in enumerate(block.columns):
            if block.present is None or block.present[:, column].any():
                self._columns_of.setdefault(series, []).append((block, column))

    def _index(self, series: Series) -> int:
        if series not in self._series:
            self._series[series] = len(self._series)
            if self._file is not None:
                self._file.add_series(self._series[series], *series)
        return self._series[series]


def _nonfinite_kind(variable: str) -> int:
    """Rank of a tensor in the order of computation within one step."""
    if variable == "activation":
        return 0
    if variable == "activation_gradient":
        return 1
    return 2 if variable.endswith(" gradient") else 3


def _concatenate(arrays: list[np.ndarray], dtype: Any) -> np.ndarray:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype)
