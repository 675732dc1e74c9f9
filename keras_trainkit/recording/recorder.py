"""The recorder: measures one run for all callbacks and keeps its record."""

import os
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import received
from keras_trainkit.keras_model.layers import measured_layers
from keras_trainkit.record.series import Fit, Series
from keras_trainkit.record.training_record import TrainingRecord
from keras_trainkit.record.vocabulary import recorded_name
from keras_trainkit.recording.arrival import ARRIVED
from keras_trainkit.recording.columns import EXAMPLES
from keras_trainkit.recording.description import description, measured, now
from keras_trainkit.recording.function import MeasuredFunction
from keras_trainkit.recording.instrument import FIXED
from keras_trainkit.recording.merging import merge_replicas
from keras_trainkit.recording.place import Place
from keras_trainkit.recording.record_keeper import RecordKeeper
from keras_trainkit.recording.request import Request
from keras_trainkit.recording.step import MeasuredStep
from keras_trainkit.train_step.shared_function import Make, SharedFunction

# Seconds of tracing that who watches is told of.
_LONG = 5.0

_recorders: "weakref.WeakKeyDictionary[Any, Recorder]" = weakref.WeakKeyDictionary()


class Recorder:
    """Measures one run of `fit` for all the callbacks that joined.

    A callback joins when training begins and leaves when it ends. While at least
    one takes part, the model's train function is a measured one; nothing else of
    the model is changed, and a run that fails leaves nothing behind that the next
    use of the model does not clear away first.

    Args:
        model: The model, built and compiled.
    """

    def __init__(self, model: Any) -> None:
        self.steps = 0
        self._model: Callable[[], Any] = weakref.ref(model)
        self._members: list[Any] = []
        self._request = Request()
        self._record: TrainingRecord | None = None
        # Who keeps the record where, by its absolute path.
        self._keepers: dict[str, RecordKeeper] = {}
        self._function: MeasuredFunction | None = None
        self._shared: SharedFunction | None = None
        self._fit: Fit | None = None
        self._first_step = 0
        self._epoch = 0
        self._shift = 0
        self._ended: int | None = None
        self._stopped = False
        self._goes_on = False
        self._told_of_trace = False

    @classmethod
    def join(
        cls,
        model: Any,
        member: Any,
        request: Request,
        path: str | None = None,
        before: "Recorder | None" = None,
    ) -> "Recorder":
        """Takes part in the measuring of a model's run.

        Args:
            model: The model that is about to be trained.
            member: Who joins.
            request: What they want measured.
            path: Where the record is to be kept, `None` if they do not mind.
            before: The recorder of their run before. If that was of the same model,
                its record goes on.

        Returns:
            The recorder of this run, shared by all members.

        Raises:
            ValueError: If the model's distribution strategy cannot be measured, a
                layer that is asked for does not exist, or the directory of `path`
                is in use.
        """
        _check(model, request)
        recorder = _recorders.get(model) or cls(model)
        if before is not None and before._model() is model:
            recorder._take_over(before)
        if path is not None:
            recorder._keep(os.path.realpath(path))
        recorder._members.append(member)
        recorder._request = recorder._request.join(request)
        recorder._install()
        return recorder

    @property
    def record(self) -> TrainingRecord:
        """The record of the run, with all that has been measured so far."""
        self.drain()
        return self._made_record()

    def goes_on_from(self, other: "Recorder | None") -> bool:
        """Whether the record is that of another run, which this one continues."""
        return other is not None and self._goes_on and self._record is other._record

    def begin_epoch(self, epoch: int) -> None:
        """Says that an epoch begins; mends a train function made anew meanwhile."""
        if self._fit is None:
            self._begin_fit(epoch)
        self._epoch = epoch + self._shift
        self._install()

    def end_epoch(self, epoch: int, logs: Mapping[str, Any] | None) -> None:
        """Brings the readings of an epoch home; later calls for it do nothing."""
        if self._ended == epoch:
            return
        self._ended = epoch
        record = self.record
        place = self.place(epoch, logs)
        for name, value in place.logs.items():
            if np.ndim(value) == 0:
                record.add(recorded_name(name), float(value), **place.moment)
        for instrument in self._request.instruments:
            if instrument.channel not in FIXED[1:]:
                instrument.end_epoch(record, place)
        self.flush()

    def place(self, epoch: int, logs: Mapping[str, Any] | None) -> Place:
        """Where the run is at the end of an epoch, for instruments.

        Args:
            epoch: The epoch as Keras counts.
            logs: What Keras logs for it.
        """
        step = self._measured_step()
        begun = self._fit.step if self._fit is not None else 0
        return Place(
            model=self._model(),
            # Without a train step, as in a line search, each epoch is a step.
            step=self.steps - 1 if self.steps > begun else begun + epoch,
            epoch=epoch + self._shift,
            logs=dict(logs or {}),
            counters=step.counters if step is not None else lambda name: {},
            kept_examples=self._kept_examples,
        )

    def note_trace(self, seconds: float, watched: bool) -> None:
        """Says once that tracing takes long, if it does and the run is not silent."""
        if seconds < _LONG or self._told_of_trace:
            return
        self._told_of_trace = True
        if any(member.params.get("verbose") for member in self._members):
            print(_words_on_trace(seconds, watched), flush=True)

    def add_between(self, seconds: float) -> None:
        """Counts time that a member took between epochs as cost of watching."""
        if self._function is not None:
            self._function.cost.add_between(seconds)

    def flush(self) -> None:
        """Makes everything measured so far last in the record's files."""
        record = self.record
        record.metadata["updated"] = now()
        if self._function is not None:
            record.metadata["every"] = self._function.every
            record.metadata["done_twice"] = self._function.done_twice
            record.metadata["overhead"] = self._function.cost.share()
        step, function = self._measured_step(), self._function
        if step is not None and function is not None:
            unreached = step.unreachable - step.reached
            record.metadata["not_measured"] = sorted(unreached | function.untold)
        self._save()

    def leave(self, member: Any) -> None:
        """Takes no longer part; the last one to leave ends the measuring."""
        self._members = [other for other in self._members if other is not member]
        if not self._members:
            self.stop("finished")

    def stop(self, status: str) -> None:
        """Brings the last readings home and frees the model."""
        if self._stopped:
            return
        self._stopped = True
        try:
            # A run that failed before its first epoch has nothing to tell.
            record = self.record if self._fit is not None else None
            if record is not None and record.metadata["status"] == "running":
                record.metadata["status"] = status
                self.flush()
                if status == "interrupted":
                    for member in self._members:
                        member.interrupted()
        finally:
            self._uninstall()
            for keeper in self._keepers.values():
                keeper.close()

    def drain(self) -> None:
        """Fetches the readings that wait on the device and those of the calls."""
        step, function = self._measured_step(), self._function
        if step is None or function is None or not function.called:
            return
        arrivals: dict[int, float] = {}
        names = {
            measure.name
            for instrument in self._request.on("steps")
            for measure in instrument.measures
        }
        for key in dict.fromkeys(key for one in step.replicas for key in one.rings):
            rings = [replica.rings.get(key) for replica in step.replicas]
            rows = [ring.drain() for ring in rings if ring is not None]
            if len(rows) != len(step.replicas) or not len(rows[0][0]):
                continue
            steps, readings = merge_replicas(key[1], rows)
            for instrument in self._request.instruments:
                readings |= instrument.derived(readings)
            if key[0] != "steps" or EXAMPLES.series.measure not in names:
                readings.pop(EXAMPLES.series, None)
            arrived = readings.pop(ARRIVED.series, None)
            if arrived is not None:
                arrivals |= zip(steps.tolist(), arrived.tolist(), strict=True)
            if key[0] == "steps":
                self.steps = self._first_step + int(steps[-1]) + 1
            self._append(steps, readings)
        for steps, readings in function.take_calls(arrivals):
            self._append(steps, readings)
        function.note_fetched()

    def _append(self, steps: np.ndarray, readings: dict[Series, np.ndarray]) -> None:
        if not readings:
            return
        values = np.stack(list(readings.values()), axis=1).astype(np.float32)
        epochs = np.full(len(steps), self._epoch)
        self._made_record().append(
            list(readings), steps + self._first_step, epochs, values
        )

    def _kept_examples(self) -> Any:
        step = self._measured_step()
        if step is None or step.examples is None:
            return None
        examples = step.examples.value()
        if examples is None:
            return None
        return tf.nest.map_structure(lambda tensor: tensor.numpy(), examples)

    def _take_full(self) -> None:
        """Fetches the readings of full rings and makes them last."""
        self.drain()
        self._save()

    def _save(self) -> None:
        record = self._made_record()
        for keeper in self._keepers.values():
            keeper.save(record)

    def _take_over(self, before: "Recorder") -> None:
        """Goes on with the record of a run before, and where it is kept."""
        if self._record is None:
            self._record = before._record
            self._keepers |= before._keepers
            self._goes_on = True

    def _keep(self, path: str) -> None:
        if path in self._keepers:
            if any(path == member.kept_at for member in self._members):
                raise ValueError(
                    "`directory` must not be that of another monitor of the same "
                    f"run. {received('directory', os.path.dirname(path))}"
                )
            self._keepers[path].begin()
            return
        for other in list(_recorders.values()):
            if path in other._keepers:
                other.stop("interrupted")  # a run that failed and was not cleared yet
        self._keepers[path] = RecordKeeper(path)

    def _begin_fit(self, epoch: int) -> None:
        """Marks where a run begins; by now all members have joined."""
        record = self._made_record(epoch)
        record.metadata["status"] = "running"
        record.metadata["measured"] = measured(self._request)
        self._fit = record.begin_fit(epoch, started=now())
        self._shift = self._fit.epoch - epoch
        self.steps = self._fit.step

    def _made_record(self, initial_epoch: int = 0) -> TrainingRecord:
        record = self._record
        if record is None and initial_epoch:
            # The run before may have been in another process.
            resumed = (keeper.resume() for keeper in self._keepers.values())
            record = next((one for one in resumed if one is not None), None)
        if record is None:
            record = TrainingRecord()
        if self._record is None:
            about = description(self._model(), self._request)
            about["started"] = record.metadata.get("started", about["started"])
            record.metadata.update(about)
            for instrument in self._request.instruments:
                record.describe(*instrument.measures)
        record.source = record.source or next(iter(self._keepers), None)
        self._record = record
        return record

    def _measured_step(self) -> MeasuredStep | None:
        return None if self._function is None else self._function.step

    def _install(self) -> None:
        model = self._model()
        if self._shared is not None and model.train_function is self._shared:
            return
        self.drain()
        self._shared = SharedFunction.of(model)
        self._shared.build(self, self._build)
        self._function = None
        _recorders[model] = self

    def _build(self, make: Make) -> MeasuredFunction:
        assert self._shared is not None
        if self._function is None:
            self._function = MeasuredFunction.of(
                self._shared,
                self._model(),
                self._request,
                self._take_full,
                afresh=not self._goes_on,
            )
            self._first_step = self.steps - self._function.fetched_steps
        function = self._function.build(make, self._shared.is_wrapped)
        if function.step is not None:
            function.step.first_step = self._first_step
        return function

    def _uninstall(self) -> None:
        if self._shared is None:
            return
        self._shared.leave(self)
        model = self._model()
        if model is not None:
            _recorders.pop(model, None)
        if self._function is not None:
            self._function.release()
        self._function = self._shared = None


def _check(model: Any, request: Request) -> None:
    if request.layers is not None:
        known = [layer.label for layer in measured_layers(model)]
        unknown = sorted(request.layers - set(known))
        if unknown:
            raise ValueError(
                f"`layers` must name layers of the model: {', '.join(known)}. "
                f"{received('layers', unknown)}"
            )


def _words_on_trace(seconds: float, watched: bool) -> str:
    if watched:
        return f"Tracing the measured train step took {seconds:.0f} s."
    return (
        f"Tracing the train step took {seconds:.0f} s. To be measured it is traced "
        "again now, which takes longer; later fits are spared it."
    )
