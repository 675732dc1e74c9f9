"""The distributions of the layers' outputs and of their gradients."""

import dataclasses
from typing import Any

import tensorflow as tf

from keras_trainkit.keras_model.layers import MeasuredLayer
from keras_trainkit.measures import (
    mean_and_variance,
    saturated_fraction,
    zero_fraction,
)
from keras_trainkit.record.series import Series
from keras_trainkit.record.vocabulary import measure_named
from keras_trainkit.recording.columns import Column, Merge, Pairs, column, suspect
from keras_trainkit.recording.instrument import Instrument
from keras_trainkit.recording.seen import Seen, together


@dataclasses.dataclass(frozen=True)
class Layers(Instrument):
    """Reads mean and spread of activations and gradients, and the share of zeros."""

    measures = tuple(
        map(
            measure_named,
            (
                "activation_mean",
                "activation_std",
                "zero_fraction",
                "saturated_fraction",
                "activation_gradient_mean",
                "activation_gradient_std",
                "nonfinite_count",
            ),
        )
    )
    channel = "layers"

    def read(self, seen: Seen) -> Pairs:
        """Takes the statistics of all layers."""
        pairs: Pairs = []
        for label, samples in seen.outputs.items():
            pairs += _of_outputs(label, together(samples), seen.layers[label])
        for label in seen.outputs:  # the gradients came in the opposite order
            if label not in seen.output_gradients:
                continue
            gradient = together(seen.output_gradients[label])
            mean, variance = mean_and_variance(gradient)
            if seen.loss_scale is not None:
                scale = tf.cast(seen.loss_scale, tf.float32)
                mean, variance = mean / scale, variance / scale**2
            pairs += _spread("activation_gradient", label, mean, variance)
            pairs.append((suspect(label, "", "activation_gradient"), gradient))
        return pairs


def _of_outputs(label: str, output: Any, layer: MeasuredLayer) -> Pairs:
    pairs = _spread("activation", label, *mean_and_variance(output))
    pairs.append((column("zero_fraction", label), zero_fraction(output)))
    if layer.bounds is not None:
        share = saturated_fraction(output, *layer.bounds)
        pairs.append((column("saturated_fraction", label), share))
    pairs.append((suspect(label, "", "activation"), output))
    return pairs


def _spread(name: str, label: str, mean: Any, variance: Any) -> Pairs:
    # Next to each other: replicas need the mean to merge the variance.
    return [
        (column(f"{name}_mean", label), mean),
        (Column(Series(f"{name}_std", label), Merge.VARIANCE), variance),
    ]
