"""Healthy programs, the odd ones among them: a diagnosis must stay silent on these.

One counts only if it learns: its last validation loss must come below the bar that
its shape sets, a share of what the best constant answer loses.
"""

import dataclasses

import keras
import numpy as np

from benchmarks.faults.program import L
from benchmarks.faults.shapes import SHAPES
from benchmarks.faults.variation import add_varied

HEALTHY = {}  # (family, shape) -> function of the seed


def kind(*shapes):
    def add(change):
        add_varied(HEALTHY, change, shapes)
        return change

    return add


@kind(*SHAPES)
def as_it_stands(program):
    pass


@kind("digits_dense", "digits_convolutional", "exclusive_or", "wide_sine", "wine")
def momentum(program):
    program.optimizer, program.options = "SGD", {"momentum": 0.9, "nesterov": True}
    program.rate = 0.03


@kind("digits_dense", "keywords", "cancer", "series", "several_labels")
def another_adaptive_rule(program):
    program.optimizer = "Nadam" if program.optimizer != "Adam" else "RMSprop"


@kind("digits_dense", "small_sine", "blobs_784", "cancer", "integer_sums")
def small_batches(program):
    program.batch, program.epochs = 4, max(2, program.epochs // 4)
    program.rate = program.rate / 2


@kind("digits_dense", "moons", "several_labels", "diabetes")
def full_batches(program):
    program.optimizer, program.options, program.rate = "Adam", {}, 1e-2
    program.batch, program.epochs = len(program.x), 80


@kind("digits_dense", "digits_convolutional", "binary_majority", "table_20000")
def warm_up(program):
    steps = len(program.x) // program.batch * program.epochs
    program.rate = keras.optimizers.schedules.CosineDecay(
        1e-6, steps, warmup_target=1.5 * program.rate, warmup_steps=steps // 4
    )


@kind("digits_dense", "keywords", "wine", "small_sine")
def cosine_decay(program):
    steps = len(program.x) // program.batch * program.epochs
    program.rate = keras.optimizers.schedules.CosineDecay(1.5 * program.rate, steps)


@kind("digits_dense", "blobs_784", "digits_convolutional", "several_labels")
def strong_dropout(program):
    program.net.dropout = 0.5
    program.epochs = int(1.5 * program.epochs)


@kind("digits_dense", "binary_majority", "integer_sums")
def sparse_activations(program):
    program.net.widths, program.net.l1_activity = (256, 128), 1e-4


@kind("digits_dense", "moons", "cancer", "exclusive_or")
def far_more_weights_than_rows(program):
    program.net.widths, program.rate = (700, 500), program.rate / 4
    program.epochs = min(program.epochs, 8)


@kind("digits_dense", "table_20000", "keywords")
def one_epoch(program):
    program.epochs, program.batch = 1, 16 if len(program.x) < 10_000 else 128
    program.rate = 2 * program.rate


@kind("digits_dense", "digits_convolutional", "cancer")
def fine_tuning_at_a_tiny_rate(program):
    def train(model):
        first = dataclasses.replace(program, rate=0)
        model.optimizer.learning_rate.assign(program.usual)
        model.fit(first.x, first.y, epochs=6, batch_size=32, verbose=0)
        model.optimizer.learning_rate.assign(program.usual / 300)

    program.usual, program.before, program.epochs = program.rate, train, 4


@kind("digits_dense", "digits_convolutional", "blobs_784")
def frozen_backbone(program):
    def make():
        whole = program.body.build()
        whole.compile("adam", program.loss)
        whole.fit(program.x, program.y, epochs=3, batch_size=32, verbose=0)
        body = keras.Model(whole.inputs, whole.layers[-2].output)
        body.trainable = False
        inputs = keras.Input(program.body.shape)
        return keras.Model(inputs, L.Dense(10, "softmax")(body(inputs, training=False)))

    program.body, program.net, program.rate = program.net, make, 1e-2


@kind("digits_dense", "moons", "integer_sums")
def one_label_in_ten_is_wrong(program):
    random = np.random.default_rng(7)
    wrong = random.random(len(program.y)) < 0.1
    program.y = program.y.copy()
    program.y[wrong] = random.permutation(program.y[wrong])
    program.epochs, program.bar = min(program.epochs, 8), 0.7
    if program.optimizer == "SGD":
        program.epochs = 20


@kind("digits_dense", "cancer", "table_20000")
def one_class_in_ten(program):
    rare = program.y == 1
    keep = rare & (np.random.default_rng(3).random(len(rare)) < 0.9 / rare.mean() / 9)
    if program.y.dtype.kind == "f":
        keep = rare & (np.arange(len(rare)) % 9 == 0)
        chosen = keep | ~rare
        program.x, program.y = program.x[chosen], program.y[chosen]
        x, y = program.validation
        chosen = (y == 0) | (np.arange(len(y)) % 9 == 0)
        program.validation = x[chosen], y[chosen]
    else:
        program.net.units, program.net.end = 1, "sigmoid"
        program.loss = "binary_crossentropy"
        x, y = program.validation
        program.y = (program.y == 3).astype("f4")
        program.validation = x, (y == 3).astype("f4")
    program.epochs = 2 * program.epochs
    program.bar = 0.6


@kind("digits_dense", "cancer")
def class_weights(program):
    program.fit = {"class_weight": {0: 3.0, **dict.fromkeys(range(1, 10), 1.0)}}


@kind("digits_dense", "small_sine", "wine")
def long_after_it_has_learnt(program):
    program.epochs = 2 * program.epochs
    program.net.l2 = 1e-5


@kind("digits_dense", "moons", "iris_full_batch")
def two_sigmoid_layers(program):
    program.net.activation, program.net.widths = "sigmoid", (32, 32)
    program.optimizer, program.options, program.rate = "Adam", {}, 1e-2
    program.epochs = int(1.5 * program.epochs)


@kind("digits_dense", "series", "keywords")
def steps_put_together(program):
    program.compile = {"steps_per_execution": 8}


@kind("digits_dense", "diabetes", "digits_convolutional")
def slow_but_sure(program):
    """A third of the usual rate, with the epochs that it needs."""
    program.rate, program.epochs = program.rate / 3, int(1.5 * program.epochs)


@kind("prices", "tiny_targets", "diabetes")
def standardized_targets(program):
    x, y = program.validation
    mean, spread = program.y.mean(), program.y.std()
    program.y = (program.y - mean) / spread
    program.validation = x, (y - mean) / spread
    program.optimizer, program.options, program.rate = "Adam", {}, 5e-3


@kind("small_sine", "series", "prices")
def absolute_error(program):
    program.loss, program.bar = "mae", max(0.55, program.bar)


@kind("digits_dense", "moons", "keywords")
def logits(program):
    many = program.net.units > 1
    program.net.end = None
    program.loss = (
        keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        if many
        else keras.losses.BinaryCrossentropy(from_logits=True)
    )
    program.metrics = ()


@kind("digits_dense", "diabetes")
def custom_train_step(program):
    net = program.net

    class Own(keras.Model):
        def train_step(self, data):
            return super().train_step(data)

    def make():
        model = net.build()
        return Own(model.inputs, model.outputs)

    program.net = make
