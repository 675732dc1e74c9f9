"""Short trainings on a model that is put back as it was: what would happen if."""

import keras_trainkit.backend  # noqa: F401
from keras_trainkit.probes.find_learning_rate import find_learning_rate
from keras_trainkit.probes.learning_rate_sweep import LearningRateSweep
from keras_trainkit.probes.what_if import Tried, WhatIf, what_if

__all__ = ["LearningRateSweep", "Tried", "WhatIf", "find_learning_rate", "what_if"]
