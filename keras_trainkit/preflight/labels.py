"""Do the targets fit the output layer and the loss?"""

from typing import Any

import numpy as np

from keras_trainkit.finding import Finding, Verdict, judged, not_judged
from keras_trainkit.preflight.subject import Output, Subject

UNSCALED = 20.0  # standard deviation of regression targets that slows learning
REGRESSION = (
    "mean_squared_error",
    "mean_absolute_error",
    "huber",
    "log_cosh",
    "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error",
)


def check_labels(subject: Subject) -> Verdict:
    """Looks at the range, the coding, the shape and the variation of the targets.

    Args:
        subject: The model and its data.
    """
    outputs = subject.outputs
    if not outputs and not subject.loss_failure:
        return not_judged("labels", "no output has a loss of its own")
    findings: list[Finding] = []
    words = []
    for output in outputs:
        target = output.target
        words.append(f"{output.name} {target.dtype} {target.shape}")
        if target.dtype.kind in "OUS":
            names = np.unique(target.astype(str))[:3].tolist()
            findings.append(
                _error(
                    output,
                    "targets_not_numbers",
                    f"The targets are strings ({', '.join(map(repr, names))}, ...), "
                    "the loss expects numbers.",
                    "Number them: classes, y = np.unique(y, return_inverse=True).",
                )
            )
        elif target.dtype.kind == "f" and not np.isfinite(target).all():
            findings.append(
                _error(
                    output,
                    "targets_not_finite",
                    "Some targets are NaN or infinite.",
                    "Remove those rows, or give them a sample_weight of zero.",
                )
            )
        elif len(target) > 1 and (target == target[:1]).all():
            findings.append(
                _error(
                    output,
                    "targets_constant",
                    "All targets are the same: there is nothing to learn.",
                    "Check how the targets are read.",
                )
            )
        elif output.kind == "sparse_categorical_crossentropy":
            findings += _classes(output)
        elif output.kind == "categorical_crossentropy":
            findings += _one_hot(output)
        elif output.kind == "binary_crossentropy":
            findings += _binary(output)
        elif output.kind in REGRESSION:
            findings += _regression(output)
    if subject.loss_failure and not findings:
        findings.append(
            Finding(
                f"The loss cannot be computed: {subject.loss_failure}",
                "y",
                "error",
                code="loss_cannot_be_computed",
                category="labels",
                advice="Compare the shapes and types of y with the model's outputs.",
            )
        )
    return judged("labels", ", ".join(words), findings)


def _error(output: Output, code: str, what: str, advice: str) -> Finding:
    return Finding(
        what, output.name, "error", code=code, category="labels", advice=advice
    )


def _classes(output: Output) -> list[Finding]:
    target, units = output.target, output.predicted.shape[-1]
    if target.ndim == output.predicted.ndim and target.shape[-1] == units > 1:
        return [
            _error(
                output,
                "targets_one_hot",
                "The targets look one-hot, the loss expects class numbers.",
                'Use loss="categorical_crossentropy", or y.argmax(-1).',
            )
        ]
    if target.dtype.kind == "f" and (target != np.round(target)).any():
        return [
            _error(
                output,
                "targets_not_whole",
                "The targets are not whole numbers, the loss expects class numbers.",
                'Use a regression loss such as "mse", or round the targets.',
            )
        ]
    low, high = int(target.min()), int(target.max())
    if low < 0 or high >= units:
        return [
            _error(
                output,
                "classes_outside_units",
                f"The classes run from {low} to {high}, the output has units 0 to "
                f"{units - 1}.",
                f"Give the last layer {high + 1} units, or number classes from 0.",
            )
        ]
    missing = sorted(set(range(units)) - set(np.unique(target).astype(int).tolist()))
    if not missing:
        return []
    return [
        Finding(
            f"{len(missing)} of {units} units stand for classes that never occur.",
            output.name,
            "warning",
            code="units_without_class",
            category="labels",
            evidence={"classes": missing[:10]},
            advice="Count the classes; one unit too many often means labels from 1.",
        )
    ]


def _one_hot(output: Output) -> list[Finding]:
    target, units = output.target, output.predicted.shape[-1]
    if target.ndim < output.predicted.ndim or target.shape[-1] != units:
        return [
            _error(
                output,
                "targets_not_one_hot",
                f"The targets have shape {target.shape}, the loss expects one-hot "
                f"rows of {units}.",
                'Use loss="sparse_categorical_crossentropy" for class numbers.',
            )
        ]
    sums = target.sum(axis=-1, dtype=np.float64)
    if target.min() < 0 or np.abs(sums - 1).max() > 1e-3:
        return [
            _error(
                output,
                "targets_not_shares",
                f"The target rows add up to {sums.min():.3g} ... {sums.max():.3g}, "
                "not to 1.",
                'Use one-hot rows, or "binary_crossentropy" for several labels a row.',
            )
        ]
    return []


def _binary(output: Output) -> list[Finding]:
    target = output.target
    low, high = float(target.min()), float(target.max())
    if low >= 0 and high <= 1:
        return _shapes(output)
    advice = "Map the targets to 0 and 1."
    if low == -1 and high == 1:
        advice = 'Use (y + 1) / 2, or loss="hinge".'
    elif high > 1:
        advice = (
            'For several classes use softmax and "sparse_categorical_crossentropy".'
        )
    return [
        _error(
            output,
            "targets_outside_0_1",
            f"The targets run from {low:g} to {high:g}.",
            advice,
        )
    ]


def _regression(output: Output) -> list[Finding]:
    findings = _shapes(output)
    target: Any = output.target.astype(np.float64)
    spread, center = float(target.std()), float(target.mean())
    if spread > UNSCALED or abs(center) > 10 * max(spread, 1e-12):
        findings.append(
            Finding(
                f"The targets are {center:.3g} with standard deviation {spread:.3g}.",
                output.name,
                "warning",
                code="unscaled_targets",
                category="labels",
                evidence={"mean": center, "standard_deviation": spread},
                advice="Standardise them: y = (y - y.mean()) / y.std().",
            )
        )
    return findings


def _shapes(output: Output) -> list[Finding]:
    target, predicted = output.batch_target.shape, output.predicted.shape
    if len(target) + 1 == len(predicted) and predicted[-1] == 1:
        target = (*target, 1)
    elif len(predicted) + 1 == len(target) and target[-1] == 1:
        predicted = (*predicted, 1)
    if target == predicted:
        return []
    return [
        _error(
            output,
            "targets_broadcast",
            f"Targets of shape {target} are broadcast against outputs of shape "
            f"{predicted}.",
            "Give the last layer as many units as a target has values.",
        )
    ]
