"""Reads the distributions of the layers' outputs and of their gradients."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from keras_trainkit import measures
from keras_trainkit.record import Series
from keras_trainkit.recording.columns import Column, Merge
from keras_trainkit.recording.device import variable
from keras_trainkit.recording.schedule import Replica, Schedule
from keras_trainkit.recording.taps import StepTap

if TYPE_CHECKING:
    from keras_trainkit.recording.step import MeasuredStep


class LayerReadings:
    """The layers of one step in one replica.

    Args:
        step: The measured step.
        replica: Where the readings are written.
        schedule: When they are due.
        tap: What saw the layers.
    """

    def __init__(
        self, step: "MeasuredStep", replica: Replica, schedule: Schedule, tap: StepTap
    ) -> None:
        self._step = step
        self._replica = replica
        self._schedule = schedule
        self._tap = tap
        self._loss_scale: Any = None

    def write(self, loss_scale: Any) -> None:
        """Writes the layers' statistics, if they are due.

        Args:
            loss_scale: What the loss was multiplied by, `None` for nothing.
        """
        self._loss_scale = loss_scale
        if not self._tap.activations:
            return
        columns: list[Column] = []
        readers: list[Callable[[], list[Any]]] = []
        suspects: list[tuple[str, str, list[Any]]] = []
        for label, samples in self._tap.activations.items():
            bounds = self._tap.layers[label].bounds
            columns += _columns(label, "activation", bounds is not None)
            readers.append(self._activation_reader(samples, bounds))
            suspects.append((label, "activation", samples))
        for label, samples in self._tap.activation_gradients.items():
            columns += _columns(label, "activation_gradient", False)
            readers.append(self._gradient_reader(samples))
            suspects.append((label, "activation_gradient", samples))
        columns += [
            Column(Series("nonfinite_count", label, name), Merge.SUM)
            for label, name, _ in suspects
        ]
        ring = self._replica.ring("layers", columns)
        units = self._unit_variables()
        histograms = self._histogram_variables()

        def write() -> Any:
            row = tf.stack([number for read in readers for number in read()])
            tensors = [_together(samples) for _, _, samples in suspects]
            counts = measures.nonfinite_counts(row, tensors)
            ring.write(self._schedule.number, tf.concat([row, counts], axis=0))
            for label, state in units.items():
                self._note_active_units(label, state)
            for state, samples in histograms:
                counts = measures.histogram(_together(samples))
                state.assign_add(tf.cast(counts, tf.float64))
            return tf.constant(0)

        self._schedule.when("layers", write, lambda: tf.constant(0))

    def _activation_reader(
        self, samples: list[Any], bounds: tuple[float | None, float | None] | None
    ) -> Callable[[], list[Any]]:
        def read() -> list[Any]:
            tensor = _together(samples)
            numbers = [
                *measures.mean_and_variance(tensor),
                measures.zero_fraction(tensor),
            ]
            if bounds is not None:
                numbers.append(measures.saturated_fraction(tensor, *bounds))
            return numbers

        return read

    def _gradient_reader(self, samples: list[Any]) -> Callable[[], list[Any]]:
        def read() -> list[Any]:
            mean, variance = measures.mean_and_variance(_together(samples))
            if self._loss_scale is None:
                return [mean, variance]
            scale = tf.cast(self._loss_scale, tf.float32)
            return [mean / scale, variance / scale**2]

        return read

    def _unit_variables(self) -> dict[str, Any]:
        found = {}
        for label, samples in self._tap.activations.items():
            shape = samples[0].shape
            if not self._tap.layers[label].rectifies or (shape.rank or 0) < 2:
                continue
            count = shape[self._tap.layers[label].unit_axis(shape.rank)]
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
        layer = self._tap.layers[label]
        active = state.read_value()
        for sample in self._tap.activations[label]:
            axis = layer.unit_axis(sample.shape.rank)
            active |= measures.active_units(sample, axis)
        state.assign(active)

    def _histogram_variables(self) -> list[tuple[Any, list[Any]]]:
        if not self._step.request.histograms:
            return []
        bins = len(measures.HISTOGRAM_EDGES) + 1
        found = []
        for measure, groups in (
            ("activation_histogram", self._tap.activations),
            ("activation_gradient_histogram", self._tap.activation_gradients),
        ):
            for label, samples in groups.items():
                key = measure, label
                if key not in self._replica.histograms:
                    self._replica.histograms[key] = variable(
                        np.zeros(bins), tf.float64, self._replica.device
                    )
                found.append((self._replica.histograms[key], samples))
        return found


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


def _together(samples: list[Any]) -> Any:
    """All that a layer gave in this step, its calls put together."""
    if len(samples) == 1:
        return samples[0]
    return tf.concat([tf.reshape(sample, [-1]) for sample in samples], axis=0)
