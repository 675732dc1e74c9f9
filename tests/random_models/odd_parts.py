"""Layers, losses and models that keep state or draw numbers where nobody looks."""

import keras
import tensorflow as tf

layers = keras.layers


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
