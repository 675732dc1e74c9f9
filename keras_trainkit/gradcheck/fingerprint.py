"""One number per branch decision of a traced graph: which side each kink took."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

# The decision of an operation is a tensor that stays constant while the function
# stays on one smooth piece: the side of zero, the winner of a maximum, an integer.
_DECISIONS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(
        ("Relu", "LeakyRelu", "Elu", "Selu", "Abs", "Sign"),
        lambda op: tf.sign(op.inputs[0]),
    ),
    "Relu6": lambda op: tf.sign(op.inputs[0]) + tf.sign(op.inputs[0] - 6),
    **dict.fromkeys(
        ("Maximum", "Minimum"), lambda op: tf.sign(op.inputs[0] - op.inputs[1])
    ),
    "ClipByValue": lambda op: (
        tf.sign(op.inputs[0] - op.inputs[1]) + tf.sign(op.inputs[0] - op.inputs[2])
    ),
    **dict.fromkeys(("Select", "SelectV2"), lambda op: op.inputs[0]),
    **dict.fromkeys(
        (
            "Greater",
            "GreaterEqual",
            "Less",
            "LessEqual",
            "Floor",
            "Ceil",
            "Round",
            "Rint",
            "ArgMax",
            "ArgMin",
        ),
        lambda op: op.outputs[0],
    ),
    "TopKV2": lambda op: op.outputs[1],
    "Max": lambda op: _winners(op, tf.reduce_max),
    "Min": lambda op: _winners(op, tf.reduce_min),
    "MaxPool": lambda op: _pool_winners(op, tf.raw_ops.MaxPoolGrad),
    "MaxPool3D": lambda op: _pool_winners(op, tf.raw_ops.MaxPool3DGrad),
}

_CONTROL_FLOW = {
    "While",
    "StatelessWhile",
    "If",
    "StatelessIf",
    "Case",
    "PartitionedCall",
    "StatefulPartitionedCall",
}


def branch_operations(graph: Any) -> list[Any]:
    """Returns the operations of `graph` that can take one side or another."""
    return [
        operation
        for operation in graph.get_operations()
        if operation.type in _DECISIONS
        and all(
            kind.is_floating or kind.is_integer or kind.is_bool
            for kind in (tensor.dtype for tensor in operation.inputs)
        )
    ]


def has_hidden_branches(graph: Any) -> bool:
    """Returns whether loops or calls of `graph` may hide branch decisions."""
    return any(op.type in _CONTROL_FLOW for op in graph.get_operations())


def fingerprint(operations: list[Any]) -> Any:
    """Returns one float64 a branch operation, equal while no decision changes.

    The number is a random bilinear form of the decisions, so that one changed
    decision changes it and the chance of two changes cancelling is negligible.

    Args:
        operations: Branch operations of the graph being traced.

    Returns:
        Tensor of shape `(len(operations),)`.
    """
    marks = [
        _mark(_DECISIONS[operation.type](operation), seed)
        for seed, operation in enumerate(operations)
    ]
    return tf.stack(marks) if marks else tf.zeros([0], tf.float64)


def _mark(decision: Any, seed: int) -> Any:
    decision = tf.cast(decision, tf.float64)
    shape = decision.shape
    if shape.rank == 0 or not shape.is_fully_defined():
        flat = tf.reshape(decision, [1, -1])
        weights = tf.random.stateless_uniform(
            [tf.size(flat), 1], [seed, 7], 0.5, 1.5, tf.float64
        )
        return tf.reshape(flat @ weights, [])
    rows = int(shape[0])
    columns = max(1, shape.num_elements() // max(rows, 1))
    random = np.random.default_rng(seed)
    # Eager tensors, captured: constants of this size would bloat the graph.
    with tf.init_scope():
        left = tf.convert_to_tensor(random.uniform(0.5, 1.5, (1, rows)))
        right = tf.convert_to_tensor(random.uniform(0.5, 1.5, (columns, 1)))
    table = tf.reshape(decision, [rows, columns])
    return tf.reshape(left @ (table @ right), [])


def _winners(operation: Any, reduce: Callable[..., Any]) -> Any:
    values, axes = operation.inputs
    return tf.equal(values, reduce(values, axes, keepdims=True))


def _pool_winners(operation: Any, gradient: Callable[..., Any]) -> Any:
    """Routes ones back to the winner of each window, as the gradient would."""
    values, pooled = operation.inputs[0], operation.outputs[0]
    attributes = {
        name: operation.get_attr(name) for name in ("ksize", "strides", "padding")
    }
    layout = operation.get_attr("data_format").decode()
    return gradient(
        orig_input=values,
        orig_output=pooled,
        grad=tf.ones_like(pooled),
        ksize=list(attributes["ksize"]),
        strides=list(attributes["strides"]),
        padding=attributes["padding"].decode(),
        data_format=layout,
    )
