"""All monitors in one, with a live page."""

import importlib.util
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from keras_trainkit.arguments import check_flag, received
from keras_trainkit.callbacks.examples_monitor import ExamplesMonitor
from keras_trainkit.callbacks.first_layer_filters import (
    FirstLayerFilters,
    check_image_shape,
)
from keras_trainkit.callbacks.layer_statistics_monitor import (
    check_layers,
    check_sample,
)
from keras_trainkit.callbacks.monitor import Monitor, check_every, check_overhead
from keras_trainkit.callbacks.overfitting_monitor import OverfittingMonitor
from keras_trainkit.callbacks.update_ratio_monitor import check_entries
from keras_trainkit.diagnosis.diagnose import diagnose
from keras_trainkit.recording.request import Request


class TrainingMonitor(Monitor):
    """Watches everything about a training run and draws a live page of it.

    One callback does what the other monitors of this package do, on one recorder:
    the loss of every batch, update ratios, activations and gradients of every
    layer, the gap between training and validation, the filters of the first layer.
    With a directory it keeps there `record.sqlite` (all numbers; a killed process
    loses at most what was still on the device), `report.html` (one offline page,
    rewritten between epochs, which reloads itself while training goes on) and, on
    request, TensorBoard's event files. The record of an earlier run in the same
    directory is kept as `record.1.sqlite` and so on.

    Training is not changed: with the same seed the weights are the same to the
    last bit. A few numbers join Keras' `logs`, and so the progress bar, `History`
    and the loggers: `update_ratio` and `gradient_norm` of all variables together,
    `update_ratio_worst` (of the layer farthest from 1e-3), `dead_fraction` (of the
    worst layer) and `overfitting_gap` (of the loss, where there is validation).

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
    ) -> None:
        super().__init__()
        self.directory = None if directory is None else os.fspath(directory)
        self.every = check_every(every)
        self.overhead = check_overhead(overhead)
        self.layers = check_layers(layers)
        self.sample = check_sample(sample)
        self.entries = check_entries(entries)
        self.histograms = check_flag("histograms", histograms)
        self.tensorboard = check_flag("tensorboard", tensorboard)
        self.log_values = check_flag("log_values", log_values)
        self._gap = OverfittingMonitor(train_data=train_data, examples=examples)
        self._filters = FirstLayerFilters(image_shape=check_image_shape(image_shape))
        self._examples = ExamplesMonitor(examples)
        self._parts = (self._gap, self._examples, self._filters)
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

    def request(self) -> Request:
        """Asks for everything."""
        return (
            Request(
                update_every=self.every,
                entries=self.entries,
                layer_every=self.every,
                layers=None if self.layers is None else frozenset(self.layers),
                sample=self.sample,
                histograms=self.histograms,
                overhead=self.overhead,
            )
            .join(self._gap.request())
            .join(self._examples.request())
        )

    def record_path(self) -> str | None:
        """The record's file, an earlier one put aside."""
        if self.directory is None:
            return None
        os.makedirs(self.directory, exist_ok=True)
        path = os.path.join(self.directory, "record.sqlite")
        if os.path.exists(path):
            _put_aside(path)
        return path

    def begin(self) -> None:
        """Resets the state of the monitor; a run is about to begin."""
        automatic = self.every == "auto"
        self._budget = _Budget(self.overhead / 3 if automatic else None)
        self._logged: dict[str, float] = {}
        self._done_epoch: int | None = None
        self._epoch_logs: tuple[int, dict[str, Any]] | None = None
        self._export: Any = None
        for part in self._parts:
            part.set_model(self.model)
            part.begin()

    def read_epoch(self, epoch: int, logs: dict[str, Any]) -> None:
        """Measures what is measured between epochs and rewrites the page."""
        for part in self._parts:
            part._recorder = self._recorder
        self.record.metadata["epochs"] = self.params.get("epochs")
        self._epoch_logs = epoch, logs
        self._budget.end_epoch()
        if self._budget.allows():
            with self._budget:
                self._measure_epoch()
                self._write_page(live=True)
        if self.log_values:
            self._logged.update(_summary(self.record, epoch))
            logs.update(self._logged)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Tells the recorder where the run is."""
        super().on_epoch_begin(epoch, logs)
        self._budget.begin_epoch()

    def finish(self) -> None:
        """Measures the last epoch and writes the page for good."""
        self._measure_epoch()
        self._joined().record.metadata["status"] = "finished"
        self._joined().flush()
        self._write_page(live=False)
        if self._export is not None:
            self._export.close()
        if self.report_path is not None and self.params.get("verbose"):
            print(f"Training report: {self.report_path}")

    def interrupted(self) -> None:
        """Writes the page of a run that failed or was interrupted."""
        self._write_page(live=False)

    def _measure_epoch(self) -> None:
        if self._epoch_logs is None or self._done_epoch == self._epoch_logs[0]:
            return
        epoch, logs = self._epoch_logs
        self._done_epoch = epoch
        for part in self._parts:
            part.read_epoch(epoch, logs)
        self._joined().flush()

    def _write_page(self, live: bool) -> None:
        if self.directory is None or self.report_path is None:
            return
        from keras_trainkit import report
        from keras_trainkit.report.tensorboard import TensorBoardExport

        record = self.record
        report.write(record, self.report_path, findings=diagnose(record), live=live)
        if self.tensorboard:
            if self._export is None:
                self._export = TensorBoardExport(
                    os.path.join(self.directory, "tensorboard")
                )
            self._export.write(record)


class _Budget:
    """Keeps what is done between epochs within its share of the time of epochs.

    The first time is always allowed and, like the tracing of the step before it, not
    counted: it loads libraries and traces the evaluation.
    """

    def __init__(self, share: float | None) -> None:
        self._share = share
        self._trained = 0.0
        self._spent = 0.0
        self._last: float | None = None
        self._start = 0.0

    def begin_epoch(self) -> None:
        self._start = time.perf_counter()

    def end_epoch(self) -> None:
        self._trained += time.perf_counter() - self._start

    def allows(self) -> bool:
        if self._share is None or self._last is None:
            return True
        return self._spent + self._last <= self._share * self._trained

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        cost = time.perf_counter() - self._start
        if self._last is not None:
            self._spent += cost
            self._last = cost
        else:
            # Later times are cheaper, but how much is not known yet.
            self._last = cost / 4
            self._trained = 0.0


def _summary(record: Any, epoch: int) -> dict[str, float]:
    """The few numbers that join Keras' logs."""
    found = {}
    squares: dict[str, float] = {}
    worst = None
    for measure in ("update_norm", "weight_norm", "gradient_norm"):
        for series in record.select(measure):
            values = _of_epoch(record, series, epoch)
            if len(values):
                squares[measure] = squares.get(measure, 0.0) + float(np.mean(values**2))
    if squares.get("weight_norm"):
        ratio = squares["update_norm"] / squares["weight_norm"]
        found["update_ratio"] = float(np.sqrt(ratio))
        found["gradient_norm"] = float(np.sqrt(squares["gradient_norm"]))
    for series in record.select("update_ratio"):
        values = _of_epoch(record, series, epoch)
        values = values[np.isfinite(values) & (values > 0)]
        if len(values) and series.variable.endswith(("kernel", "embeddings")):
            ratio = float(np.median(values))
            if worst is None or abs(np.log10(ratio) + 3) > abs(np.log10(worst) + 3):
                worst = ratio
    if worst is not None:
        found["update_ratio_worst"] = worst
    dead = [
        values[-1]
        for series in record.select("dead_fraction")
        if len(values := record.values(*series)[2])
    ]
    if dead:
        found["dead_fraction"] = float(max(dead))
    gaps = record.values("overfitting_gap", metric="loss")[2]
    if len(gaps):
        found["overfitting_gap"] = float(gaps[-1])
    return found


def _of_epoch(record: Any, series: Any, epoch: int) -> np.ndarray:
    _, epochs, values = record.values(*series)
    return values[epochs == epoch]


def _put_aside(path: str) -> None:
    """Renames the record of an earlier run, with what SQLite keeps beside it."""
    stem, ending = os.path.splitext(path)
    number = 1
    while os.path.exists(f"{stem}.{number}{ending}"):
        number += 1
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(path + suffix):
            os.rename(path + suffix, f"{stem}.{number}{ending}{suffix}")


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
