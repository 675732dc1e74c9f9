"""Every number of a run, kept in one place and read from there."""

from keras_trainkit.record.training_record import (
    Block,
    Image,
    Series,
    TrainingRecord,
)

__all__ = ["Block", "Image", "Series", "TrainingRecord"]
