"""Reads the distributions of the layers' outputs and of their gradients."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from keras_trainkit import measures
from keras_trainkit.record.series import Series
from keras_trainkit.recording.columns import Column, Merge
from keras_trainkit.recording.rows import Reading, StepRows
from keras_trainkit.recording.schedule import Replica
from keras_trainkit.train_step.device_variable import variable
from keras_trainkit.train_step.taps import StepTap

if TYPE_CHECKING:
    from keras_trainkit.recording.step import MeasuredStep


class LayerReadings:
    """The layers of one step in one replica.

    Args:
        step: The measured step.
        replica: Where units and histograms are counted.
        rows: Where the readings are written.
        tap: What saw the layers.
    """

    def __init__(
        self, step: "MeasuredStep", replica: Replica, rows: StepRows, tap: StepTap
    ) -> None:
        self._step = step
        self._replica = replica
        self._rows = rows
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
        suspects: list[Column] = []
        seen: list[list[Any]] = []
        for measure, groups, reader in (
            ("activation", self._tap.activations, self._activation_reader),
            (
                "activation_gradient",
                self._tap.activation_gradients,
                self._gradient_reader,
            ),
        ):
            for label, samples in groups.items():
                columns += _columns(label, measure, self._tap.layers[label].bounds)
                readers.append(reader(label, samples))
                series = Series("nonfinite_count", label, tensor=measure)
                suspects.append(Column(series, Merge.SUM))
                seen.append(samples)
        histograms = self._histogram_variables()

        def read() -> tuple[list[Any], list[Any]]:
            numbers = [number for read in readers for number in read()]
            for state, samples in histograms:
                counts = measures.histogram(_together(samples))
                state.assign_add(tf.cast(counts, tf.float64))
            return numbers, list(map(_together, seen))

        self._rows.add("layers", Reading(columns, suspects, read))

    def _activation_reader(
        self, label: str, samples: list[Any]
    ) -> Callable[[], list[Any]]:
        layer = self._tap.layers[label]
        units = self._unit_variable(label, samples[0].shape)

        def read() -> list[Any]:
            tensor = _together(samples)
            numbers = [
                *measures.mean_and_variance(tensor),
                measures.zero_fraction(tensor),
            ]
            if layer.bounds is not None:
                numbers.append(measures.saturated_fraction(tensor, *layer.bounds))
            if units is not None:
                for sample in samples:
                    axis = layer.unit_axis(sample.shape.rank)
                    active = measures.active_units(sample, axis)
                    units.assign_add(tf.cast(active, tf.float32))
            return numbers

        return read

    def _gradient_reader(
        self, label: str, samples: list[Any]
    ) -> Callable[[], list[Any]]:
        def read() -> list[Any]:
            mean, variance = measures.mean_and_variance(_together(samples))
            if self._loss_scale is None:
                return [mean, variance]
            scale = tf.cast(self._loss_scale, tf.float32)
            return [mean / scale, variance / scale**2]

        return read

    def _unit_variable(self, label: str, shape: Any) -> Any:
        """How often each unit was active; `None` if units cannot fall silent."""
        layer = self._tap.layers[label]
        if not layer.rectifies or (shape.rank or 0) < 2:
            return None
        count = shape[layer.unit_axis(shape.rank)]
        if count is None:
            return None
        if label not in self._replica.units:
            self._replica.units[label] = variable(
                np.zeros(count), tf.float32, self._replica.device
            )
        self._step.units_reset.setdefault(label, 0)
        return self._replica.units[label]

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


def _columns(label: str, name: str, bounds: Any) -> list[Column]:
    columns = [
        Column(Series(f"{name}_mean", label), Merge.MEAN),
        Column(Series(f"{name}_std", label), Merge.VARIANCE),
    ]
    if name == "activation":
        columns.append(Column(Series("zero_fraction", label), Merge.MEAN))
        if bounds is not None:
            columns.append(Column(Series("saturated_fraction", label), Merge.MEAN))
    return columns


def _together(samples: list[Any]) -> Any:
    """All that a layer gave in this step, its calls put together."""
    if len(samples) == 1:
        return samples[0]
    return tf.concat([tf.reshape(sample, [-1]) for sample in samples], axis=0)
