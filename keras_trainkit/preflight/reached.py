"""Does a gradient reach every trainable weight?"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.finding import Finding, Verdict, judged, not_judged
from keras_trainkit.keras_model.layers import leaf_layers
from keras_trainkit.preflight.backward import backward
from keras_trainkit.preflight.functional import start_values
from keras_trainkit.preflight.subject import Subject
from keras_trainkit.problems.of_model import kept_losses, stateless
from keras_trainkit.problems.problem import Problem, inlined_functions, projection

NAMED = 5  # weights of one fault that are named


def check_reached(subject: Subject) -> Verdict:
    """Looks at the gradient of the data loss for each trainable variable.

    A weight that only an output without a loss depends on is told of, no more.

    Args:
        subject: The model and its data.
    """
    subject.need_loss()
    if not subject.model.trainable_variables:
        return not_judged("gradient reaches", "the model has no trainable weights")
    found = backward(subject)
    names = np.array(found.problem.names)
    finite = np.isfinite(found.largest)
    apart = ~found.connected
    idle = np.zeros_like(apart)
    if apart.any():
        idle = apart & _feeds_an_output(subject, found.problem)
    findings = _weights(
        names[apart & ~idle],
        "is not connected to the loss",
        "error",
        "weight_unreached",
        "capacity",
        "Use the layer in call(), or remove what detaches it: stop_gradient, argmax, "
        "rounding, NumPy.",
    )
    findings += _weights(
        names[idle],
        "feeds only an output without a loss",
        "info",
        "weight_without_loss",
        "capacity",
        "Fine if the output is only to be read; else give it a loss.",
    )
    findings += _weights(
        names[found.connected & ~finite],
        "has a gradient that is not finite",
        "error",
        "infinite_gradient",
        "numerical",
        "Look for NaN in the data, log(0), sqrt(0) or a division by zero.",
    )
    # Behind a NaN a unit that rectifies passes nothing: no fault of its own.
    silent = found.connected & (found.largest == 0) & finite.all()
    findings += _weights(
        names[silent],
        "has a gradient of exactly zero",
        "warning",
        "zero_gradient",
        "activation",
        "Dead units, a weight that cancels, or all-zero inputs.",
    )
    frozen = [
        layer.name
        for layer in leaf_layers(subject.model)
        if layer.variables and not layer.trainable
    ]
    why = f"{len(names)} variables"
    if frozen:
        why += f"; frozen: {', '.join(frozen[:5])}"
        findings.append(
            Finding(
                f"{len(frozen)} layers are frozen: {', '.join(frozen[:5])}.",
                frozen[0],
                "info",
                code="frozen_layers",
                category="capacity",
                advice="Set layer.trainable = True and compile again to train them.",
            )
        )
    return judged("gradient reaches", why, findings)


def _weights(
    names: Sequence[Any],
    what: str,
    severity: str,
    code: str,
    category: str,
    advice: str,
) -> list[Finding]:
    """One fault of many weights is told once, with the first of them."""
    shown = [
        Finding(
            f"{name} {what}.",
            str(name),
            severity,
            code=code,
            category=category,
            advice=advice,
            evidence={"weights": len(names)},
        )
        for name in names[:NAMED]
    ]
    if len(names) <= NAMED:
        return shown
    rest = f"{names[0]} and {len(names) - 1} more weights: each {what}."
    return [
        Finding(
            rest,
            str(names[0]),
            severity,
            code=code,
            category=category,
            advice=advice,
            evidence={"weights": len(names), "first": [str(n) for n in names[:NAMED]]},
            symptoms=tuple(shown),
        )
    ]


def _feeds_an_output(subject: Subject, problem: Problem) -> np.ndarray:
    """For each weight, whether some output of the model depends on it."""
    model = subject.model
    variables = list(model.trainable_variables)
    x, _, _ = subject.batch(2)
    inputs = tf.nest.map_structure(
        lambda leaf: None if leaf is None else tf.convert_to_tensor(leaf), x
    )
    paths: list[bool] = []

    @tf.function(autograph=False)
    def outputs(values: list[Any]) -> Any:
        values = [tf.identity(value) for value in values]
        with tf.GradientTape() as tape, inlined_functions(), kept_losses(model):
            tape.watch(values)
            with stateless(model, variables, values, None):
                total = projection(model(inputs, training=True), 0)
        paths[:] = [part is not None for part in tape.gradient(total, values)]
        return total

    if problem.double:  # of half precision: the pass would not fit its types
        return np.zeros(len(variables), bool)
    outputs.get_concrete_function(start_values(problem))
    return np.array(paths, bool)
