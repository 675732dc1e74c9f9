"""Rules over a record: what it says about the run, on what evidence."""

from keras_trainkit.diagnosis.course import Course
from keras_trainkit.diagnosis.diagnose import diagnose
from keras_trainkit.diagnosis.diagnosis import Diagnosis
from keras_trainkit.diagnosis.loss_curve import LossCurve, describe_loss_curve
from keras_trainkit.diagnosis.rule import Rule
from keras_trainkit.diagnosis.rules import RULES

__all__ = [
    "RULES",
    "Course",
    "Diagnosis",
    "LossCurve",
    "Rule",
    "describe_loss_curve",
    "diagnose",
]
