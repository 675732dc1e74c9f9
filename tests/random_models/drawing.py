"""Draws a model and a way to run it from a seed.

Each seed draws layers from all families of Keras, a loss, an optimizer, places for
state where nobody looks, and a way to run.
"""

import dataclasses
import functools
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tests.random_models.odd_parts import (
    CountingLoss,
    CountingMetric,
    CustomStep,
    Drawing,
    Raw,
    RawDrawing,
    Residual,
    Unseeded,
)

layers = keras.layers
BATCH, BATCHES, CLASSES = 4, 3, 3
ACTIVATIONS = (
    "relu",
    "gelu",
    "tanh",
    "sigmoid",
    "softmax",
    "selu",
    "silu",
    "elu",
    "linear",
    "softplus",
    "leaky_relu",
    "hard_sigmoid",
)
MODES = (
    "graph",
    "graph",
    "graph",
    "xla",
    "eager",
    "several steps",
    "accumulation",
    "mixed precision",
    "replicas",
)


@dataclasses.dataclass
class Way:
    """What a seed has drawn.

    Args:
        seed: The seed.
        mode: How it is run.
        build: Builds the model.
        compile: Makes the options of `compile`.
        data: Makes the training data, and what `fit` is told of them.
        words: What is in it, for the report of a difference.
    """

    seed: int
    mode: str
    build: Any
    compile: Any
    data: Any
    words: list[str]


def drawn(seed: int) -> Way:
    """Draws a model and a way to run it."""
    random = np.random.default_rng(seed)
    mode = str(random.choice(MODES))
    kind = str(random.choice(["vector", "sequence", "image", "tokens"]))
    plan, words = _plan(random, kind, mode)
    custom = mode in ("graph", "xla", "eager") and random.random() < 0.15
    classify = random.random() < 0.5
    last = str(random.choice(["softmax", "linear"])) if classify else "linear"
    stateful = any("stateful" in word for word in words)
    loss = _loss(random, classify, last, mode)
    optimizer, name = _optimizer(random, mode)
    words = [mode, kind, *words, last, loss[0], name]
    words += ["custom step"] * custom
    stream = bool(random.random() < 0.5)
    metric = bool(random.random() < 0.25 and mode != "replicas")

    def build():
        shape = {"vector": (6,), "sequence": (4, 5), "image": (6, 6, 2), "tokens": (4,)}
        inputs = keras.Input(
            shape[kind],
            batch_size=BATCH if stateful else None,
            dtype="int32" if kind == "tokens" else None,
        )
        x = inputs
        for make in plan:
            x = make()(x)
        if len(x.shape) > 2:
            x = layers.Flatten()(x)
        x = layers.Dense(CLASSES, activation=last, dtype="float32")(x)
        return (CustomStep if custom else keras.Model)(inputs, x)

    def compile_options():
        metrics = ["mae"] if not classify else ["sparse_categorical_accuracy"]
        if metric:
            metrics.append(CountingMetric())
        return {
            "optimizer": optimizer(),
            "loss": loss[1](),
            "metrics": metrics,
            "jit_compile": mode == "xla",
            "run_eagerly": mode == "eager",
            "steps_per_execution": 2 if mode == "several steps" else 1,
        }

    def data():
        source = np.random.default_rng(seed + 1)
        shape = {"vector": (6,), "sequence": (4, 5), "image": (6, 6, 2), "tokens": (4,)}
        rows = BATCH * BATCHES
        if kind == "tokens":
            x = source.integers(0, 7, (rows, *shape[kind])).astype("int32")
        else:
            x = source.normal(size=(rows, *shape[kind])).astype("float32")
        y = (
            source.integers(0, CLASSES, rows)
            if classify
            else source.normal(size=(rows, CLASSES)).astype("float32")
        )
        if not stream:
            return (x, y), {"batch_size": BATCH, "shuffle": not stateful}
        whole = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(rows, seed=3)
        return (whole.batch(BATCH, drop_remainder=True), None), {"shuffle": False}

    return Way(seed, mode, build, compile_options, data, words)


