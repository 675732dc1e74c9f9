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
from keras_trainkit.record.blocks import Blocks, block_of_numbers
from keras_trainkit.record.fits import fits_of, mark_fit
from keras_trainkit.record.frame import tidy_frame
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
        self._blocks = Blocks()
        self._pending: list[tuple[int, int, Series, float]] = []
        self._images: list[Image] = []
        self._series: dict[Series, int] = {}
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
        last_step, last_epoch = self._blocks.last
        step = last_step + 1 if step is None else step
        return mark_fit(self.metadata, last_epoch, initial_epoch, step, about)

    @property
    def fits(self) -> tuple[Fit, ...]:
        """The calls of `fit` that the record goes over, in order.

        One from the first step if none was marked. `about` of each may be added to.
        """
        return fits_of(self.metadata)

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
        return self._blocks.since(start)

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
        return self._blocks.series

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
        return self._blocks.values(series)

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
        readings = {
            series: self._blocks.values(series)
            for series in self.series
            if measure in (None, series.measure) and layer in (None, series.layer)
        }
        return tidy_frame(readings, [fit.step for fit in self.fits])

    def ever_positive(self, measure: str) -> set[Series]:
        """Series of a measure that may hold a value above 0, block by block."""
        self._take_pending()
        return self._blocks.ever_positive(measure)

    def _take(self, content: Content) -> None:
        for block in content.blocks:
            columns = tuple(content.series[index] for index in block.columns.tolist())
            self._blocks.keep(
                Block(columns, block.steps, block.epochs, block.values, block.present)
            )
        self._images = [Image(*image) for image in content.images]
        self.metadata = content.metadata

    def _take_pending(self) -> None:
        if not self._pending:
            return
        pending, self._pending = self._pending, []
        self._add_block(block_of_numbers(pending))

    def _add_block(self, block: Block) -> None:
        self._blocks.keep(block)
        if self._file is not None:
            indices = [self._index(series) for series in block.columns]
            self._file.add_block(
                indices, block.steps, block.epochs, block.values, block.present
            )

    def _index(self, series: Series) -> int:
        if series not in self._series:
            self._series[series] = len(self._series)
            if self._file is not None:
                self._file.add_series(self._series[series], series)
        return self._series[series]
