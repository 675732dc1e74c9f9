"""Compares full and default gradient checks with the peers, in process CPU time.

Prints a Markdown table; ratios are of one run, rounds interleaved, each round
building its models anew so that every trace is paid for.
Usage: python benchmarks/gradcheck.py [--rounds 3] [--skip-peers]
"""

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import keras_trainkit as tk

L = keras.layers


def mlp():
    layers = [
        keras.Input((64,)),
        L.Dense(100, "relu"),
        L.Dense(100, "relu"),
        L.Dense(10, "softmax"),
    ]
    return keras.Sequential(layers), (20, 64)


def cnn():
    layers = [
        keras.Input((16, 16, 1)),
        L.Conv2D(8, 3, activation="relu"),
        L.MaxPooling2D(),
        L.Conv2D(16, 3, activation="relu"),
        L.MaxPooling2D(),
        L.Flatten(),
        L.Dense(40, "relu"),
        L.Dense(10, "softmax"),
    ]
    return keras.Sequential(layers), (20, 16, 16, 1)


def prepared(make):
    keras.utils.set_random_seed(0)
    model, shape = make()
    model.compile("sgd", "sparse_categorical_crossentropy")
    random = np.random.default_rng(0)
    x = random.normal(size=shape).astype("float32")
    return model, x, random.integers(0, 10, len(x))


def ours(make, **options):
    model, x, y = prepared(make)
    check = tk.gradcheck(model, x, y, verbose=False, **options)
    assert check.ok, str(check)


def tensorflow_peer(make):
    keras.config.set_floatx("float64")
    try:
        model, x, y = prepared(make)
        weights = [tf.constant(v.numpy()) for v in model.trainable_variables]

        # Compiled, or each of its evaluations would cost ten times as much.
        @tf.function
        def loss(*values):
            predicted, _ = model.stateless_call(
                list(values), [], tf.constant(x, tf.float64), training=True
            )
            return tf.reduce_mean(
                keras.losses.sparse_categorical_crossentropy(y, predicted)
            )

        tf.test.compute_gradient(loss, weights, delta=1e-5)
    finally:
        keras.config.set_floatx("float32")


def torch_peer(make, fast):
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)  # two threads only cost more on nets this small
    if make is mlp:
        network = torch.nn.Sequential(
            torch.nn.Linear(64, 100),
            torch.nn.ReLU(),
            torch.nn.Linear(100, 100),
            torch.nn.ReLU(),
            torch.nn.Linear(100, 10),
        )
        x = torch.randn(20, 64, dtype=torch.float64)
    else:
        network = torch.nn.Sequential(
            torch.nn.Conv2d(1, 8, 3),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(2),
            torch.nn.Conv2d(8, 16, 3),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(2),
            torch.nn.Flatten(),
            torch.nn.Linear(64, 40),
            torch.nn.ReLU(),
            torch.nn.Linear(40, 10),
        )
        x = torch.randn(20, 1, 16, 16, dtype=torch.float64)
    network = network.double()
    y = torch.randint(0, 10, (20,))
    names = [name for name, _ in network.named_parameters()]
    values = tuple(p.detach().clone().requires_grad_() for p in network.parameters())

    def loss(*weights):
        output = torch.func.functional_call(
            network, dict(zip(names, weights, strict=True)), (x,)
        )
        return torch.nn.functional.cross_entropy(output, y)

    # Kinks may fail its verdict; only its time is of interest here.
    torch.autograd.gradcheck(loss, values, raise_exception=False, fast_mode=fast)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--skip-peers", action="store_true")
    options = parser.parse_args()
    contenders = {
        "gradcheck, all coordinates": lambda m: ours(m, coordinates="all"),
        "gradcheck, default": ours,
        "gradcheck, joint": lambda m: ours(m, joint=True),
    }
    if not options.skip_peers:
        contenders["tf.test.compute_gradient"] = tensorflow_peer
        contenders["torch gradcheck, slow mode"] = lambda m: torch_peer(m, False)
        contenders["torch gradcheck, fast mode"] = lambda m: torch_peer(m, True)
    cpu = {(name, net): [] for name in contenders for net in (mlp, cnn)}
    wall = {key: [] for key in cpu}
    ours(mlp)  # the first use of TensorFlow pays for its own start
    for _ in range(options.rounds):
        for name, run in contenders.items():
            for net in (mlp, cnn):
                begun, began = time.process_time(), time.monotonic()
                run(net)
                cpu[name, net].append(time.process_time() - begun)
                wall[name, net].append(time.monotonic() - began)
    print(
        "| checker | MLP CPU s | MLP wall s | MLP ratio | CNN CPU s | CNN wall s "
        "| CNN ratio |\n|---|---|---|---|---|---|---|"
    )
    base = {
        net: np.median(cpu["gradcheck, all coordinates", net]) for net in (mlp, cnn)
    }
    for name in contenders:
        cells = [name]
        for net in (mlp, cnn):
            seconds = np.median(cpu[name, net])
            cells += [
                f"{seconds:.2f}",
                f"{np.median(wall[name, net]):.2f}",
                f"{seconds / base[net]:.2f}",
            ]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
