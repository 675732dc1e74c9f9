"""Every number of a run, kept in one place and read from there."""

from keras_trainkit.record.readings import Nonfinite, Readings
from keras_trainkit.record.runs import Runs
from keras_trainkit.record.series import Block, Fit, Image, Series
from keras_trainkit.record.training_record import TrainingRecord
from keras_trainkit.record.vocabulary import Band, Measure, register

__all__ = [
    "Band",
    "Block",
    "Fit",
    "Image",
    "Measure",
    "Nonfinite",
    "Readings",
    "Runs",
    "Series",
    "TrainingRecord",
    "register",
]
