"""One record of everything measured during a run, read by all other parts.

The record is a tidy table: one row a number, with the step, the epoch, the names that
say what it is, and the value. It is kept as blocks of plain arrays, in memory and,
given a path, in one SQLite file (`keras_trainkit.record.record_file`).
"""

import os
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_trainkit.arguments import check_integer, received
from keras_trainkit.record.record_file import VERSION, Content, RecordFile
from keras_trainkit.record.series import Block, Fit, Image, Series
from keras_trainkit.record.stored import FILE, find_file, read_file, salvage_file
from keras_trainkit.record.vocabulary import (
    Measure,
    is_registered,
    measure_named,
    registered,
)

if TYPE_CHECKING:
    import pandas

# Columns of a frame that are there only where a number in it has such a name.
RARE = ("tensor", "metric", "bin", "training")


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
        # The file that it is kept in or came from, for those who show it.
        self.source = None if path is None else os.fspath(path)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "TrainingRecord":
        """Reads a stored record, also while another process still writes to it.

        Args:
            path: A record file, or the run directory that holds `record.sqlite`.

        Returns:
            What the file holds now, in memory; changes to it are not stored.

        Raises:
            ValueError: If the file is missing, not a record, or damaged: no byte of
                a record can change unnoticed. The error says what is still readable.
        """
        path = find_file(path)
        record = cls()
        record._take(read_file(path))
        record.source = path
        return record

    @classmethod
    def resume(cls, path: str | os.PathLike[str]) -> "TrainingRecord":
        """Opens a stored record to go on with it; call `begin_fit` next.

        Args:
            path: A record file, or the run directory that holds `record.sqlite`. No
                other process may write to it.

        Raises:
            ValueError: If the file cannot be read, or is of an older format, which
                is not written any more.
        """
        path = find_file(path)
        content = read_file(path)
        if content.version != VERSION:
            raise ValueError(
                f"`path` must be a record of format {VERSION} to go on with; older "
                f"ones can be read with `open`. {received('path', path)}"
            )
        record = cls()
        record.source = path
        record._take(content)
        record._series = {series: index for index, series in content.series.items()}
        record._file = RecordFile.reopen(path)
        return record

    @classmethod
    def salvage(cls, path: str | os.PathLike[str]) -> "TrainingRecord":
        """Reads what is whole of a damaged record, and warns of what is lost.

        Args:
            path: A record file, or the run directory that holds `record.sqlite`. It
                is left as it is.

        Returns:
            A record in memory of all readings whose checksums hold.

        Raises:
            ValueError: If nothing in the file is whole.
        """
        path = find_file(path)
        saved = salvage_file(path)
        warnings.warn(
            f"Of the damaged record {path!r} these are whole: {saved.words()}; "
            f"rows by table: {saved.found}"
            + (f" of {saved.expected}." if saved.expected else "."),
            stacklevel=2,
        )
        record = cls()
        record.source = path
        record._take(saved.content)
        return record

    @classmethod
    def of(cls, source: "TrainingRecord | str | os.PathLike[str]") -> "TrainingRecord":
        """Returns a record as it is, or opens the one that a path names."""
        return source if isinstance(source, cls) else cls.open(source)  # type: ignore[arg-type]

    def add(
        self,
        measure: str | Series,
        value: float,
        *,
        step: int,
        epoch: int,
        layer: str = "",
        variable: str = "",
        tensor: str = "",
        metric: str = "",
        bin: str = "",
        training: str = "",
    ) -> None:
        """Adds one number; see `append` for many.

        Args:
            measure: What is measured, or the whole series that the number is of.
            value: The number; NaN and infinity are values like others.
            step: The step of training it belongs to, from 0.
            epoch: The epoch, from 0.
            layer: See `Series`, as for the other names.
            variable: Name of a variable.
            tensor: Kind of tensor.
            metric: Name of a metric.
            bin: Edges of a bin.
            training: Number of a training.
        """
        series = measure
        if not isinstance(series, Series):
            names = layer, variable, tensor, metric, bin, training
            series = Series(series, *names)
        self._pending.append((int(step), int(epoch), series, float(value)))

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

    def begin_fit(
        self, initial_epoch: int = 0, *, step: int | None = None, **about: Any
    ) -> Fit:
        """Marks that another `fit` begins, which this record goes on with.

        Steps go on where the last reading was. So do epochs, if Keras counts them
        from 0 again or from one that the record has left behind.

        Args:
            initial_epoch: The epoch that Keras calls its first, int >= 0.
            step: Its first step, counted over the whole record; the one after the
                last reading if `None`.
            **about: What is known of this fit, kept in the metadata, e.g. `started`.

        Returns:
            Its first step and epoch as this record counts: whoever records adds
            `fit.epoch - initial_epoch` to the epochs of Keras.
        """
        initial_epoch = check_integer("initial_epoch", initial_epoch, 0)
        self._take_pending()
        if step is None:
            ends = (int(b.steps.max()) for b in self._blocks if len(b.steps))
            step = max(ends, default=-1) + 1
        last = max(
            (int(b.epochs.max()) for b in self._blocks if len(b.epochs)), default=-1
        )
        goes_on = last < 0 or (initial_epoch > 0 and initial_epoch >= last)
        epoch = initial_epoch if goes_on else last + 1
        fits = self.metadata.setdefault("fits", [])
        if not fits and step > 0:
            fits.append({"step": 0, "epoch": 0})  # recorded before fits were marked
        mark = {"step": step, "epoch": epoch, "initial_epoch": initial_epoch}
        fits.append({**mark, **about})
        return self.fits[-1]

    @property
    def fits(self) -> tuple[Fit, ...]:
        """The calls of `fit` that the record goes over, in order.

        One from the first step if none was marked. `about` of each may be added to.
        """
        marked = self.metadata.get("fits")
        if not isinstance(marked, list) or not marked:
            return (Fit(0, 0, {}),)
        return tuple(Fit(int(one["step"]), int(one["epoch"]), one) for one in marked)

    def describe(self, *measures: Measure) -> None:
        """Keeps with the record what measures of one's own are.

        Whoever reads the record, also elsewhere, then draws and judges them right.
        """
        own = self.metadata.setdefault("measures", {})
        for measure in measures:
            if not is_registered(measure.name):
                own[measure.name] = measure.to_dict()

    def measure(self, name: str) -> Measure:
        """What is known of a measure; see `keras_trainkit.record.Measure`."""
        own = self.metadata.get("measures")
        if isinstance(own, dict) and name in own and not is_registered(name):
            return Measure.from_dict(own[name])
        return measure_named(name)

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

    def blocks(self, start: int = 0) -> Sequence[Block]:
        """All readings as they were added, from the block of number `start` on."""
        self._take_pending()
        return self._blocks[start:]

    @property
    def block_count(self) -> int:
        """How many blocks of readings there are."""
        self._take_pending()
        return len(self._blocks)

    @property
    def numbers(self) -> dict[Series, int]:
        """The number by which the file of the record names each series."""
        return dict(self._series)

    @property
    def directory(self) -> str:
        """The run directory that the record came from, "" if it never had a file."""
        if self.source is None:
            return ""
        return os.path.dirname(os.path.abspath(self.source))

    @property
    def name(self) -> str:
        """What to call the run: its directory, or the file if that is named otherwise.

        "" for a record that never had a file.
        """
        if self.source is None:
            return ""
        stem = os.path.basename(self.source)
        if stem == FILE:
            return os.path.basename(self.directory)
        return os.path.splitext(stem)[0]

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
        self,
        measure: str,
        layer: str = "",
        variable: str = "",
        tensor: str = "",
        metric: str = "",
        bin: str = "",
        training: str = "",
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns one series as arrays, cheaper than a frame; see `Series`.

        Returns:
            `(steps, epochs, values)`, each of shape `(n,)`, by step; all empty if
            nothing was recorded under these names.
        """
        series = Series(measure, layer, variable, tensor, metric, bin, training)
        self._take_pending()
        steps, epochs, values = [], [], []
        for block, column in self._columns_of.get(series, ()):
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
            A frame with the columns `step, epoch, fit, measure, layer, variable,
            value`, by step; `fit` counts the calls of `fit` from 0. Before `value`
            stand `tensor`, `metric`, `bin` and `training` where a number in the frame
            has such a name. Names are "" where they do not apply.

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
        steps = _concatenate([steps for steps, _, _ in columns], np.int64)
        epochs = _concatenate([epochs for _, epochs, _ in columns], np.int64)
        starts = [fit.step for fit in self.fits]
        frame = pandas.DataFrame({"step": steps, "epoch": epochs})
        frame["fit"] = np.searchsorted(starts[1:], steps, side="right")
        for name in Series._fields:
            names = [getattr(series, name) for series in wanted]
            if name not in RARE or any(names):
                frame[name] = np.repeat(np.array(names, dtype=str), counts)
        frame["value"] = _concatenate([values for _, _, values in columns], np.float64)
        return frame.sort_values("step", kind="stable", ignore_index=True)

    def ever_positive(self, measure: str) -> set[Series]:
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

    def _take(self, content: Content) -> None:
        for block in content.blocks:
            columns = tuple(content.series[index] for index in block.columns.tolist())
            self._keep(
                Block(columns, block.steps, block.epochs, block.values, block.present)
            )
        self._images = [Image(*image) for image in content.images]
        self.metadata = content.metadata

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
                self._file.add_series(self._series[series], series)
        return self._series[series]


def _concatenate(arrays: list[np.ndarray], dtype: Any) -> np.ndarray:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype)
