"""A sweep over learning rates that leaves no trace in the model."""

import contextlib
import dataclasses
import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import check_integer, check_number, received
from keras_trainkit.keras_model.arrays import as_arrays, is_sparse
from keras_trainkit.keras_model.batches import Batches, fixed_batch_size
from keras_trainkit.keras_model.optimizers import optimizers_of, parts_of_optimizer
from keras_trainkit.keras_model.state import restored
from keras_trainkit.keras_model.touched import TouchedVariables
from keras_trainkit.keras_model.train_function import traced, written_by
from keras_trainkit.probes.learning_rate_sweep import LearningRateSweep
from keras_trainkit.probes.untouched import untouched


def find_learning_rate(
    model: keras.Model,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    batch_size: int = 32,
    minimum: float = 1e-6,
    maximum: float = 10.0,
    steps: int = 100,
    stop_factor: float = 4.0,
    repeats: int = 1,
    measure: str = "loss",
    seed: int = 0,
) -> LearningRateSweep:
    """Trains for a few steps while the rate rises, and suggests a rate.

    The rate goes up by the same factor at each step, one batch a step, until the
    loss has clearly diverged. A good rate is where the loss falls fastest, well
    below the rate at which it starts to rise. Afterwards the model is as it was,
    bit for bit: weights, BatchNorm statistics, states of stateful layers, optimizer
    state, metrics, the random state of its layers, of Keras, TensorFlow, NumPy and
    Python, and its schedule.

    It costs `steps` training steps for each repeat, and a copy of the weights and
    the optimizer's state in host memory.

    Args:
        model: A compiled model, its train step Keras' own or custom. It is built if
            it was not. All optimizers of a custom train step get the same rate.
        x: Inputs as for `fit`: arrays in any nesting, or a `tf.data.Dataset`, a
            generator or another iterable of batches.
        y: Targets; `None` if there are none or `x` yields them.
        sample_weight: Weights of the examples, or `None`.
        batch_size: Rows in a batch, int >= 1; not used if `x` yields batches or the
            model has a fixed batch size.
        minimum: The first rate, > 0.
        maximum: The last rate, > `minimum`.
        steps: How many rates, int >= 2.
        stop_factor: The sweep ends when the smoothed loss exceeds its first
            value this many times, > 1.
        repeats: How many sweeps, each over other batches, int >= 1; several give a
            band of suggestions.
        measure: Which of the numbers that the train step reports is the loss.
        seed: For the order of the rows, int >= 0.

    Returns:
        The curve, with `.suggestion`, `.suggestions`, `.band` and `.plot()`.

    Raises:
        ValueError: If the model is not compiled or its optimizer has no rate to be
            set, an argument is out of range, the data are not what `fit` takes,
            labels lie beyond the classes, or the train step reports no such measure.

    Example:
        ```python
        sweep = tk.probes.find_learning_rate(model, x, y)
        sweep.plot().figure.savefig("sweep.png")
        model.optimizer.learning_rate = sweep.suggestion
        ```

    Reference:
        [Smith, 2017, section 3.3](https://arxiv.org/abs/1506.01186)
    """
    minimum = check_number("minimum", minimum, 0, open_minimum=True)
    maximum = check_number("maximum", maximum, minimum, open_minimum=True)
    steps = check_integer("steps", steps, minimum=2)
    batch_size = check_integer("batch_size", batch_size, minimum=1)
    stop_factor = check_number("stop_factor", stop_factor, 1, open_minimum=True)
    repeats = check_integer("repeats", repeats, minimum=1)
    seed = check_integer("seed", seed, minimum=0)
    if not isinstance(model, keras.Model) or not model.compiled:
        raise ValueError(
            f"`model` must be a compiled Keras model. {received('model', model)}"
        )
    for optimizer in optimizers_of(model):
        for part in parts_of_optimizer(optimizer):
            if getattr(part, "sets_own_steps", False):
                raise ValueError(
                    "`model` must have an optimizer whose rate is to be set; this one "
                    "finds the length of its steps itself. "
                    f"{received('optimizer', type(part).__name__)}"
                )
    rates = np.geomspace(minimum, maximum, steps)
    data = Batches(x, y, sample_weight, model=model)
    size = fixed_batch_size(model) or batch_size
    batches = map(_as_tensors, data.endless(size, seed))
    first = next(batches)
    sweeps = []
    with untouched(model, first) as set_rate:
        for repeat in range(repeats):
            if repeat and not data.streamed:
                batches = map(_as_tensors, data.endless(size, seed + repeat))
                first = next(batches)
            chained = itertools.chain([] if first is None else [first], batches)
            first = None
            with restored(model) as touched:
                sweeps.append(
                    _sweep(
                        model, rates, chained, set_rate, stop_factor, measure, touched
                    )
                )
            if not len(sweeps[-1].losses):  # a generator that came to its end
                sweeps.pop()
                break
    return dataclasses.replace(sweeps[0], repeats=tuple(sweeps[1:]))


