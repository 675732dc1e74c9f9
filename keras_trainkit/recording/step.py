"""The measured train step: what is read, when it is due, and where it is written."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit import measures
from keras_trainkit.record import Series
from keras_trainkit.recording.columns import Column, Merge
from keras_trainkit.recording.device import Ring, variable
from keras_trainkit.recording.entries import Entries
from keras_trainkit.recording.fusion import may_be_fused
from keras_trainkit.recording.layers import MeasuredLayer, measured_layers, short_name
from keras_trainkit.recording.request import Request
from keras_trainkit.recording.schedule import Replica, Schedule, new_replica
from keras_trainkit.recording.taps import StepTap, Taps, optimizers_of

# An automatic sample: examples at most, and values of a layer they should make.
_AUTO_SAMPLE = 16, 16_384


class MeasuredStep:
    """A train step that measures itself; takes the place of `model.train_step`.

    Args:
        model: The model, built and compiled.
        request: What to measure.
    """

    def __init__(self, model: Any, request: Request) -> None:
        self.model = model
        self.request = request
        self.layers = measured_layers(model)
        self.unreachable: set[str] = set()
        # First step that the silence of a layer's units is counted from.
        self.units_reset: dict[str, int] = {}
        strategy = model.distribute_strategy
        self.replica_count = strategy.num_replicas_in_sync
        devices: list[str | None] = [None]
        if self.replica_count > 1:
            devices = list(strategy.extended.worker_devices)
        self.replicas = [new_replica(device, request) for device in devices]
        self._original = model.train_step
        self._owners = {
            id(value): layer for layer in self.layers for value in layer.variables
        }
        self.uses_twin = self._needs_twin(strategy)
        self._taps = Taps(model, self._tapped_layers())

    def __call__(self, data: Any) -> Any:
        """Runs or traces one step, as `model.train_step` would."""
        replica = self._this_replica()
        schedule = Schedule(self.model, replica, early=self.uses_twin)
        if self.uses_twin and replica.intervals:
            self._measure_twin(data, replica, schedule)
            trace = _StepTrace(self, replica, schedule, listens=False)
        else:
            trace = _StepTrace(self, replica, schedule, listens=True)
        logs = trace.run(data)
        trace.write_step(logs)
        if self.request.captured_examples:
            _capture(self, replica, data)
        schedule.end_step()
        return logs

    def _measure_twin(self, data: Any, replica: Replica, schedule: Schedule) -> None:
        # XLA, and fused layers without it, round differently wherever a tensor has
        # one more reader, and the weights would differ in their last bit. So a due
        # step is done twice: a measured twin in a branch of its own, which is
        # undone, and then the step as it is.
        state = _state(self.model)

        def twin() -> Any:
            before = [tf.identity(value) for value in state]
            trace = _StepTrace(self, replica, schedule, listens=True)
            trace.run(data)
            for value, old in zip(state, before, strict=True):
                value.assign(old)
            return tf.constant(0)

        due = tf.reduce_any([schedule.is_due(channel) for channel in replica.intervals])
        tf.cond(due, twin, lambda: tf.constant(0))

    def set_interval(self, channel: str, interval: int) -> None:
        """Sets the steps between two readings of "updates" or "layers"."""
        for replica in self.replicas:
            replica.intervals[channel].assign(interval)

    def label_of(self, value: Any) -> tuple[str, str]:
        """Layer and short name of a trainable variable."""
        owner = self._owners.get(id(value))
        return (owner.label if owner else ""), short_name(value, owner)

    def run_original(self, data: Any, tap: StepTap) -> Any:
        """Runs the model's own train step under a tap."""
        self._taps.enter(tap)
        try:
            return self._original(data)
        finally:
            self._taps.leave()
            self.unreachable |= tap.unreachable

    def _needs_twin(self, strategy: Any) -> bool:
        if self.model.run_eagerly:
            return False
        if self.model.jit_compile:
            return True
        fusible = [
            layer
            for layer in self._tapped_layers()
            if may_be_fused(layer.layer, self.model)
        ]
        if fusible and strategy.num_replicas_in_sync > 1:
            # Replicas meet in the update, which no branch may hold: these layers
            # are left alone.
            self.unreachable |= {layer.label for layer in fusible}
            return False
        return bool(fusible)

    def _tapped_layers(self) -> list[MeasuredLayer]:
        if self.request.layer_every is None:
            return []
        wanted = self.request.layers
        return [
            layer
            for layer in self.layers
            if (wanted is None or layer.label in wanted)
            and layer.label not in self.unreachable
        ]

    def _this_replica(self) -> Replica:
        if len(self.replicas) == 1:
            return self.replicas[0]
        context = tf.distribute.get_replica_context()
        return self.replicas[
            int(tf.get_static_value(context.replica_id_in_sync_group) or 0)
        ]


