"""The largest eigenvalues of a Hessian and its trace, from products with vectors."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import check_integer, check_number, received
from keras_trainkit.problems.lanczos import lanczos
from keras_trainkit.second_order.hessian import still_objective
from keras_trainkit.second_order.objective import Objective


class Estimate(NamedTuple):
    """A number that was estimated from random vectors.

    Args:
        value: The mean over the vectors.
        error: Its standard error; NaN from one vector.
    """

    value: float
    error: float


def top_eigenvalues(
    model: Any,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    count: int = 1,
    tolerance: float = 1e-3,
    max_products: int = 300,
    seed: int = 0,
    **options: Any,
) -> np.ndarray:
    """Returns the largest eigenvalues of the Hessian of a model's full loss.

    The largest one is the sharpness of the minimum: plain gradient descent is stable
    for rates below two over it. By Lanczos' method, each product with the Hessian
    about one and a half gradients, memory for as many vectors as products.

    Args:
        model: A Keras model, compiled with a loss.
        x: Inputs, as for `minimize`.
        y: Targets, `None` if `x` brings them.
        sample_weight: Weights of the examples, or `None`.
        count: How many eigenvalues, int >= 1, at most the number of weights.
        tolerance: Relative error of each eigenvalue, > 0.
        max_products: Largest number of products, int >= 1.
        seed: Seed of the first vector, int >= 0.
        **options: As for `hessian`.

    Returns:
        Shape `(count,)`, the largest first; an eigenvalue that occurs twice is
        found once or twice.

    Raises:
        ValueError: If an argument is out of range, the objective is none, or the
            products do not suffice.

    Example:
        ```python
        sharpness = tk.second_order.top_eigenvalues(model, x, y)[0]
        ```

    Reference:
        [Golub and Van Loan, Matrix Computations, chapter 10](
        https://jhupbooks.press.jhu.edu/title/matrix-computations)
    """
    check_integer("count", count, 1)
    check_number("tolerance", tolerance, 0.0, open_minimum=True)
    check_integer("max_products", max_products, 1)
    check_integer("seed", seed, 0)
    objective = still_objective(model, x, y, sample_weight, options)
    total = objective.packing.total
    check_number("count", count, 1, total)
    found, converged = lanczos(
        product_at(objective), total, count, tolerance, max_products, seed
    )
    if not converged:
        raise ValueError(
            f"`max_products` must be larger for {count} eigenvalues to a relative "
            f"error of {tolerance:g}; nearest so far: {found.tolist()}. "
            f"{received('max_products', max_products)}"
        )
    return found


def hessian_trace(
    model: Any,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    samples: int = 30,
    seed: int = 0,
    **options: Any,
) -> Estimate:
    """Returns the trace of the Hessian of a model's full loss, estimated.

    By Hutchinson's method: the mean of `v @ H @ v` over vectors of random signs.

    Args:
        model: A Keras model, compiled with a loss.
        x: Inputs, as for `minimize`.
        y: Targets, `None` if `x` brings them.
        sample_weight: Weights of the examples, or `None`.
        samples: Random vectors, int >= 1, each one product with the Hessian.
        seed: Their seed, int >= 0.
        **options: As for `hessian`.

    Returns:
        The estimate and its standard error.

    Raises:
        ValueError: If an argument is out of range, or the objective is none.

    Example:
        ```python
        trace, error = tk.second_order.hessian_trace(model, x, y)
        ```

    Reference:
        [Hutchinson, 1990](https://doi.org/10.1080/03610919008812866)
    """
    check_integer("samples", samples, 1)
    check_integer("seed", seed, 0)
    objective = still_objective(model, x, y, sample_weight, options)
    product, random = product_at(objective), np.random.default_rng(seed)
    found = []
    for _ in range(samples):
        signs = random.choice([-1.0, 1.0], objective.packing.total)
        found.append(float(signs @ product(signs)))
    spread = np.std(found, ddof=1) if samples > 1 else np.nan
    return Estimate(float(np.mean(found)), float(spread / np.sqrt(samples)))


def product_at(objective: Objective) -> Callable[[np.ndarray], np.ndarray]:
    """Returns the product of the Hessian at the model's weights with float64 arrays."""
    start = objective.start()

    def product(direction: np.ndarray) -> np.ndarray:
        given = tf.constant(direction, start.dtype)
        return objective.flat.hessian_product(start, given).numpy().astype(np.float64)

    return product
