"""Keras callbacks that watch a training run from inside its compiled step."""

from keras_trainkit.callbacks.layer_statistics_monitor import LayerStatisticsMonitor
from keras_trainkit.callbacks.update_ratio_monitor import UpdateRatioMonitor

__all__ = [
    "LayerStatisticsMonitor",
    "UpdateRatioMonitor",
]
