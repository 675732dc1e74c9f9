"""A loss as a function of one flat vector: value, gradient, products with its Hessian.

What an optimiser of general functions wants, and what it does not want to know of: a
model's tensors and their types, and data that come in several chunks.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from keras_trainkit.keras_model.train_function import written_by
from keras_trainkit.problems.gradient import terms_and_gradients
from keras_trainkit.problems.moments import whole_moments
from keras_trainkit.problems.packing import Packing
from keras_trainkit.problems.problem import Problem

SHAPES = 4  # of chunks that have a trace of their own


class FlatLoss:
    """A sum of losses over chunks of data, as a compiled function of one vector.

    Args:
        loss: Maps the tensors, in their own types, and one chunk to a scalar.
        packing: Where the tensors lie in the vector, and the vector's type.
        chunks: Nested tensors or arrays, each an argument of `loss`; their number
            of rows may differ. A sequence may make a chunk when it is asked for.
        jit_compile: Whether XLA compiles the function.
    """

    def __init__(
        self,
        loss: Callable[[list[Any], Any], Any],
        packing: Packing,
        chunks: Sequence[Any] = ((),),
        *,
        jit_compile: bool = False,
    ) -> None:
        self.packing = packing
        self.chunks = chunks
        self._loss = loss
        self._jit_compile = jit_compile
        self._traces: dict[str, dict[Any, Any]] = {}
        # A sequence that keeps its chunks gives the same one each time.
        self._kept = len(chunks) > 0 and chunks[0] is chunks[0]
        self._ready: dict[tuple[str, int], tuple[Any, list[Any]]] = {}

    @classmethod
    def of_problem(cls, problem: Problem, term: int = 0, **options: Any) -> "FlatLoss":
        """Returns one term of a problem over one vector.

        Args:
            problem: The problem; its data stay in the graph.
            term: Position of the term.
            **options: `jit_compile`.
        """
        dtype = tf.float64 if tf.float64 in problem.kinds else tf.float32
        shapes = [tuple(getattr(value, "shape", ())) for value in problem.values]
        packing = Packing(shapes, problem.kinds, dtype)
        return cls(lambda values, _: problem.terms(values)[term], packing, **options)

    def value(self, vector: Any, chunks: Sequence[int] | None = None) -> Any:
        """Returns the loss, a float64 scalar.

        Args:
            vector: Shape `(total,)`, in the type of the packing.
            chunks: Positions of the chunks that are summed; by default all.
        """
        return self._summed("value", self._value, [vector], chunks)[0]

    def value_and_gradient(
        self, vector: Any, chunks: Sequence[int] | None = None
    ) -> tuple[Any, Any]:
        """Returns the loss, a float64 scalar, and its gradient, shape `(total,)`."""
        return self._summed("gradient", self.of_chunk, [vector], chunks)

    def hessian_product(
        self, vector: Any, direction: Any, chunks: Sequence[int] | None = None
    ) -> Any:
        """Returns the Hessian times a direction, shape `(total,)`."""
        vectors = [vector, direction]
        return self._summed("product", self._product, vectors, chunks)[0]

    def hessian_products(
        self, vector: Any, directions: Any, chunks: Sequence[int] | None = None
    ) -> Any:
        """Returns the Hessian times each row, shape `(k, total)`, in one call."""
        arguments = [vector, directions]
        return self._summed("products", self._products, arguments, chunks)[0]

    def of_chunk(self, vector: Any, chunk: Any) -> tuple[Any, Any]:
        """Returns loss and gradient on one chunk, to be traced by whoever calls."""
        (value,), (gradient,) = terms_and_gradients(
            lambda values: [self._scalar(values, chunk)], self.packing.split(vector)
        )
        return value, self.packing.join(gradient)

    def graph(self, vector: Any, chunk: Any) -> Any:
        """Returns the graph of value and gradient on a chunk that is not kept."""
        function = tf.function(
            lambda vector: self.of_chunk(vector, chunk), autograph=False
        )
        return function.get_concrete_function(vector).graph

    def written_by_products(self, vector: Any) -> list[Any]:
        """Returns all variables that `hessian_product` may write, having traced it.

        Args:
            vector: Shape `(total,)`.
        """
        found: dict[int, Any] = {}
        for chunk in self.chunks:
            arguments = [vector, vector], _leaves(chunk), chunk
            trace = self._trace("product", self._product, *arguments)
            found |= {id(one): one for one in written_by(trace)}
        return list(found.values())

    def _summed(
        self,
        name: str,
        function: Callable[..., tuple],
        vectors: list[Any],
        chunks: Sequence[int] | None,
    ) -> Any:
        total = None
        for place in range(len(self.chunks)) if chunks is None else chunks:
            trace, leaves = self._call(name, function, vectors, place)
            found = trace(*vectors, *leaves)
            if total is None:
                total = found
            else:
                total = [a + b for a, b in zip(total, found, strict=True)]
        return total

    def _call(
        self,
        name: str,
        function: Callable[..., tuple],
        vectors: list[Any],
        place: int,
    ) -> tuple[Any, list[Any]]:
        """Returns the trace for a chunk, and the chunk's tensors."""
        ready = self._ready.get((name, place))
        if ready is None:
            chunk = self.chunks[place]
            leaves = _leaves(chunk)
            ready = self._trace(name, function, vectors, leaves, chunk), leaves
            if self._kept:
                self._ready[name, place] = ready
        return ready

    def _trace(
        self,
        name: str,
        function: Callable[..., tuple],
        vectors: list[Any],
        leaves: list[Any],
        chunk: Any,
    ) -> Any:
        """Returns the function for chunks of these shapes, traced once.

        A concrete function costs less to call than one that looks for its trace.
        """
        total = self.packing.total
        known = self._traces.setdefault(name, {})
        exact = tuple((leaf.dtype, tuple(leaf.shape)) for leaf in leaves)
        if exact in known:
            return known[exact]
        # Data of ever other shapes share one trace that says nothing of them.
        loose = tuple((leaf.dtype, (None,) * leaf.shape.rank) for leaf in leaves)
        key = exact if len(known) < SHAPES else loose
        if key not in known:

            def flat(*arguments: Any) -> Any:
                queue = list(arguments[len(vectors) :])
                rebuilt = tf.nest.map_structure(
                    lambda leaf: None if leaf is None else queue.pop(0), chunk
                )
                return function(*arguments[: len(vectors)], rebuilt)

            places = [
                tf.TensorSpec([None] * (one.shape.rank - 1) + [total], one.dtype)
                for one in vectors
            ]
            known[key] = tf.function(
                flat, autograph=False, jit_compile=self._jit_compile
            ).get_concrete_function(
                *places,
                *[tf.TensorSpec(shape, dtype) for dtype, shape in key],
            )
        return known[key]

    def _value(self, vector: Any, chunk: Any) -> tuple[Any]:
        return (self._scalar(self.packing.split(vector), chunk),)

    def _product(self, vector: Any, direction: Any, chunk: Any) -> tuple[Any]:
        # The gradient of the slope: every operation that has a second derivative in
        # reverse mode takes part, loops and resizing included, where forward mode
        # raises or silently leaves a part out.
        try:
            with tf.GradientTape() as tape, whole_moments():
                tape.watch(vector)
                _, gradient = self.of_chunk(vector, chunk)
                slope = tf.reduce_sum(gradient * direction)
            found = tape.gradient(slope, vector, unconnected_gradients="zero")
        except LookupError as error:
            raise ValueError(
                "the loss must have second derivatives; TensorFlow has none for one of "
                f"its operations. Received: {error}"
            ) from error
        return (tf.convert_to_tensor(found),)

    def _products(self, vector: Any, directions: Any, chunk: Any) -> tuple[Any]:
        # One after the other: together they would take the memory of as many
        # backward passes, for a quarter less time.
        return (
            tf.map_fn(
                lambda direction: self._product(vector, direction, chunk)[0],
                directions,
            ),
        )

    def _scalar(self, values: Sequence[Any], chunk: Any) -> Any:
        return tf.cast(self._loss(list(values), chunk), tf.float64)


def _leaves(chunk: Any) -> list[Any]:
    leaves = tf.nest.flatten(chunk)
    return [tf.convert_to_tensor(leaf) for leaf in leaves if leaf is not None]
