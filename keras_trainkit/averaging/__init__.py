"""Averages of a model's weights, kept on the device while it trains."""

import keras_trainkit.backend  # noqa: F401
