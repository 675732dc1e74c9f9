"""A sweep over learning rates that leaves no trace in the model."""

import itertools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_trainkit.arguments import check_integer, check_number, received
from keras_trainkit.probes.learning_rate_sweep import LearningRateSweep
from keras_trainkit.probes.untouched import untouched


def find_learning_rate(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    batch_size: int = 32,
    minimum: float = 1e-6,
    maximum: float = 10.0,
    steps: int = 100,
    stop_factor: float = 4.0,
    seed: int = 0,
) -> LearningRateSweep:
    """Trains for a few steps while the rate rises, and suggests a rate.

    The rate goes up by the same factor at each step, one batch a step, until the
    loss has clearly diverged. A good rate is where the loss falls fastest, well
    below the rate at which it starts to rise. Afterwards the model is as it was,
    bit for bit: weights, BatchNorm statistics, optimizer state, metrics, the
    random state of its layers, of Keras, NumPy and Python, and its schedule.

    It costs `steps` training steps and a copy of the weights and the optimizer's
    state in host memory.

    Args:
        model: A compiled model. It is built if it was not.
        x: Inputs as for `fit`: arrays, or a `tf.data.Dataset` or other iterable
            of batches.
        y: Targets; `None` if `x` yields batches.
        batch_size: Rows in a batch, int >= 1; not used if `x` yields batches.
        minimum: The first rate, > 0.
        maximum: The last rate, > `minimum`.
        steps: How many rates, int >= 2.
        stop_factor: The sweep ends when the smoothed loss exceeds its first
            value this many times, > 1.
        seed: For the order of the rows, int >= 0.

    Returns:
        The curve, with `.suggestion` and `.plot()`.

    Raises:
        ValueError: If the model is not compiled or an argument is out of range.

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
    seed = check_integer("seed", seed, minimum=0)
    if not isinstance(model, keras.Model) or not model.compiled:
        raise ValueError(
            f"`model` must be a compiled Keras model. {received('model', model)}"
        )
    rates = np.geomspace(minimum, maximum, steps)
    batches = _batches(x, y, batch_size, seed)
    losses: list[float] = []
    first = next(batches)
    with untouched(model, first) as set_rate:
        for rate, batch in zip(rates, itertools.chain([first], batches), strict=False):
            set_rate(float(rate))
            model.reset_metrics()
            losses.append(float(model.train_on_batch(*batch, return_dict=True)["loss"]))
            sweep = LearningRateSweep(rates[: len(losses)], np.array(losses))
            if not sweep.smoothed[-1] <= stop_factor * abs(sweep.smoothed[0]):
                break
    return sweep


def _batches(x: Any, y: Any, batch_size: int, seed: int) -> Iterator[tuple]:
    """Yields batches without end, from a generator of their own."""
    if y is None and not hasattr(x, "shape"):
        while True:
            count = 0
            for batch in x:
                count += 1
                yield batch if isinstance(batch, tuple) else (batch,)
            if count == 0:
                raise ValueError(f"`x` must yield batches. {received('x', x)}")
    arrays = (x,) if y is None else (x, y)
    rows = len(keras.tree.flatten(arrays)[0])
    if rows == 0:
        raise ValueError(f"`x` must have rows. {received('x', x)}")
    generator = np.random.default_rng(seed)
    while True:
        order = generator.permutation(rows)
        for start in range(0, max(rows - batch_size, 0) + 1, batch_size):
            chosen = order[start : start + batch_size]
            yield keras.tree.map_structure(lambda a: np.asarray(a)[chosen], arrays)  # noqa: B023
