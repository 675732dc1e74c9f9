"""Follows a linear operation's output through elementwise ones to the next product.

Moving one kernel entry moves one column of the output, and elementwise operations
keep it in that column. So the next matrix product changes by one outer product, and
all columns can be carried through the elementwise operations at once.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

_UNARY: dict[str, Callable[[Any, Any], Any]] = {
    "Identity": lambda value, op: value,
    "Relu": lambda value, op: tf.nn.relu(value),
    "Relu6": lambda value, op: tf.nn.relu6(value),
    "LeakyRelu": lambda value, op: tf.nn.leaky_relu(value, op.get_attr("alpha")),
    "Elu": lambda value, op: tf.nn.elu(value),
    "Selu": lambda value, op: tf.nn.selu(value),
    "Tanh": lambda value, op: tf.tanh(value),
    "Sigmoid": lambda value, op: tf.sigmoid(value),
    "Softplus": lambda value, op: tf.nn.softplus(value),
}
_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "BiasAdd": lambda value, other: value + other,
    "AddV2": lambda value, other: value + other,
    "Mul": lambda value, other: value * other,
}


@dataclasses.dataclass
class Chain:
    """Elementwise operations between a linear output and a matrix product.

    Args:
        operations: The operations, in order.
        others: Tensors that they add or multiply, `None` for those that do not.
        kernel: The kernel of the product.
        output: The product's output.
    """

    operations: list[Any]
    others: list[Any]
    kernel: Any
    output: Any


def follow(output: Any) -> Chain | None:
    """Returns the chain that starts at a tensor of shape `(rows, columns)`.

    Returns:
        `None` if anything else uses the tensors between, or mixes their columns.
    """
    operations: list[Any] = []
    others: list[Any] = []
    tensor = output
    if tensor.shape.rank != 2:
        return None
    while True:
        users = tensor.consumers()
        if len(users) != 1:
            return None
        (user,) = users
        if user.type == "MatMul":
            plain = not (user.get_attr("transpose_a") or user.get_attr("transpose_b"))
            if not plain or user.inputs[0] is not tensor or not operations:
                return None
            return Chain(operations, others, user.inputs[1], user.outputs[0])
        other = None
        if user.type in _BINARY:
            first = user.inputs[0] is tensor
            other = user.inputs[1 if first else 0]
            # Only one value a column, or one an entry, keeps the columns apart.
            if other is tensor or other.shape not in (tensor.shape, tensor.shape[1:]):
                return None
        elif user.type not in _UNARY:
            return None
        operations.append(user)
        others.append(other)
        tensor = user.outputs[0]


def carry(chain: Chain, others: list[np.ndarray | None], value: Any) -> Any:
    """Applies the chain's operations to a batch of outputs.

    Args:
        chain: The operations.
        others: The values of `chain.others`.
        value: Shape `(..., rows, columns)`.
    """
    for operation, other in zip(chain.operations, others, strict=True):
        if other is None:
            value = _UNARY[operation.type](value, operation)
        else:
            value = _BINARY[operation.type](value, other)
    return value
