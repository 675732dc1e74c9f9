"""A model with its averaged weights, and the statistics that fit them."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import keras

from keras_trainkit.averaging.batch_statistics import BatchStatistics
from keras_trainkit.averaging.running_average import RunningAverage
from keras_trainkit.keras_model.generators import generators_restored
from keras_trainkit.keras_model.replicas import components
from keras_trainkit.keras_model.state import kept


class AveragedModel:
    """Puts an average into its model, for a while or for good.

    Args:
        model: The model, built.
        average: The average.
        batches: Returns batches of training inputs, `None` if there are none.
    """

    def __init__(
        self,
        model: Any,
        average: RunningAverage,
        batches: Callable[[], Iterator[Any] | None],
    ) -> None:
        self._model = model
        self._average = average
        self._batches = batches
        self._estimator: BatchStatistics | None = None
        self._estimated: tuple[int, list[tuple[Any, Any]]] | None = None

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Gives the model the average for as long as the block runs."""
        statistics = self._statistics()
        with kept(self._model):
            self._assign(statistics)
            yield

    def assign(self) -> None:
        """Gives the model the average."""
        self._assign(self._statistics())

    def _assign(self, statistics: list[tuple[Any, Any]]) -> None:
        for variable, value in [*self._weights(), *statistics]:
            for part in components(variable, self._model):
                part.assign(value)

    def _weights(self) -> list[tuple[Any, Any]]:
        average = self._average
        return list(zip(average.weights, average.values(), strict=True))

    def _statistics(self) -> list[tuple[Any, Any]]:
        """The statistics of BatchNormalization that fit the average."""
        if self._estimator is None:
            self._estimator = BatchStatistics(self._model)
        if not self._estimator.layers:
            return []
        count = int(self._average.count.numpy())
        if self._estimated is None or self._estimated[0] != count:
            with generators_restored(), kept(self._model):
                self._estimated = count, self._estimate(self._estimator)
        return self._estimated[1]

    def _estimate(self, estimator: BatchStatistics) -> list[tuple[Any, Any]]:
        batches = self._batches()
        if batches is None:
            warnings.warn(
                "WeightAveraging could not keep training data to estimate the "
                "statistics of BatchNormalization on, and leaves them as they are: "
                "pass `train_data`.",
                stacklevel=2,
            )
            return []
        return [
            (variable, keras.ops.cast(value, variable.dtype))
            for variable, value in estimator.estimate(self._weights(), batches)
        ]
