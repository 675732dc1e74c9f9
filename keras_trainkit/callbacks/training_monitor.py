"""All monitors in one, with a live page."""

import importlib.util
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from keras_trainkit.arguments import check_flag, check_integer, received
from keras_trainkit.callbacks.first_layer_filters import (
    check_directory,
    check_image_shape,
)
from keras_trainkit.callbacks.monitor import Monitor
from keras_trainkit.callbacks.overfitting_monitor import check_train_data
from keras_trainkit.callbacks.summary_of_epoch import summary_of_epoch
from keras_trainkit.diagnosis.diagnose import diagnose
from keras_trainkit.recording.budget import Between, Budget
from keras_trainkit.recording.instrument import Instrument
from keras_trainkit.recording.instruments.batch_size import BatchSize
from keras_trainkit.recording.instruments.examples import Examples
from keras_trainkit.recording.instruments.filters import Filters
from keras_trainkit.recording.instruments.gap import Gap
from keras_trainkit.recording.instruments.histograms import Histograms
from keras_trainkit.recording.instruments.layers import Layers
from keras_trainkit.recording.instruments.seconds import Seconds
from keras_trainkit.recording.instruments.units import Units
from keras_trainkit.recording.instruments.updates import Updates
from keras_trainkit.recording.place import Place


