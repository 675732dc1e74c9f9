"""How often does each class occur?"""

import numpy as np

from keras_trainkit.finding import Finding, Verdict, judged, not_judged
from keras_trainkit.preflight.subject import Output, Subject

RATIO = 10.0  # of the commonest class to the rarest, from which it is a warning


def check_class_balance(subject: Subject) -> Verdict:
    """Compares the counts of the classes, and says what guessing would score.

    Args:
        subject: The model and its data.
    """
    findings, words = [], []
    for output in subject.outputs:
        classes = class_numbers(output)
        if classes is None:
            continue
        counts = np.unique(classes, return_counts=True)[1]
        ratio = float(counts.max() / counts.min())
        guess = float(counts.max() / counts.sum())
        words.append(
            f"{output.name}: {len(counts)} classes, rarest {counts.min()}, "
            f"commonest {counts.max()}; guessing scores {guess:.1%}"
        )
        if ratio > RATIO:
            findings.append(
                Finding(
                    f"The commonest class is {ratio:.0f} times the rarest; always "
                    f"guessing it scores {guess:.1%}.",
                    output.name,
                    "warning",
                    code="class_imbalance",
                    category="data",
                    evidence={"ratio": round(ratio, 1), "limit": RATIO},
                    advice="Watch AUC or recall, pass class_weight to fit, or set "
                    "the last bias to the log of the priors.",
                )
            )
    if not words:
        return not_judged("class balance", "no output classifies")
    return judged("class balance", "; ".join(words), findings)


def class_numbers(output: Output) -> np.ndarray | None:
    """Returns one class number an example, `None` if the output does not classify."""
    target = output.target
    if output.kind == "sparse_categorical_crossentropy":
        return target.reshape(-1)
    if output.kind == "categorical_crossentropy" and target.ndim > 1:
        return target.argmax(axis=-1).reshape(-1)
    if output.kind == "binary_crossentropy" and target.size == len(target):
        return np.round(target.reshape(-1))
    return None
