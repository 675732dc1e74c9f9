"""Rules over a record: what it says about the run, on what evidence."""

from keras_trainkit.diagnosis.diagnose import diagnose
from keras_trainkit.diagnosis.loss_curve import LossCurve, describe_loss_curve
from keras_trainkit.diagnosis.nonfinite import describe_nonfinite
from keras_trainkit.diagnosis.overfitting import describe_overfitting
from keras_trainkit.diagnosis.update_ratio import describe_update_ratios

__all__ = [
    "LossCurve",
    "describe_loss_curve",
    "describe_nonfinite",
    "describe_overfitting",
    "describe_update_ratios",
    "diagnose",
]
