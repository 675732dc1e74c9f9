"""How an average gets into the files that Keras writes of a model."""

from typing import Any

import keras
import numpy as np

from keras_trainkit.averaging.running_average import RunningAverage


class SavedAverage(keras.metrics.Metric):
    """Saves and loads a running average with the model that it hangs on.

    Keras saves the state of whatever it finds among a model's attributes and can
    save; a metric is the plainest of these. Loading a file into a model without
    this attribute leaves the average aside.

    Args:
        average: The average.
    """

    def __init__(self, average: RunningAverage) -> None:
        super().__init__(name="average")
        self.average = average

    def save_own_variables(self, store: Any) -> None:
        """Writes the average, if there is one yet."""
        if self.average.averages:
            for index, value in enumerate(self.average.state()):
                store[str(index)] = value

    def load_own_variables(self, store: Any) -> None:
        """Goes on from the average in the store; there may be none."""
        count = len(store.keys())
        if count:
            self.average.restore([np.asarray(store[str(i)]) for i in range(count)])