class _StepTrace:
    """One pass through the step, in one replica: eager, or while it is traced."""

    def __init__(
        self, step: MeasuredStep, replica: Replica, schedule: Schedule, listens: bool
    ) -> None:
        self._step = step
        self._replica = replica
        self._schedule = schedule
        self._listens = listens
        self.tap = StepTap(
            self._note_loss,
            self._before_update if listens else None,
            self._after_update,
            layers=listens and step.request.layer_every is not None,
        )
        self._optimizer = getattr(step.model, "optimizer", None)
        self._loss: Any = None
        self._loss_scale = None
        self._updates: list[tuple[Any, Any]] = []
        self._pending: list[tuple[Any, Any]] = []
        self._rate: Any = None

    def run(self, data: Any) -> Any:
        """Runs the step and writes the readings of its inside that are due."""
        if self._optimizer is not None:
            rate = tf.convert_to_tensor(self._optimizer.learning_rate)
            self._rate = tf.cast(rate, tf.float32)
        logs = self._step.run_original(data, self.tap)
        if "updates" in self._replica.intervals and self._updates:
            self._write_updates()
        if "layers" in self._replica.intervals and self.tap.activations:
            self._write_layers()
        return logs

    def write_step(self, logs: Any) -> None:
        """Writes what is read at every step: the batch loss and the rate."""
        if self._loss is None and isinstance(logs, dict) and "loss" in logs:
            # A custom step that shows its loss nowhere else: take what it reports.
            self._loss = _scalar(logs["loss"])
        columns: list[Column] = []
        row: list[Any] = []
        if self._loss is not None:
            columns.append(Column(Series("loss"), Merge.MEAN))
            row.append(self._loss)
        if self._rate is not None:
            columns.append(Column(Series("learning_rate")))
            row.append(self._rate)
        if row:
            self._ring("steps", columns).write(self._schedule.number, tf.stack(row))

    def _note_loss(self, loss: Any) -> None:
        # Keras divides the loss by the number of replicas before it is summed.
        self._loss = _scalar(loss) * self._step.replica_count
        if not self._listens or not self._step.uses_twin:
            self._schedule.note_loss(self._loss)

    def _ring(self, channel: str, columns: list[Column]) -> Ring:
        key = channel, tuple(columns)
        if key not in self._replica.rings:
            counter = self._replica.step if channel == "steps" else None
            ring = Ring(len(columns), self._replica.device, counter)
            self._replica.rings[key] = ring
        return self._replica.rings[key]

    def _write_step(self, loss: Any) -> None:
        columns: list[Column] = []
        row: list[Any] = []
        if loss is not None:
            columns.append(Column(Series("loss"), Merge.MEAN))
            row.append(loss)
        if self._rate is not None:
            columns.append(Column(Series("learning_rate")))
            row.append(self._rate)
        if row:
            self._ring("steps", columns).write(self._schedule.number, tf.stack(row))

    # Updates of the parameters

    def _before_update(
        self, optimizer: Any, grads: list[Any], variables: list[Any]
    ) -> None:
        self._loss_scale = _loss_scale(optimizer)
        if "updates" not in self._replica.intervals:
            return
        pairs = [(g, v) for g, v in zip(grads, variables, strict=True) if g is not None]
        if not pairs:
            return
        grads = [gradient for gradient, _ in pairs]
        if self._step.replica_count > 1:
            # Each replica has its share; only the sum is the gradient of the loss.
            context = tf.distribute.get_replica_context()
            grads = context.all_reduce(tf.distribute.ReduceOp.SUM, grads)
        limit = self._step.request.entries
        values = [Entries(getattr(value, "value", value), limit) for _, value in pairs]
        due = self._schedule.is_due("updates")

        def read() -> list[Any]:
            return [value.read() for value in values]

        def skip() -> list[Any]:
            return [value.nothing() for value in values]

        before = read() if self._step.uses_twin else tf.cond(due, read, skip)
        self._pending = [
            (variable_, (gradient, old, value))
            for (_, variable_), gradient, old, value in zip(
                pairs, grads, before, values, strict=True
            )
        ]

    def _after_update(self) -> None:
        # The values after the update are read when the step is over, in the branch
        # that is due; constraints have been applied by then.
        self._updates.extend(self._pending)
        self._pending = []

    def _write_updates(self) -> None:
        columns: list[Column] = []
        for value, (gradient, _, entries) in self._updates:
            layer, name = self._step.label_of(value)
            sparse = isinstance(gradient, tf.IndexedSlices)
            columns += [
                Column(Series(measure, layer, name), half_square=True, scale=scale)
                for measure, scale in (
                    ("weight_norm", entries.scale),
                    ("gradient_norm", 1.0 if sparse else entries.scale),
                    ("update_norm", entries.scale),
                )
            ]
        for value, _ in self._updates:
            layer, name = self._step.label_of(value)
            columns += [
                Column(Series("nonfinite_count", layer, f"{name} gradient")),
                Column(Series("nonfinite_count", layer, name)),
            ]
        ring = self._ring("updates", columns)

        def write() -> Any:
            sums, suspects = [], []
            scale = self._loss_scale
            for _, (gradient, before, entries) in self._updates:
                after = entries.read()
                if isinstance(gradient, tf.IndexedSlices):
                    gradient = _summed_rows(gradient, self._step.uses_twin)
                else:
                    gradient = entries.of(gradient)
                square = measures.half_square_sum(gradient)
                if scale is not None:
                    square /= tf.cast(scale, tf.float32) ** 2
                sums += [
                    measures.half_square_sum(before),
                    square,
                    measures.half_square_sum(after - before),
                ]
                suspects += [gradient, after]
            row = tf.stack(sums)
            counts = _nonfinite_counts(row, suspects)
            ring.write(self._schedule.number, tf.concat([row, counts], axis=0))
            return tf.constant(0)

        tf.cond(self._schedule.is_due("updates"), write, lambda: tf.constant(0))

    # Activations and gradients of the layers

    def _write_layers(self) -> None:
        columns: list[Column] = []
        readers: list[Callable[[], list[Any]]] = []
        suspects: list[tuple[str, str, list[Any]]] = []
        for label, tensors in self.tap.activations.items():
            bounds = self.tap.layers[label].bounds
            columns += _columns(label, "activation", bounds is not None)
            readers.append(self._activation_reader(tensors, bounds))
            suspects.append((label, "activation", tensors))
        for label, tensors in self.tap.activation_gradients.items():
            columns += _columns(label, "activation_gradient", False)
            readers.append(self._gradient_reader(tensors))
            suspects.append((label, "activation_gradient", tensors))
        columns += [
            Column(Series("nonfinite_count", label, name), Merge.SUM)
            for label, name, _ in suspects
        ]
        ring = self._ring("layers", columns)
        units = self._unit_variables()
        histograms = self._histogram_variables()

        def write() -> Any:
            row = tf.stack([number for read in readers for number in read()])
            tensors = [self._sampled(values) for _, _, values in suspects]
            counts = _nonfinite_counts(row, tensors)
            ring.write(self._schedule.number, tf.concat([row, counts], axis=0))
            for label, state in units.items():
                self._note_active_units(label, state)
            for state, values in histograms:
                counts = measures.histogram(self._sampled(values))
                state.assign_add(tf.cast(counts, tf.float64))
            return tf.constant(0)

        tf.cond(self._schedule.is_due("layers"), write, lambda: tf.constant(0))

    def _activation_reader(
        self, tensors: list[Any], bounds: tuple[float | None, float | None] | None
    ) -> Callable[[], list[Any]]:
        def read() -> list[Any]:
            tensor = self._sampled(tensors)
            numbers = [
                *measures.mean_and_variance(tensor),
                measures.zero_fraction(tensor),
            ]
            if bounds is not None:
                numbers.append(measures.saturated_fraction(tensor, *bounds))
            return numbers

        return read

    def _gradient_reader(self, tensors: list[Any]) -> Callable[[], list[Any]]:
        def read() -> list[Any]:
            mean, variance = measures.mean_and_variance(self._sampled(tensors))
            if self._loss_scale is None:
                return [mean, variance]
            scale = tf.cast(self._loss_scale, tf.float32)
            return [mean / scale, variance / scale**2]

        return read

    def _sampled(self, tensors: list[Any]) -> Any:
        """All that a layer gave in this step, its calls put together."""
        parts = [_sample(tensor, self._step.request.sample) for tensor in tensors]
        if len(parts) == 1:
            return parts[0]
        return tf.concat([tf.reshape(part, [-1]) for part in parts], axis=0)

    def _unit_variables(self) -> dict[str, Any]:
        found = {}
        for label, tensors in self.tap.activations.items():
            shape = tensors[0].shape
            if not self.tap.layers[label].rectifies or (shape.rank or 0) < 2:
                continue
            count = shape[self.tap.layers[label].unit_axis(shape.rank)]
            if count is None:
                continue
            if label not in self._replica.units:
                self._replica.units[label] = variable(
                    np.zeros(count, bool), tf.bool, self._replica.device
                )
            found[label] = self._replica.units[label]
            self._step.units_reset.setdefault(label, 0)
        return found

    def _note_active_units(self, label: str, state: Any) -> None:
        layer = self.tap.layers[label]
        active = state.read_value()
        for tensor in self.tap.activations[label]:
            axis = layer.unit_axis(tensor.shape.rank)
            active |= measures.active_units(self._sampled([tensor]), axis)
        state.assign(active)

    def _histogram_variables(self) -> list[tuple[Any, list[Any]]]:
        if not self._step.request.histograms:
            return []
        bins = len(measures.HISTOGRAM_EDGES) + 1
        found = []
        for measure, groups in (
            ("activation_histogram", self.tap.activations),
            ("activation_gradient_histogram", self.tap.activation_gradients),
        ):
            for label, tensors in groups.items():
                key = measure, label
                if key not in self._replica.histograms:
                    self._replica.histograms[key] = variable(
                        np.zeros(bins), tf.float64, self._replica.device
                    )
                found.append((self._replica.histograms[key], tensors))
        return found


