"""Small models of every kind, and the data they train on."""

import keras
import numpy as np
import tensorflow as tf

layers = keras.layers
CROSSENTROPY = "sparse_categorical_crossentropy"


def data(examples=48, features=8, classes=3, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(examples, features)).astype("float32")
    y = random.integers(0, classes, examples)
    return x, y


def sequential():
    return keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(6, activation="relu", name="hidden"),
            layers.Dropout(0.2),
            layers.BatchNormalization(),
            layers.Dense(5, activation="tanh", name="bounded"),
            layers.Dense(3, activation="softmax", name="output"),
        ]
    )


def small():
    """Where any model will do: there is little of it to trace."""
    return keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(6, activation="relu", name="hidden"),
            layers.Dense(3, activation="softmax", name="output"),
        ]
    )


def compiled(build=sequential, strategy=None, **options):
    """A model built and compiled, always from the same seed."""
    policy = keras.config.dtype_policy()
    keras.utils.clear_session()  # also forgets the policy
    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(7)
    tf.random.set_seed(7)
    options = {"optimizer": "adam", "loss": CROSSENTROPY, "jit_compile": False} | (
        options
    )
    if callable(options["optimizer"]):
        options["optimizer"] = options["optimizer"]()
    with (strategy or tf.distribute.get_strategy()).scope():
        model = build()
        model.compile(**options)
    return model


def functional():
    inputs = keras.Input((8,))
    hidden = layers.Dense(6, activation="gelu")(inputs)
    hidden = layers.Add()(
        [hidden, layers.Dense(6)(layers.LayerNormalization()(hidden))]
    )
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(hidden))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = layers.Dense(6, activation="relu")
        self.drop = layers.Dropout(0.3)
        self.last = layers.Dense(3, activation="softmax")

    def call(self, inputs, training=False):
        return self.last(self.drop(self.first(inputs), training=training))


class RawRandom(keras.Model):
    """Draws its noise from TensorFlow itself, as many a VAE does."""

    def __init__(self):
        super().__init__()
        self.first = layers.Dense(6, activation="relu")
        self.last = layers.Dense(3, activation="softmax")

    def call(self, inputs):
        hidden = self.first(inputs)
        return self.last(hidden + 0.1 * tf.random.normal(tf.shape(hidden)))


class Block(layers.Layer):
    """A layer with a weight of its own and layers inside."""

    def __init__(self):
        super().__init__()
        self.inner = layers.Dense(6, activation="relu")

    def build(self, shape):
        self.scale = self.add_weight(shape=(6,), initializer="ones", name="scale")
        self.inner.build(shape)

    def call(self, inputs):
        return self.inner(inputs) * self.scale


def nested():
    inner = keras.Sequential(
        [keras.Input((8,)), layers.Dense(6, activation="relu", name="dense"), Block()]
    )
    return keras.Sequential(
        [keras.Input((8,)), inner, layers.Dense(3, activation="softmax", name="dense")]
    )


def residual():
    """Layers that TensorFlow fuses with those behind them."""
    inputs = keras.Input((8,))
    hidden = layers.Reshape((4, 2, 1))(inputs)
    hidden = layers.Conv2D(3, 2, padding="same", use_bias=False)(hidden)
    hidden = layers.ReLU()(layers.BatchNormalization()(hidden))
    other = layers.Conv2D(3, 2, padding="same")(hidden)
    hidden = layers.Activation("relu")(layers.Add()([hidden, other]))
    hidden = layers.Add()([hidden, layers.Add()([other, hidden])])
    hidden = layers.Activation("swish")(layers.Dense(4)(layers.Flatten()(hidden)))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(hidden))


class LateAndFused(keras.Model):
    """Built by its first step, and fused in it."""

    def __init__(self):
        super().__init__()
        self.first = layers.Dense(6)
        self.scale = layers.BatchNormalization()
        self.drop = layers.Dropout(0.3)
        self.last = layers.Dense(3)

    def call(self, inputs, training=False):
        hidden = tf.nn.relu(self.scale(self.first(inputs), training=training))
        return tf.nn.softmax(self.last(self.drop(hidden, training=training)))


def regularized():
    l2 = keras.regularizers.L2(0.01)
    return keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(6, activation="relu", kernel_regularizer=l2),
            layers.Dense(3, kernel_regularizer=l2, activity_regularizer=l2),
            layers.Softmax(),
        ]
    )


def shared():
    inputs = keras.Input((8,))
    twice = layers.Dense(8, activation="relu", name="twice")
    return keras.Model(
        inputs, layers.Dense(3, activation="softmax")(twice(twice(inputs)))
    )


def recurrent():
    return keras.Sequential(
        [
            keras.Input((8,)),
            layers.Reshape((4, 2)),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            layers.TimeDistributed(layers.Dense(4, activation="relu")),
            layers.GRU(3),
            layers.Dense(3, activation="softmax"),
        ]
    )


