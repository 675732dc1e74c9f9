"""Every number of a run, kept in one place and read from there."""

from keras_trainkit.record.training_record import (
    Block,
    Image,
    Series,
    TrainingRecord,
)
from keras_trainkit.record.vocabulary import Band, Measure, register

__all__ = ["Band", "Block", "Image", "Measure", "Series", "TrainingRecord", "register"]
