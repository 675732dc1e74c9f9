"""Correct models of many kinds, each with data of its own."""

import keras
import numpy as np

L = keras.layers


def compiled(model, loss="sparse_categorical_crossentropy", **kwargs):
    model.compile("adam", loss, **kwargs)
    return model


def _images(seed, rows=6):
    random = np.random.default_rng(seed)
    return (
        random.normal(size=(rows, 8, 8, 2)).astype("float32"),
        random.integers(0, 4, rows),
    )


def _vectors(seed, rows=8, columns=6):
    random = np.random.default_rng(seed)
    return (
        random.normal(size=(rows, columns)).astype("float32"),
        random.integers(0, 4, rows),
    )


def _tokens(seed, rows=6, steps=5):
    random = np.random.default_rng(seed)
    return random.integers(0, 9, (rows, steps)), random.integers(0, 4, rows)


def relu_mlp(seed=0):
    model = keras.Sequential(
        [
            keras.Input((6,)),
            L.Dense(24, "relu", kernel_regularizer="l2"),
            L.Dense(24, "leaky_relu"),
            L.Dense(4, "softmax"),
        ]
    )
    return compiled(model), *_vectors(seed)


def max_pool_cnn(seed=0):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            L.Conv2D(4, 3, activation="relu", padding="same"),
            L.MaxPooling2D(),
            L.Conv2D(6, 3, activation="relu"),
            L.GlobalMaxPooling2D(),
            L.Dense(4, "softmax"),
        ]
    )
    return compiled(model), *_images(seed)


def batch_normalization(seed=0):
    model = keras.Sequential(
        [
            keras.Input((6,)),
            L.Dense(12, use_bias=False),
            L.BatchNormalization(),
            L.ReLU(),
            L.LayerNormalization(),
            L.Dense(4, "softmax"),
        ]
    )
    return compiled(model), *_vectors(seed)


def dropout(seed=0):
    model = keras.Sequential(
        [
            keras.Input((6,)),
            L.GaussianNoise(0.2, seed=seed),
            L.Dense(24, "relu"),
            L.Dropout(0.5, seed=seed),
            L.Dense(4, "softmax"),
        ]
    )
    return compiled(model), *_vectors(seed)


def embedding(seed=0):
    model = keras.Sequential(
        [
            keras.Input((5,), dtype="int32"),
            L.Embedding(9, 6),
            L.GlobalAveragePooling1D(),
            L.Dense(8, "relu"),
            L.Dense(4, "softmax"),
        ]
    )
    return compiled(model), *_tokens(seed)


def lstm(seed=0):
    model = keras.Sequential(
        [
            keras.Input((5,), dtype="int32"),
            L.Embedding(9, 6, mask_zero=True),
            L.LSTM(5, dropout=0.2, seed=seed),
            L.Dense(4, "softmax"),
        ]
    )
    return compiled(model), *_tokens(seed)


def attention(seed=0):
    inputs = keras.Input((5,), dtype="int32")
    hidden = L.Embedding(9, 8)(inputs)
    hidden = L.Add()([hidden, L.MultiHeadAttention(2, 4, seed=seed)(hidden, hidden)])
    hidden = L.LayerNormalization()(hidden)
    hidden = L.GlobalMaxPooling1D()(hidden)
    model = keras.Model(inputs, L.Dense(4, "softmax")(hidden))
    return compiled(model), *_tokens(seed)


def mixed_precision(seed=0):
    model = keras.Sequential(
        [
            keras.Input((6,)),
            L.Dense(8, "gelu", dtype="mixed_float16"),
            L.Dense(4, "softmax", dtype="mixed_bfloat16"),
        ]
    )
    return compiled(model), *_vectors(seed)


def two_heads(seed=0):
    inputs = {
        "left": keras.Input((6,), name="left"),
        "right": keras.Input((3,), name="right"),
    }
    shared = L.Dense(5, "tanh")
    left = shared(inputs["left"])
    nested = keras.Sequential([keras.Input((3,)), L.Dense(6), L.ELU()])
    both = L.Concatenate()([left, shared(nested(inputs["right"]))])
    outputs = {"label": L.Dense(4)(both), "size": L.Dense(1)(both)}
    model = keras.Model(inputs, outputs)
    random = np.random.default_rng(seed)
    x = {
        "left": random.normal(size=(7, 6)).astype("float32"),
        "right": random.normal(size=(7, 3)).astype("float32"),
    }
    y = {"label": random.integers(0, 4, 7), "size": random.normal(size=(7, 1))}
    losses = {
        "label": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "size": "mse",
    }
    return compiled(model, losses, loss_weights={"label": 1.0, "size": 0.3}), x, y


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = L.Dense(8, "tanh")
        self.last = L.Dense(4)

    def call(self, x, training=False):
        hidden = self.first(x)
        self.add_loss(1e-2 * keras.ops.sum(keras.ops.square(hidden)))
        return self.last(hidden)


def subclassed(seed=0):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return compiled(Subclassed(), loss), *_vectors(seed)


FALSE_ALARM_MODELS = (
    relu_mlp,
    max_pool_cnn,
    batch_normalization,
    dropout,
    embedding,
    lstm,
    attention,
)
MODELS = (*FALSE_ALARM_MODELS, mixed_precision, two_heads, subclassed)
