"""What holds and what it costs on a GPU, against bare Keras and against the CPU.

    python benchmarks/gpu.py identity --model cnn [--deterministic] [--policy NAME]
    python benchmarks/gpu.py values [--exact]
    python benchmarks/gpu.py updates [--rules Adam,SGD]
    python benchmarks/gpu.py watching [--modes graph]

`identity` compares watched fits with bare ones bit for bit: weights, optimizer,
History. `values` prints what the checks and the methods of second order find; run it
again under CUDA_VISIBLE_DEVICES=-1 for the CPU's. `updates` times optimizers against
Keras', and `watching` monitors against a bare fit: wall and processor time, the device
waited for. Run these two alone.
"""

import argparse
import os
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

import keras
import numpy as np
import tensorflow as tf
from monitoring import BATCH, WARM_UP
from monitoring import cnn as wide_cnn
from optimizers import applying, pair
from sklearn.datasets import load_digits

import keras_trainkit as tk

layers = keras.layers
X, Y = load_digits(return_X_y=True)
X = (X / 16).astype("float32")[:1500]
Y = Y[:1500]
CROSSENTROPY = "sparse_categorical_crossentropy"


def network(*hidden, penalty=0.0):
    last = layers.Dense(10, kernel_regularizer=keras.regularizers.L2(penalty))
    softmax = layers.Activation("softmax", dtype="float32")
    return keras.Sequential([keras.Input((64,)), *hidden, last, softmax])


