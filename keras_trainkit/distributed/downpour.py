"""Asynchronous SGD of a Keras model on a cluster of workers and servers."""

import inspect
import os
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import check_integer, received
from keras_trainkit.distributed.asynchronous_step import (
    AsynchronousStep,
    Report,
    Rhythm,
)
from keras_trainkit.distributed.checkpoint import Checkpoint, state_of
from keras_trainkit.distributed.cluster import Cluster
from keras_trainkit.distributed.counting import counted_up
from keras_trainkit.distributed.progress import Progress
from keras_trainkit.keras_model.optimizers import steps_per_update
from keras_trainkit.record.training_record import TrainingRecord

_EPOCHS = 10  # where the user does not say how long one is


class Downpour:
    """Trains a Keras model by asynchronous SGD (Downpour).

    The parameters lie on the servers. Each worker fetches them, computes a gradient
    on its next batch and pushes it, without waiting for others; the servers apply
    each gradient as it comes, by the optimizer that the model is compiled with. So
    many workers see many batches at once, and gradients are a little stale. The
    paper found Adagrad the most robust under that; whether it is for you, your
    validation tells.

    What does not fit into asynchronous steps: batch hooks of callbacks (epochs are
    all they see), metrics of training other than the loss, a `train_step` of one's
    own, gradient accumulation (use `push_every`), loss scaling (use
    `mixed_bfloat16`).

    Args:
        build_model: Returns the compiled model; called with no arguments, twice (for
            the servers and for this process).
        dataset_fn: Returns a `tf.data.Dataset` of batches `(x, y)` or
            `(x, y, sample_weight)`, as `fit` takes them; called with a
            `tf.distribute.InputContext`, if it takes an argument, whose
            `input_pipeline_id` is the worker's number as a tensor:
            `dataset.shard(context.num_input_pipelines, context.input_pipeline_id)`
            gives each worker its part. Each worker runs it where it is, and what it
            reads must be there. It is repeated when it ends. Shuffle with a seed
            made from the number, or all workers may see the same order.
        cluster: A `Cluster` that is running.
        push_every: Batches whose gradients a worker sums before it pushes them, int
            >= 1.
        fetch_every: Batches that a worker computes on parameters fetched once, int
            >= 1; between, it moves its copy along by plain gradient descent.
        checkpoint: File that keeps weights and optimizer at the end of each epoch.
            If it exists, training goes on from there.
        record: Where to keep the record (see `TrainingRecord`), `None` for memory.

    Raises:
        ValueError: If an argument is outside its range, or the model cannot be
            trained this way, with the reason.

    Example:
        ```python
        with tk.distributed.Cluster(workers=2) as cluster:
            downpour = tk.distributed.Downpour(build_model, dataset, cluster=cluster)
            history = downpour.fit(steps=2_000, validation_data=(xv, yv))
        downpour.model.save("digits.keras")
        ```

    Reference:
        [Dean et al., Large Scale Distributed Deep Networks, NIPS 2012, section
        4.1](https://papers.nips.cc/paper/4687)
    """

    def __init__(
        self,
        build_model: Callable[[], Any],
        dataset_fn: Callable[..., Any],
        *,
        cluster: Cluster,
        push_every: int = 1,
        fetch_every: int = 1,
        checkpoint: str | os.PathLike[str] | None = None,
        record: str | os.PathLike[str] | None = None,
    ) -> None:
        for name, value in (("build_model", build_model), ("dataset_fn", dataset_fn)):
            if not callable(value):
                raise ValueError(
                    f"`{name}` must be a function. {received(name, value)}"
                )
        if not isinstance(cluster, Cluster):
            raise ValueError(
                f"`cluster` must be a `Cluster`. {received('cluster', cluster)}"
            )
        self._cluster = cluster
        self._strategy = cluster.strategy
        self._rhythm = Rhythm(push_every, fetch_every)
        self._dataset_fn = dataset_fn
        batch = _first_batch(dataset_fn, cluster)
        self.model = _checked(build_model(), batch)
        with self._strategy.scope():
            self._served = _checked(build_model(), batch)
            self._tickets = tf.Variable(0, trainable=False, dtype=tf.int64)
        _copy(self.model, self._served)
        self._checkpoint = Checkpoint(checkpoint, self.model)
        if self._checkpoint.restore():
            _copy(self.model, self._served)
        self.record = TrainingRecord(record)
        self.record.metadata["method"] = "Downpour"
        self._iterator: Any = None
        step = AsynchronousStep(self._served, self._rhythm)

        def visit(iterator: Any) -> Report:
            batches = [next(iterator) for _ in range(self._rhythm.steps)]
            return Report(*self._strategy.run(step, args=(batches,)))

        self._step = tf.function(visit, autograph=False)

    def fit(
        self,
        steps: int,
        *,
        steps_per_epoch: int | None = None,
        validation_data: Any = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        warm_start: int = 0,
        verbose: int | str = "auto",
    ) -> keras.callbacks.History:
        """Trains until all workers together have done a number of steps.

        At the end of an epoch the workers come to rest, their parameters come to
        `model`, it is validated, and callbacks are called with it: `EarlyStopping`,
        `ModelCheckpoint`, `ReduceLROnPlateau` and their like work. The monitors of
        this package watch `model.fit` and are refused; `record` has the loss,
        the staleness of each update and the pace of each worker.

        Args:
            steps: Batches in all, over all workers and earlier calls (so that a run
                that goes on from a checkpoint does the rest only), int >= 1.
            steps_per_epoch: Batches between two validations, `None` for a tenth.
            validation_data: As for `model.evaluate`: `(x, y)` or a dataset.
            callbacks: Keras callbacks.
            warm_start: Steps at the beginning that are done one after the other, int
                >= 0: early gradients are large, and stale ones can throw a model
                off.
            verbose: As in `fit`.

        Returns:
            Keras' `History`.

        Raises:
            ValueError: If an argument is outside its range.
            RuntimeError: If a parameter server or all workers are lost. The last
                checkpoint, if there is one, is named.
        """
        steps = check_integer("steps", steps, minimum=1)
        if steps_per_epoch is None:
            steps_per_epoch = max(1, steps // _EPOCHS)
        steps_per_epoch = check_integer("steps_per_epoch", steps_per_epoch, minimum=1)
        warm_start = check_integer("warm_start", warm_start, minimum=0)
        progress = Progress(self.model, callbacks, steps, steps_per_epoch, verbose)
        try:
            with progress:
                self._train(progress, steps, warm_start, validation_data)
        except RuntimeError as error:
            if self._checkpoint.path is None or not os.path.exists(
                self._checkpoint.path
            ):
                raise
            raise RuntimeError(
                f"{error} Weights and optimizer as of the last epoch are in "
                f"{self._checkpoint.path!r}; a `Downpour` with this checkpoint goes on "
                "from there."
            ) from error
        finally:
            self.record.flush()
        return progress.history

    def _train(
        self,
        progress: Progress,
        steps: int,
        warm_start: int,
        validation_data: Any,
    ) -> None:
        steps_per_epoch = progress.steps_per_epoch
        if self._iterator is None:
            self._iterator = self._worker_batches()
        done = self._updates() * self._rhythm.push_every
        while done < steps and not self.model.stop_training:
            epoch = done // steps_per_epoch
            progress.begin_epoch(epoch)
            self._set_rate()
            wanted = min(steps_per_epoch - done % steps_per_epoch, steps - done)
            reports = self._visits(wanted, max(0, warm_start - done))
            _copy(self._served, self.model)
            self._checkpoint.save()
            logs = self._recorded(reports, epoch)
            if validation_data is not None:
                logs |= self._validated(validation_data)
            progress.end_epoch(epoch, logs)
            self.record.flush()
            done = self._updates() * self._rhythm.push_every
        self._set_rate()

    def _visits(self, steps: int, one_by_one: int) -> list[Report]:
        """Lets workers do some steps, the first of them one after the other."""
        coordinator, visits = self._cluster.coordinator, []
        for number in range(-(-steps // self._rhythm.steps)):
            visits.append(coordinator.schedule(self._step, args=(self._iterator,)))
            if number * self._rhythm.steps < one_by_one:
                self._cluster.wait(self._updates)
        self._cluster.wait(self._updates)
        return [
            Report(*(np.asarray(part) for part in tuple(visit.fetch())))
            for visit in visits
        ]

    def _recorded(self, reports: list[Report], epoch: int) -> dict[str, float]:
        add, losses = self.record.add, []
        for report in reports:
            losses += report.losses.tolist()
            batches = np.array_split(report.losses, len(report.updates))
            for update, stale, group in zip(
                report.updates, report.staleness, batches, strict=True
            ):
                step = int(update)
                add("loss", float(np.mean(group)), step=step, epoch=epoch)
                add("staleness", float(stale), step=step, epoch=epoch)
        last = int(max(report.updates[-1] for report in reports))
        for worker in sorted({int(report.worker) for report in reports}):
            own = [report for report in reports if int(report.worker) == worker]
            begin = min(report.seconds[0] for report in own)
            end = max(report.seconds[1] for report in own)
            pace = len(own) * self._rhythm.steps / max(end - begin, 1e-9)
            add(
                "steps_per_second",
                pace,
                step=last,
                epoch=epoch,
                layer=f"worker {worker}",
            )
        return {"loss": float(np.mean(losses))}

    def _validated(self, data: Any) -> dict[str, float]:
        pair = data if isinstance(data, (tuple, list)) else (data,)
        found = self.model.evaluate(*pair, verbose=0, return_dict=True)
        return {f"val_{name}": float(value) for name, value in found.items()}

    def _updates(self) -> int:
        return int(self._served.optimizer.iterations.value.numpy())

    def _set_rate(self) -> None:
        """Hands on a rate that callbacks have set on the model of this process."""
        own, served = (m.optimizer.learning_rate for m in (self.model, self._served))
        if isinstance(own, keras.Variable) and isinstance(served, keras.Variable):
            served.assign(own.value)

    def _worker_batches(self) -> Any:
        workers = self._cluster.workers

        def batches(_: Any) -> Any:
            # TensorFlow traces this once for all workers and gives each the number
            # 0. So each draws a number when it begins, again when it comes back.
            number = counted_up(self._tickets) % workers
            context = tf.distribute.InputContext(workers, number, workers)
            dataset = _called(self._dataset_fn, context).repeat()
            numbers = tf.data.Dataset.from_tensors(number).repeat()
            return tf.data.Dataset.zip((numbers, dataset)).prefetch(1)

        def distributed() -> Any:
            return self._strategy.distribute_datasets_from_function(batches)

        return iter(self._cluster.coordinator.create_per_worker_dataset(distributed))


def _check_function(name: str, value: Any) -> None:
    if not callable(value):
        raise ValueError(f"`{name}` must be a function. {received(name, value)}")


def _called(dataset_fn: Callable[..., Any], context: Any) -> Any:
    takes = inspect.signature(dataset_fn).parameters
    dataset = dataset_fn(context) if takes else dataset_fn()
    if not isinstance(dataset, tf.data.Dataset):
        raise ValueError(
            "`dataset_fn` must return a `tf.data.Dataset` of batches. "
            + received("dataset_fn()", type(dataset).__name__)
        )
    return dataset


def _first_batch(dataset_fn: Callable[..., Any], cluster: Cluster) -> Any:
    """The first batch, made here: what is wrong with the function shows at once."""
    number = tf.constant(0, tf.int64)
    context = tf.distribute.InputContext(cluster.workers, number, cluster.workers)
    for batch in _called(dataset_fn, context).take(1):
        return batch
    raise ValueError("`dataset_fn` must return at least one batch. Received: none")


def _checked(model: Any, batch: Any) -> Any:
    """Returns a model, built with its optimizer, if it can be trained this way."""
    if not isinstance(model, keras.Model) or not getattr(model, "compiled", False):
        raise ValueError(
            "`build_model` must return a compiled Keras model. "
            + received("build_model()", type(model).__name__)
        )
    reason = None
    if type(model).train_step is not keras.Model.train_step:
        reason = "it has a `train_step` of its own, which says what one step is"
    elif hasattr(model.optimizer, "inner_optimizer"):
        reason = "its loss is scaled (mixed_float16); mixed_bfloat16 works"
    elif steps_per_update(model) > 1:
        reason = "its optimizer gathers gradients; use `push_every` instead"
    if reason is not None:
        raise ValueError(
            f"`build_model` must return a model without what cannot be done "
            f"asynchronously: {reason}. {received('build_model()', model.name)}"
        )
    if not model.built:
        model(keras.utils.unpack_x_y_sample_weight(batch)[0])
    if not model.trainable_variables:
        raise ValueError(
            "`build_model` must return a model with trainable weights. "
            + received("build_model()", model.name)
        )
    model.optimizer.build(model.trainable_variables)
    return model


def _copy(source: Any, target: Any) -> None:
    """Copies weights, layer states and the optimizer's state."""
    for one, other in zip(state_of(source), state_of(target), strict=True):
        other.assign(one.value)
