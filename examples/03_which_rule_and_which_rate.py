"""Which update rule and which learning rate suit this net?

For each rule a sweep suggests a rate, the net trains with it, and once more with
the rate warmed up and lowered in one cycle. Digits of scikit-learn, a small MLP.

    python examples/03_which_rule_and_which_rate.py --out pictures
"""

import argparse
import pathlib

import keras
import matplotlib
from matplotlib import pyplot
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import keras_trainkit as tk

RULES = ["SGD", "Momentum", "Nesterov", "Adagrad", "RMSprop", "Adam"]
BATCH = 32


def build(optimizer):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("."))
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    matplotlib.use("Agg")
    epochs, rules = (2, RULES[-1:]) if arguments.quick else (20, RULES)

    x, y = load_digits(return_X_y=True)
    x, xv, y, yv = train_test_split(x / 16, y, test_size=0.3, random_state=0)
    steps = epochs * -(-len(x) // BATCH)

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4), layout="constrained")
    print("rule      rate     constant  one cycle")
    for rule in rules:
        optimizer = getattr(tk.optimizers, rule)
        sweep = tk.probes.find_learning_rate(build(optimizer()), x, y)
        left.semilogx(sweep.learning_rates, sweep.smoothed, label=rule)
        accuracies = []
        cycle = tk.schedules.OneCycle(sweep.suggestion, steps)
        for rate, style in ((sweep.suggestion, "-"), (cycle, "--")):
            history = build(optimizer(rate)).fit(
                x,
                y,
                batch_size=BATCH,
                epochs=epochs,
                validation_data=(xv, yv),
                verbose=0,
            )
            color = left.lines[-1].get_color()
            right.semilogy(history.history["loss"], style, color=color)
            accuracies.append(history.history["val_accuracy"][-1])
        print(
            f"{rule:9} {sweep.suggestion:.2g}".ljust(18),
            *map("{:9.3f}".format, accuracies),
        )

    left.set(xlabel="learning rate", ylabel="smoothed loss", ylim=(0, 4), title="sweep")
    left.legend()
    right.set(xlabel="epoch", ylabel="training loss", title="constant - / one cycle --")
    arguments.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(arguments.out / "which_rule_and_which_rate.png")


if __name__ == "__main__":
    main()
