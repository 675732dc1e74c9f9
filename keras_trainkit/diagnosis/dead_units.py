"""Names layers whose units have fallen silent for good."""

from keras_trainkit.finding import Finding
from keras_trainkit.record.training_record import TrainingRecord

# Sparse layers keep silent units and train well; more than half are too many.
_TOO_MANY = 0.5


def describe_dead_units(record: TrainingRecord) -> Finding | None:
    """Says so if most units of a layer were silent on every reading of an epoch.

    Args:
        record: A record with `dead_fraction`.

    Returns:
        A finding that names the layers, or `None`.
    """
    dead, first = {}, {}
    for series in record.select("dead_fraction"):
        _, epochs, values = record.values(*series)
        if len(values) and values[-1] > _TOO_MANY:
            dead[series.layer] = round(float(values[-1]), 3)
            first[series.layer] = int(epochs[(values > _TOO_MANY).argmax()])
    if not dead:
        return None
    worst = max(dead, key=lambda layer: dead[layer])
    return Finding(
        f"Most units of {len(dead)} layer{'s' if len(dead) > 1 else ''} are dead: "
        "they gave zero on every example measured, and no gradient can wake them.",
        where=worst,
        code="dead_units",
        category="activation",
        severity="error" if dead[worst] >= 0.9 else "warning",
        confidence=0.9,
        evidence={**dead, "since_epoch": min(first.values()), "threshold": _TOO_MANY},
        advice="Start again with a lower learning rate, biases of zero and He "
        "initialisation, or use a leaky ReLU.",
    )
