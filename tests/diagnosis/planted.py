"""Records made by hand: healthy ones, and one with a planted fault for each rule."""

import numpy as np

from keras_trainkit.record import Series, TrainingRecord

LAYERS = ("one", "two", "three", "output")
STEPS, EPOCHS = 300, 10


def falling(start=2.3, end=0.2, steps=STEPS, noise=0.03, seed=0):
    """Batch losses of a run that learns."""
    time = np.arange(steps)
    curve = (start - end) * np.exp(-time / (steps / 8)) + end
    return curve * (1 + noise * np.random.default_rng(seed).normal(size=steps))


def flat(level=2.3, steps=STEPS, noise=0.02, seed=0):
    """Batch losses of a run that stands still."""
    return level * (1 + noise * np.random.default_rng(seed).normal(size=steps))


def run(
    losses=None,
    *,
    epochs=EPOCHS,
    ratio=1e-3,
    gradient=0.1,
    weight=5.0,
    rate=1e-3,
    dead=0.1,
    saturated=None,
    nonfinite=None,
    seconds=None,
    filters=None,
    task=None,
    metadata=None,
    **examples,
):
    """Makes the record of a run.

    Args:
        losses: Of the batches.
        epochs: Epochs that they make up.
        ratio, gradient, weight, dead, saturated: One number, or one a layer.
        rate: One number, or one a step.
        nonfinite: `(layer, step)` of the first tensor that is not finite.
        seconds: Time of a step, and how much of it waited for data.
        filters: Smoothness of the first layer's filters, and that of noise.
        task: What differs of the task.
        metadata: What differs of the metadata.
        **examples: Measures of epochs: one number, or one an epoch; `None` for none.
    """
    losses = falling() if losses is None else np.asarray(losses, float)
    steps = np.arange(len(losses))
    per_epoch = max(1, len(losses) // epochs)
    of_step = np.minimum(steps // per_epoch, epochs - 1)
    record = TrainingRecord()
    rates = np.broadcast_to(rate, losses.shape)
    record.append(
        [Series("loss"), Series("learning_rate")],
        steps,
        of_step,
        np.stack([losses, rates], axis=1),
    )
    read = steps[::10]
    for measure, value in (
        ("update_ratio", ratio),
        ("gradient_norm", gradient),
        ("weight_norm", weight),
    ):
        values = np.broadcast_to(value, len(LAYERS))
        columns = [Series(measure, layer, "kernel") for layer in LAYERS]
        table = np.broadcast_to(values, (len(read), len(LAYERS)))
        record.append(columns, read, of_step[read], table)
    if saturated is not None:
        columns = [Series("saturated_fraction", layer) for layer in LAYERS]
        table = np.broadcast_to(saturated, (len(read), len(LAYERS)))
        record.append(columns, read, of_step[read], table)
    if nonfinite is not None:
        layer, step = nonfinite
        series = Series("nonfinite_count", layer, tensor="activation")
        record.add("nonfinite_count", 3.0, step=step, epoch=0, **_names(series))
    if seconds is not None:
        columns = [Series("step_seconds"), Series("data_seconds")]
        table = np.broadcast_to(seconds, (len(steps), 2))
        record.append(columns, steps, of_step, table)
    means = [losses[of_step == epoch].mean() for epoch in range(epochs)]
    known = {
        "epoch_loss": means,
        "train_loss_eval": means,
        "val_loss": 1.1 * np.array(means),
        "example_loss": means,
        "trivial_loss": 2.3,
        "trivial_accuracy": 0.12,
        "example_accuracy": 0.95,
        "train_accuracy_eval": 0.95,
        "input_low": -2.0,
        "input_high": 2.0,
        "input_spread": 1.0,
        "target_low": 0.0,
        "target_high": 9.0,
        "target_spread": 2.9,
        "prediction_low": 0.0,
        "prediction_high": 1.0,
        "prediction_spread": 0.3,
    } | examples
    for epoch in range(epochs):
        place = {"step": int(steps[of_step == epoch][-1]), "epoch": epoch}
        for name, value in known.items():
            if value is not None:
                one = np.broadcast_to(value, epochs)[epoch]
                record.add(name, float(one), **place)
        for name, value in zip(
            ("filter_smoothness", "noise_smoothness"), filters or (), strict=False
        ):
            record.add(name, value, layer=LAYERS[0], **place)
        for layer, share in zip(LAYERS, np.broadcast_to(dead, 4), strict=True):
            record.add("dead_fraction", float(share), layer=layer, **place)
    record.metadata.update(
        {
            "status": "finished",
            "layers": list(LAYERS),
            "task": {
                "loss": "sparse_categorical_crossentropy",
                "reduction": "sum_over_batch_size",
                "from_logits": False,
                "activation": "softmax",
                "dropout": 0.0,
                "trainable_weights": 5000,
                "frozen_layers": 0,
                "examples": 256,
            }
            | (task or {}),
        }
        | (metadata or {})
    )
    return record


def _names(series):
    return {
        name: value
        for name, value in series._asdict().items()
        if value and name != "measure"
    }


def stuck(**changes):
    """A run that learns nothing."""
    told = {"example_accuracy": 0.12, "train_accuracy_eval": 0.12}
    return run(**{"losses": flat(), **told} | changes)


def stuck_in_validation(**changes):
    """A run whose training generalises little, and no worse than a constant."""
    return run(example_loss=1.1, train_loss_eval=1.1, val_loss=1.5, **changes)


VALUES = {"loss": "mean_squared_error", "activation": "linear"}
NONE = {
    "example_accuracy": None,
    "trivial_accuracy": None,
    "train_accuracy_eval": None,
}
HEALTHY = {
    "classifier": lambda: run(),
    "regression": lambda: run(task=VALUES, trivial_loss=2.0, **NONE),
    "large_targets": lambda: run(
        falling(1e6, 1e4),
        task=VALUES,
        ratio=0.3,
        trivial_loss=9e4,
        target_low=0.0,
        target_high=1000.0,
        **NONE,
    ),
    "mostly_silent_units": lambda: run(dead=0.9),
    "learnt_before": lambda: run(flat(0.05, noise=0.5), ratio=1e-6),
    "warm_up": lambda: run(rate=np.linspace(1e-8, 1e-3, STEPS)),
    "cosine": lambda: run(rate=1e-3 * (1 + np.cos(np.linspace(0, np.pi, STEPS)))),
    "noisy": lambda: run(falling(noise=0.6)),
    "one_epoch": lambda: run(epochs=1),
    "bare": lambda: _bare(falling()),
    "unknown_task": lambda: run(task={"loss": "loss"}, trivial_loss=0.3),
    "sure_outputs": lambda: run(saturated=[0.1, 0.2, 0.1, 0.95]),
    "similarity": lambda: run(
        -0.95 + falling(0.9, 0.0), task={"loss": "cosine_similarity"}, trivial_loss=-0.2
    ),
    "frozen_backbone": lambda: run(task={"frozen_layers": 9}),
    "scaled_by_the_model": lambda: run(
        flat(2.2, steps=20), input_spread=4000.0, task={"received_spread": 1.0}
    ),
    "summed_by_hand": lambda: run(
        10 * falling(),
        task={"batch_loss": "sum"},
        train_loss_eval=9.0,
        example_loss=0.2,
    ),
    "rows_compared": lambda: run(task={"batch_loss": "other"}, train_loss_eval=9.0),
    "summed_and_learning": lambda: run(
        32 * falling(), task={"reduction": "sum"}, example_loss=0.2
    ),
    "rare_class": lambda: run(
        np.concatenate([[0.75], falling(0.6, 0.02, 299)]),
        task={"loss": "binary_crossentropy", "activation": "sigmoid"},
        trivial_loss=0.13,
        target_high=1.0,
    ),
    "short_waits": lambda: run(seconds=(1e-3, 8e-4)),
    "long_steps": lambda: run(seconds=(0.5, 0.1)),
    "slow_starts_of_epochs": lambda: run(
        seconds=np.where(np.arange(STEPS)[:, None] % 30, (0.01, 0.001), (9.0, 8.5))
    ),
    "noisy_filters_that_generalise": lambda: run(filters=(0.01, 0.05)),
    "small_filters": lambda: stuck_in_validation(filters=(0.1, 0.4)),
    "better_than_persistence": lambda: run(
        task=VALUES, trivial_loss=2.0, persistence_loss=0.9, **NONE
    ),
    "no_series": lambda: run(
        flat(1.2),
        task=VALUES,
        example_loss=1.2,
        trivial_loss=2.0,
        persistence_loss=1.9,
        **NONE,
    ),
    "hard_examples": lambda: run(contradicted_fraction=0.08),
    "zero_initialised_branch": lambda: run(task={"alike_units": ["two"]}),
    "narrow_code": lambda: run(task={"narrowest_layer": ["two", 1]}),
    "loss_of_pairs": lambda: run(task={"loss_ignores_order": False}),
    "labels_that_fit": lambda: run(task={"neighbours_alike": 80.0}),
    "labels_no_neighbour_tells": lambda: run(task={"neighbours_alike": 0.3}),
    "light_penalty": lambda: run(train_loss_eval=0.4, example_loss=0.3),
}


def _bare(losses):
    record = TrainingRecord()
    steps = np.arange(len(losses))
    record.append([Series("loss")], steps, steps // 50, losses[:, None])
    return record


PLANTED = {
    "nonfinite": lambda: run(
        np.where(np.arange(STEPS) < 40, flat(), np.nan), nonfinite=("two", 40)
    ),
    "diverging": lambda: run(2.3 * np.exp(np.arange(STEPS) / 80)),
    "rate_too_high": lambda: stuck(
        losses=np.concatenate([[2.3, 900.0, 400.0], *[[300.0] * 7], flat(steps=290)])
    ),
    "far_too_long_updates": lambda: stuck(ratio=0.3),
    "rate_too_low": lambda: stuck(losses=2.3 - 1e-3 * np.arange(STEPS), ratio=3e-6),
    "rate_decayed": lambda: stuck(rate=1e-3 * 0.9 ** np.arange(STEPS)),
    "vanishing_gradient": lambda: stuck(gradient=[1e-7, 1e-5, 1e-3, 0.1]),
    "dead_units": lambda: stuck(dead=[0.1, 1.0, 0.2, 0.0]),
    "saturated_units": lambda: stuck(saturated=[0.9, 0.1, 0.1, 0.1]),
    "wild_start": lambda: stuck(losses=[40.0, *flat(steps=299)]),
    "unscaled_inputs": lambda: stuck(input_spread=4000.0),
    "unreached_weights": lambda: stuck(
        gradient=[0.0, 0.0, 0.1, 0.1], ratio=[0, 0, 1e-3, 1e-3]
    ),
    "targets_out_of_reach": lambda: run(
        flat(), task={**VALUES, "activation": "sigmoid"}, target_low=-3.0, **NONE
    ),
    "output_not_probabilities": lambda: stuck(
        prediction_low=-4.0, task={"activation": "linear"}
    ),
    "loss_contradicts_predictions": lambda: run(example_loss=7.0),
    "metric_contradicts_predictions": lambda: run(
        train_accuracy_eval=0.99, example_accuracy=0.1
    ),
    "unbounded_loss": lambda: run(
        -np.geomspace(0.7, 300.0, STEPS), task={"loss": "loss"}, trivial_loss=-9.0
    ),
    "constant_targets": lambda: run(target_spread=0.0, trivial_loss=0.0),
    "labels_of_others": lambda: run(
        example_loss=np.linspace(2.3, 0.9, 10), val_loss=np.linspace(2.32, 3.5, 10)
    ),
    "overfitting": lambda: run(
        train_loss_eval=np.geomspace(2.0, 0.05, 10),
        val_loss=[1.5, 1.2, 1.0, 0.9, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0],
    ),
    "contradicted_labels": lambda: run(
        contradicted_fraction=[0.2, 0.12, 0.1, 0.1, 0.08, 0.06, 0.04, 0.02, 0.0, 0.0],
        val_loss=[1.5, 1.2, 1.0, 0.9, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0],
    ),
    "alike_units": lambda: stuck(task={"alike_units": ["one", "two"]}),
    "bottleneck": lambda: stuck(task={"narrowest_layer": ["two", 1]}),
    "loss_ignores_order": lambda: run(
        flat(), task={"loss": "loss", "loss_ignores_order": True}, **NONE
    ),
    "waiting_for_data": lambda: run(seconds=(0.1, 0.08)),
    "noisy_filters": lambda: stuck_in_validation(filters=(0.01, 0.05), ratio=1e-2),
    "worse_than_persistence": lambda: run(
        flat(1.2),
        task=VALUES,
        example_loss=1.2,
        trivial_loss=2.0,
        persistence_loss=0.4,
        **NONE,
    ),
    "validation_differs": lambda: run(val_loss=20.0),
    "validation_too_good": lambda: run(
        example_loss=1.0, train_loss_eval=1.0, val_loss=0.2
    ),
    "penalties_outweigh_data": lambda: stuck(example_loss=2.2, train_loss_eval=9.0),
    "inference_differs": lambda: run(train_loss_eval=5.0, example_loss=5.0),
    "loss_is_summed": lambda: stuck(task={"reduction": "sum"}),
    "frozen_layers": lambda: stuck(task={"frozen_layers": 2}),
    "learns_nothing": lambda: stuck(),
    "underfitting": lambda: run(flat(2.0), example_loss=2.0),
    "stopped_too_early": lambda: run(
        np.linspace(2.4, 1.8, STEPS), example_loss=np.linspace(2.3, 1.8, 10)
    ),
}
