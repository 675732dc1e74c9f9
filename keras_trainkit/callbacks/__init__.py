"""Keras callbacks that work inside the compiled step: monitors and averages."""

import keras_trainkit.backend  # noqa: F401
from keras_trainkit.callbacks.examples_monitor import ExamplesMonitor
from keras_trainkit.callbacks.first_layer_filters import FirstLayerFilters
from keras_trainkit.callbacks.layer_statistics_monitor import LayerStatisticsMonitor
from keras_trainkit.callbacks.loss_monitor import LossMonitor
from keras_trainkit.callbacks.monitor import Monitor
from keras_trainkit.callbacks.overfitting_monitor import OverfittingMonitor
from keras_trainkit.callbacks.sharpness_monitor import SharpnessMonitor
from keras_trainkit.callbacks.switch_optimizer import SwitchOptimizer
from keras_trainkit.callbacks.training_guard import TrainingGuard
from keras_trainkit.callbacks.training_monitor import TrainingMonitor
from keras_trainkit.callbacks.update_ratio_monitor import UpdateRatioMonitor
from keras_trainkit.callbacks.weight_averaging import WeightAveraging

__all__ = [
    "ExamplesMonitor",
    "FirstLayerFilters",
    "LayerStatisticsMonitor",
    "LossMonitor",
    "Monitor",
    "OverfittingMonitor",
    "SharpnessMonitor",
    "SwitchOptimizer",
    "TrainingGuard",
    "TrainingMonitor",
    "UpdateRatioMonitor",
    "WeightAveraging",
]
