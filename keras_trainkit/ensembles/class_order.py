"""Does a member order its classes otherwise than the targets do?"""

import math

import numpy as np

from keras_trainkit.ensembles.scores import class_numbers
from keras_trainkit.finding import Finding

# A member is called permuted if its accuracy, its classes renamed, is this share of
# the way from chance to one and this much better than before, and if a member that
# knows nothing of the targets would seldom be renamed as well.
_RENAMED = 0.5
_BETTER = 0.25
_SELDOM = 1e-3


def class_order_findings(
    target: np.ndarray, predicted: np.ndarray, names: list[str]
) -> list[Finding]:
    """Finds members whose classes are those of the targets in another order.

    From few examples nothing is found: some order suits whatever an untrained member
    says of them.

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
        chance = _chance(counts)
        good = after >= chance + _RENAMED * (1 - chance)
        if (
            permuted
            and good
            and after - before >= _BETTER
            and _log_luck(after, chance, len(target), classes, int(used.sum()))
            < math.log(_SELDOM / len(predicted))
        ):
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


def _chance(counts: np.ndarray) -> float:
    """Returns the accuracy that the luckiest order has without any knowledge."""
    share = counts / counts.sum()
    return float(np.sort(share.sum(axis=0)) @ np.sort(share.sum(axis=1)))


def _log_luck(
    accuracy: float, chance: float, examples: int, classes: int, used: int
) -> float:
    """Bounds the logarithm of the probability that some order is so good by chance.

    Chernoff's bound of the binomial tail, for each order of the classes. Decisions
    within an example depend on each other, so that examples are counted.
    """
    orders = math.lgamma(classes + 1) - math.lgamma(classes - used + 1)
    if chance >= 1.0 or accuracy <= chance:
        return orders
    wrong = 1.0 - accuracy
    divergence = accuracy * math.log(accuracy / chance)
    if wrong > 0:
        divergence += wrong * math.log(wrong / (1.0 - chance))
    return orders - examples * divergence
