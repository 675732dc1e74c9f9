"""Whether one compiled function runs every kernel of another, on the same values.

TensorFlow's optimizer of graphs computes some operations together, and does so only
where nobody else reads what is between them: a function that reads more may round
differently. Here that is looked up, in the graphs that are executed in the end.
"""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

# The graphs that a function was compiled to are shown by TensorFlow's context alone.
from tensorflow.python.eager import context

# A device and the name of an operation on it.
Key = tuple[int, str]
# They hand on what they are given, bit by bit.
_PASSING = {
    "Identity",
    "IdentityN",
    "PreventGradient",
    "Snapshot",
    "StopGradient",
    "_Retval",
}
# Of two inputs, which is first does not matter.
_COMMUTATIVE = {
    "Add",
    "AddN",
    "AddV2",
    "Equal",
    "Maximum",
    "Minimum",
    "Mul",
    "NotEqual",
}
_READING = {"ReadVariableOp", "VarHandleOp", "_Arg"}
# Loops are cut here; what goes round in them is looked at so many times.
_TURNING = {"NextIteration", "RefNextIteration"}
_TURNS = 3


def with_graphs(run: Callable[[], Any]) -> tuple[Any, list[Any]]:
    """Calls a function and returns what was compiled for it meanwhile.

    Args:
        run: Calls traced functions, for the first time.

    Returns:
        What it returned, and of each function compiled the number of its arguments
        and its executed graphs.
    """
    current = context.context()
    current.enable_graph_collection()
    try:
        result = run()
        metadata = current.export_run_metadata()
    finally:
        current.disable_graph_collection()
    return result, [_executed(one) for one in metadata.function_graphs]


def _executed(graphs: Any) -> tuple[int, list[Any]]:
    """How many arguments a function has, and the graphs executed for it."""
    before = graphs.pre_optimization_graph
    # Of several devices each numbers its own arguments: there the graph is taken as
    # it was before it was divided.
    divided = list(graphs.partition_graphs)
    return (
        sum(node.op == "_Arg" for node in before.node),
        divided if len(divided) == 1 else [graphs.post_optimization_graph],
    )


def graphs_of(function: Any, collected: list[Any]) -> list[Any] | None:
    """Finds the executed graphs of a traced function among all those collected."""
    inputs = len(function.graph.inputs)
    fitting = [graphs for count, graphs in collected if count == inputs]
    return max(fitting, key=lambda one: sum(len(g.node) for g in one), default=None)


class Kernels:
    """The kernels that a function runs, each known by all that leads up to it.

    Args:
        function: The `ConcreteFunction`.
        graphs: Its executed graphs, one for each device.
    """

    def __init__(self, function: Any, graphs: list[Any]) -> None:
        names = [str(place) for place in range(len(function.graph.inputs))]
        captured = function.captured_inputs
        if captured:
            names[-len(captured) :] = [f"captured {id(one)}" for one in captured]
        self._arguments = names
        self._nodes: dict[Key, Any] = {}
        self._sends: dict[str, Key] = {}
        for device, graph in enumerate(graphs):
            for node in graph.node:
                self._nodes[device, node.name] = node
                if node.op in ("_Send", "_HostSend"):
                    self._sends[_tensor_name(node)] = device, node.input[0]
        self._library = {
            one.signature.name: one
            for graph in graphs
            for one in graph.library.function
        }
        self._turning: dict[Key, str] = {}
        self._known: dict[Key, str] = {}
        loops = [key for key, node in self._nodes.items() if node.op in _TURNING]
        for _ in range(_TURNS if loops else 0):
            self._known.clear()
            self._turning = {
                key: self._of_input(key[0], self._nodes[key].input[0]) for key in loops
            }
        self._known.clear()
        self.all = {self._of_node(key) for key in self._nodes}
        self.all |= set(self._turning.values())

    def lacking(self, other: "Kernels") -> list[str]:
        """Names the operations that another function does not run likewise.

        Args:
            other: The kernels of the other function, which may run more.

        Returns:
            Of each chain the first; none if it runs them all.
        """
        if self.results() <= other.all:
            return []
        missing = {key for key in self._nodes if self._of_node(key) not in other.all}
        return sorted(
            key[1]
            for key in missing
            if not any(source in missing for source in self._sources(key))
        )

    def results(self) -> set[str]:
        """Those that write something or whose results nobody takes."""
        taken = {
            (key[0], _name(source))
            for key, node in self._nodes.items()
            for source in node.input
            if not source.startswith("^")
        }
        found = {
            self._of_node(key)
            for key, node in self._nodes.items()
            if (key not in taken or _writes(node)) and node.op != "NoOp"
        }
        return found | set(self._turning.values())

    def _of_node(self, key: Key) -> str:
        # Not by recursion: graphs are deeper than Python's stack.
        waiting = [key]
        while waiting:
            current = waiting[-1]
            if current in self._known:
                waiting.pop()
                continue
            missing = [
                source for source in self._sources(current) if source not in self._known
            ]
            if missing:
                waiting += missing
                continue
            waiting.pop()
            self._known[current] = self._digest(current)
        return self._known[key]

    def _sources(self, key: Key) -> Iterator[Key]:
        node = self._nodes[key]
        if node.op in _TURNING:
            return
        if node.op in ("_Recv", "_HostRecv"):
            sent = self._sends.get(_tensor_name(node))
            if sent is not None:
                yield sent[0], _name(sent[1])
            return
        for source in node.input:
            if not source.startswith("^"):
                yield key[0], _name(source)

    def _of_input(self, device: int, source: str) -> str:
        name, _, output = source.partition(":")
        key = device, name
        node = self._nodes[key]
        if node.op in _PASSING:
            inputs = [one for one in node.input if not one.startswith("^")]
            return self._of_input(device, inputs[int(output or 0)])
        if node.op in ("_Recv", "_HostRecv"):
            sent = self._sends.get(_tensor_name(node))
            if sent is not None:
                return self._of_input(*sent)
        return f"{self._of_node(key)}:{output or 0}"

    def _digest(self, key: Key) -> str:
        node = self._nodes[key]
        if node.op in _TURNING:
            return f"turning {self._turning.get(key, '')}"
        if node.op == "_Arg":
            return self._arguments[node.attr["index"].i]
        inputs = [
            self._of_input(key[0], source)
            for source in node.input
            if not source.startswith("^")
        ]
        if node.op in _COMMUTATIVE and len(inputs) == 2:
            inputs.sort()
        return _hash(node.op, *inputs, *self._attributes(node))

    def _attributes(self, node: Any) -> Iterator[str]:
        for name in sorted(node.attr):
            if name.startswith("_"):
                continue
            value = node.attr[name]
            if value.HasField("func"):
                yield f"{name} {self._of_function(value.func.name)}"
            elif name not in ("output_shapes", "shapes", "index", "frame_name"):
                yield f"{name} {value.SerializeToString(deterministic=True)!r}"

    def _of_function(self, name: str) -> str:
        """A function that stayed one, by its operations in their order."""
        function = self._library.get(name)
        if function is None:
            return name
        return _hash(*(node.op for node in function.node_def))


def _name(source: str) -> str:
    return source.lstrip("^").partition(":")[0]


def _tensor_name(node: Any) -> str:
    return str(node.attr["tensor_name"].s)


def _writes(node: Any) -> bool:
    return node.op.startswith(("Assign", "Resource")) and node.op not in (
        "ResourceGather",
        "ResourceGatherNd",
    )


def _hash(*parts: str) -> str:
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=12).hexdigest()
