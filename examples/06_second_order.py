"""How far do methods of second order get, and at what price?

The same small net on digits, full data: SGD, momentum and Adam on mini-batches, then
L-BFGS, Newton-CG and SFO on the full loss, drawn over passes through the data and over
CPU seconds.

    python examples/06_second_order.py --out pictures
"""

import argparse
import pathlib
import time

import keras
import matplotlib
from matplotlib import pyplot
from sklearn.datasets import load_digits

import keras_trainkit as tk

FIRST = {
    "SGD": lambda: tk.optimizers.SGD(0.5),
    "momentum": lambda: tk.optimizers.Momentum(0.05),
    "Adam": lambda: tk.optimizers.Adam(0.003),
}


SECOND = {"L-BFGS": "lbfgs", "Newton-CG": "newton-cg", "SFO": "sfo"}


class Clock(keras.callbacks.Callback):
    """Notes the full loss and the CPU seconds after each epoch, its own left out."""

    def __init__(self, x, y):
        super().__init__()
        self.data, self.losses, self.seconds, self.passes = (x, y), [], [], []

    def on_train_begin(self, logs=None):
        """Starts the clock."""
        self.begun, self.out = time.process_time(), 0.0

    def on_epoch_end(self, epoch, logs=None):
        """Stops it while the full loss is computed."""
        now = time.process_time()
        self.seconds.append(now - self.begun - self.out)
        self.passes.append((logs or {}).get("evaluations", epoch + 1))
        loss = self.model.evaluate(*self.data, batch_size=2000, verbose=0)
        self.losses.append(loss)
        self.out += time.process_time() - now


def build(optimizer="sgd"):
    keras.utils.set_random_seed(0)
    penalty = keras.regularizers.L2(5e-5)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(32, "softplus", kernel_regularizer=penalty),
            keras.layers.Dense(10, kernel_regularizer=penalty),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("."))
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    matplotlib.use("Agg")
    passes = 3 if arguments.quick else 40
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype("float32")

    curves = {}
    for name, optimizer in FIRST.items():
        clock = curves[name] = Clock(x, y)
        model = build(optimizer())
        model.fit(x, y, batch_size=36, epochs=passes, verbose=0, callbacks=[clock])
    for name, method in SECOND.items():
        clock = curves[name] = Clock(x, y)
        options = {"max_evaluations": passes + 1, "callbacks": [clock]}
        options |= {"subfunctions": 50} if method == "sfo" else {}
        tk.second_order.minimize(build(), x, y, method=method, **options)

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4), layout="constrained")
    print("method      full loss  passes  CPU s")
    for name, clock in curves.items():
        style = "-" if name in SECOND else "--"
        left.semilogy(clock.passes, clock.losses, style, label=name)
        right.semilogy(clock.seconds, clock.losses, style, label=name)
        if clock.losses:
            print(
                f"{name:10}  {clock.losses[-1]:9.4f}  {clock.passes[-1]:6.4g}  "
                f"{clock.seconds[-1]:5.1f}"
            )
    left.set(xlabel="passes through the data", ylabel="full loss")
    right.set(xlabel="CPU seconds, tracing included")
    left.legend()
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.suptitle("A small net on digits, six ways to fit it")
    arguments.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(arguments.out / "second_order.png", dpi=120)


if __name__ == "__main__":
    main()
