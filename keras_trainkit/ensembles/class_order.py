"""Does a member order its classes otherwise than the targets do?"""

import numpy as np

from keras_trainkit.ensembles.scores import class_numbers
from keras_trainkit.finding import Finding

# A member is called permuted if its accuracy, its classes renamed, is this good and
# this much better than before.
_RENAMED = 0.5
_BETTER = 0.25


def class_order_findings(
    target: np.ndarray, predicted: np.ndarray, names: list[str]
) -> list[Finding]:
    """Finds members whose classes are those of the targets in another order.

    Args:
        target: The targets, as numbers of classes or one-hot.
        predicted: Probabilities, shape `(members, examples, ..., classes)`.
        names: Name of each member.
    """
    findings = []
    classes = predicted.shape[-1]
    truth = class_numbers(target, predicted[0]).reshape(-1)
    for name, member in zip(names, predicted, strict=True):
        chosen = member.argmax(axis=-1).reshape(-1)
        counts = np.zeros((classes, classes), np.int64)
        np.add.at(counts, (chosen, truth), 1)
        meant = counts.argmax(axis=1)
        used = counts.sum(axis=1) > 0
        moved = used & (meant != np.arange(classes))
        permuted = len(set(meant[used])) == used.sum() and moved.any()
        before = counts.trace() / len(truth)
        after = counts.max(axis=1).sum() / len(truth)
        if permuted and after >= _RENAMED and after - before >= _BETTER:
            unit = int(np.flatnonzero(moved)[0])
            findings.append(
                Finding(
                    f"{name} orders its classes otherwise than the targets: its unit "
                    f"{unit} stands for class {meant[unit]}.",
                    where=name,
                    code="class_order",
                    category="ensemble",
                    severity="error",
                    evidence={
                        "accuracy": round(float(before), 4),
                        "accuracy_reordered": round(float(after), 4),
                    },
                    advice="Leave the member out, or train it with the labels in the "
                    "same order; `classes=` of `Ensemble` states the order.",
                )
            )
    return findings
