"""A loss as a function of one flat vector: value, gradient, products with its Hessian.

What an optimiser of general functions wants, and what it does not want to know of: a
model's tensors and their types, and data that come in several chunks.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from keras_trainkit.problems.gradient import terms_and_gradients
from keras_trainkit.problems.packing import Packing
from keras_trainkit.problems.problem import Problem


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
        self._compiled = functools.partial(
            tf.function,
            autograph=False,
            jit_compile=jit_compile,
            reduce_retracing=True,
        )

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
        found = [self._value(vector, chunk) for chunk in self._chosen(chunks)]
        return found[0] if len(found) == 1 else tf.add_n(found)

    def value_and_gradient(
        self, vector: Any, chunks: Sequence[int] | None = None
    ) -> tuple[Any, Any]:
        """Returns the loss, a float64 scalar, and its gradient, shape `(total,)`."""
        total, slope = None, None
        for chunk in self._chosen(chunks):
            value, gradient = self._value_and_gradient(vector, chunk)
            total = value if total is None else total + value
            slope = gradient if slope is None else slope + gradient
        return total, slope

    def hessian_product(
        self, vector: Any, direction: Any, chunks: Sequence[int] | None = None
    ) -> Any:
        """Returns the Hessian times a direction, shape `(total,)`."""
        found = [
            self._product(vector, direction, chunk) for chunk in self._chosen(chunks)
        ]
        return found[0] if len(found) == 1 else tf.add_n(found)

    def _chosen(self, chunks: Sequence[int] | None) -> Any:
        if chunks is None:
            return (self.chunks[place] for place in range(len(self.chunks)))
        return (self.chunks[place] for place in chunks)

    @functools.cached_property
    def _value(self) -> Any:
        def value(vector: Any, chunk: Any) -> Any:
            return self._scalar(self.packing.split(vector), chunk)

        return self._compiled(value)

    @functools.cached_property
    def _value_and_gradient(self) -> Any:
        return self._compiled(self._traced)

    @functools.cached_property
    def _product(self) -> Any:
        def product(vector: Any, direction: Any, chunk: Any) -> Any:
            # The gradient of the slope: every operation that has a second
            # derivative in reverse mode takes part, loops and resizing included,
            # where forward mode raises or silently leaves a part out.
            with tf.GradientTape() as tape:
                tape.watch(vector)
                _, gradient = self._traced(vector, chunk)
                slope = tf.reduce_sum(gradient * direction)
            found = tape.gradient(slope, vector, unconnected_gradients="zero")
            return tf.convert_to_tensor(found)

        return self._compiled(product)

    def _traced(self, vector: Any, chunk: Any) -> tuple[Any, Any]:
        (value,), (gradient,) = terms_and_gradients(
            lambda values: [self._scalar(values, chunk)], self.packing.split(vector)
        )
        return value, self.packing.join(gradient)

    def _scalar(self, values: Sequence[Any], chunk: Any) -> Any:
        return tf.cast(self._loss(list(values), chunk), tf.float64)
