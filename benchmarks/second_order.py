"""How far each method gets with the same passes over the data, and at what cost.

Four problems: softmax regression and a small MLP on digits, an autoencoder of digits,
and least squares whose condition number is 10,000. First-order rules get batches of 50
and, of four rates, the one that ends best; methods of second order have no rate to set.
An evaluation of the full loss and gradient is a pass; a product with the Hessian counts
as two. Losses are of all data, by one formula for all methods. CPU is of the best run
alone, tracing included.

    python benchmarks/second_order.py [--passes 40] [--problems softmax,mlp]
"""

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from sklearn.datasets import load_digits

import keras_trainkit as tk

X, Y = load_digits(return_X_y=True)
X = (X / 16).astype("float32")[:1500]
Y = Y[:1500]
BATCH = 50
RATES = {
    "SGD": (keras.optimizers.SGD, (0.01, 0.1, 1.0, 3.0)),
    "momentum": (lambda rate: keras.optimizers.SGD(rate, 0.9), (0.003, 0.03, 0.1, 0.3)),
    "Adam": (keras.optimizers.Adam, (0.0003, 0.001, 0.003, 0.01)),
}
METHODS = {"L-BFGS": "lbfgs", "SFO": "sfo", "Newton-CG": "newton-cg"}
CROSSENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def penalty():
    return keras.regularizers.L2(1e-4)


def dense(units, activation=None):
    return keras.layers.Dense(units, activation, kernel_regularizer=penalty())


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


def built(problem, optimizer="sgd"):
    x, _, loss, layers = PROBLEMS[problem]
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(x.shape[1:]), *layers()])
    model.compile(optimizer, loss, jit_compile=False)
    return model


def full_loss(model, problem):
    x, y, _, _ = PROBLEMS[problem]
    return float(model.evaluate(x, y, batch_size=len(x), verbose=0))


def first_order(problem, name, passes):
    make, rates = RATES[name]
    x, y, _, _ = PROBLEMS[problem]
    found = []
    for rate in rates:
        begin = time.process_time()
        model = built(problem, make(rate))
        model.fit(x, y, batch_size=BATCH, epochs=passes, verbose=0)
        spent = time.process_time() - begin
        loss = full_loss(model, problem)
        found.append((loss if np.isfinite(loss) else np.inf, spent, rate))
    loss, spent, rate = min(found)
    return loss, spent, f"rate {rate:g}, of {len(rates)}"


def second_order(problem, name, passes):
    x, y, _, _ = PROBLEMS[problem]
    model = built(problem)
    begin = time.process_time()
    result = tk.second_order.minimize(
        model, x, y, method=METHODS[name], max_evaluations=passes, verbose=0
    )
    spent = time.process_time() - begin
    return full_loss(model, problem), spent, str(result.stopped)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--passes", type=int, default=40)
    parser.add_argument("--problems", default=",".join(PROBLEMS))
    arguments = parser.parse_args()
    for problem in arguments.problems.split(","):
        print(f"\n{problem}, {arguments.passes} passes")
        print(f"{'method':<12}{'loss':>14}{'CPU s':>8}")
        for name in RATES:
            tell(name, *first_order(problem, name, arguments.passes))
        for name in METHODS:
            tell(name, *second_order(problem, name, arguments.passes))


def tell(name, loss, spent, words):
    print(f"{name:<12}{loss:>14.8f}{spent:>8.1f}  {words}", flush=True)


if __name__ == "__main__":
    main()
