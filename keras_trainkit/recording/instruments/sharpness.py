"""How sharp the valley of the loss is: the largest eigenvalue of its Hessian."""

import math
import warnings
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.keras_model.evaluation_state import unmoved
from keras_trainkit.problems.double_precision import computes_otherwise, widest_dtype
from keras_trainkit.problems.flat import FlatLoss
from keras_trainkit.problems.lanczos import lanczos
from keras_trainkit.problems.of_model import model_terms
from keras_trainkit.problems.packing import Packing
from keras_trainkit.record.vocabulary import measure_named
from keras_trainkit.recording.budget import Between
from keras_trainkit.recording.instrument import Instrument
from keras_trainkit.recording.place import Place

if TYPE_CHECKING:
    from keras_trainkit.record.training_record import TrainingRecord

_TOLERANCE = 0.05  # of the residual; the error of the eigenvalue is far smaller
_MOST_PRODUCTS = 25


class Sharpness(Instrument):
    """Takes the largest eigenvalue of the Hessian on the examples first trained on.

    Args:
        examples: How many, int >= 1.
        every_epochs: Epochs between two readings, int >= 1; "auto" for as often as
            `share` allows.
        share: Share of the running time that "auto" may cost, in (0, 1].
    """

    measures = (measure_named("sharpness"),)
    channel = "epochs"

    def __init__(
        self,
        examples: int = 128,
        every_epochs: int | Literal["auto"] = "auto",
        share: float = 0.01,
    ) -> None:
        self.keeps_examples = examples
        self._every_epochs = every_epochs
        self._share = share
        self.begin(None)

    def begin(self, model: Any) -> None:
        """Forgets the data and the time of an earlier run."""
        self._able = True
        self._loss: _Loss | None = None
        self._batch: Any = None
        auto = self._every_epochs == "auto"
        self._between = Between(self._share if auto else None)
        self._between.begin_epoch()

    def end_epoch(self, record: "TrainingRecord", place: Place) -> None:
        """Records the sharpness, if it is due."""
        self._between.end_epoch()
        if self._able and self._is_due(place.epoch):
            with self._between:
                try:
                    record.add("sharpness", self._measure(place), **place.moment)
                except Exception as error:
                    # An operation need not have a second derivative, nor a model a
                    # loss outside its train step: no reason to end a training.
                    self._able = False
                    warnings.warn(
                        "The sharpness is not measured in this run: "
                        f"{type(error).__name__}: {error}",
                        stacklevel=2,
                    )
        self._between.begin_epoch()

    def _is_due(self, epoch: int) -> bool:
        if isinstance(self._every_epochs, int):
            return epoch % self._every_epochs == 0
        return self._between.allows()

    def _measure(self, place: Place) -> float:
        variables = list(place.model.trainable_variables)
        if self._batch is None:
            self._batch = self._kept(place)
        if self._loss is None or not self._loss.is_of(variables):
            self._loss = _Loss(place.model, variables, self._batch)
        return self._loss.sharpness(place.epoch)

    def _kept(self, place: Place) -> Any:
        examples = place.kept_examples()
        if examples is None:
            raise ValueError("the training data could not be kept on the device")
        batch = keras.utils.unpack_x_y_sample_weight(examples)
        return tf.nest.map_structure(
            lambda leaf: None if leaf is None else leaf[: self.keeps_examples], batch
        )


class _Loss:
    """The loss on a batch as a function of one vector, and what it may move."""

    def __init__(self, model: Any, variables: list[Any], batch: Any) -> None:
        if not variables:
            raise ValueError("the model has no trainable weights")
        self._variables = variables
        dtype = widest_dtype(variables)
        terms = model_terms(
            model,
            variables,
            dtype=dtype if computes_otherwise(model, dtype) else None,
            training=False,
            batch_statistics=False,
        )
        shapes = [tuple(variable.shape) for variable in variables]
        self._packing = Packing(shapes, [tf.as_dtype(dtype)] * len(shapes), dtype)
        self._flat = FlatLoss(
            lambda weights, chunk: terms(weights, *chunk)[-1], self._packing, [batch]
        )
        self._written: list[Any] | None = None

    def is_of(self, variables: list[Any]) -> bool:
        return list(map(id, variables)) == list(map(id, self._variables))

    def sharpness(self, seed: int) -> float:
        """Returns the eigenvalue at the variables' values, NaN if one is not finite."""
        values = [keras.ops.convert_to_numpy(each) for each in self._variables]
        if not all(np.isfinite(value).all() for value in values):
            return math.nan
        start = tf.constant(self._packing.pack(values))
        with unmoved([]):
            if self._written is None:
                self._written = self._flat.written_by_products(start)

        def product(direction: np.ndarray) -> np.ndarray:
            found = self._flat.hessian_product(start, tf.constant(direction)).numpy()
            if not np.isfinite(found).all():
                raise FloatingPointError
            return found

        kind = self._packing.dtype.as_numpy_dtype
        try:
            with unmoved(self._written):
                found, _ = lanczos(
                    product,
                    self._packing.total,
                    1,
                    _TOLERANCE,
                    _MOST_PRODUCTS,
                    seed,
                    kind,
                )
        except FloatingPointError:
            return math.nan
        return float(found[0])
