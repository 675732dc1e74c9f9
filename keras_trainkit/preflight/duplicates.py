"""Does the validation set hold rows of the training set?"""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.finding import Finding, Verdict, judged, not_judged
from keras_trainkit.preflight.subject import Subject

LEAK = 0.01  # share of known validation rows from which the check fails


def check_duplicates(subject: Subject) -> Verdict:
    """Counts validation rows whose inputs occur bit for bit in training.

    Args:
        subject: The model and its data.
    """
    if subject.validation is None:
        return not_judged("duplicates", "no validation_data was given")
    train = _rows(subject.x)
    validation = _rows(subject.validation[0])
    known = set(train)
    shared = [place for place, row in enumerate(validation) if row in known]
    share = len(shared) / len(validation)
    why = f"{len(shared)} of {len(validation)} validation rows occur in training"
    if not shared:
        return judged("duplicates", why)
    return judged(
        "duplicates",
        why,
        [
            Finding(
                f"{len(shared)} of {len(validation)} validation rows ({share:.1%}) "
                "occur in training.",
                "validation_data",
                "error" if share > LEAK else "warning",
                code="rows_in_both_sets",
                category="data",
                evidence={"rows": shared[:10]},
                advice="Split before augmenting, and drop the shared rows.",
            )
        ],
    )


def _rows(x: Any) -> list[bytes]:
    leaves = [np.ascontiguousarray(leaf) for leaf in tf.nest.flatten(x)]
    return [
        b"".join(leaf[row].tobytes() for leaf in leaves)
        for row in range(len(leaves[0]))
    ]
