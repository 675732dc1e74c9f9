"""A run of a method: its iterates, seen by callbacks as epochs, and its end."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from keras_trainkit.keras_model.arrays import keep_rows
from keras_trainkit.keras_model.batches import Batches, fixed_batch_size, is_stream
from keras_trainkit.record.training_record import TrainingRecord
from keras_trainkit.second_order.evaluations import (
    Evaluations,
    Iterate,
    OutOfEvaluationsError,
)
from keras_trainkit.second_order.minimization import Minimization
from keras_trainkit.second_order.objective import Objective, refused_data

STALLED = 10  # iterations without a fall beyond rounding, after which nothing comes


class Run:
    """Follows a method's iterates with callbacks, record and progress bar.

    Args:
        objective: What is minimised.
        evaluate: Its evaluations, which remember the best point.
        validation_data: As for `minimize`.
        callbacks: Keras callbacks.
        verbose: 1 for a progress bar, 0 for none.
    """

    def __init__(
        self,
        objective: Objective,
        evaluate: Evaluations,
        validation_data: Any,
        callbacks: Sequence[Any],
        verbose: int,
    ) -> None:
        self._objective, self._evaluate = objective, evaluate
        self._model = objective.model
        self._validate = _validation(self._model, validation_data)
        self._watched = bool(callbacks) or self._validate is not None
        self._history = keras.callbacks.History()
        self._callbacks = keras.callbacks.CallbackList(
            [*callbacks, self._history],
            add_history=False,
            add_progbar=False,
            model=self._model,
            verbose=0,
            epochs=evaluate.limit,
            steps=1,
        )
        self._bar = (
            keras.utils.Progbar(evaluate.limit, unit_name="evaluation")
            if verbose
            else None
        )
        self._record = TrainingRecord()
        self._rounding = float(np.finfo(objective.dtype).eps)

    def go(self, iterates: Iterator[Iterate], tolerance: float) -> Minimization:
        """Follows the iterates to their end, and leaves the best weights in the model.

        Args:
            iterates: Those of a method.
            tolerance: Largest entry of the gradient at which it is done.
        """
        model, count, stopped = self._model, 0, "no lower loss"
        still, last = 0, self._objective.start_loss
        model.stop_training = False
        try:
            self._callbacks.on_train_begin()
            for iterate in self._limited(iterates):
                if iterate is None:
                    stopped = "evaluations"
                    break
                self._epoch(count, iterate)
                count += 1
                fell = last - iterate.loss > 4 * self._rounding * abs(last)
                still, last = (0 if fell else still + 1), min(last, iterate.loss)
                if model.stop_training:
                    stopped = "callback"
                elif self._is_flat(iterate, tolerance):
                    stopped = "gradient"
                elif iterate.exact and still >= STALLED:
                    stopped = "stalled"
                else:
                    continue
                break
        finally:
            # Whatever ended it, an interrupt included: the best weights so far.
            best = self._evaluate.best
            if best is not None:
                if best.gradient is None:
                    best = self._evaluate.look(best.vector)
                self._objective.write(best.vector)
        flat = best is not None and best.gradient_norm <= tolerance
        if stopped == "no lower loss" and flat:
            stopped = "gradient"
        self._callbacks.on_train_end({"loss": last})
        if self._bar is not None:
            self._bar.update(self._evaluate.limit, finalize=True)
        return Minimization(
            loss=math.nan if best is None else best.value,
            gradient_norm=math.nan if best is None else best.gradient_norm,
            evaluations=self._evaluate.spent,
            iterations=count,
            stopped=stopped,
            record=self._record,
            history=self._history,
            notes=tuple(self._objective.notes),
        )

    def _is_flat(self, iterate: Iterate, tolerance: float) -> bool:
        """Whether the gradient is small; where that is an estimate, it is computed."""
        if iterate.exact or iterate.gradient_norm > tolerance:
            return iterate.gradient_norm <= tolerance
        try:
            return self._evaluate(iterate.vector).gradient_norm <= tolerance
        except OutOfEvaluationsError:
            return False

    def _limited(self, iterates: Iterator[Iterate]) -> Iterator[Iterate | None]:
        """Ends with `None` where the evaluations are used up."""
        try:
            yield from iterates
        except OutOfEvaluationsError:
            yield None

    def _epoch(self, count: int, iterate: Iterate) -> None:
        logs = {
            "loss": iterate.loss,
            "gradient_norm": iterate.gradient_norm,
            "evaluations": self._evaluate.spent,
            **iterate.details,
        }
        if self._watched:
            self._objective.write(iterate.vector)
        self._callbacks.on_epoch_begin(count)
        self._callbacks.on_train_batch_begin(0)
        self._callbacks.on_train_batch_end(0, {"loss": iterate.loss})
        if self._validate is not None:
            logs.update(self._validate(self._callbacks))
        self._callbacks.on_epoch_end(count, logs)
        place: dict[str, Any] = {"step": int(self._evaluate.spent), "epoch": count}
        for name, value in logs.items():
            if name != "evaluations" and np.ndim(value) == 0:
                self._record.add(_recorded(name), float(value), **place)
        if self._bar is not None:
            self._bar.update(
                min(int(self._evaluate.spent), self._evaluate.limit - 1),
                [("loss", iterate.loss)],
            )


def _recorded(name: str) -> str:
    return {"loss": "epoch_loss"}.get(name, name)


def _validation(model: Any, data: Any) -> Callable[[Any], dict[str, float]] | None:
    if data is None:
        return None
    if isinstance(data, list | tuple):
        x, y, weight = keras.utils.unpack_x_y_sample_weight(tuple(data))
    else:
        x, y, weight = data, None, None
    if not is_stream(x):
        _check(model, x, y, weight)

    def validate(callbacks: Any) -> dict[str, float]:
        found = model.evaluate(
            x,
            y,
            sample_weight=weight,
            verbose=0,
            return_dict=True,
            callbacks=callbacks,
        )
        return {f"val_{name}": value for name, value in found.items()}

    return validate


def _check(model: Any, x: Any, y: Any, weight: Any) -> None:
    """Refuses validation data of which the model cannot compute its loss."""
    given = Batches(x, y, weight, model=model, name="validation_data")
    rows = slice(0, fixed_batch_size(model) or 2)
    few = [keep_rows(part, rows) for part in given.arrays]
    with refused_data("`validation_data`"):
        model.test_on_batch(*few)
    model.reset_metrics()
