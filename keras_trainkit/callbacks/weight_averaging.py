"""Averages the weights while they are trained."""

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import keras
import numpy as np

from keras_trainkit.arguments import check_choice, check_flag, check_number, received
from keras_trainkit.averaging.arguments import (
    check_checkpoint,
    check_name,
    check_optimizers,
    check_optional,
    check_points,
)
from keras_trainkit.averaging.averaged_model import AveragedModel
from keras_trainkit.averaging.averaged_step import AveragedStep
from keras_trainkit.averaging.evaluation import Evaluation
from keras_trainkit.averaging.examples import (
    KeptExamples,
    batches_of,
    check_train_data,
)
from keras_trainkit.averaging.running_average import RunningAverage
from keras_trainkit.averaging.saved_average import SavedAverage
from keras_trainkit.keras_model.layers import normalizing_layers
from keras_trainkit.train_step.shared_function import (
    SharedFunction,
    Step,
    check_strategy,
)

_WORSE = 0.01  # a smaller share of the loss is noise


class WeightAveraging(keras.callbacks.Callback):
    """Keeps an average of the weights and measures it beside the weights.

    The average of the last part of a training often predicts better than the last
    weights do, above all where the learning rate is still high. It is kept on the
    device, inside the compiled train step, and nothing about the training changes:
    with the same seed the weights are the same to the last bit. Before training
    ends the model holds the averaged weights only while this callback measures
    them; every other callback finds the weights that are trained.

    Each time `fit` validates, the average is validated on the same data, and
    `val_averaged_loss` and so on are in the logs of all callbacks, in whatever
    order they are given. (Keras cannot tell their direction:
    `EarlyStopping("val_averaged_loss", mode="min")`.) Until the first point the
    average is the weights themselves.

    The statistics of BatchNormalization do not fit averaged weights. They are
    estimated anew, as the mean over batches of training data, whenever the average
    is used.

    While training, the average is saved with the model: a run that
    `BackupAndRestore` takes up again goes on with the same average, bit for bit.
    `load_model` and `load_weights` leave it aside.

    Args:
        kind: "mean" for the plain mean of all points (stochastic weight averaging,
            Polyak averaging), "exponential" for one that forgets.
        start_epoch: First epoch of which points are taken, int >= 0; `None` for
            three quarters of the epochs (mean) or 0 (exponential).
        every: Updates between two points, int >= 1, or "epoch" for the end of each
            epoch. Steps that only accumulate gradients are no updates.
        decay: Weight of the past in the exponential average, in [0, 1). The first
            point is taken as it is.
        bias_correction: Whether the exponential average is corrected for its
            start, so that early points count as much as `decay` says and the first
            one no more.
        at_end: What the model holds after training: its "averaged" weights or the
            "raw" ones. With either, `applied` gives access to the average.
        validate: Whether to validate the average.
        train_data: For BatchNormalization: an array or dict `x`, a tuple `(x, y)`
            of such, or batches, such as a `tf.data.Dataset` or a `PyDataset` (not
            the very object that is trained on, if that shuffles: to read it would
            change its order). `None` keeps the first examples trained on, up to
            2,048 or 32 MiB.
        statistics_batches: Most batches to estimate on, int >= 1, or `None` for
            all.
        batch_size: Examples in such a batch, int >= 1; `None` for as many as a
            step trains on, or 32 if `train_data` is given as arrays.
        checkpoint: A `ModelCheckpoint` that is to save the averaged model; not to
            be given to `fit` as well.
        name: What stands in the logs for "averaged". Several averages of one run
            need several names.

    Raises:
        ValueError: If an argument is outside its range, or, when training begins,
            if the optimizer averages already (`use_ema=True`), the distribution
            strategy is not supported or another average has the same name.

    Example:
        ```python
        averaging = WeightAveraging("mean", start_epoch=15)
        model.fit(x, y, validation_data=(xv, yv), epochs=20, callbacks=[averaging])
        model.save("averaged.keras")
        ```

    Reference:
        [Izmailov et al., 2018, Algorithm 1](https://arxiv.org/abs/1803.05407);
        Polyak and Juditsky, 1992, Acceleration of stochastic approximation by
        averaging.
    """

    def __init__(
        self,
        kind: Literal["mean", "exponential"] = "mean",
        start_epoch: int | None = None,
        every: int | Literal["epoch"] = 1,
        decay: float = 0.999,
        *,
        bias_correction: bool = False,
        at_end: Literal["averaged", "raw"] = "averaged",
        validate: bool = True,
        train_data: Any = None,
        statistics_batches: int | None = 100,
        batch_size: int | None = None,
        checkpoint: keras.callbacks.ModelCheckpoint | None = None,
        name: str = "averaged",
    ) -> None:
        super().__init__()
        self.kind = check_choice("kind", kind, ("mean", "exponential"))
        self.start_epoch = check_optional("start_epoch", start_epoch, 0)
        self.every = check_points(every)
        self.decay = check_number("decay", decay, 0.0, 1.0, open_maximum=True)
        self.bias_correction = check_flag("bias_correction", bias_correction)
        self.at_end = check_choice("at_end", at_end, ("averaged", "raw"))
        self.validate = check_flag("validate", validate)
        self.train_data = check_train_data(train_data)
        self.statistics_batches = check_optional(
            "statistics_batches", statistics_batches, 1
        )
        self.batch_size = check_optional("batch_size", batch_size, 1)
        self.checkpoint = check_checkpoint(checkpoint)
        self.name = check_name(name)
        self._saved: SavedAverage | None = None
        self._next: SavedAverage | None = None
        self._shared: SharedFunction | None = None

    @property
    def count(self) -> int:
        """Points taken into the average so far."""
        return int(self._average.count.numpy()) if self._saved else 0

    @property
    def weights(self) -> list[np.ndarray]:
        """The averaged trainable weights, in the model's order, float32 or wider.

        Raises:
            RuntimeError: If there is no average yet.
        """
        self._check_points()
        return [average.numpy() for average in self._average.averages]

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Gives the model its averaged weights for as long as the block runs.

        Weights, statistics and metrics are put back bit for bit afterwards.

        Raises:
            RuntimeError: If there is no average yet.
        """
        self._check_points()
        attached = self.model.__dict__.pop(self._attribute, None)
        try:
            with self._averaged.applied():
                yield
        finally:
            if attached is not None:
                self.model.__dict__[self._attribute] = attached

    def set_model(self, model: Any) -> None:
        """Hangs a new average on the model, so that a backup can be read into it."""
        super().set_model(model)
        average = RunningAverage(model, self.kind, self.decay, self.bias_correction)
        self._next = SavedAverage(average)
        # Around Keras' attribute tracking, which would take it for a metric.
        model.__dict__[self._attribute] = self._next
        if self.checkpoint is not None:
            self.checkpoint.set_model(model)

    def set_params(self, params: dict[str, Any]) -> None:
        """Takes the parameters of `fit`."""
        super().set_params(params)
        if self.checkpoint is not None:
            self.checkpoint.set_params(params)

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Resets the state of the callback and joins the steps of the run."""
        try:
            check_optimizers(self.model)
            check_strategy(self.model)
            if self.model.__dict__[self._attribute] is not self._next:
                raise ValueError(
                    "Each average of a run must have a `name` of its own. "
                    + received("name", self.name)
                )
        except ValueError:
            del self.model.__dict__[self._attribute]
            raise
        self._saved = self._next
        if self.model.built:
            self._average.build()
        self._start = self._first_epoch()
        self._epoch: int | None = None
        self._losses: tuple[Any, Any] = None, None
        self._examples = None if self.train_data is not None else KeptExamples()
        self._averaged = AveragedModel(self.model, self._average, self._batches)
        self._install()
        if self.checkpoint is not None:
            self.checkpoint.on_train_begin(logs)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Starts to take points if it is time."""
        average = self._average
        if self._epoch is None and average.restored and average.epoch == epoch - 2:
            # The backup was written before the point of its epoch was taken.
            self._end_epoch(epoch - 1)
        average.epoch = epoch - 1
        self._epoch = epoch
        average.active.assign(epoch >= self._start)
        self._install()
        if self.checkpoint is not None:
            self.checkpoint.on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Takes the point of the epoch and saves the averaged model if asked to."""
        self._end_epoch(epoch)
        if self.checkpoint is not None:
            with self.applied() if self.count else contextlib.nullcontext():
                self.checkpoint.on_epoch_end(epoch, logs)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Leaves the model with the weights that were asked for."""
        self._leave()
        if self.checkpoint is not None:
            self.checkpoint.on_train_end(logs)
        if self.at_end == "raw":
            return
        if self.count:
            self._averaged.assign()
            self._warn_if_worse()
        else:
            warnings.warn(
                "WeightAveraging took no point and leaves the weights as they are: "
                f"training ended before start_epoch={self._start}.",
                stacklevel=2,
            )

    def _warn_if_worse(self) -> None:
        raw, averaged = self._losses
        if raw is None or averaged is None:
            return
        if averaged - raw > _WORSE * abs(raw) or np.isnan(averaged) > np.isnan(raw):
            warnings.warn(
                "The average, which the model now holds, ended worse than the weights "
                f"that were trained: the last val_{self.name}_loss was {averaged:.4g}, "
                f'val_loss {raw:.4g}. at_end="raw" keeps the latter.',
                stacklevel=3,
            )

    def on_test_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Takes back the average that was hung on the model if no run begins."""
        self._forget_next()

    def on_predict_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Takes back the average that was hung on the model if no run begins."""
        self._forget_next()

    def stop(self, status: str) -> None:
        """Is told that the run has failed; the average is kept."""
        self._leave()

    @property
    def _average(self) -> RunningAverage:
        assert self._saved is not None
        return self._saved.average

    @property
    def _attribute(self) -> str:
        return f"_weight_averaging_{self.name}"

    def _install(self) -> None:
        model = self.model
        if self._shared is not None and model.train_function is self._shared:
            return
        model.__dict__[self._attribute] = self._saved
        self._shared = SharedFunction.of(model)
        self._shared.wrap(self, self._wrapped)
        if self.validate:
            model.__dict__["evaluate"] = Evaluation(
                self,
                model.evaluate,
                self._before_validation,
                self._after_validation,
                self.name,
            )

    def _leave(self) -> None:
        shared, self._shared = self._shared, None
        if shared is None:
            return
        attributes = self.model.__dict__
        if attributes.get(self._attribute) is self._saved:
            del attributes[self._attribute]
        attributes.pop("evaluate", None)
        shared.leave(self)

    def _wrapped(self, step: Step) -> Step:
        every = None if self.every == "epoch" else self.every
        examples = self._examples if _normalizes(self.model) else None
        if every is None and examples is None:
            return step
        return AveragedStep(self.model, step, self._average, every, examples)

    def _end_epoch(self, epoch: int) -> None:
        average = self._average
        if average.epoch >= epoch:
            return
        average.epoch = epoch
        if self.every == "epoch" and epoch >= self._start:
            average.build()
            average.add_point()

    def _before_validation(self) -> Callable[[], None] | None:
        """Returns what gives the model the average that is to be validated."""
        assert self._epoch is not None
        self._end_epoch(self._epoch)
        return self._averaged.assign if self.count else None

    def _after_validation(self, raw: dict[str, Any], averaged: dict[str, Any]) -> None:
        """Notes what the weights and their average were validated to."""
        self._losses = raw.get("loss"), averaged.get("loss")

    def _first_epoch(self) -> int:
        if self.start_epoch is not None:
            return self.start_epoch
        epochs = self.params.get("epochs") or 1
        return int(0.75 * epochs) if self.kind == "mean" else 0

    def _batches(self) -> Iterator[Any] | None:
        sizes = self.batch_size, self.statistics_batches
        if self._examples is None:
            return batches_of(self.train_data, *sizes)
        return self._examples.batches(*sizes)

    def _forget_next(self) -> None:
        if self._next is self._saved:
            return
        self._next = None
        if self._shared is None:
            self.model.__dict__.pop(self._attribute, None)
        else:
            self.model.__dict__[self._attribute] = self._saved

    def _check_points(self) -> None:
        if not self.count:
            raise RuntimeError(
                "There is no average yet. Pass the callback to "
                "`model.fit(..., callbacks=[...])` and train beyond `start_epoch`."
            )


def _normalizes(model: Any) -> bool:
    # What is not built yet may still come to hold such a layer.
    return not model.built or bool(normalizing_layers(model))
