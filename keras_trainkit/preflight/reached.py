"""Does a gradient reach every trainable weight?"""

import numpy as np
import tensorflow as tf

from keras_trainkit.finding import Finding, Verdict, judged, not_judged
from keras_trainkit.keras_model.layers import all_layers, is_leaf
from keras_trainkit.preflight.functional import loss_problem, start_values
from keras_trainkit.preflight.subject import Subject
from keras_trainkit.problems.gradient import terms_and_gradients


def check_reached(subject: Subject) -> Verdict:
    """Computes the gradient of the data loss for each trainable variable.

    Args:
        subject: The model and its data.
    """
    problem = loss_problem(subject)
    if not problem.values:
        return not_judged("gradient reaches", "the model has no trainable weights")
    values = start_values(problem)

    @tf.function(autograph=False)
    def gradients(values: list[tf.Tensor]) -> list[tf.Tensor]:
        _, (found,) = terms_and_gradients(problem.terms, values, [0])
        # NaN marks "no path", which zero must not be taken for.
        return [
            tf.constant(np.nan)
            if part is None
            else tf.cast(tf.reduce_max(tf.abs(part)), tf.float32)
            for part in found
        ]

    sizes = [float(size) for size in gradients(values)]
    unconnected = [n for n, s in zip(problem.names, sizes, strict=True) if np.isnan(s)]
    zero = [n for n, s in zip(problem.names, sizes, strict=True) if s == 0.0]
    infinite = [n for n, s in zip(problem.names, sizes, strict=True) if np.isinf(s)]
    findings = []
    for names, code, category, what, advice, severity in (
        (
            unconnected,
            "weight_unreached",
            "capacity",
            "is not connected to the loss",
            "Use the layer in call(), or remove what detaches it: stop_gradient, "
            "argmax, rounding, NumPy.",
            "error",
        ),
        (
            infinite,
            "infinite_gradient",
            "numerical",
            "has an infinite gradient",
            "Look for log(0) or sqrt(0).",
            "error",
        ),
        (
            zero,
            "zero_gradient",
            "activation",
            "has a gradient of exactly zero",
            "Dead units, a weight that cancels, or all-zero inputs.",
            "warning",
        ),
    ):
        findings += [
            Finding(
                f"{name} {what}.",
                name,
                severity,
                code=code,
                category=category,
                advice=advice,
            )
            for name in names
        ]
    frozen = [
        layer.name
        for layer in all_layers(subject.model)
        if layer.variables and not layer.trainable and is_leaf(layer)
    ]
    why = f"{len(sizes)} variables"
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
