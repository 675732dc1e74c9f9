"""Rewrites a traced single-precision graph to double precision.

For functions that insist on float32, such as a layer with `tf.cast(x, tf.float32)`
in its body: they are traced as they are, value and gradient, and then every float32
in the graph becomes a float64. Random numbers are drawn as before and then cast: in
float64 the generators would give others.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.gradcheck.evaluator import Evaluator

DRAWING = (
    "RandomStandardNormal",
    "RandomUniform",
    "StatelessRandomNormal",
    "StatelessRandomNormalV2",
    "StatelessRandomUniform",
    "StatelessRandomUniformV2",
    "StatelessTruncatedNormal",
    "StatelessTruncatedNormalV2",
    "TruncatedNormal",
)
CLOSE = 1e-3  # relative difference that rounding to float32 explains


def lift(evaluator: Evaluator) -> bool:
    """Replaces the evaluator's value and gradient by double-precision twins.

    Returns:
        Whether it could be done; if not, the evaluator is as it was. Loops,
        branches and operations without a float64 kernel prevent it.
    """
    value, gradient = evaluator._value, evaluator._gradient
    before = _numbers(value, gradient, evaluator)
    try:
        twins = (_twin(value), _twin(gradient))
        after = _numbers(*twins, evaluator)
    except (ValueError, TypeError, tf.errors.OpError):
        return False
    for native, lifted in zip(before, after, strict=True):
        scale = max(float(np.max(np.abs(native), initial=0.0)), 1e-30)
        if not np.allclose(native, lifted, rtol=CLOSE, atol=CLOSE * scale):
            return False
    evaluator.replace(*twins)
    return True


def _numbers(value: Any, gradient: Any, evaluator: Evaluator) -> list[np.ndarray]:
    point = tf.constant(evaluator.flat)
    return [value(point)[0].numpy(), gradient(point).numpy()]


def _twin(function: Any) -> Callable[..., Any]:
    graph = function.graph
    definition = graph.as_graph_def()
    _rewrite_all(definition.node, ":0")
    for inner in definition.library.function:
        for argument in (*inner.signature.input_arg, *inner.signature.output_arg):
            argument.type = _double(argument.type)
        renamed = _rewrite_all(inner.node_def, ":output:0")
        for name, tensor in inner.ret.items():
            inner.ret[name] = renamed.get(tensor, tensor)
    # The public way from a graph definition to something that can be called.
    imported = tf.compat.v1.wrap_function(
        lambda: tf.import_graph_def(definition, name=""), []
    )
    names = [tensor.name for tensor in graph.inputs]
    feeds = [imported.graph.get_tensor_by_name(name) for name in names]
    fetches = [
        imported.graph.get_tensor_by_name(tensor.name) for tensor in graph.outputs
    ]
    pruned = imported.prune(feeds, fetches)
    captured = [
        tf.cast(tensor, tf.float64) if tensor.dtype == tf.float32 else tensor
        for tensor in graph.external_captures
    ]

    def twin(point: Any) -> Any:
        results = pruned(point, *captured)
        return tuple(results) if len(fetches) > 1 else results[0]

    vars(twin)["graph"] = graph  # as a traced function has, to name operations
    return twin


def _rewrite_all(nodes: Any, output: str) -> dict[str, str]:
    """Makes all nodes compute in float64; returns new names of drawn tensors.

    Args:
        nodes: The nodes of a graph or a function, changed in place.
        output: How a first output is named there after its node.
    """
    single = tf.float32.as_datatype_enum
    drawn = [
        node.name
        for node in nodes
        if node.op in DRAWING and node.attr["dtype"].type == single
    ]
    renamed: dict[str, str] = {}
    for name in drawn:
        cast = f"{name}/lifted"
        renamed |= {name: cast, f"{name}{output}": _output(cast, output)}
    for node in nodes:
        if node.name not in drawn:
            _rewrite(node)
        inputs = [renamed.get(one, one) for one in node.input]
        del node.input[:]
        node.input.extend(inputs)
    for name in drawn:
        cast = nodes.add(name=f"{name}/lifted", op="Cast")
        cast.input.append(f"{name}{output}" if output != ":0" else name)
        cast.attr["SrcT"].type = single
        cast.attr["DstT"].type = tf.float64.as_datatype_enum
        cast.attr["Truncate"].b = False
    return renamed


def _output(node: str, output: str) -> str:
    return f"{node}:y:0" if output != ":0" else f"{node}:0"  # as `Cast` names it


def _rewrite(node: Any) -> None:
    for attribute in node.attr.values():
        if attribute.HasField("type"):
            attribute.type = _double(attribute.type)
        elif attribute.HasField("tensor"):
            if attribute.tensor.dtype == tf.float32.as_datatype_enum:
                values = tf.make_ndarray(attribute.tensor).astype(np.float64)
                attribute.tensor.CopyFrom(tf.make_tensor_proto(values))
        elif attribute.HasField("list"):
            kinds = [_double(kind) for kind in attribute.list.type]
            del attribute.list.type[:]
            attribute.list.type.extend(kinds)


def _double(kind: int) -> int:
    if kind == tf.float32.as_datatype_enum:
        return int(tf.float64.as_datatype_enum)
    return kind
