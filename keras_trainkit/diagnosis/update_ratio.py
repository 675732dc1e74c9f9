"""Says when the first updates are far too long for the weights they change."""

import numpy as np

from keras_trainkit.finding import Finding
from keras_trainkit.record import TrainingRecord

# Healthy runs stay below 2e-2 in their first steps, and near 1e-3 later. Weights
# that were blown up look healthy again, so only the first steps are judged.
_FIRST_STEPS = 50
_TOO_HIGH = 0.1


def describe_update_ratios(record: TrainingRecord) -> Finding | None:
    """Says so if most kernels are moved by over a tenth of their size a step.

    Args:
        record: A record with `update_ratio`.

    Returns:
        A finding that names the worst layer, or `None`.
    """
    worst = ("", 0.0)
    ratios = []
    for series in record.select("update_ratio"):
        if not series.variable.endswith(("kernel", "embeddings")):
            continue  # biases and scales may start at zero
        steps, _, values = record.values(*series)
        early = values[(steps < _FIRST_STEPS) & np.isfinite(values)]
        if len(early):
            ratio = float(np.median(early))
            ratios.append(ratio)
            worst = max(worst, (series.layer, ratio), key=lambda pair: pair[1])
    if not ratios or np.median(ratios) <= _TOO_HIGH:
        return None
    return Finding(
        "The first updates are far too long: they change the weights by more than "
        "a tenth of their size at every step, where 1e-3 is healthy.",
        where=worst[0],
        severity="error",
        confidence=0.8,
        evidence={
            "median_update_ratio": round(float(np.median(ratios)), 5),
            "worst_layer_ratio": round(worst[1], 5),
            "threshold": _TOO_HIGH,
        },
        advice=f"Divide the learning rate by about {_round_factor(ratios)}.",
    )


def _round_factor(ratios: list[float]) -> int:
    return int(10 ** max(1, round(float(np.log10(np.median(ratios) / 1e-3)))))