class TrainingMonitor(Monitor):
    """Watches everything about a training run and draws a live page of it.

    One callback does what the other monitors of this package do, on one recorder:
    the loss and the time of every step, update ratios, activations and gradients of
    every layer, the gap between training and validation, the filters of the first
    layer.
    With a directory it keeps there `record.sqlite` (all numbers; a killed process
    loses at most what was still on the device), `report.html` (one offline page,
    rewritten between epochs, which reloads itself while training goes on) and, on
    request, TensorBoard's event files. The record of an earlier run in the same
    directory is kept as `record.1.sqlite` and so on, unless this run goes on with it:
    by the same monitor and model, or from an `initial_epoch`. Trouble with the disk
    never ends a training; what cannot be written stays in memory.

    Training is not changed: with the same seed the weights are the same to the
    last bit. A few numbers join Keras' `logs`, and so the progress bar, `History`
    and the loggers: `update_ratio` and `gradient_norm` of all variables together,
    `update_ratio_worst` (of the layer farthest from 1e-3), `dead_fraction` (of the
    worst layer) and `overfitting_gap` (of the loss, where there is validation). In an
    epoch without a reading they are left out.

    Args:
        directory: Where to keep record and page; `None` keeps the record in
            memory and draws no page.
        every: Steps between two readings of updates and layers, int >= 1, or
            "auto": as often as `overhead` allows. With gradient accumulation,
            optimizer updates.
        overhead: Share of the running time that `every="auto"` may cost, in
            (0, 1]. What is done between epochs counts too: where epochs are short,
            page and evaluation come less often than each epoch.
        layers: Names of the layers to measure, `None` for all.
        sample: Examples of each batch that a layer's statistics are taken on, int
            >= 1; `None` for all, "auto" for as many as make about 8,192 values,
            at most 16.
        entries: Entries of a variable that its norms are taken on, int >= 1;
            `None` for all. Larger variables are sampled evenly.
        histograms: Whether to count the layers' values by size, once an epoch.
        train_data: `(x, y)` for the training side of the gap; `None` keeps the
            first `examples` that are trained on.
        examples: How many training examples to evaluate on, int >= 1.
        image_shape: Shape of the input picture, if the first layer is dense.
        tensorboard: Whether to write TensorBoard event files too, into
            `directory/tensorboard`.
        log_values: Whether to add to Keras' `logs`.
        instruments: Instruments of your own to read as well.

    Raises:
        ValueError: If an argument is outside its range.
        ImportError: If `directory` is given and plotly or Jinja2 is not installed.

    Example:
        ```python
        monitor = TrainingMonitor("runs/digits")
        model.fit(x, y, validation_data=(xv, yv), callbacks=[monitor])
        monitor.record.to_frame(measure="update_ratio")
        ```
    """

    def __init__(
        self,
        directory: str | os.PathLike[str] | None = None,
        every: int | Literal["auto"] = "auto",
        overhead: float = 0.03,
        *,
        layers: Sequence[str] | None = None,
        sample: int | Literal["auto"] | None = "auto",
        entries: int | None = 8_192,
        histograms: bool = False,
        train_data: tuple[Any, Any] | None = None,
        examples: int = 256,
        image_shape: Sequence[int] | None = None,
        tensorboard: bool = False,
        log_values: bool = True,
        instruments: Sequence[Instrument] = (),
    ) -> None:
        self.directory = check_directory(directory)
        self.histograms = check_flag("histograms", histograms)
        self.tensorboard = check_flag("tensorboard", tensorboard)
        self.log_values = check_flag("log_values", log_values)
        super().__init__(
            Updates(),
            Layers(),
            Units(),
            *((Histograms(),) if histograms else ()),
            Gap(check_train_data(train_data), check_integer("examples", examples, 1)),
            Examples(examples),
            Filters(image_shape=check_image_shape(image_shape)),
            BatchSize(),
            Seconds(),
            *instruments,
            every=every,
            overhead=overhead,
            layers=layers,
            sample=sample,
            entries=entries,
        )
        if self.tensorboard and self.directory is None:
            raise ValueError(
                "`tensorboard` must be False unless a `directory` is given. "
                + received("tensorboard", tensorboard)
            )
        if self.directory is not None:
            _check_installed()

    @property
    def report_path(self) -> str | None:
        """The page, `None` without a directory."""
        if self.directory is None:
            return None
        return os.path.join(self.directory, "report.html")

    def record_path(self) -> str | None:
        """The record's file."""
        if self.directory is None:
            return None
        return os.path.realpath(os.path.join(self.directory, "record.sqlite"))

    def begin(self, goes_on: bool) -> None:
        """Resets the state of the monitor; a run is about to begin."""
        self._done_epoch: int | None = None
        self._place: Place | None = None
        self._warned = False
        self._goes_on = goes_on
        if goes_on:
            return
        self._first_block = 0
        share = Budget(self.overhead).between_epochs
        self._between = Between(share if self.every == "auto" else None)
        self._export: Any = None

    def read_epoch(self, place: Place) -> None:
        """Measures what is measured between epochs and rewrites the page."""
        self.record.metadata["epochs"] = self.params.get("epochs")
        self._place = place
        self._between.end_epoch()
        if self._between.allows():
            with self._between:
                self._measure_epoch()
                self._write_page(live=True)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Reads the epoch and adds a few numbers to what Keras logs."""
        super().on_epoch_end(epoch, logs)
        if self.log_values and logs is not None and self._place is not None:
            found = summary_of_epoch(self.record, self._place.epoch, self._first_block)
            logs.update(found)
            self._first_block = self.record.block_count

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Tells the recorder where the run is."""
        super().on_epoch_begin(epoch, logs)
        self._between.begin_epoch()

    def finish(self) -> None:
        """Measures the last epoch and writes the page for good."""
        # In loops of short fits there is no time for it at the end of each.
        if not self._goes_on or self._between.allows():
            with self._between:
                self._measure_epoch()
        self._joined().record.metadata["status"] = "finished"
        self._joined().flush()
        self._write_page(live=False)
        if self.report_path is not None and self.params.get("verbose"):
            print(f"Training report: {self.report_path}")

    def interrupted(self) -> None:
        """Writes the page of a run that failed or was interrupted."""
        self._write_page(live=False)

    def _measure_epoch(self) -> None:
        if self._place is None or self._done_epoch == self._place.epoch:
            return
        self._done_epoch = self._place.epoch
        super().read_epoch(self._place)
        self._joined().flush()

    def _write_page(self, live: bool) -> None:
        if self.directory is None or self.report_path is None:
            return
        from keras_trainkit import report
        from keras_trainkit.report.tensorboard import TensorBoardExport

        record = self.record
        try:
            report.write(record, self.report_path, findings=diagnose(record), live=live)
            if self.tensorboard:
                if self._export is None:
                    self._export = TensorBoardExport(
                        os.path.join(self.directory, "tensorboard")
                    )
                self._export.write(record)
                if not live:
                    self._export.close()
        except Exception as error:
            # A picture of the training is no reason to end it.
            if not self._warned:
                self._warned = True
                warnings.warn(
                    f"TrainingMonitor could not write {self.report_path!r} "
                    f"({type(error).__name__}: {error}). Training goes on; the page is "
                    "tried again later, and can be written from the record.",
                    stacklevel=2,
                )


def _check_installed() -> None:
    missing = [
        name for name in ("plotly", "jinja2") if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise ImportError(
            f"TrainingMonitor(directory=...) draws a page and needs "
            f"{' and '.join(missing)}: pip install 'keras_trainkit[report]'. Without "
            "a directory it keeps the record in memory and draws none."
        )
