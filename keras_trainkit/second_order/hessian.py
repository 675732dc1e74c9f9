"""The second derivatives of a model's loss: whole, and times a vector."""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import received
from keras_trainkit.problems.flat import FlatLoss
from keras_trainkit.second_order.data import machine_memory
from keras_trainkit.second_order.objective import Objective

ROWS = 64  # of the Hessian that are made in one call


def hessian(
    model: Any, x: Any, y: Any = None, sample_weight: Any = None, **options: Any
) -> np.ndarray:
    """Returns the matrix of second derivatives of a model's full loss.

    For small models: it takes as many products with the Hessian as there are
    weights, and memory with their square.

    Args:
        model: A Keras model, compiled with a loss.
        x: Inputs, as for `minimize`.
        y: Targets, `None` if `x` brings them.
        sample_weight: Weights of the examples, or `None`.
        **options: `class_weight`, `batch_size`, `dtype` and `noise` of `Objective`,
            `noise` being "off" by default.

    Returns:
        Shape `(n, n)`, float64, symmetric: the trainable variables in the model's
        order, each flattened in C order.

    Raises:
        ValueError: If the matrix does not fit into half of the machine's memory, or
            the objective is none: see `Objective`.

    Example:
        ```python
        line = keras.Sequential([keras.layers.Dense(10, "softmax")])
        line.compile(loss="sparse_categorical_crossentropy")
        np.linalg.eigvalsh(tk.second_order.hessian(line, x, y, dtype="float64"))
        ```
    """
    if getattr(model, "built", False):
        check_memory(sum(int(np.prod(v.shape)) for v in model.trainable_variables))
    objective = still_objective(model, x, y, sample_weight, options)
    check_memory(objective.packing.total)
    return dense_hessian(objective.flat, objective.start())


def hessian_vector_product(
    model: Any,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    vector: Any,
    **options: Any,
) -> Any:
    """Returns the Hessian of a model's full loss times a vector.

    Costs about as much as one and a half gradients and no more memory than a few.

    Args:
        model: A Keras model, compiled with a loss.
        x: Inputs, as for `minimize`.
        y: Targets, `None` if `x` brings them.
        sample_weight: Weights of the examples, or `None`.
        vector: Shape `(n,)`, or a list of arrays with the shapes of the trainable
            variables.
        **options: As for `hessian`.

    Returns:
        The product, an array or a list of arrays as `vector` was.

    Raises:
        ValueError: If the shapes do not fit, or the objective is none.

    Example:
        ```python
        weights = [v.numpy() for v in model.trainable_variables]
        tk.second_order.hessian_vector_product(model, x, y, vector=weights)
        ```
    """
    objective = still_objective(model, x, y, sample_weight, options)
    packing = objective.packing
    nested = isinstance(vector, list | tuple)
    shapes = [np.shape(part) for part in vector] if nested else [np.shape(vector)]
    if shapes != (packing.shapes if nested else [(packing.total,)]):
        raise ValueError(
            f"`vector` must have the shape ({packing.total},), or be a list of "
            f"arrays of shapes {packing.shapes}. {received('shapes', shapes)}"
        )
    flat = packing.pack(vector if nested else [vector])
    product = objective.flat.hessian_product(objective.start(), tf.constant(flat))
    return packing.cut(product.numpy()) if nested else product.numpy()


def dense_hessian(flat: FlatLoss, vector: Any) -> np.ndarray:
    """Returns the Hessian of a flat loss at a vector, symmetric, float64."""
    total = flat.packing.total
    matrix = np.empty((total, total))
    kind = flat.packing.dtype.as_numpy_dtype
    for start in range(0, total, ROWS):
        rows = min(ROWS, total - start)
        directions = np.eye(rows, total, start, dtype=kind)
        products = flat.hessian_products(vector, tf.constant(directions))
        matrix[start : start + rows] = products.numpy()
    return (matrix + matrix.T) / 2


def check_memory(weights: int) -> None:
    """Refuses a Hessian that does not fit into half of the machine's memory.

    Raises:
        ValueError: With the memory that it would take.
    """
    needed, limit = 8 * weights**2, machine_memory() // 2
    if needed > limit:
        raise ValueError(
            f"`model` must have a Hessian that fits into {limit / 2**30:.3g} GiB, half "
            f"of this machine's memory; that of {weights:,} weights takes "
            f'{needed / 2**30:,.0f} GiB. Use method="newton-cg", or products with '
            f"vectors. {received('weights', weights)}"
        )


def still_objective(
    model: Any, x: Any, y: Any, sample_weight: Any, options: dict[str, Any]
) -> Objective:
    """Returns the objective whose curvature is asked for: without noise by default."""
    unknown = sorted({*options} - {"class_weight", "batch_size", "dtype", "noise"})
    if unknown:
        raise TypeError(f"unexpected arguments: {', '.join(unknown)}")
    return Objective(model, x, y, sample_weight, **{"noise": "off", **options})
