"""Faulty programs: a healthy shape with one fault, and what its cause may be called.

A program counts as faulty if its last validation loss does not come below the bar
that its healthy twin must pass, or if the fault does not show there (`hidden`).
"""

import keras
import numpy as np

from benchmarks.faults.program import L
from benchmarks.faults.shapes import YES
from benchmarks.faults.variation import add_varied

FAULTY = {}  # (family, shape) -> function of the seed
CAUSES = {}  # family -> categories that name the cause rightly
HIDDEN = set()  # families whose fault does not show in the validation loss


def fault(*shapes, cause, hidden=False):
    def add(change):
        CAUSES[change.__name__] = cause
        if hidden:
            HIDDEN.add(change.__name__)
        add_varied(FAULTY, change, shapes)
        return change

    return add


RATE = {"learning rate"}
START = {"initialisation", "activation"}
OUTPUT = {"loss or output", "activation"}
LABELS = {"labels", "data"}


# Learning rate and schedule


@fault(
    "digits_dense",
    "cancer",
    "small_sine",
    "digits_convolutional",
    "keywords",
    cause=RATE,
)
def rate_hundred_times_too_high(program):
    program.rate = 100 * program.rate


@fault("digits_dense", "diabetes", "series", "moons", cause=RATE)
def rate_far_too_high_for_momentum(program):
    program.optimizer, program.options, program.rate = "SGD", {"momentum": 0.9}, 3.0


@fault(
    "digits_dense",
    "prices",
    "cancer",
    "wide_sine",
    "table_20000",
    "digits_recurrent",
    cause=RATE,
)
def rate_hundreds_of_times_too_low(program):
    program.rate = program.rate / 500


