"""A layer, projected on fixed random weights, as a function of weights and inputs."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_trainkit.keras_model.layers import all_layers
from keras_trainkit.problems.double_precision import double_precision
from keras_trainkit.problems.of_model import (
    depth_of,
    float_leaves,
    kept_losses,
    regularization,
    replace_leaves,
    stateless,
)
from keras_trainkit.problems.problem import Problem, inlined_functions, projection


def layer_problem(
    layer: Any, x: Any, *, wrt: str, double: bool, training: bool, seed: int
) -> Problem:
    """Returns the layer's outputs, weighted at random and summed, plus its losses.

    Args:
        layer: Any Keras layer, built or not, or an uncompiled model.
        x: Its input as arrays; a tuple becomes several positional arguments.
        wrt: "parameters", "inputs" or "both".
        double: Whether to compute in float64.
        training: Whether the layer runs in training mode.
        seed: Seed of the weights on the outputs.
    """
    arguments = x if isinstance(x, tuple) else (x,)
    if not all(one.built for one in all_layers(layer)):
        with keras.StatelessScope():
            layer(*tf.nest.map_structure(tf.convert_to_tensor, arguments))
    variables = list(layer.trainable_variables) if wrt != "inputs" else []
    inputs = float_leaves(x) if wrt != "parameters" else []
    regularized = any(v.regularizer is not None for v in variables)

    def terms(values: Sequence[Any]) -> list[Any]:
        weights, fed = values[: len(variables)], values[len(variables) :]
        with double_precision(layer, double), inlined_functions(), kept_losses(layer):
            batch = replace_leaves(arguments, fed, double)
            with stateless(
                layer, variables, weights, tf.float64 if double else None
            ) as scope:
                data = projection(layer(*batch, training=training), seed)
                for loss in scope.losses:
                    data += tf.cast(loss, tf.float64)
                if not regularized:
                    return [data]
                penalty = regularization(variables, weights)
                return [data, penalty, data + penalty]

    names = ("data", "regularization", "total") if regularized else ("loss",)
    return Problem(
        title=f"layer {layer.name!r}",
        names=[v.path for v in variables] + [name for name, _ in inputs],
        values=[v.numpy() for v in variables] + [value for _, value in inputs],
        kinds=[tf.float64 if double else tf.as_dtype(v.dtype) for v in variables]
        + [tf.float64 if double else v.dtype for _, v in inputs],
        term_names=names,
        terms=terms,
        depth=depth_of(layer),
        double=double,
    )
