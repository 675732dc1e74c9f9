"""How far each method gets with the same passes over the data, and at what cost.

Four problems: softmax regression and a small MLP on digits, an autoencoder of digits,
and least squares whose condition number is 10,000. First-order rules get batches of 50
and, of four rates, the one that ends best; methods of second order have no rate to set.
An evaluation of the full loss and gradient is a pass; a product with the Hessian counts
as two. Losses are of all data after so many passes, the same function for all; of a
line search, the lowest so far. CPU seconds are the process', of the best run alone,
tracing included and the computing of the full losses left out. SciPy's L-BFGS-B drives
our compiled gradient; torch.optim.LBFGS has PyTorch's own.

    python benchmarks/second_order.py --problems softmax [--passes 40]
    python benchmarks/second_order.py --evaluation  # the cost of a loss and gradient
"""

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import scipy.optimize
import tensorflow as tf
import torch
from sklearn.datasets import load_digits

import keras_trainkit as tk
from keras_trainkit.second_order import Objective
from keras_trainkit.second_order.evaluations import Evaluations

torch.set_num_threads(1)
X, Y = load_digits(return_X_y=True)
X = (X / 16).astype("float32")[:1500]
Y = Y[:1500]
BATCH = 50
SHOWN = (5, 10, 20, 40, 80, 160)  # passes
PENALTY = 1e-4
RATES = {
    "SGD": (keras.optimizers.SGD, (0.01, 0.1, 1.0, 3.0)),
    "momentum": (lambda rate: keras.optimizers.SGD(rate, 0.9), (0.003, 0.03, 0.1, 0.3)),
    "Adam": (keras.optimizers.Adam, (0.0003, 0.001, 0.003, 0.01)),
}
METHODS = {"L-BFGS": "lbfgs", "SFO": "sfo", "Newton-CG": "newton-cg"}
CROSSENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def dense(units, activation=None):
    penalty = keras.regularizers.L2(PENALTY)
    return keras.layers.Dense(units, activation, kernel_regularizer=penalty)


def least_squares():
    random = np.random.default_rng(0)
    rotation, _ = np.linalg.qr(random.normal(size=(50, 50)))
    scales = np.logspace(0, -2, 50)
    x = random.normal(size=(1500, 50)) @ (rotation * scales) @ rotation.T
    y = x @ random.normal(size=50) + 0.01 * random.normal(size=1500)
    return x.astype("float32"), y.astype("float32")[:, None]


PROBLEMS = {
    "softmax": (X, Y, CROSSENTROPY, lambda: [dense(10)]),
    "mlp": (X, Y, CROSSENTROPY, lambda: [dense(32, "softplus"), dense(10)]),
    "autoencoder": (X, X, "mse", lambda: [dense(16, "tanh"), dense(64)]),
    "least squares": (*least_squares(), "mse", lambda: [keras.layers.Dense(1)]),
}


class Curve(keras.callbacks.Callback):
    """The full loss and the CPU seconds by passes, its own left out."""

    def __init__(self, value):
        super().__init__()
        self.value, self.passes, self.losses, self.seconds = value, [], [], []
        self.begun, self.out = time.process_time(), 0.0

    def on_epoch_end(self, epoch, logs=None):
        now = time.process_time()
        passes = (logs or {}).get("evaluations", epoch + 1)
        self.add(passes, self.value(self.model.trainable_variables))
        self.out += time.process_time() - now

    def add(self, passes, loss):
        self.passes.append(passes)
        self.losses.append(loss if np.isfinite(loss) else np.inf)
        self.seconds.append(time.process_time() - self.begun - self.out)

    def lowest(self, passes):
        """The lowest loss of a line search by then."""
        known = [
            loss
            for loss, at in zip(self.losses, self.passes, strict=True)
            if at <= passes + 1e-6
        ]
        return min(known, default=np.nan)

    def last(self, passes):
        """The loss at the end of that pass."""
        known = np.searchsorted(self.passes, passes + 1e-6)
        return self.losses[known - 1] if known else np.nan


def built(problem, optimizer="sgd", **options):
    x, _, loss, layers = PROBLEMS[problem]
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(x.shape[1:]), *layers()])
    model.compile(optimizer, loss, jit_compile=False, **options)
    return model


def full_loss(problem):
    """Returns the loss over all data of given weights, by one function for all."""
    x, y, _, _ = PROBLEMS[problem]
    flat = Objective(built(problem), x, y, noise="off").flat

    def value(weights):
        vector = flat.packing.pack([np.asarray(weight) for weight in weights])
        return float(flat.value(tf.constant(vector)))

    return value


