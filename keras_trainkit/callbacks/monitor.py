"""A monitor: instruments that are read while a model trains."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras

from keras_trainkit.arguments import check_integer, check_number, received
from keras_trainkit.record.training_record import TrainingRecord
from keras_trainkit.record.vocabulary import is_registered, measure_named
from keras_trainkit.recording.due import NEVER
from keras_trainkit.recording.instrument import Instrument
from keras_trainkit.recording.instruments.loss import Loss
from keras_trainkit.recording.place import Place
from keras_trainkit.recording.recorder import Recorder
from keras_trainkit.recording.request import Request


class Monitor(keras.callbacks.Callback):
    """Reads instruments while a model trains; the other monitors are presets of it.

    Monitors on one model share one recorder and one record, so that using several
    costs no more than using the sum of what they measure. The loss and the learning
    rate of every step are always read. None defines a hook that Keras calls at
    every batch.

    Args:
        *instruments: What to measure, e.g. an `Instrument` of your own.
        every: Steps between two readings, int >= 1, or "auto" for as often as
            `overhead` allows. With gradient accumulation, optimizer updates.
        overhead: Share of the running time that `every="auto"` may cost, in
            (0, 1].
        layers: Names of the layers to look at, `None` for all.
        sample: Examples of each batch that a layer's statistics are taken on, int
            >= 1; `None` for all, "auto" for as many as make about 8,192 values, at
            most 16.
        entries: Entries of a variable that its norms are taken on, int >= 1;
            `None` for all. Larger variables are sampled evenly.

    Raises:
        ValueError: If an argument is outside its range, or, before training begins,
            if the model has no layer of a name in `layers`.

    Example:
        ```python
        monitor = Monitor(Confidence(), every=10)
        model.fit(x, y, callbacks=[monitor])
        monitor.record.to_frame(measure="confidence")
        ```
    """

    # Whoever trains without the train function of `fit` can refuse it by this.
    reads_steps_of_fit = True

    def __init__(
        self,
        *instruments: Instrument,
        every: int | Literal["auto"] = 1,
        overhead: float = 0.03,
        layers: Sequence[str] | None = None,
        sample: int | Literal["auto"] | None = None,
        entries: int | None = 8_192,
    ) -> None:
        super().__init__()
        self.every = check_every(every)
        self.overhead = check_number("overhead", overhead, 0.0, 1.0, open_minimum=True)
        self.layers = check_layers(layers)
        self.sample = check_sample(sample)
        self.entries = check_entries(entries)
        self.instruments = check_instruments(instruments)
        self._recorder: Recorder | None = None
        self.kept_at: str | None = None

    @property
    def record(self) -> TrainingRecord:
        """The `TrainingRecord` of the latest run, and of those that it goes on from.

        A second `fit` of the same model with the same monitor goes on with the
        record; `record.fits` says where each began.

        Raises:
            RuntimeError: If no training has begun yet.
        """
        if self._recorder is None:
            raise RuntimeError(
                f"`{type(self).__name__}.record` exists once `fit` has begun. Pass "
                "the callback to `model.fit(..., callbacks=[...])` first."
            )
        return self._recorder.record

    def request(self) -> Request:
        """Says what this monitor needs measured."""
        return Request.of(
            (Loss(), *self.instruments),
            self.every,
            overhead=self.overhead,
            layers=None if self.layers is None else frozenset(self.layers),
            sample=self.sample,
            entries=self.entries,
        )

    def record_path(self) -> str | None:
        """Says where the record is to be kept, `None` for memory only."""
        return None

    def begin(self, goes_on: bool) -> None:
        """Resets the state of the monitor; a run is about to begin.

        Args:
            goes_on: Whether the record of the run before goes on.
        """

    def read_epoch(self, place: Place) -> None:
        """Reads what is read between epochs."""
        for instrument in self.instruments:
            if instrument.channel == "epochs":
                instrument.end_epoch(self.record, place)

    def finish(self) -> None:
        """Does what is left when training has ended."""

    def interrupted(self) -> None:
        """Does what is left when a run has failed or was interrupted."""

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Joins the recorder of the run."""
        for instrument in self.instruments:
            instrument.begin(self.model)
        before = self._recorder
        self.kept_at = self.record_path()
        self._recorder = Recorder.join(
            self.model, self, self.request(), self.kept_at, before
        )
        self.begin(self._recorder.goes_on_from(before))

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Tells the recorder where the run is."""
        self._joined().begin_epoch(epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Brings the readings home and reads what is read between epochs."""
        began = time.perf_counter()
        recorder = self._joined()
        recorder.end_epoch(epoch, logs)
        self.read_epoch(recorder.place(epoch, logs))
        recorder.add_between(time.perf_counter() - began)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Leaves the recorder."""
        self.finish()
        self._joined().leave(self)

    def _joined(self) -> Recorder:
        if self._recorder is None:
            raise RuntimeError(
                f"`{type(self).__name__}` works inside `model.fit` only; "
                "`on_train_begin` was never called."
            )
        return self._recorder


def check_every(value: Any) -> Any:
    """Returns `every` if it is an integer >= 1 or "auto", else says why not."""
    if isinstance(value, str) and value == "auto":
        return value
    if isinstance(value, str):
        raise ValueError(
            f'`every` must be an integer >= 1 or "auto". {received("every", value)}'
        )
    # Kept as int64 on the device, where the largest means never.
    return min(check_integer("every", value, minimum=1), NEVER)


def check_entries(value: Any) -> int | None:
    """Returns `entries` if it is `None` or an integer >= 1, else says why not."""
    return None if value is None else check_integer("entries", value, 1)


def check_sample(value: Any) -> Any:
    """Returns `sample` if it is `None`, "auto" or an integer >= 1, or says why not."""
    if value is None or (isinstance(value, str) and value == "auto"):
        return value
    if isinstance(value, str):
        raise ValueError(
            '`sample` must be None, "auto" or an integer >= 1. '
            + received("sample", value)
        )
    return check_integer("sample", value, 1)


def check_layers(layers: Sequence[str] | None) -> tuple[str, ...] | None:
    """Returns `layers` if it is `None` or a list of names, else says why not."""
    if layers is None:
        return None
    if (
        isinstance(layers, str)
        or not isinstance(layers, Sequence)
        or not layers
        or not all(isinstance(name, str) for name in layers)
    ):
        raise ValueError(
            "`layers` must be None or a non-empty list of layer names. "
            + received("layers", layers)
        )
    return tuple(layers)


def check_instruments(instruments: Sequence[Any]) -> tuple[Instrument, ...]:
    """Returns the instruments, or says what is none or measures under a taken name."""
    for instrument in instruments:
        if not isinstance(instrument, Instrument):
            raise ValueError(
                "`instruments` must be instances of Instrument. "
                + received("instruments", instruments)
            )
    for measure in (own for each in instruments for own in each.measures):
        if is_registered(measure.name) and measure_named(measure.name) != measure:
            raise ValueError(
                "`measures` of an instrument must not bear the name of another "
                f"measure. {received('measures', measure.name)}"
            )
    return tuple(instruments)