def _plan(random: Any, kind: str, mode: str) -> tuple[list[Any], list[str]]:
    """Layers by their makers, with words that say what they are."""
    plan: list[Any] = []
    words: list[str] = []

    def add(word: str, make: Any) -> None:
        words.append(word)
        plan.append(make)

    def act() -> str:
        return str(random.choice(ACTIVATIONS))

    def one_of(*choices: tuple[str, Any]) -> None:
        add(*choices[int(random.integers(len(choices)))])

    part = functools.partial
    if kind == "tokens":
        add("Embedding", part(layers.Embedding, 7, 5))
    if kind == "image":
        for _ in range(int(random.integers(1, 3))):
            one_of(
                ("Conv2D", part(layers.Conv2D, 3, 3, padding="same", activation=act())),
                ("DepthwiseConv2D", part(layers.DepthwiseConv2D, 3, padding="same")),
                ("SeparableConv2D", part(layers.SeparableConv2D, 3, 3, padding="same")),
                (
                    "Conv2DTranspose",
                    part(layers.Conv2DTranspose, 3, 3, padding="same"),
                ),
            )
            one_of(
                ("BatchNormalization", layers.BatchNormalization),
                ("GroupNormalization", part(layers.GroupNormalization, groups=1)),
                ("SpatialDropout2D", part(layers.SpatialDropout2D, 0.3)),
                ("ReLU", layers.ReLU),
                ("AlphaDropout", part(layers.AlphaDropout, 0.3)),
            )
        one_of(
            ("MaxPooling2D", layers.MaxPooling2D),
            ("AveragePooling2D", part(layers.AveragePooling2D, 2)),
            ("GlobalAveragePooling2D", layers.GlobalAveragePooling2D),
            ("GlobalMaxPooling2D", layers.GlobalMaxPooling2D),
            ("UpSampling2D", layers.UpSampling2D),
        )
    if kind in ("sequence", "tokens"):
        stateful = bool(random.random() < 0.3 and mode != "replicas")
        word = " stateful" if stateful else ""
        again = bool(random.random() < 0.5)
        recurrent = {"stateful": stateful, "return_sequences": again}
        one_of(
            ("LSTM" + word, part(layers.LSTM, 4, **recurrent)),
            ("GRU" + word, part(layers.GRU, 4, **recurrent)),
            ("SimpleRNN" + word, part(layers.SimpleRNN, 4, **recurrent)),
            ("Bidirectional", lambda: layers.Bidirectional(layers.GRU(3))),
            ("Conv1D", part(layers.Conv1D, 4, 2, activation=act())),
            ("TimeDistributed", lambda: layers.TimeDistributed(layers.Dense(4))),
            ("EinsumDense", part(layers.EinsumDense, "abc,cd->abd", (4, 4))),
            ("Attention", _attention),
        )
    for _ in range(int(random.integers(1, 4))):
        name = act()
        one_of(
            ("Dense " + name, part(layers.Dense, 5, activation=name)),
            ("Dense " + name, part(layers.Dense, 5, activation=name)),
            ("Dropout", part(layers.Dropout, 0.3)),
            ("GaussianNoise", part(layers.GaussianNoise, 0.1)),
            ("GaussianDropout", part(layers.GaussianDropout, 0.2)),
            ("AlphaDropout", part(layers.AlphaDropout, 0.2)),
            ("BatchNormalization", layers.BatchNormalization),
            ("LayerNormalization", layers.LayerNormalization),
            ("UnitNormalization", layers.UnitNormalization),
            ("PReLU", layers.PReLU),
            ("LeakyReLU", layers.LeakyReLU),
            ("SpectralNormalization", _spectral),
            ("ActivityRegularization", part(layers.ActivityRegularization, 0.01)),
            ("Rescaling", part(layers.Rescaling, 0.5)),
            ("Residual", part(_residual)),
            ("sub-model", _sub_model),
            ("raw softmax", Raw),
            *(
                []
                if mode == "replicas"
                else [
                    ("tf.random.Generator", Drawing),
                    ("tf.random.normal", RawDrawing),
                    # Each replica's thread would make a generator in its step.
                    ("keras.random", Unseeded),
                ]
            ),
        )
    return plan, words


def _attention() -> Any:
    def call(x: Any) -> Any:
        return layers.MultiHeadAttention(2, 3)(x, x)

    return call


def _spectral() -> Any:
    return layers.SpectralNormalization(layers.Dense(5))


def _residual() -> Any:
    def call(x: Any) -> Any:
        return Residual(x.shape[-1])(x)

    return call


def _sub_model() -> Any:
    def call(x: Any) -> Any:
        inner = keras.Sequential(
            [
                keras.Input(x.shape[1:]),
                layers.Dense(4, activation="relu"),
                layers.BatchNormalization(),
            ]
        )
        inner.compile(keras.optimizers.Adam(), "mse")
        return inner(x)

    return call


def _loss(random: Any, classify: bool, last: str, mode: str) -> tuple[str, Any]:
    if classify:
        logits = last == "linear"
        return (
            f"crossentropy logits={logits}",
            lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=logits),
        )
    choices = [
        ("mse", lambda: "mse"),
        ("huber", keras.losses.Huber),
        ("log_cosh", keras.losses.LogCosh),
        ("mae", lambda: "mae"),
    ]
    if mode != "replicas":
        choices.append(("counting loss", CountingLoss))
    return choices[int(random.integers(len(choices)))]


def _optimizer(random: Any, mode: str) -> tuple[Any, str]:
    kinds = ("SGD", "Adam", "RMSprop", "Adagrad", "AdamW", "Nadam", "Lion", "Adadelta")
    kind = str(random.choice(kinds))
    options: dict[str, Any] = {}
    if mode == "accumulation":
        options["gradient_accumulation_steps"] = 2
    if random.random() < 0.2:
        options["clipnorm"] = 0.5
    if kind == "SGD" and random.random() < 0.6:
        options["momentum"] = 0.75
    scheduled = random.random() < 0.3

    def make() -> Any:
        rate: Any = 2.0**-5
        if scheduled:
            rate = keras.optimizers.schedules.ExponentialDecay(rate, 2, 0.5)
        return getattr(keras.optimizers, kind)(rate, **options)

    return make, " ".join([kind, *map(str, options), *["schedule"] * scheduled])
