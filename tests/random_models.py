"""Random models and ways to run them, by seed: what watching must not change.

Each seed draws layers from all families of Keras, a loss, an optimizer, places for
state where nobody looks, and a way to run. `train` runs it bare or watched and returns
every bit that training leaves: weights, optimizers, metrics and hidden state, replica
by replica, and the History.
"""

import dataclasses
import functools
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit import callbacks
from keras_trainkit.keras_model.state import parts_of

layers = keras.layers
BATCH, BATCHES, CLASSES = 4, 3, 3
# Bare runs that must be the same before a difference is put down to watching.
BARE_AGAIN = 3
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


class SameShape(layers.Layer):
    """What leaves the shape of its input alone."""

    def compute_output_shape(self, shape):
        return shape


class Drawing(SameShape):
    """Adds noise of a `tf.random.Generator`, and counts in a `tf.Variable`."""

    def __init__(self):
        super().__init__()
        self.generator = tf.random.Generator.from_seed(5)
        self.held = {"count": [tf.Variable(0.0, trainable=False)]}

    def call(self, x):
        self.held["count"][0].assign_add(1.0)
        noise = self.generator.normal(tf.shape(x))
        return x + 0.1 * tf.cast(noise, x.dtype)


class RawDrawing(SameShape):
    """Adds noise of TensorFlow's own operation."""

    def call(self, x):
        return x + 0.1 * tf.random.normal(tf.shape(x), dtype=x.dtype)


class Unseeded(SameShape):
    """Adds noise of Keras' global generator."""

    def call(self, x):
        return x + 0.1 * keras.random.normal(keras.ops.shape(x), dtype=x.dtype)


class Raw(SameShape):
    """Multiplies by the softmax of TensorFlow, which no attribute marks."""

    def call(self, x):
        return x * tf.nn.softmax(x)


class Residual(layers.Layer):
    """A layer with layers inside."""

    def __init__(self, units):
        super().__init__()
        self.parts = [layers.Dense(units, activation="gelu"), layers.Dense(units)]
        self.norm = layers.LayerNormalization()

    def build(self, shape):
        for part in (*self.parts, self.norm):
            part.build(shape)
        super().build(shape)

    def call(self, x):
        hidden = x
        for part in self.parts:
            hidden = part(hidden)
        return self.norm(x + hidden)


class CountingLoss(keras.losses.Loss):
    """A loss with state of its own."""

    def __init__(self):
        super().__init__()
        self.asked = tf.Variable(1.0, trainable=False)

    def call(self, y_true, y_pred):
        self.asked.assign_add(0.125)
        square = tf.square(tf.cast(y_true, y_pred.dtype) - y_pred)
        return tf.reduce_mean(square, axis=-1) * tf.cast(self.asked, y_pred.dtype)


class CountingMetric(keras.metrics.Metric):
    """A metric that keeps a plain variable."""

    def __init__(self):
        super().__init__(name="counting")
        self.held = [tf.Variable(0.0, trainable=False)]

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.held[0].assign_add(tf.reduce_sum(tf.cast(y_pred, tf.float32)))

    def result(self):
        return tf.identity(self.held[0])

    def reset_state(self):
        """Goes on: it has no epochs."""


class CustomStep(keras.Model):
    """A train step of its own, with optimizers in a list."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.others = {"list": [keras.optimizers.Adam(0.01)]}
        self.steps = tf.Variable(0, trainable=False)

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            predicted = self(x, training=True)
            loss = self.compute_loss(x, y, predicted)
        variables = self.trainable_variables
        gradients = tape.gradient(loss, variables)
        half = len(variables) // 2
        self.optimizer.apply(gradients[half:], variables[half:])
        if half:
            self.others["list"][0].apply(gradients[:half], variables[:half])
        self.steps.assign_add(1)
        return {"loss": loss} | self.compute_metrics(x, y, predicted)


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
        return (whole.batch(BATCH, drop_remainder=True), None), {}

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


def watchers(seed: int) -> list[Any]:
    """Every monitor, and averaging, in rhythms that the seed draws."""
    random = np.random.default_rng(seed + 2)
    every = [1, 1, 2, "auto"][int(random.integers(4))]
    found = [
        callbacks.LossMonitor(),
        callbacks.UpdateRatioMonitor(every=every),
        callbacks.LayerStatisticsMonitor(every=every, histograms=True),
        callbacks.OverfittingMonitor(examples=BATCH),
    ]
    if random.random() < 0.5:
        found.append(callbacks.FirstLayerFilters())
    if random.random() < 0.5:
        found.append(
            callbacks.WeightAveraging("exponential", start_epoch=0, at_end="raw")
        )
    if random.random() < 0.25:
        found = found[: int(random.integers(1, 4))]
    return found


def train(way: Way, watched: bool, strategy: Any = None) -> dict[str, Any]:
    """Trains two epochs from the seed and returns all that is left, bit by bit."""
    keras.utils.clear_session()
    policy = "mixed_float16" if way.mode == "mixed precision" else "float32"
    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(way.seed)
    if way.mode != "replicas":
        strategy = tf.distribute.get_strategy()
    with strategy.scope():
        model = way.build()
        model.compile(**way.compile())
    (x, y), options = way.data()
    history = model.fit(
        x,
        y,
        epochs=2,
        verbose=0,
        validation_data=way.data()[0] if y is not None else way.data()[0][0],
        validation_batch_size=None if y is None else BATCH,
        callbacks=watchers(way.seed) if watched else [],
        **options,
    ).history
    keras.config.set_dtype_policy("float32")
    left = {
        f"{number} {getattr(part, 'name', '')}": part.numpy()
        for number, part in enumerate(parts_of(model))
    }
    logs = {
        f"History {name}": np.array(values)
        for name, values in history.items()
        if "averaged" not in name
    }
    return left | logs


@dataclasses.dataclass
class Verdict:
    """What watching did to one of the models.

    Args:
        way: What was trained.
        outcome: "equal", "different", "not the same twice" (a bare run is not the
            same again, so that nothing can be told) or "refused" (a bare run fails).
        what: What differs, by name, or why it was refused.
    """

    way: Way
    outcome: str
    what: str = ""

    def __str__(self) -> str:
        drawn_as = ", ".join(self.way.words)
        return f"seed {self.way.seed} ({drawn_as}): {self.outcome} {self.what}".strip()


def judged(way: Way, strategy: Any = None) -> Verdict:
    """Trains a model bare and watched, and compares all that is left bit by bit."""
    try:
        bare = train(way, False, strategy)
    except Exception as error:
        return Verdict(way, "refused", f"{type(error).__name__}: {error}"[:300])
    try:
        changed = _changed(bare, train(way, True, strategy))
    except Exception as error:
        changed = [f"{type(error).__name__}: {error}"[:300]]
    if not changed:
        return Verdict(way, "equal")
    # XLA's own random numbers go on from run to run, whatever the seed.
    for _ in range(BARE_AGAIN):
        again = _changed(bare, train(way, False, strategy))
        if again:
            return Verdict(way, "not the same twice", str(again[:6]))
    return Verdict(way, "different", str(changed[:6]))


def _changed(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return [
        name
        for name, value in one.items()
        if name not in other or other[name].tobytes() != value.tobytes()
    ]
