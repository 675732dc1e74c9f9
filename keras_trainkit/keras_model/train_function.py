"""What Keras' train function was traced to: its graph, and all that it may write."""

import inspect
from typing import Any

import tensorflow as tf


def traced(function: Any, iterator: Any) -> Any:
    """Returns what a train function runs on an iterator, traced if it was not yet.

    Args:
        function: As `make_train_function` of a Keras model makes it.
        iterator: A `tf.data` iterator, distributed or not, or a list of batches.

    Returns:
        A `ConcreteFunction`, the very one that a call with such an iterator runs;
        `None` if it runs eagerly, or Keras keeps it elsewhere.
    """
    found, argument = _compiled(function, iterator)
    trace = getattr(found, "get_concrete_function", None)
    return None if trace is None else trace(argument)


def _compiled(function: Any, iterator: Any) -> tuple[Any, Any]:
    """The function of TensorFlow inside, or `None`, and what it is called with."""
    try:
        held = inspect.getclosurevars(function).nonlocals
    except TypeError:
        return None, None
    if isinstance(iterator, (tf.data.Iterator, tf.distribute.DistributedIterator)):
        return held.get("multi_step_on_iterator"), iterator
    # Keras puts `None` in the place of missing parts first, by a wrapper.
    found = held.get("one_step_on_data")
    return getattr(found, "__wrapped__", found), iterator[0]


def written_by(function: Any) -> list[Any]:
    """Returns all variables that a traced function may write, each once.

    They are its captures, whatever they belong to: weights and statistics, the state
    of optimizers, metrics and generators, and any variable that a layer, a loss or a
    custom step refers to. Of a mirrored variable the part of each replica is one.

    Args:
        function: A `ConcreteFunction`.

    Returns:
        Objects with `read_value` and `assign`.
    """
    known = {id(variable.handle): variable for variable in function.graph.variables}
    found: dict[int, Any] = {}
    for handle in function.captured_inputs:
        if handle.dtype != tf.resource:
            continue
        variable = known[id(handle)] if id(handle) in known else _by_handle(handle)
        if variable is not None:
            found[id(handle)] = variable
    return list(found.values())


def draws(function: Any) -> bool:
    """Whether a traced function draws random numbers that are no variable's.

    Operations such as `tf.random.normal` keep a generator of their own, in each
    function that they are compiled into.

    Args:
        function: A `ConcreteFunction`.
    """
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(n for one in graph.library.function for n in one.node_def)]
    return any(map(_draws, nodes))


def _draws(node: Any) -> bool:
    if "seed2" not in node.attr or "Dataset" in node.op:
        return False
    # cuDNN's recurrent layers have a seed for a dropout that Keras never asks for.
    return not node.op.startswith("CudnnRNN") or node.attr["dropout"].f > 0


class HandledVariable:
    """A variable of which only the handle is known.

    Args:
        handle: Its resource.
        dtype: Its TensorFlow type.
    """

    def __init__(self, handle: Any, dtype: Any) -> None:
        self.handle = handle
        self.dtype = dtype

    def read_value(self) -> Any:
        """The value as a tensor."""
        return tf.raw_ops.ReadVariableOp(resource=self.handle, dtype=self.dtype)

    def assign(self, value: Any) -> None:
        """Writes a value."""
        tf.raw_ops.AssignVariableOp(resource=self.handle, value=value)


def _by_handle(handle: Any) -> Any:
    # Written, but never read: the graph lists it as a resource only. Tables and
    # iterators are resources as well, and say nothing of a value.
    data = getattr(handle, "_handle_data", None)
    if data is None or not data.is_set or len(data.shape_and_type) != 1:
        return None
    try:
        variable = HandledVariable(handle, tf.as_dtype(data.shape_and_type[0].dtype))
        variable.read_value()
    except (TypeError, tf.errors.OpError):
        return None
    return variable