def _sweep(
    model: keras.Model,
    rates: np.ndarray,
    batches: Iterator[Any],
    set_rate: Callable[[float], None],
    stop_factor: float,
    measure: str,
    touched: TouchedVariables,
) -> LearningRateSweep:
    losses: list[float] = []
    trouble = ""
    sweep = LearningRateSweep(rates[:0], np.array(losses))
    model.make_train_function()
    for rate in rates:
        batch = next(batches, None)
        if batch is None:  # a generator that came to its end
            shortened = (
                f"the data ran out after {len(losses)} of {len(rates)} steps; pass "
                f"more, or steps={max(2, len(losses))}"
            )
            sweep = dataclasses.replace(sweep, shortened=shortened)
            break
        if not losses and not model.run_eagerly:
            trace = traced(model.train_function, [batch])
            touched.take([] if trace is None else written_by(trace))
        set_rate(float(rate))
        model.reset_metrics()
        # As `fit` does: the step gets the batch as it is, in one piece or in parts.
        with _labels_named():
            logs = model.train_function(itertools.repeat(batch, 1))
        if not isinstance(logs, dict) or measure not in logs:
            names = sorted(logs) if isinstance(logs, dict) else type(logs).__name__
            raise ValueError(
                "`measure` must be one of the numbers that the train step reports, "
                f"{names}. {received('measure', measure)}"
            )
        losses.append(float(np.mean(np.asarray(logs[measure]))))
        if not _is_finite(batch) and not (np.isfinite(losses[-1]) and _is_sound(model)):
            trouble = (
                "the data hold NaN or infinite values, and from the rate "
                f"{rate:.2g} on loss or weights were not finite"
            )
        sweep = LearningRateSweep(rates[: len(losses)], np.array(losses), trouble)
        if trouble or not sweep.smoothed[-1] <= stop_factor * abs(sweep.smoothed[0]):
            break
    # A unit that rectifies passes no NaN on: the loss of weights that are NaN may be
    # finite, and stand still.
    if losses and not trouble and np.isfinite(losses[-1]) and not _is_sound(model):
        trouble = "the weights ceased to be finite, though the loss did not"
        sweep = dataclasses.replace(sweep, trouble=trouble)
    return sweep


@contextlib.contextmanager
def _labels_named() -> Iterator[None]:
    """Says in one sentence what TensorFlow says of labels that are no classes."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        found = re.search(
            r"label value of (-?\d+) .*outside the valid range of \[0, (\d+)\)",
            str(error),
        )
        if found is None:
            raise
        raise ValueError(
            f"`y` must hold classes from 0 to {int(found[2]) - 1}, as the model's "
            f"output has {found[2]} units. Received: class {found[1]}"
        ) from None


def _as_tensors(batch: Any) -> Any:
    def tensor(leaf: Any) -> Any:
        if leaf is None or tf.is_tensor(leaf):
            return leaf
        array = as_arrays(leaf)
        return tf.convert_to_tensor(array.toarray() if is_sparse(array) else array)

    return keras.tree.map_structure(tensor, batch)


def _is_finite(batch: Any) -> bool:
    floats = [
        leaf
        for leaf in keras.tree.flatten(batch)
        if tf.is_tensor(leaf) and leaf.dtype.is_floating
    ]
    return all(bool(tf.reduce_all(tf.math.is_finite(leaf))) for leaf in floats)


def _is_sound(model: keras.Model) -> bool:
    """Whether all weights are finite."""
    weights = [v.value for v in model.trainable_variables]
    return all(bool(tf.reduce_all(tf.math.is_finite(weight))) for weight in weights)
