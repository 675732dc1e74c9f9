"""Do the rows come sorted by class?"""

import numpy as np

from keras_trainkit.finding import Finding, Verdict, judged, not_judged
from keras_trainkit.preflight.class_balance import class_numbers
from keras_trainkit.preflight.subject import Subject

SORTED = 0.2  # share of the changes expected of shuffled rows


def check_row_order(subject: Subject) -> Verdict:
    """Counts how often neighbouring rows differ in class.

    Args:
        subject: The model and its data.
    """
    for output in subject.outputs:
        classes = class_numbers(output)
        if classes is None or len(classes) != subject.rows or len(classes) < 20:
            continue
        shares = np.unique(classes, return_counts=True)[1] / len(classes)
        expected = float((1 - np.sum(shares**2)) * (len(classes) - 1))
        changes = int((classes[1:] != classes[:-1]).sum())
        why = f"the class changes {changes} times, {expected:.0f} if shuffled"
        if changes >= SORTED * expected:
            return judged("row order", why)
        cure = (
            "Shuffle the dataset: data.shuffle(buffer_size=rows) before batch()."
            if subject.streamed
            else "Keep shuffle=True, and do not use validation_split: it takes the "
            "last rows, so the last classes."
        )
        return judged(
            "row order",
            why,
            [
                Finding(
                    f"The rows are sorted by class: {why}.",
                    output.name,
                    "warning",
                    code="rows_sorted_by_class",
                    category="data",
                    evidence={"changes": changes, "expected": round(expected)},
                    advice=cure,
                )
            ],
        )
    return not_judged("row order", "no output classifies, or too few rows")
