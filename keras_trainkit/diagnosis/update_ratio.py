"""Says when the first updates are far too long for the weights they change."""

import numpy as np

from keras_trainkit.finding import Finding
from keras_trainkit.record.training_record import TrainingRecord

# Healthy runs stay below 2e-2 in their first steps, and near 1e-3 later. Weights
# that were blown up look healthy again, so only the first steps are judged.
_FIRST_STEPS = 50
_TOO_HIGH = 0.1
# One update that replaces most of a weight is too long, whatever follows.
_FAR_TOO_HIGH = 0.5
# Share of its first value that the loss of a run that learns falls below. Some must
# leave their first weights far behind, e.g. to reach large targets.
_LEARNT = 0.5


def describe_update_ratios(record: TrainingRecord) -> Finding | None:
    """Says so if most kernels are moved by a large part of their size in a step.

    Args:
        record: A record with `update_ratio`.

    Returns:
        A finding that names the worst layer, or `None`.
    """
    usual, longest = {}, {}
    for series in record.select("update_ratio"):
        if not series.variable.endswith(("kernel", "embeddings")):
            continue  # biases and scales may start at zero
        steps, _, values = record.values(*series)
        early = values[(steps < _FIRST_STEPS) & np.isfinite(values)]
        if len(early):
            usual[series.layer] = float(np.median(early))
            longest[series.layer] = float(early.max())
    if not usual:
        return None
    median = float(np.median(list(usual.values())))
    peak = float(np.median(list(longest.values())))
    if median <= _TOO_HIGH and peak <= _FAR_TOO_HIGH:
        return None
    worst = max(longest, key=lambda layer: longest[layer])
    learns = _learns(record)
    return Finding(
        "The first updates are far too long for the weights they change; a "
        "thousandth of their size is healthy."
        + (" The loss falls all the same." if learns else ""),
        where=worst,
        code="long_updates",
        category="learning rate",
        severity="info" if learns else "error",
        confidence=0.5 if learns else 0.8,
        evidence={
            "median_update_ratio": round(median, 5),
            "longest_update_ratio": round(peak, 5),
            "worst_layer_ratio": round(longest[worst], 5),
            "thresholds": f"{_TOO_HIGH} (median), {_FAR_TOO_HIGH} (longest)",
        },
        advice=f"Divide the learning rate by about {_factor(max(median, peak / 5))}.",
    )


def _learns(record: TrainingRecord) -> bool:
    _, _, losses = record.values("loss")
    if not len(losses):
        return False
    end = float(np.median(losses[-max(1, len(losses) // 10) :]))
    return bool(end < _LEARNT * float(losses[0]))


def _factor(ratio: float) -> int:
    return int(10 ** max(1, round(float(np.log10(ratio / 1e-3)))))