def first_order(problem, name, passes, value):
    make, rates = RATES[name]
    x, y, _, _ = PROBLEMS[problem]
    best = None
    for rate in rates:
        curve = Curve(value)
        # An epoch in one call, so that no time is Python's.
        model = built(problem, make(rate), steps_per_execution=len(x) // BATCH)
        model.fit(x, y, batch_size=BATCH, epochs=passes, verbose=0, callbacks=[curve])
        if best is None or curve.losses[-1] < best[0].losses[-1]:
            best = curve, f"rate {rate:g}, of {len(rates)}"
    curve, words = best
    return curve.last, curve.seconds[-1], words


def second_order(problem, name, passes, value):
    x, y, _, _ = PROBLEMS[problem]
    curve = Curve(value)
    options = {"method": METHODS[name], "tolerance": 0.0, "callbacks": [curve]}
    # The last pass of SFO's only computes what the loss is.
    limit = passes + (name == "SFO")
    if name == "SFO":
        options["subfunctions"] = len(x) // BATCH
    result = tk.second_order.minimize(
        built(problem), x, y, max_evaluations=limit, **options
    )
    shown = curve.last if name == "SFO" else curve.lowest
    spent = curve.seconds[-1] if curve.seconds else np.nan
    return shown, spent, "" if result.stopped == "evaluations" else result.stopped


def by_scipy(problem, name, passes, value):
    x, y, _, _ = PROBLEMS[problem]
    curve = Curve(value)
    objective = Objective(built(problem), x, y, noise="off")

    def loss_and_gradient(vector):
        given = tf.constant(vector.astype(np.float32))
        loss, gradient = objective.flat.value_and_gradient(given)
        curve.add(len(curve.passes) + 1, float(loss))
        return float(loss), gradient.numpy().astype(np.float64)

    start = objective.start().numpy().astype(np.float64)
    options = {"maxfun": passes, "maxcor": 10, "ftol": 0.0, "gtol": 0.0}
    scipy.optimize.minimize(
        loss_and_gradient, start, jac=True, method="L-BFGS-B", options=options
    )
    return curve.lowest, curve.seconds[-1], ""


def by_torch(problem, name, passes, value):
    x, y, loss, _ = PROBLEMS[problem]
    curve = Curve(value)
    model = built(problem)
    weights = [torch.tensor(w, requires_grad=True) for w in model.get_weights()]
    activations = [layer.activation.__name__ for layer in model.layers]
    given, wanted = torch.tensor(x), torch.tensor(y)
    optimizer = torch.optim.LBFGS(
        weights,
        max_iter=passes,
        max_eval=passes,
        history_size=10,
        tolerance_grad=0.0,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )

    def closure():
        optimizer.zero_grad()
        hidden = given
        for place, activation in enumerate(activations):
            hidden = hidden @ weights[2 * place] + weights[2 * place + 1]
            if activation != "linear":
                hidden = getattr(torch.nn.functional, activation)(hidden)
        if loss == "mse":
            total = torch.mean((hidden - wanted) ** 2)
        else:
            total = torch.nn.functional.cross_entropy(hidden, wanted)
        if model.losses:
            total = total + PENALTY * sum((one**2).sum() for one in weights[::2])
        total.backward()
        curve.add(len(curve.passes) + 1, float(total.detach()))
        return total

    optimizer.step(closure)
    check = value([weight.detach().numpy() for weight in weights])
    assert abs(check / curve.lowest(np.inf) - 1) < 1e-3, (check, curve.losses[-1])
    return curve.lowest, curve.seconds[-1], ""


def evaluation(rounds=40, calls=10):
    """Prints the CPU time of an evaluation, ours and that of a bare function.

    Bare is a compiled function of Keras' own loss over its variables, whose loss and
    gradients come back as arrays. By turns, the median over the rounds.
    """
    model = keras.Sequential(
        [keras.Input((64,)), dense(64, "tanh"), dense(64, "tanh"), dense(10)]
    )
    model.compile("sgd", CROSSENTROPY, jit_compile=False)
    objective = Objective(model, X, Y, noise="off")
    evaluate = Evaluations(objective.flat, 10**9)
    vector = objective.start().numpy()
    x, y = tf.constant(X), tf.constant(Y)

    @tf.function(autograph=False)
    def loss_and_gradients():
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x, y, model(x, training=False))
        return loss, tape.gradient(loss, model.trainable_variables)

    def bare():
        loss, gradients = loss_and_gradients()
        return float(loss), [gradient.numpy() for gradient in gradients]

    spent = {bare: [], lambda: evaluate.look(vector): []}
    for each in spent:
        each()
    for _ in range(rounds):
        for each, seconds in spent.items():
            begun = time.process_time()
            for _ in range(calls):
                each()
            seconds.append((time.process_time() - begun) / calls)
    of_bare, ours = (np.array(seconds) for seconds in spent.values())
    print(f"bare {1000 * np.median(of_bare):.3f} ms, ours {1000 * np.median(ours):.3f}")
    print(f"ours over bare: {np.median(ours / of_bare):.3f}")


ROWS = (
    dict.fromkeys(RATES, first_order)
    | dict.fromkeys(METHODS, second_order)
    | {"L-BFGS, SciPy": by_scipy, "L-BFGS, PyTorch": by_torch}
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--passes", type=int, default=40)
    parser.add_argument("--problems", default=",".join(PROBLEMS))
    parser.add_argument("--evaluation", action="store_true")
    arguments = parser.parse_args()
    if arguments.evaluation:
        evaluation()
        return
    shown = [count for count in SHOWN if count <= arguments.passes]
    for problem in arguments.problems.split(","):
        value = full_loss(problem)
        print(f"\n{problem}: full loss after so many passes")
        print("| method |" + "".join(f" {one} |" for one in shown) + " CPU s | |")
        print("|---|" + "---|" * (len(shown) + 2))
        for name, run in ROWS.items():
            loss_at, spent, words = run(problem, name, arguments.passes, value)
            losses = "".join(f" {loss_at(one):.6g} |" for one in shown)
            print(f"| {name} |{losses} {spent:.1f} | {words} |", flush=True)


if __name__ == "__main__":
    main()
