"""Asks every rule and ranks what they find."""

import os

from keras_trainkit.diagnosis.dead_units import describe_dead_units
from keras_trainkit.diagnosis.loss_curve import describe_loss_curve
from keras_trainkit.diagnosis.nonfinite import describe_nonfinite
from keras_trainkit.diagnosis.overfitting import describe_overfitting
from keras_trainkit.diagnosis.update_ratio import describe_update_ratios
from keras_trainkit.finding import Finding, gravest_first
from keras_trainkit.record.training_record import TrainingRecord


def diagnose(record: TrainingRecord | str | os.PathLike[str]) -> list[Finding]:
    """Says what is wrong with a run, as far as its record shows.

    Five things are looked for: tensors that are not finite, the shape of the loss
    curve, updates that are far too long, dead units, and overfitting. No finding
    means that none of these shows, not that all is well.

    Args:
        record: The record of a run, finished or not, its file, or the run directory.

    Returns:
        Findings with evidence and advice, the worst and surest first.

    Example:
        ```python
        for finding in tk.diagnose(monitor.record):
            print(finding)
        ```
    """
    record = TrainingRecord.of(record)
    found = [
        describe_nonfinite(record),
        describe_loss_curve(record).finding(),
        describe_update_ratios(record),
        describe_dead_units(record),
        describe_overfitting(record),
    ]
    return gravest_first(finding for finding in found if finding is not None)
