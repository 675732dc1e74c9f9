"""What does a healthy training look like, and what does a sick one?

Trains the same convolutional net on handwritten digits twice, once with a good
learning rate and once with one 100 times too high, and writes a report of each.
"""

import argparse
import contextlib
import os
import sys


@contextlib.contextmanager
def silence():
    """Drops what TensorFlow's C++ parts write while they are loaded."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)


sys.stdout.reconfigure(line_buffering=True)  # each line as it comes, in a pipe too
print("loading TensorFlow ...")
with silence():
    import keras
    import tensorflow as tf
    from sklearn.datasets import load_digits

    import keras_trainkit as tk

    tf.config.list_logical_devices()

layers = keras.layers
LEARNING_RATES = {"healthy": 0.1, "sick": 10.0}


def digits():
    x, y = load_digits(return_X_y=True)
    x = (x / 16.0 - 0.5).astype("float32").reshape(-1, 8, 8, 1)
    return (x[:1400], y[:1400]), (x[1400:], y[1400:])


def build(learning_rate):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, activation="relu", name="conv_1"),
            layers.Conv2D(32, 3, activation="relu", name="conv_2"),
            layers.MaxPooling2D(name="pool"),
            layers.Flatten(name="flatten"),
            layers.Dense(64, activation="relu", name="dense"),
            layers.Dropout(0.3, name="dropout"),
            layers.Dense(10, activation="softmax", name="digit"),
        ]
    )
    model.compile(
        keras.optimizers.SGD(learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", default="runs/watch", help="where the pages go")
    parser.add_argument("--quick", action="store_true", help="two epochs only")
    arguments = parser.parse_args()
    train, validation = digits()
    epochs = 2 if arguments.quick else 15
    for name, learning_rate in LEARNING_RATES.items():
        print(f"\n{name}: {epochs} epochs with learning rate {learning_rate} ...")
        keras.utils.set_random_seed(0)
        monitor = tk.callbacks.TrainingMonitor(
            os.path.join(arguments.out, name), every=1, histograms=True
        )
        history = build(learning_rate).fit(
            *train,
            batch_size=32,
            epochs=epochs,
            validation_data=validation,
            verbose=0,
            callbacks=[monitor],
        )
        accuracy = history.history["val_accuracy"][-1]
        ratio = history.history["update_ratio"][-1]
        print(f"  validation accuracy {accuracy:.3f}, update ratio {ratio:.1e}")
        for finding in tk.diagnose(monitor.record):
            print("  " + str(finding).replace("\n", "\n  "))
        print(f"  open {monitor.report_path}")


if __name__ == "__main__":
    main()