MODELS = {
    "mlp": lambda: network(layers.Dense(128, "relu"), layers.Dense(64, "tanh")),
    "cnn": lambda: network(
        layers.Reshape((8, 8, 1)),
        layers.Conv2D(16, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 2, activation="relu"),
        layers.Flatten(),
        layers.Dropout(0.2),
    ),
    "lstm": lambda: network(layers.Reshape((8, 8)), layers.LSTM(32)),
    "batchnorm": lambda: network(
        layers.Reshape((8, 8, 1)),
        layers.Conv2D(16, 3, use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Flatten(),
        layers.Dense(64),
        layers.BatchNormalization(),
        layers.ReLU(),
    ),
    "smooth": lambda: network(layers.Dense(32, "softplus"), penalty=1e-4),
}


def built(name, **options):
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    model = MODELS[name]()
    model.compile(
        **{"optimizer": keras.optimizers.Adam(1e-3), "loss": CROSSENTROPY} | options,
        metrics=["accuracy"],
    )
    return model


def state(model, history):
    arrays = [np.asarray(v) for v in [*model.variables, *model.optimizer.variables]]
    return arrays, {name: np.array(values) for name, values in history.items()}


def differences(one, other):
    """How many arrays differ in a bit, the largest difference, and in History."""
    unequal = [(a, b) for a, b in zip(one[0], other[0], strict=True) if not same(a, b)]
    largest = max(
        (np.abs(a.astype("f8") - b.astype("f8")).max() for a, b in unequal), default=0
    )
    logs = [name for name in one[1] if not same(one[1][name], other[1][name])]
    if not unequal and not logs:
        return "same"
    return f"{len(unequal)} of {len(one[0])} differ, by up to {largest:.1e}; {logs}"


def same(a, b):
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


def identity(arguments):
    keras.config.set_dtype_policy(arguments.policy)
    if arguments.deterministic:
        keras.utils.set_random_seed(0)
        tf.config.experimental.enable_op_determinism()
    monitors = {
        "bare again": lambda: None,
        "every=1": lambda: tk.callbacks.TrainingMonitor(every=1),
        "every=auto": tk.callbacks.TrainingMonitor,
        "losses": tk.callbacks.LossMonitor,
    }
    words = "deterministic" if arguments.deterministic else "as it comes"
    for xla in modes(arguments):
        title = f"{arguments.model} {arguments.policy} {'XLA' if xla else 'graph'}"

        def trained(make, xla=xla):
            model, monitor = built(arguments.model, jit_compile=xla), make()
            begun = time.perf_counter()
            history = model.fit(
                X,
                Y,
                batch_size=50,
                epochs=3,
                verbose=0,
                callbacks=[monitor] if monitor else [],
            ).history
            return state(model, history), monitor, time.perf_counter() - begun

        bare, _, seconds = trained(lambda: None)
        print(f"{title}, {words}: bare {seconds:.1f} s, {bare[1]['loss'][-1]:.6f}")
        for name, make in monitors.items():
            try:
                watched, monitor, seconds = trained(make)
            except Exception as failure:  # the others go on
                print(f"  {title} {name}: FAILED {failure!r}"[:900], flush=True)
                continue
            extra = ""
            if monitor:
                measured = monitor.record.to_frame()
                finite = np.isfinite(measured.value)
                extra = f"; {finite.mean():.4f} finite of {len(measured)}"
                extra += f"; done twice: {monitor.record.metadata.get('done_twice')}"
            found = differences(bare, watched)
            print(f"  {title} {name}: {found}; {seconds:.1f} s{extra}", flush=True)


def values(arguments):
    def section(function):
        begun = time.perf_counter()
        try:
            text = function()
        except Exception as failure:  # the others go on
            text = f"FAILED {failure!r}"[:1500]
        seconds = time.perf_counter() - begun
        print(f"{function.__name__} [{seconds:.1f} s]: {text}", flush=True)

    def preflight():
        return tk.preflight(built("cnn"), X, Y)

    def labels_beyond():
        beyond = np.where(np.arange(len(Y)) % 7 == 0, 12, Y)
        found = tk.preflight(built("mlp"), X, beyond)
        return [(one.code, one.severity) for one in found.findings]

    def labels_beyond_in_fit():
        beyond = np.where(np.arange(len(Y)) % 7 == 0, 12, Y)
        monitor = tk.callbacks.TrainingMonitor(every=1)
        model = built("mlp", jit_compile=arguments.xla)
        try:
            model.fit(X, beyond, batch_size=50, verbose=0, callbacks=[monitor])
        except Exception as failure:
            return f"fit raised {failure!r}"[:400]
        first = tk.record.Readings(monitor.record).first_nonfinite
        codes = [one.code for one in tk.diagnose(monitor.record)]
        return f"{model.history.history}; first nonfinite {first}; {codes}"

    def gradient(name):
        def run():
            checked = tk.gradcheck(built(name), X[:32], Y[:32])
            return str(checked).splitlines()[:3]

        run.__name__ = f"gradcheck {name}"
        return run

    def rate():
        sweep = tk.probes.find_learning_rate(built("cnn"), X, Y, batch_size=50)
        return f"suggestion {sweep.suggestion}, {len(sweep.losses)} losses"

    def minimized(method, evaluations):
        def run():
            model = built("smooth", jit_compile=arguments.xla)
            result = tk.second_order.minimize(
                model, X, Y, method=method, max_evaluations=evaluations, verbose=0
            )
            return (
                f"loss {result.loss:.8f}, gradient {result.gradient_norm:.1e}, "
                f"{result.evaluations} evaluations, {result.stopped}"
            )

        run.__name__ = f"minimize {method}"
        return run

    def lbfgs_in_fit():
        model = built(
            "smooth", optimizer=tk.second_order.LBFGS(), jit_compile=arguments.xla
        )
        model.fit(X, Y, batch_size=len(X), epochs=150, shuffle=False, verbose=0)
        return f"loss {model.evaluate(X, Y, batch_size=len(X), verbose=0)[0]:.8f}"

    def top_eigenvalues():
        return tk.second_order.top_eigenvalues(built("smooth"), X, Y, tolerance=0.05)

    tf.config.experimental.enable_tensor_float_32_execution(not arguments.exact)
    for one in (
        preflight,
        labels_beyond,
        labels_beyond_in_fit,
        *map(gradient, ("cnn", "lstm", "batchnorm")),
        rate,
        minimized("lbfgs", 150),
        minimized("newton-cg", 150),
        lbfgs_in_fit,
        top_eigenvalues,
    ):
        section(one)


def synchronised(functions, rounds, calls):
    """Median wall and CPU milliseconds of a call, rounds interleaved."""
    wait = tf.test.experimental.sync_devices
    times = {name: [] for name in functions}
    for function in functions.values():
        for _ in range(3):
            function()
    for _ in range(rounds):
        for name, function in functions.items():
            wait()
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(calls):
                function()
            wait()
            times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {k: np.median(v, axis=0) / calls * 1e3 for k, v in times.items()}


def updates(arguments):
    cases = {
        "4 x 2048 x 2048": ([(2048, 2048)] * 4, {}),
        "4 x 4096 x 4096": ([(4096, 4096)] * 4, {}),
        "160 x 64 x 64": ([(64, 64)] * 160, {}),
        "160 x 256 x 256": ([(256, 256)] * 160, {}),
        "4 x 2048 x 2048, XLA": ([(2048, 2048)] * 4, {"jit_compile": True}),
        "160 x 256 x 256, XLA": ([(256, 256)] * 160, {"jit_compile": True}),
    }
    print("| weights | rule | Keras wall ms | ours | ratio | CPU ms | ours | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for title, (shapes, options) in cases.items():
        for name in arguments.rules.split(","):
            ours, theirs = pair(name)
            found = synchronised(
                {
                    "theirs": applying(theirs, shapes, **options),
                    "ours": applying(ours, shapes, **options),
                },
                arguments.rounds,
                20,
            )
            (wall, cpu), (own_wall, own_cpu) = found["theirs"], found["ours"]
            print(
                f"| {title} | {name} | {wall:.3f} | {own_wall:.3f} "
                f"| {own_wall / wall:.2f} | {cpu:.3f} | {own_cpu:.3f} "
                f"| {own_cpu / cpu:.2f} |",
                flush=True,
            )


class Clock(keras.callbacks.Callback):
    """Takes wall and processor time of each epoch; the device is waited for."""

    def on_train_begin(self, logs=None):
        self.times, self.before = [], (time.perf_counter(), time.process_time())

    def on_epoch_end(self, epoch, logs=None):
        tf.test.experimental.sync_devices()
        now = time.perf_counter(), time.process_time()
        self.times.append(np.subtract(now, self.before))
        self.before = now


def watching(arguments):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(arguments.steps * BATCH, 32, 32, 3)).astype("float32")
    y = generator.integers(0, 10, len(x))
    monitor = tk.callbacks.TrainingMonitor
    variants = {
        "bare fit": list,
        "LossMonitor": lambda: [tk.callbacks.LossMonitor()],
        "TrainingMonitor(every=1)": lambda: [monitor(every=1)],
        'TrainingMonitor(every="auto")': lambda: [monitor()],
        'TrainingMonitor(directory, every="auto")': lambda: [
            monitor(tempfile.mkdtemp())
        ],
    }

    def times(make, xla):
        keras.utils.set_random_seed(0)
        model, clock = wide_cnn(), Clock()
        model.compile(keras.optimizers.Adam(1e-3), CROSSENTROPY, jit_compile=xla)
        options = {"batch_size": BATCH, "epochs": arguments.rounds, "verbose": 0}
        model.fit(x, y, callbacks=[*make(), clock], **options)
        return clock.times

    print("| mode | variant | wall ms | CPU ms | ratio wall | CPU | first epoch, s |")
    print("|---|---|---|---|---|---|---|")
    for xla in modes(arguments):
        bare = None
        for name, make in variants.items():
            first, *_ = found = times(make, xla)
            step = 1e3 * np.median(found[WARM_UP:], axis=0) / arguments.steps
            bare = step if bare is None else bare
            print(
                f"| {'XLA' if xla else 'graph'} | {name} | {step[0]:.2f} "
                f"| {step[1]:.2f} | {step[0] / bare[0]:.2f} "
                f"| {step[1] / bare[1]:.2f} | {first[0]:.1f} |",
                flush=True,
            )


def modes(arguments):
    return [mode == "xla" for mode in arguments.modes.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["identity", "values", "updates", "watching"])
    parser.add_argument("--model", choices=sorted(MODELS), default="cnn")
    parser.add_argument("--policy", default="float32")
    parser.add_argument("--deterministic", action="store_true")
    parser.add_argument("--modes", default="graph,xla")
    parser.add_argument("--exact", action="store_true", help="no TensorFloat-32")
    parser.add_argument("--xla", action="store_true")
    parser.add_argument("--rules", default="Adam,SGD,RMSprop,Momentum")
    parser.add_argument("--rounds", type=int, default=9, help="or epochs of a fit")
    parser.add_argument("--steps", type=int, default=60, help="steps of an epoch")
    arguments = parser.parse_args()
    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    print(f"TensorFlow {tf.__version__}, {details or 'CPU'}", flush=True)
    {
        "identity": identity,
        "values": values,
        "updates": updates,
        "watching": watching,
    }[arguments.what](arguments)


if __name__ == "__main__":
    main()
