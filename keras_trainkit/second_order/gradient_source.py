"""What may compute the full loss and its gradient in place of this process."""

from typing import Protocol, runtime_checkable

import numpy as np

from keras_trainkit.second_order.objective import Objective


@runtime_checkable
class GradientSource(Protocol):
    """Computes the loss over all data and its gradient somewhere else.

    `minimize(..., cluster=source)` calls `open` once before the first evaluation,
    `value_and_gradient` at every one, and `close` at the end, whatever happened. The
    method itself, its memory of pairs or its solver, stays in the calling process, as
    the coordinator of Sandblaster L-BFGS does. What is returned must be the very
    function that the objective describes:

    ```text
    F(vector) = sum over batches of share * loss(batch) at those weights,
    share = rows of the batch / rows of all
    ```

    which `objective.flat.value_and_gradient(vector)` computes here and now, and
    `objective.flat.value_and_gradient(vector, chunks=[k])` for the batch at place `k`
    alone, already times its share: parts are simply added up.

    Example:
        ```python
        class InThisProcess:
            def open(self, objective):
                self.flat = objective.flat

            def value_and_gradient(self, vector):
                value, gradient = self.flat.value_and_gradient(tf.constant(vector))
                return float(value), gradient.numpy()

            def close(self):
                pass
        ```

    Reference:
        [Dean et al., 2012, section 4.2](https://research.google/pubs/pub40565/)
    """

    def open(self, objective: Objective) -> None:
        """Prepares the evaluations.

        Args:
            objective: What is to be computed. Of use to another process are
                `objective.model`, built and compiled, `objective.batches`, a list
                of `(x, y, sample_weight)` as arrays, `objective.rows`,
                `objective.dtype`, `objective.noise` and `objective.packing`, which
                says where each weight lies in the vector: the trainable variables
                in the model's order, each flattened in C order.
        """
        ...

    def value_and_gradient(self, vector: np.ndarray) -> tuple[float, np.ndarray]:
        """Returns loss and gradient at a vector.

        Args:
            vector: Shape `(n,)`, of type `objective.dtype`; not to be changed.

        Returns:
            The loss, and the gradient of shape `(n,)`. Losing a worker must not
            change them: a part that is lost is computed again, never left out.
        """
        ...

    def close(self) -> None:
        """Frees what `open` took; called once, after an error too."""
        ...