def _scalar(value: Any) -> Any:
    return tf.cast(tf.reduce_mean(tf.convert_to_tensor(value)), tf.float32)


def _state(model: Any) -> list[Any]:
    """All variables that a train step may write."""
    values = [*model.variables, *model.metrics_variables]
    for optimizer in optimizers_of(model):
        values += optimizer.variables
    raw = [value for value in vars(model).values() if isinstance(value, tf.Variable)]
    found = {id(value): value for value in [*values, *raw]}
    return [getattr(value, "value", value) for value in found.values()]


def _columns(label: str, name: str, bounded: bool) -> list[Column]:
    columns = [
        Column(Series(f"{name}_mean", label), Merge.MEAN),
        Column(Series(f"{name}_std", label), Merge.VARIANCE),
    ]
    if name == "activation":
        columns.append(Column(Series("zero_fraction", label), Merge.MEAN))
    if bounded:
        columns.append(Column(Series("saturated_fraction", label), Merge.MEAN))
    return columns


def _sample(tensor: Any, sample: Any) -> Any:
    """The first examples of a tensor, the batch first."""
    if sample is None or not tensor.shape.rank:
        return tensor
    if sample == "auto":
        features = tensor.shape[1:].num_elements()
        most, values = _AUTO_SAMPLE
        sample = most if not features else max(1, min(most, values // features))
    return tensor[:sample]


def _nonfinite_counts(row: Any, tensors: list[Any]) -> Any:
    """Counts per tensor, but only if a number of the row gives reason to."""

    def count() -> Any:
        return tf.stack([measures.nonfinite_count(tensor) for tensor in tensors])

    return tf.cond(
        tf.reduce_all(tf.math.is_finite(row)),
        lambda: tf.zeros([len(tensors)]),
        count,
    )


def _loss_scale(optimizer: Any) -> Any:
    """What the loss was multiplied by before it was differentiated."""
    scale = getattr(optimizer, "dynamic_scale", None)
    if scale is not None:
        return tf.identity(scale.value)
    return getattr(optimizer, "loss_scale_factor", None)


def _summed_rows(gradient: Any, xla: bool) -> Any:
    """A sparse gradient with repeated rows summed; the norm of that is what counts."""
    if xla:
        return tf.convert_to_tensor(gradient)
    rows, places = tf.unique(tf.reshape(gradient.indices, [-1]))
    return tf.math.unsorted_segment_sum(gradient.values, places, tf.size(rows))


def _capture(step: MeasuredStep, replica: Replica, data: Any) -> None:
    """Keeps the first training examples on the device, for evaluation later."""
    if replica is not step.replicas[0]:
        return
    wanted = step.request.captured_examples
    flat = tf.nest.flatten(data)
    if not all(isinstance(v, tf.Tensor) and v.shape.rank for v in flat):
        return
    if any(None in v.shape[1:] for v in flat):
        return
    if replica.captured is None:
        replica.captured_structure = tf.nest.map_structure(lambda _: 0, data)
        replica.captured = [
            variable(
                np.zeros([2 * wanted, *v.shape[1:]], v.dtype.as_numpy_dtype),
                v.dtype,
                replica.device,
            )
            for v in flat
        ]
        replica.captured_count = variable(0, tf.int64, replica.device)
    count = replica.captured_count.read_value()
    states = replica.captured

    def keep() -> Any:
        size = tf.minimum(tf.shape(flat[0])[0], wanted)
        places = count + tf.range(tf.cast(size, tf.int64))
        for state, value in zip(states, flat, strict=True):
            state.scatter_nd_update(places[:, tf.newaxis], value[:size])
        replica.captured_count.assign_add(tf.cast(size, tf.int64))
        return tf.constant(0)

    tf.cond(count < wanted, keep, lambda: tf.constant(0))
