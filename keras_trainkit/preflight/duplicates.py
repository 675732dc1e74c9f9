"""Does the validation set hold rows of the training set, beyond coincidence?"""

import math
from collections import Counter
from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.finding import Finding, Verdict, judged, not_judged
from keras_trainkit.preflight.subject import Subject

LEAK = 0.01  # share of known validation rows, beyond chance, that fails the check
CHANCE = 1e-3  # probability by coincidence below which rows were not met by chance
CONTINUOUS = 50  # distinct values from which a feature may count as continuous


def check_duplicates(subject: Subject) -> Verdict:
    """Counts validation rows whose inputs occur bit for bit in training.

    Discrete inputs repeat by chance: as often as training rows have a twin among the
    other training rows, validation rows have one there too. Only what is beyond that
    is a leak. Rows with a feature that hardly ever takes the same value twice do not
    repeat by chance at all, so that any shared one counts.

    Args:
        subject: The model and its data.
    """
    if subject.validation is None:
        return not_judged("duplicates", "no validation_data was given")
    train = _rows(subject.x)
    validation = _rows(subject.validation[0])
    known = Counter(train)
    shared = [place for place, row in enumerate(validation) if row in known]
    share = len(shared) / len(validation)
    why = f"{len(shared)} of {len(validation)} validation rows occur in training"
    if not shared:
        return judged("duplicates", why)
    expected = 0.0
    if not _has_continuous_feature(subject.x, len(known)):
        twins = sum(count for count in known.values() if count > 1)
        # Of n rows none of which has a twin, the chance is not known to be zero.
        expected = (twins + 1) / (len(train) + 2)
    # The share of twins is itself known from so many distinct rows only.
    unsure = 2.0 * math.sqrt(expected * (1 - expected) / len(known))
    surprise = _chance_of(len(shared), len(validation), min(1.0, expected + unsure))
    why += f", {expected:.1%} would by chance"
    if surprise > CHANCE:
        return judged("duplicates", why)
    return judged(
        "duplicates",
        why,
        [
            Finding(
                f"{len(shared)} of {len(validation)} validation rows ({share:.1%}) "
                f"occur in training; by chance {expected:.1%} would.",
                "validation_data",
                "error" if share - expected > LEAK else "warning",
                code="rows_in_both_sets",
                category="data",
                evidence={
                    "rows": shared[:10],
                    "share": round(share, 4),
                    "by_chance": round(expected, 4),
                },
                advice="Split before augmenting, and drop the shared rows.",
            )
        ],
    )


def _chance_of(count: int, of: int, share: float) -> float:
    """Upper bound (Chernoff) of the chance of `count` or more of `of` at `share`."""
    found = count / of
    if found <= share:
        return 1.0
    if share <= 0:
        return 0.0
    divergence = found * math.log(found / share)
    if found < 1:
        divergence += (1 - found) * math.log((1 - found) / (1 - share))
    return math.exp(-of * divergence)


def _has_continuous_feature(x: Any, distinct_rows: int) -> bool:
    """Whether a feature is nearly as rich in values as the rows are."""
    fewest = max(CONTINUOUS, distinct_rows // 2)
    for leaf in tf.nest.flatten(x):
        array = np.asarray(leaf)
        if array.dtype.kind != "f" or len(array) < fewest:
            continue
        features = array.reshape(len(array), -1)
        # The features that vary most come first; a few tell.
        order = np.argsort(-np.nan_to_num(features.std(axis=0, dtype=np.float64)))
        if any(len(np.unique(features[:, one])) >= fewest for one in order[:8]):
            return True
    return False


def _rows(x: Any) -> list[bytes]:
    leaves = [np.ascontiguousarray(leaf) for leaf in tf.nest.flatten(x)]
    return [
        b"".join(leaf[row].tobytes() for leaf in leaves)
        for row in range(len(leaves[0]))
    ]
