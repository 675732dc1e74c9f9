"""Is the loss that Keras reports the loss of what the model predicts?"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.finding import Finding, Verdict, judged, not_judged
from keras_trainkit.preflight.subject import Subject
from keras_trainkit.problems.of_model import kept_losses

APART = 1e-2  # relative difference that clipping of probabilities does not explain


def check_reported_loss(subject: Subject) -> Verdict:
    """Computes the loss of one batch twice: as `evaluate` does, and from `predict`.

    Keras attaches the logits to a softmax or sigmoid output and lets the loss use
    them, whichever activation made them; the predictions can be wrong with a
    reported loss that looks right.

    Args:
        subject: The model and its data.
    """
    if not subject.outputs:
        return not_judged("reported loss", "no output has a loss of its own")
    x, y, weight = subject.batch()
    plain = tf.nest.map_structure(
        lambda tensor: tf.constant(tensor.numpy()), subject.tensors
    )
    reported = _loss(subject.model, x, y, weight, subject.tensors)
    recomputed = _loss(subject.model, x, y, weight, plain)
    why = f"reported {reported:.4g}, from predict() {recomputed:.4g}"
    scale = max(abs(reported), abs(recomputed), 1e-3)
    if np.isfinite(reported) and abs(reported - recomputed) <= APART * scale:
        return judged("reported loss", why)
    return judged(
        "reported loss",
        why,
        [
            Finding(
                f"The reported loss is not that of the predictions: {why}.",
                "",
                "error",
                code="loss_contradicts_predictions",
                category="loss or output",
                evidence={"reported": reported, "recomputed": recomputed},
                advice="Check the last activation against the loss: one softmax "
                "unit, sigmoid for exclusive classes, or from_logits.",
            )
        ],
    )


def _loss(model: Any, x: Any, y: Any, weight: Any, predicted: Any) -> float:
    scope = keras.StatelessScope([(v, v.value) for v in model.variables])
    with scope, kept_losses(model):
        loss = model._compute_loss(x, y, predicted, weight, training=False)
    return float(loss)
