"""Names the tensor that went NaN or infinite first."""

from keras_trainkit.finding import Finding
from keras_trainkit.record.readings import Readings
from keras_trainkit.record.training_record import TrainingRecord


def describe_nonfinite(record: TrainingRecord) -> Finding | None:
    """Says which tensor held NaN or infinity first, and at which step.

    Args:
        record: A record with `nonfinite_count` or `loss`.

    Returns:
        A finding, or `None` if everything measured was finite.
    """
    first = Readings.of(record).first_nonfinite
    if first is None:
        return None
    series = first.series
    return Finding(
        f"The first tensor with NaN or infinity is '{series.tensor_name}', at step "
        f"{first.step}.",
        where=series.layer,
        code="nonfinite",
        category="numerical",
        severity="error",
        evidence={
            "step": first.step,
            "epoch": first.epoch,
            "tensor": series.tensor_name,
            "count": first.count,
        },
        first_step=first.step,
        advice="Look at the inputs of that step and at the layer; lower the learning "
        "rate or clip gradients (`global_clipnorm=1.0`).",
    )