@fault("digits_dense", "keywords", "several_labels", cause=RATE | {"schedule"})
def rate_decayed_to_nothing(program):
    steps = len(program.x) // program.batch
    program.rate = keras.optimizers.schedules.ExponentialDecay(
        program.rate, max(1, steps // 8), 0.1
    )


@fault("digits_dense", "small_sine", "integer_sums", cause={"schedule", "underfitting"})
def stopped_far_too_early(program):
    program.epochs, program.batch = 2, 8 * program.batch


@fault(
    "moons", "diabetes", "exclusive_or", "iris_full_batch", cause=RATE | {"schedule"}
)
def batches_of_one_with_momentum(program):
    program.optimizer, program.options, program.rate = "SGD", {"momentum": 0.95}, 0.1
    program.batch, program.epochs = 1, 4


@fault("digits_dense", "blobs_784", cause=RATE | {"numerical"})
def gradients_clipped_to_nothing(program):
    program.optimizer, program.rate = "SGD", 0.05
    program.options = {"clipnorm": 1e-5}


# Flow of the gradient


@fault("digits_dense", "moons", "table_20000", "cancer", cause=START)
def a_dozen_sigmoid_layers(program):
    program.net.widths, program.net.activation = (24,) * 12, "sigmoid"
    program.optimizer, program.options, program.rate = "SGD", {}, 0.1


@fault("digits_dense", "integer_sums", cause=START)
def deep_and_tiny_weights(program):
    program.net.widths = (32,) * 6
    program.net.kernel = keras.initializers.RandomNormal(stddev=1e-3)
    program.optimizer, program.rate = "SGD", 0.05


@fault("digits_dense", "diabetes", "binary_majority", cause=START)
def all_weights_zero(program):
    program.net.kernel = program.net.end_kernel = "zeros"


@fault("digits_dense", "wine", "small_sine", cause=START)
def all_weights_alike(program):
    program.net.kernel = program.net.end_kernel = keras.initializers.Constant(0.3)


@fault("digits_dense", "cancer", "blobs_784", "several_labels", cause=START)
def weights_far_too_large(program):
    program.net.kernel = program.net.end_kernel = keras.initializers.RandomNormal(
        stddev=4.0
    )


@fault("digits_dense", "integer_sums", "series", "digits_convolutional", cause=START)
def biases_that_silence(program):
    program.net.bias = keras.initializers.Constant(-30.0)


@fault("small_sine", "digits_dense", "diabetes", cause=START | RATE | {"numerical"})
def exponential_activations(program):
    program.net.activation, program.net.widths = "exponential", (32, 32, 32)


@fault("digits_dense", "digits_batch_normalized", "cancer", cause=START)
def softmax_in_hidden_layers(program):
    program.net.activation = "softmax"
    program.net.widths = (32, 32, 32)


@fault(
    "digits_batch_normalized",
    "digits_dense",
    cause={"regularisation", "data", "activation"},
)
def statistics_never_updated(program):
    program.net.normalize = 1.0 - 1e-6
    program.net.widths = (32, 32)
    program.net.start = (L.Rescaling(30.0, offset=50.0),)


# Output and loss


@fault("diabetes", "small_sine", "series", "prices", cause=OUTPUT)
def bounded_output_for_values_beyond(program):
    program.net.end = "sigmoid"


@fault("diabetes", "wide_sine", cause=OUTPUT)
def relu_output_for_negative_values(program):
    program.net.end = "relu"


@fault("digits_dense", "keywords", "iris_full_batch", cause=OUTPUT)
def logits_taken_for_probabilities(program):
    program.net.end = None


@fault("digits_dense", "integer_sums", cause=OUTPUT)
def relu_output_for_classes(program):
    program.net.end = "relu"


@fault("cancer", "exclusive_or", "table_20000", cause=OUTPUT, hidden=True)
def softmax_over_one_unit(program):
    program.net.end = "softmax"


@fault("digits_dense", "blobs_784", "wine", cause=OUTPUT, hidden=True)
def softmax_twice(program):
    many = program.loss == "categorical_crossentropy"
    kind = "CategoricalCrossentropy" if many else "SparseCategoricalCrossentropy"
    program.loss = getattr(keras.losses, kind)(from_logits=True)
    net = program.net

    def make():
        model = net.build()
        # Hidden from Keras, which would take the logits behind the softmax.
        return keras.Model(model.inputs, L.Activation("softmax")(model.outputs[0]))

    program.net = make


@fault("prices", "counts", "diabetes", cause=OUTPUT | {"labels"})
def cross_entropy_for_values(program):
    program.loss, program.net.end = YES, "sigmoid"


@fault("diabetes", "small_sine", "prices", cause=OUTPUT | {"labels", "data"})
def targets_broadcast(program):
    def loss(y, p):
        return keras.ops.mean((keras.ops.reshape(y, (-1,)) - p) ** 2)

    program.loss = loss


@fault("digits_dense", "diabetes", cause=RATE | OUTPUT)
def loss_summed(program):
    name = (
        "MeanSquaredError" if program.loss == "mse" else "SparseCategoricalCrossentropy"
    )
    program.loss = getattr(keras.losses, name)(reduction="sum")
    program.optimizer, program.options, program.rate = "SGD", {"momentum": 0.9}, 0.05


@fault("digits_dense", "diabetes", "moons", "keywords", cause=OUTPUT)
def sign_flipped(program):
    right = keras.losses.get(program.loss)

    def loss(y, p):
        return -right(y, p)

    program.loss = loss


# Data


@fault("digits_dense", "cancer", "diabetes", "wine", cause={"data"})
def inputs_a_thousand_times_too_large(program):
    _inputs(program, lambda x: 1000 * x)
    program.optimizer, program.options, program.rate = "SGD", {}, 0.05


@fault("cancer", "diabetes", "wine", cause={"data"})
def features_of_mixed_scale(program):
    scale = np.ones(program.x.shape[-1], "f4")
    scale[::3] = 1e5
    _inputs(program, lambda x: x * scale)


@fault("digits_dense", "series", "table_20000", cause={"data", "numerical"})
def an_input_not_a_number(program):
    program.x = program.x.copy()
    program.x[17, 3] = np.nan


@fault("digits_dense", "cancer", "small_sine", cause={"data"})
def inputs_all_alike(program):
    _inputs(program, lambda x: np.zeros_like(x))


@fault("digits_dense", "digits_convolutional", "wide_sine", cause={"data"})
def scaled_down_twice(program):
    _inputs(program, lambda x: x / 65_025)


@fault(
    "digits_dense",
    "cancer",
    "keywords",
    "small_sine",
    "several_labels",
    "integer_sums",
    cause=LABELS,
)
def labels_of_other_examples(program):
    program.y = np.random.default_rng(11).permutation(program.y)
    x, y = program.validation
    program.validation = x, np.random.default_rng(12).permutation(y)


@fault("digits_dense", "diabetes", cause=LABELS, hidden=True)
def labels_all_the_same(program):
    program.y = np.full_like(program.y, program.y.flat[0])
    x, y = program.validation
    program.validation = x, np.full_like(y, program.y.flat[0])


@fault("cancer", "table_20000", cause={"data", "labels", "underfitting"}, hidden=True)
def majority_alone_is_learnt(program):
    random = np.random.default_rng(5)
    program.y = (random.random(len(program.y)) < 0.03).astype("f4")
    x, y = program.validation
    program.validation = x, (random.random(len(y)) < 0.03).astype("f4")


@fault("digits_dense", "cancer", "series", "wine", cause={"data"}, hidden=True)
def training_rows_in_validation(program):
    x, y = program.validation
    few = len(x) // 3
    program.validation = (
        np.concatenate([x, program.x[:few]]),
        np.concatenate([y, program.y[:few]]),
    )


@fault("digits_dense", "blobs_784", "integer_sums", cause={"data"})
def rows_sorted_and_not_shuffled(program):
    order = np.argsort(program.y, kind="stable")
    program.x, program.y, program.shuffle = program.x[order], program.y[order], False


@fault("digits_dense", "cancer", "blobs_784", cause={"data", "regularisation"})
def noise_that_drowns_the_inputs(program):
    program.net.noise = 30.0


@fault("digits_dense", "cancer", "wine", cause={"data", "overfitting"})
def validation_prepared_otherwise(program):
    x, y = program.validation
    program.validation = 25 * x + 8, y


# Regularisation and capacity


@fault("digits_dense", "diabetes", "keywords", "cancer", cause={"regularisation"})
def penalties_outweigh_the_data(program):
    program.net.l2 = 1.0


@fault("digits_dense", "integer_sums", "several_labels", cause={"regularisation"})
def dropout_of_nearly_all(program):
    program.net.dropout, program.net.widths = 0.95, (32, 32)


@fault(
    "digits_dense", "diabetes", "cancer", "small_sine", cause={"overfitting", "data"}
)
def learnt_by_heart(program):
    random = np.random.default_rng(4)
    program.x, program.y = program.x[:40], program.y[:40].copy()
    if program.y.dtype.kind == "f" and program.loss == "mse":
        program.y += random.normal(size=program.y.shape).astype("f4")
    else:
        wrong = random.random(40) < 0.35
        program.y[wrong] = random.permutation(program.y[wrong])
    program.net.widths, program.net.activation = (256, 256), "relu"
    program.optimizer, program.rate, program.epochs = "Adam", 3e-3, 60


@fault(
    "circles_one_by_one",
    "exclusive_or",
    "wide_sine",
    cause={"capacity", "activation", "underfitting"},
)
def hidden_layers_without_activation(program):
    program.net.activation = None
    program.net.widths = (32, 16)


@fault("digits_dense", "several_labels", "series", cause={"capacity", "underfitting"})
def one_unit_for_all(program):
    program.net.widths = (*program.net.widths[:-1], 1)
    program.net.widths = (32, 1) if program.net.kind == "dense" else (4, 1)


@fault("moons", "small_sine", "exclusive_or", cause={"capacity"})
def gradient_cut_off(program):
    program.net.detached = True
    program.net.widths = (3,)


@fault("small_sine", "digits_dense", cause={"capacity"})
def hidden_layers_frozen(program):
    program.net.frozen = True
    program.net.widths = (2, 2)


@fault("digits_dense", "blobs_784", cause={"regularisation"})
def weight_decay_outweighs_the_data(program):
    program.optimizer, program.options = "AdamW", {"weight_decay": 300.0}


def _inputs(program, change):
    program.x = change(program.x).astype("f4")
    if program.validation is not None:
        x, y = program.validation
        program.validation = change(x).astype("f4"), y