def convolutional():
    return keras.Sequential(
        [
            keras.Input((8,)),
            layers.Reshape((4, 2, 1)),
            layers.Conv2D(4, 2, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D((2, 1)),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )


def attention():
    inputs = keras.Input((8,))
    hidden = layers.Reshape((4, 2))(inputs)
    hidden = layers.MultiHeadAttention(2, 2)(hidden, hidden)
    hidden = layers.GlobalAveragePooling1D()(hidden)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(hidden))


def embedding():
    inputs = keras.Input((8,))
    ids = layers.Lambda(lambda value: tf.cast(tf.abs(value) * 2, tf.int32) % 5)(inputs)
    hidden = layers.Flatten()(layers.Embedding(5, 3)(ids))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(hidden))


class DictionaryLayer(layers.Layer):
    def __init__(self):
        super().__init__()
        self.kernel_layer = layers.Dense(6, activation="relu")

    def build(self, shape):
        self.shift = self.add_weight(shape=(6,), initializer="zeros", name="shift")
        self.kernel_layer.build(shape)

    def call(self, inputs):
        value = self.kernel_layer(inputs) + self.shift
        return {"value": value, "sign": tf.cast(value > 0, tf.int32)}


class WithDictionary(keras.Model):
    def __init__(self):
        super().__init__()
        self.split = DictionaryLayer()
        self.last = layers.Dense(3, activation="softmax")

    def call(self, inputs):
        return self.last(self.split(inputs)["value"])


class CustomStep(keras.Model):
    """A train step of its own, with its own loss and its own metric."""

    def __init__(self):
        super().__init__()
        self.first = layers.Dense(6, activation="relu")
        self.last = layers.Dense(3)
        self.loss_tracker = keras.metrics.Mean(name="loss")

    def call(self, inputs):
        return self.last(self.first(inputs))

    @property
    def metrics(self):
        return [self.loss_tracker]

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            logits = self(x, training=True)
            losses = keras.losses.sparse_categorical_crossentropy(
                y, logits, from_logits=True
            )
            loss = tf.reduce_mean(losses)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}


class TwoOptimizers(keras.Model):
    """Two networks with an optimizer each, as a GAN has."""

    def __init__(self):
        super().__init__()
        self.one = layers.Dense(8, activation="tanh")
        self.other = layers.Dense(1)

    def call(self, inputs):
        return self.other(self.one(inputs))

    def compile(self, **kwargs):
        super().compile(**kwargs)
        self.one_optimizer = keras.optimizers.Adam(0.01)
        self.other_optimizer = keras.optimizers.Adam(0.01)

    def train_step(self, data):
        x = data[0]
        for layer, optimizer, sign in (
            (self.one, self.one_optimizer, -1.0),
            (self.other, self.other_optimizer, 1.0),
        ):
            with tf.GradientTape() as tape:
                loss = sign * tf.reduce_mean(tf.square(self.other(self.one(x)) - 1.0))
            gradients = tape.gradient(loss, layer.trainable_variables)
            optimizer.apply(gradients, layer.trainable_variables)
        return {"loss": loss}


def two_outputs():
    inputs = keras.Input((8,), name="inputs")
    hidden = layers.Dense(6, activation="relu")(inputs)
    return keras.Model(
        inputs,
        {
            "kind": layers.Dense(3, activation="softmax", name="kind")(hidden),
            "size": layers.Dense(1, name="size")(hidden),
        },
    )


def two_inputs():
    inputs = {
        "left": keras.Input((8,), name="left"),
        "right": keras.Input((8,), name="right"),
    }
    hidden = layers.Concatenate()([inputs["left"], inputs["right"]])
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(hidden))


class CountingLoss(keras.losses.Loss):
    """Weighs itself by how often it was called."""

    def __init__(self):
        super().__init__()
        self.calls = tf.Variable(1.0, trainable=False)

    def call(self, y, p):
        self.calls.assign_add(0.5)
        return tf.reduce_mean((y - p) ** 2, -1) * self.calls


class MovingNoise(layers.Layer):
    """Moves a plain variable and draws from its generator, in inference as well.

    Where it is `hidden` no walk over attributes of layers finds them.
    """

    def __init__(self, hidden=False):
        super().__init__()
        scale = tf.Variable(1.0, trainable=False)
        generator = tf.random.Generator.from_seed(1)

        class Hidden:
            __slots__ = ("draw", "state")

        def draw(shape):
            scale.assign(scale * 1.01)
            return scale * generator.normal(shape)

        def state():
            return scale.numpy().tobytes(), generator.state.numpy().tobytes()

        self.hidden = Hidden()
        self.hidden.draw, self.hidden.state = draw, state
        self.shown = [] if hidden else [scale, generator]

    def call(self, x):
        return x + self.hidden.draw(tf.shape(x))


def weights_of(model):
    variables = [*model.variables]
    for optimizer in vars(model).values():
        if isinstance(optimizer, keras.optimizers.Optimizer):
            variables += optimizer.variables
    return [np.asarray(variable.value) for variable in variables]


def same(one, other):
    return len(one) == len(other) and all(
        a.dtype == b.dtype and a.tobytes() == b.tobytes()
        for a, b in zip(one, other, strict=True)
    )
