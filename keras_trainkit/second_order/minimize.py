"""Minimises the full objective of a model with a method of numerical optimisation."""

import warnings
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_trainkit.arguments import (
    check_choice,
    check_integer,
    check_number,
    received,
)
from keras_trainkit.problems.flat import FlatLoss
from keras_trainkit.second_order.evaluations import Evaluations
from keras_trainkit.second_order.gradient_source import GradientSource
from keras_trainkit.second_order.hessian import check_memory
from keras_trainkit.second_order.lbfgs_method import lbfgs
from keras_trainkit.second_order.minimization import Minimization
from keras_trainkit.second_order.newton import newton
from keras_trainkit.second_order.newton_cg import newton_cg
from keras_trainkit.second_order.objective import Objective
from keras_trainkit.second_order.run import Run
from keras_trainkit.second_order.sfo import check_subspace, sfo
from keras_trainkit.second_order.vectors import on_host

METHODS = ("lbfgs", "newton", "newton-cg", "sfo")
BY_DEFAULT = 1000  # evaluations
FEW = 25  # mini-batches, below which SFO is warned of


def minimize(
    model: Any,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    method: str = "lbfgs",
    max_evaluations: int | None = None,
    tolerance: float = 1e-5,
    validation_data: Any = None,
    callbacks: Sequence[Any] = (),
    verbose: int = 0,
    class_weight: Any = None,
    batch_size: int | None = None,
    dtype: str | None = None,
    noise: str = "frozen",
    history_size: int = 10,
    subfunctions: int | None = None,
    seed: int = 0,
    cluster: GradientSource | None = None,
) -> Minimization:
    """Minimises the loss over all data and leaves the best weights in the model.

    For small models and full data: physics-informed nets, regressions, fine fits.
    There is no learning rate. What is minimised is one fixed function, the compiled
    loss over all examples with its weights, regularisation and `add_loss` terms;
    BatchNormalization uses its moving statistics and leaves them as they are. The
    model's own optimizer takes no part and stays as it is.

    Args:
        model: A Keras model, compiled with a loss.
        x: Inputs, as for `fit`: arrays, a dictionary, or a dataset, which is read
            once.
        y: Targets, `None` if `x` brings them.
        sample_weight: Weights of the examples, or `None`.
        method: "lbfgs"; "newton", for models whose Hessian fits into memory;
            "newton-cg", which needs only products with it; or "sfo", which looks at
            fixed mini-batches one by one and keeps a quadratic of each.
        max_evaluations: Largest number of evaluations of the full loss and gradient,
            int >= 1; a product with the Hessian counts as two. "newton" needs two
            more than twice the number of weights, for its first step. `None` for
            1000, and for a hundred Hessians with "newton".
        tolerance: Largest entry of the gradient at which it is done, >= 0.
        validation_data: `(x, y)`, `(x, y, sample_weight)` or a dataset, evaluated
            after each iteration; `None` for none.
        callbacks: Keras callbacks, which see each iteration as an epoch of one
            batch, with `loss`, `gradient_norm`, `evaluations` and the validation
            metrics in the logs. `model.stop_training` ends the search.
        verbose: 1 for a progress bar over the evaluations, 0 for none.
        class_weight: Weight of each class by its number, or `None`.
        batch_size: Rows that are evaluated at once, int >= 1; `None` for as many as
            fit into half a gigabyte with all their activations. The result does not
            depend on it, unless masks weigh the rows of a batch: the notes say so.
        dtype: "float32" or "float64", the precision of everything; `None` for that
            of the weights.
        noise: "frozen" keeps the dropout masks and other noise of training as they
            are first drawn; "off" runs the layers as in inference.
        history_size: Pairs that L-BFGS remembers, int >= 1, each of the size of two
            gradients.
        subfunctions: Mini-batches of "sfo", int >= 2, at most one a row; `None` for a
            tenth of the root of the number of rows, but 30 at least. Their rows are
            drawn once. Batches of different shapes stay as they come.
        seed: Seed of what "sfo" draws, int >= 0.
        cluster: Computes loss and gradient in place of this process, or `None`.

    Returns:
        The result: loss, gradient norm, evaluations, why it stopped, the record and
        the Keras `History`.

    Raises:
        ValueError: If an argument is out of range, a weight has a constraint, which
            no method here would keep, or the objective is none: see `Objective`. The
            model is unchanged then.

    Example:
        ```python
        result = tk.second_order.minimize(model, x, y, max_evaluations=300)
        print(result)
        ```
    """
    check_choice("method", method, METHODS)
    if max_evaluations is not None:
        check_integer("max_evaluations", max_evaluations, 1)
    check_number("tolerance", tolerance, 0.0)
    check_integer("history_size", history_size, 1)
    check_integer("seed", seed, 0)
    if subfunctions is not None:
        check_integer("subfunctions", subfunctions, 2)
    check_choice("verbose", verbose, (0, 1))
    callbacks = keras.tree.flatten(callbacks)
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise ValueError(
                "`callbacks` must be Keras callbacks. "
                f"{received('callbacks', callback)}"
            )
    if cluster is not None and not isinstance(cluster, GradientSource):
        raise ValueError(
            "`cluster` must have `open`, `value_and_gradient` and `close`. "
            f"{received('cluster', cluster)}"
        )
    if cluster is not None and method != "lbfgs":
        raise ValueError(
            "`cluster` must be None for methods that need more than the full gradient. "
            f"{received('method', method)}"
        )
    if method == "newton" and getattr(model, "built", False):
        known = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
        check_memory(known)
        _check_newton_starts(known, max_evaluations)
    objective = Objective(
        model,
        x,
        y,
        sample_weight,
        class_weight=class_weight,
        batch_size=batch_size,
        dtype=dtype,
        noise=noise,
    )
    _check_unconstrained(objective)
    start = objective.start()
    if on_host() or method in ("newton", "sfo"):
        start = start.numpy()
    total = objective.packing.total
    if method == "newton":
        check_memory(total)
        _check_newton_starts(total, max_evaluations)
    source: Any = objective.flat
    if method == "sfo":
        # Frozen noise is drawn by batch: the sum of these is what is minimised.
        source = batches = _subfunctions(objective, subfunctions, seed)
    if max_evaluations is None:
        max_evaluations = 100 * (1 + 2 * total) if method == "newton" else BY_DEFAULT
    if cluster is not None:
        cluster.open(objective)
        source = cluster
    try:
        evaluate = Evaluations(source, max_evaluations, on_arrays=cluster is not None)
        iterates = {
            "lbfgs": lambda: lbfgs(evaluate, start, history_size=history_size),
            "newton": lambda: newton(evaluate, start),
            "newton-cg": lambda: newton_cg(evaluate, start),
            "sfo": lambda: sfo(evaluate, start, batches, seed),
        }[method]()
        run = Run(objective, evaluate, validation_data, callbacks, verbose)
        return run.go(iterates, tolerance)
    finally:
        if cluster is not None:
            cluster.close()


def _check_unconstrained(objective: Objective) -> None:
    for variable in objective.variables:
        if getattr(variable, "constraint", None) is not None:
            raise ValueError(
                "`model` must have weights without constraints, which these methods "
                f"would not keep. Received: {variable.path!r} with "
                f"{variable.constraint!r}"
            )


def _check_newton_starts(weights: int, limit: int | None) -> None:
    """Refuses evaluations that are used up before the first step of Newton's."""
    least = 2 * weights + 2  # the start, its Hessian, and a point to step to
    if limit is not None and limit < least:
        raise ValueError(
            f"`max_evaluations` must be an integer >= {least} with "
            f'method="newton": a Hessian of {weights:,} weights takes {2 * weights:,}. '
            f"{received('max_evaluations', limit)}"
        )


def _subfunctions(objective: Objective, count: int | None, seed: int) -> FlatLoss:
    batches = objective.in_batches(count, seed)
    if len(batches.chunks) < FEW:
        warnings.warn(
            f"SFO has {len(batches.chunks)} mini-batches; below {FEW} it learns of the "
            "curvature slowly. Use more `subfunctions`, or L-BFGS.",
            stacklevel=3,
        )
    check_subspace(objective.packing.total, len(batches.chunks))
    return batches
