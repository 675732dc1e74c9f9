"""Does the last activation belong to the loss?"""

import numpy as np

from keras_trainkit.finding import Finding, Verdict, judged, not_judged
from keras_trainkit.preflight.labels import REGRESSION
from keras_trainkit.preflight.subject import Output, Subject

ENTROPIES = (
    "binary_crossentropy",
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
)


def check_pairing(subject: Subject) -> Verdict:
    """Compares the output's activation and units with what the loss expects.

    Args:
        subject: The model and its data.
    """
    if not subject.outputs:
        return not_judged("pairing", "no output has a loss of its own")
    findings: list[Finding] = []
    words = []
    for output in subject.outputs:
        words.append(
            f"{output.activation or 'unknown activation'}, "
            f"{output.predicted.shape[-1]} units, {output.kind}"
        )
        findings += _entropy(output) if output.kind in ENTROPIES else _range(output)
    return judged("pairing", "; ".join(words), findings)


def _entropy(output: Output) -> list[Finding]:
    units, activation = output.predicted.shape[-1], output.activation
    if activation == "softmax" and units == 1:
        return [
            _finding(
                output,
                "softmax_of_one_unit",
                "A softmax over one unit always predicts 1, though Keras trains it "
                "with a normal loss.",
                'Use activation="sigmoid", or one unit a class.',
            )
        ]
    if output.from_logits and activation in ("softmax", "sigmoid"):
        return [
            _finding(
                output,
                "activation_twice",
                f"The loss expects logits, the layer already applies {activation}.",
                "Drop the activation, or from_logits=True.",
            )
        ]
    probabilities = output.predicted.min() >= 0 and output.predicted.max() <= 1
    if not output.from_logits and not (
        probabilities or activation in ("softmax", "sigmoid")
    ):
        return [
            _finding(
                output,
                "output_not_probabilities",
                "The loss expects probabilities, the output leaves 0 ... 1.",
                "Pass from_logits=True to the loss, or add the activation.",
            )
        ]
    if activation == "sigmoid" and output.kind != "binary_crossentropy":
        return [
            _finding(
                output,
                "sigmoid_for_exclusive_classes",
                "Independent sigmoids meet a loss for exclusive classes: Keras "
                "trains it as softmax, the predictions do not add up to 1.",
                'Use activation="softmax", or "binary_crossentropy".',
            )
        ]
    if activation == "softmax" and output.kind == "binary_crossentropy":
        return [
            _finding(
                output,
                "softmax_for_independent_classes",
                "Exclusive classes meet a loss for independent ones.",
                'Use "categorical_crossentropy", or activation="sigmoid".',
                "warning",
            )
        ]
    return []


def _range(output: Output) -> list[Finding]:
    if output.kind not in REGRESSION or output.target.dtype.kind not in "fiu":
        return []
    low, high = float(output.target.min()), float(output.target.max())
    reach = {
        "sigmoid": (0.0, 1.0),
        "softmax": (0.0, 1.0),
        "tanh": (-1.0, 1.0),
        "relu": (0.0, np.inf),
        "softplus": (0.0, np.inf),
    }.get(output.activation)
    if reach is None:
        return []
    if low < reach[0] - 1e-6 or high > reach[1] + 1e-6:
        return [
            _finding(
                output,
                "targets_out_of_reach",
                f"Targets from {low:.3g} to {high:.3g} are out of reach of "
                f"{output.activation}.",
                "Drop the last activation, or scale the targets.",
            )
        ]
    if output.activation == "relu":
        return [
            _finding(
                output,
                "relu_output",
                "A ReLU output has no gradient where it predicts zero.",
                'Use activation="softplus", or none.',
                "warning",
            )
        ]
    return []


def _finding(
    output: Output, code: str, what: str, advice: str, severity: str = "error"
) -> Finding:
    return Finding(
        what,
        output.name,
        severity,
        code=code,
        category="loss or output",
        advice=advice,
    )
