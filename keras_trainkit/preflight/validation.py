"""Is the validation data of the same kind as the training data?"""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_trainkit.finding import Finding, Verdict, judged, not_judged
from keras_trainkit.preflight.subject import Subject

APART = 10.0  # ratio of two standard deviations from which one set was not scaled


def check_validation(subject: Subject) -> Verdict:
    """Compares structure, shapes, types, scale and classes of the two sets.

    Args:
        subject: The model and its data.
    """
    if subject.validation is None:
        return not_judged("validation", "no validation_data was given")
    findings: list[Finding] = []
    rows = 0
    for name, train, held in (
        ("x", subject.x, subject.validation[0]),
        ("y", subject.y, subject.validation[1]),
    ):
        pairs = _pairs(train, held)
        if pairs is None:
            findings.append(
                _error(
                    "validation_of_other_structure",
                    f"The {name} of validation_data is nested otherwise than that of "
                    "training.",
                    name,
                    "Give both sets the same arrays, under the same names.",
                )
            )
            continue
        for path, one, other in pairs:
            rows = len(other)
            findings += _compare("/".join([name, *map(str, path)]), one, other)
    return judged("validation", f"{rows} rows, as those of training", findings)


def _pairs(train: Any, held: Any) -> list[tuple[Any, np.ndarray, np.ndarray]] | None:
    one, other = (
        [
            (path, leaf)
            for path, leaf in keras.tree.flatten_with_path(part)
            if leaf is not None
        ]
        for part in (train, held)
    )
    if [path for path, _ in one] != [path for path, _ in other]:
        return None
    return [
        (path, np.asarray(left), np.asarray(right))
        for (path, left), (_, right) in zip(one, other, strict=True)
    ]


def _compare(name: str, train: np.ndarray, held: np.ndarray) -> Iterator[Finding]:
    if train.shape[1:] != held.shape[1:]:
        yield _error(
            "validation_of_other_shape",
            f"validation_data has rows of {name} of shape {held.shape[1:]}, training "
            f"of {train.shape[1:]}.",
            name,
            "Prepare both sets by the same code.",
        )
        return
    numbers = [array.dtype.kind in "fiub" for array in (train, held)]
    if numbers[0] != numbers[1]:
        yield _error(
            "validation_of_other_type",
            f"validation_data has {held.dtype} in {name}, training {train.dtype}.",
            name,
            "Prepare both sets by the same code.",
        )
        return
    if not numbers[0]:
        return
    one: np.ndarray = train.astype(np.float64)
    other: np.ndarray = held.astype(np.float64)
    if not np.isfinite(other).all():
        yield _error(
            "validation_not_finite",
            f"{name} of validation_data holds NaN or infinite values.",
            name,
            "Remove or fill them, as in the training data.",
        )
        return
    spreads = [float(np.std(array)) for array in (one, other)]
    # Few rows say little of a spread; ids and classes have none of their own.
    if min(len(one), len(other)) < 20 or "f" not in train.dtype.kind + held.dtype.kind:
        return
    ratio = max(spreads) / max(min(spreads), 1e-300)
    if np.isfinite(spreads).all() and min(spreads) > 0 and ratio > APART:
        yield Finding(
            f"{name} of validation_data spreads {spreads[1]:.3g}, that of training "
            f"{spreads[0]:.3g}.",
            name,
            "warning",
            code="validation_of_other_scale",
            category="data",
            evidence={"ratio": round(ratio, 1), "limit": APART},
            advice="Scale both sets by the numbers of the training set.",
        )


def _error(code: str, what: str, where: str, advice: str) -> Finding:
    return Finding(what, where, "error", code=code, category="data", advice=advice)
