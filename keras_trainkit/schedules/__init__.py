"""Schedules: values that depend on the number of updates made so far."""

import keras_trainkit.backend  # noqa: F401
from keras_trainkit.schedules.cosine_restarts import CosineRestarts
from keras_trainkit.schedules.exponential_decay import ExponentialDecay
from keras_trainkit.schedules.inverse_time_decay import InverseTimeDecay
from keras_trainkit.schedules.join import Join
from keras_trainkit.schedules.linear import Linear
from keras_trainkit.schedules.one_cycle import OneCycle
from keras_trainkit.schedules.schedule import Schedule
from keras_trainkit.schedules.step_decay import StepDecay
from keras_trainkit.schedules.warmup import Warmup

__all__ = [
    "CosineRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "Join",
    "Linear",
    "OneCycle",
    "Schedule",
    "StepDecay",
    "Warmup",
]
