"""What a program is: data, a net, an optimizer, a loss, and a fit."""

import dataclasses
from typing import Any

import keras
import numpy as np

L = keras.layers


@dataclasses.dataclass
class Net:
    """A plain net, all of whose choices a fault may change.

    Args:
        kind: "dense", "convolutional", "series", "recurrent" or "text".
        shape: Of one example.
        widths: Units of each hidden layer.
        units: Of the output.
        end: Activation of the output.
        activation: Of the hidden layers.
        kernel, bias: Initialisers of the hidden layers, `None` for Keras'.
        end_kernel: Initialiser of the output.
        l2: Factor of a penalty on the kernels.
        l1_activity: Factor of a penalty on the outputs of hidden layers.
        dropout: Rate behind each hidden layer.
        noise: Deviation of noise added to the inputs.
        normalize: Momentum of a BatchNormalization behind each hidden layer.
        skip: Whether hidden layers add to their input.
        frozen: Whether hidden layers are not trained.
        detached: Whether no gradient passes to the hidden layers.
        words: Rows of the embedding.
        start: Layers put before all others.
    """

    kind: str = "dense"
    shape: tuple = (2,)
    widths: tuple = (16,)
    units: int = 1
    end: str | None = None
    activation: Any = "relu"
    kernel: Any = None
    bias: Any = None
    end_kernel: Any = None
    l2: float = 0.0
    l1_activity: float = 0.0
    dropout: float = 0.0
    noise: float = 0.0
    normalize: float | None = None
    skip: bool = False
    frozen: bool = False
    detached: bool = False
    words: int = 200
    start: tuple = ()

    def build(self) -> keras.Model:
        """Returns the net, not compiled."""
        inputs = keras.Input(self.shape, dtype="int32" if self.kind == "text" else None)
        x = inputs
        for layer in self.start:
            x = layer(x)
        if self.noise:  # Keras adds a deviation of 1 at most
            x = L.Rescaling(1 / self.noise)(x)
            x = L.Rescaling(self.noise)(L.GaussianNoise(1.0)(x))
        for index, width in enumerate(self.widths):
            x = self._hidden(x, index, width)
        if self.kind == "convolutional":
            x = L.Flatten()(x)
        if self.detached:
            x = Detached()(x)
        options = (
            {} if self.end_kernel is None else {"kernel_initializer": self.end_kernel}
        )
        x = L.Dense(
            self.units, self.end, kernel_regularizer=self._penalty(), **options
        )(x)
        return keras.Model(inputs, x)

    def _penalty(self) -> Any:
        return keras.regularizers.L2(self.l2) if self.l2 else None

    def _hidden(self, x: Any, index: int, width: int) -> Any:
        options: dict[str, Any] = {"kernel_regularizer": self._penalty()}
        if self.kernel is not None:
            options["kernel_initializer"] = self.kernel
        if self.bias is not None:
            options["bias_initializer"] = self.bias
        if self.l1_activity:
            options["activity_regularizer"] = keras.regularizers.L1(self.l1_activity)
        before, activation = x, self.activation
        late = activation if self.normalize is not None else None
        activation = None if self.normalize is not None else activation
        if self.kind == "text" and index == 0:
            x = L.Embedding(self.words, width)(x)
            return L.GlobalAveragePooling1D()(x)
        if self.kind == "convolutional":
            layer: Any = L.Conv2D(width, 3, activation=activation, **options)
        elif self.kind == "series" and index == 0:
            x = L.Conv1D(width, 5, activation=activation, **options)(x)
            x = L.Flatten()(x)
            layer = None
        elif self.kind == "recurrent" and index == 0:
            options.pop("activity_regularizer", None)
            layer = L.GRU(width, **options)
        else:
            layer = L.Dense(width, activation, **options)
        if layer is not None:
            layer.trainable = not self.frozen
            x = layer(x)
        if self.normalize is not None:
            x = L.Activation(late)(L.BatchNormalization(momentum=self.normalize)(x))
        if self.skip and before.shape == x.shape:
            x = L.Add()([before, x])
        return L.Dropout(self.dropout)(x) if self.dropout else x


class Detached(L.Layer):
    """Lets numbers through and no gradient."""

    def call(self, x):
        return keras.ops.stop_gradient(x)


@dataclasses.dataclass
class Program:
    """A training as a user would write it.

    Args:
        x, y: Training data.
        validation: `(x, y)`, or `None`.
        net: The net, or a function that makes a model.
        loss: The loss.
        optimizer: Name of a Keras optimizer.
        rate: Its rate, or a schedule.
        options: Further arguments of the optimizer.
        batch, epochs, shuffle: Of `fit`.
        bar: Share of the trivial loss that a run which learnt comes below.
        metrics: Of `compile`.
        before: Called with the compiled model before `fit`.
        fit: Further arguments of `fit`.
        compile: Further arguments of `compile`.
    """

    x: Any
    y: Any
    validation: Any
    net: Any
    loss: Any
    optimizer: str = "Adam"
    rate: Any = 1e-3
    options: dict = dataclasses.field(default_factory=dict)
    batch: int = 32
    epochs: int = 10
    shuffle: bool = True
    bar: float = 0.5
    metrics: tuple = ()
    before: Any = None
    fit: dict = dataclasses.field(default_factory=dict)
    compile: dict = dataclasses.field(default_factory=dict)

    def compiled(self) -> keras.Model:
        """Returns the model, ready for `fit`."""
        model = self.net.build() if isinstance(self.net, Net) else self.net()
        optimizer = getattr(keras.optimizers, self.optimizer)(self.rate, **self.options)
        model.compile(
            optimizer,
            self.loss,
            metrics=list(self.metrics) or None,
            jit_compile=False,
            **self.compile,
        )
        if self.before is not None:
            self.before(model)
        return model

    def arguments(self) -> dict[str, Any]:
        """What `fit` is given, beside callbacks."""
        return {
            "x": self.x,
            "y": self.y,
            "validation_data": self.validation,
            "batch_size": self.batch,
            "epochs": self.epochs,
            "shuffle": self.shuffle,
            "verbose": 0,
            **self.fit,
        }


def split(x: Any, y: Any, seed: int, share: float = 0.25) -> tuple[Any, Any, Any]:
    """Returns `x, y, (x_val, y_val)`, the rows drawn by the seed."""
    order = np.random.default_rng(seed).permutation(len(x))
    cut = int(len(x) * share)
    held, kept = order[:cut], order[cut:]
    return x[kept], y[kept], (x[held], y[held])
