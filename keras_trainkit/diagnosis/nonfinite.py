"""Names the tensor that went NaN or infinite first."""

from keras_trainkit.finding import Finding
from keras_trainkit.record.training_record import TrainingRecord


def describe_nonfinite(record: TrainingRecord) -> Finding | None:
    """Says which tensor held NaN or infinity first, and at which step.

    Args:
        record: A record with `nonfinite_count` or `loss`.

    Returns:
        A finding, or `None` if everything measured was finite.
    """
    first = record.first_nonfinite()
    if first is None:
        return None
    return Finding(
        f"The first tensor with NaN or infinity is '{first['variable']}' of the "
        f"layer '{first['layer']}', at step {first['step']}.",
        where=first["layer"],
        code="nonfinite",
        category="numerical",
        severity="error",
        evidence={key: first[key] for key in ("step", "epoch", "variable", "count")},
        first_step=first["step"],
        advice="Look at the inputs of that step and at the layer; lower the learning "
        "rate or clip gradients (`global_clipnorm=1.0`).",
    )
