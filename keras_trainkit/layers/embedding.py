"""An embedding whose cost is that of the rows it reads."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="keras_trainkit")
class Embedding(keras.layers.Embedding):
    """A `keras.layers.Embedding` that reads only the rows it needs.

    The Keras layer turns its table into a tensor first; when the optimizer then
    writes to the table, TensorFlow copies all of it at every step. This one
    gathers rows from the variable itself. Values, gradients, arguments and saved
    files are those of the Keras layer. To make a whole training step cost what
    its rows cost, pair it with an optimizer that writes only the rows it needs:
    `tk.optimizers.SGD` or `Adagrad`, or any other with `lazy=True`.

    A regularizer or a constraint on the table reads all of it in every step, and
    so undoes the gain. With LoRA or quantization the layer does what the Keras
    layer does.

    Args:
        *args: As for `keras.layers.Embedding`.
        **kwargs: As for `keras.layers.Embedding`.

    Example:
        ```python
        model = keras.Sequential([
            tk.layers.Embedding(1_000_000, 64),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(1),
        ])
        model.compile(tk.optimizers.Adagrad(0.1), "mse")
        ```
    """

    def call(self, inputs: Any) -> Any:
        """Returns the rows of the table at `inputs`.

        Args:
            inputs: Integer ids, shape `(...)`; negative ones count from the end.

        Returns:
            Shape `(..., output_dim)`, in the compute dtype.
        """
        if (
            self.lora_enabled
            or getattr(self, "quantization_mode", None) is not None
            or isinstance(inputs, tf.SparseTensor | tf.RaggedTensor)
        ):
            return super().call(inputs)
        ids = inputs
        if ids.dtype not in ("int32", "int64"):
            ids = keras.ops.cast(ids, "int32")
        ids = tf.where(ids < 0, ids + self.input_dim, ids)
        # `.value` is the variable (or, in a stateless scope, its tensor);
        # gathering from it is one op that never sees the other rows.
        return keras.ops.cast(
            tf.gather(self._embeddings.value, ids), self.compute_dtype
        )
