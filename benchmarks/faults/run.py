"""Runs programs in a few processes and keeps what came out, one line a program."""

import concurrent.futures
import contextlib
import io
import json
import math
import multiprocessing
import os
import pathlib
import time
import warnings

EVERY = 10  # steps between two readings
_FRESH = 40  # programs that a process runs
KEPT = ("code", "category", "severity", "confidence", "where", "message")


def run_all(stage, jobs, folder, processes):
    """Runs what has not been run and writes `<stage>.jsonl`, and records if it trains.

    Args:
        stage: "training" or "preflight".
        jobs: Pairs `(name, seed)`, names as `programs` gives them.
        folder: Where results of earlier calls lie; they are not run again.
        processes: How many run side by side.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    done = {(line["name"], line["seed"]) for line in read(folder, stage)}
    left = [job for job in jobs if job not in done]
    begun = time.time()
    count = 0
    # Fresh processes now and then: TensorFlow's graphs pile up. `max_tasks_per_child`
    # would do it, and waits for ever in Python 3.11 once a process has done its tasks.
    for begin in range(0, len(left), _FRESH * processes):
        with concurrent.futures.ProcessPoolExecutor(
            processes, multiprocessing.get_context("spawn")
        ) as pool:
            some = left[begin : begin + _FRESH * processes]
            waiting = [pool.submit(STAGES[stage], *job, str(folder)) for job in some]
            for future in concurrent.futures.as_completed(waiting):
                count += 1
                if future.exception() is not None:  # told, and run anew next time
                    print(f"failed: {future.exception()}", flush=True)
                    continue
                line = future.result()
                with open(folder / f"{stage}.jsonl", "a") as file:
                    file.write(json.dumps(line) + "\n")
                seconds = time.time() - begun
                print(
                    f"{count} of {len(left)}, {seconds:.0f} s: {line['name']}",
                    flush=True,
                )


def read(folder, stage):
    """The results of a stage kept in a folder, in their order."""
    path = pathlib.Path(folder) / f"{stage}.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def programs():
    """All programs: name -> (kind, family, shape, function of the seed)."""
    from benchmarks.faults.faulty import FAULTY
    from benchmarks.faults.healthy import HEALTHY

    return {
        f"{kind}/{family}/{shape}": (kind, family, shape, make)
        for kind, table in (("faulty", FAULTY), ("healthy", HEALTHY))
        for (family, shape), make in table.items()
    }


def record_path(folder, name, seed):
    """Where the record of a program lies."""
    return os.path.join(folder, f"{name.replace('/', '__')}__{seed}.sqlite")


def train(name, seed, folder):
    """Trains one program and keeps its record; nothing is judged here."""
    import keras

    import keras_trainkit as tk

    line, program, model = _begun(name, seed)
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        monitor = tk.callbacks.TrainingMonitor(every=EVERY)
        begun = time.process_time()
        with contextlib.redirect_stdout(io.StringIO()):
            history = model.fit(**program.arguments(), callbacks=[monitor]).history
        line["seconds"] = time.process_time() - begun
    line["keras_warnings"] = [
        str(one.message)[:200] for one in raised if "keras" in str(one.filename)
    ]
    line |= learnt(program, history)
    keep(monitor.record, record_path(folder, name, seed))
    keras.utils.clear_session()
    return line


def check(name, seed, folder):
    """Runs preflight on one program."""
    import keras

    import keras_trainkit as tk

    line, program, model = _begun(name, seed)
    begun = time.process_time()
    report = tk.preflight(
        model, program.x, program.y, validation_data=program.validation
    )
    line["seconds"] = time.process_time() - begun
    line["findings"] = [as_line(finding) for finding in report.findings]
    line["not_judged"] = {
        verdict.name: verdict.why
        for verdict in report.verdicts
        if verdict.status == "not judged"
    }
    keras.utils.clear_session()
    return line


STAGES = {"training": train, "preflight": check}


def _begun(name, seed):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    kind, family, shape, make = programs()[name]
    keras.utils.set_random_seed(seed)
    line = {"name": name, "seed": seed, "kind": kind, "family": family, "shape": shape}
    program = make(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = program.compiled()
    return line, program, model


def as_line(finding):
    """What is kept of a finding."""
    return {key: getattr(finding, key) for key in KEPT} | {
        "evidence": {key: str(value) for key, value in finding.evidence.items()}
    }


def learnt(program, history):
    """The last validation loss, and what the best constant answer loses."""
    trivial = trivial_of(program)
    end = history.get("val_digit_loss") or history.get("val_loss") or history["loss"]
    last = float(end[-1])
    below = math.isfinite(last) and last < program.bar * trivial
    return {"last": last, "trivial": trivial, "bar": program.bar, "learnt": below}


def trivial_of(program):
    """Loss of the best constant answer to the validation targets, in NumPy."""
    import numpy as np
    from scipy import stats

    y = program.validation[1] if program.validation is not None else program.y
    y = y["digit"] if isinstance(y, dict) else y
    if getattr(program.loss, "__name__", program.loss) == "poisson":
        mean = y.mean()
        return float(np.mean(mean - y * np.log(mean)))
    if program.loss == "mae":
        return float(np.mean(np.abs(y - np.median(y, axis=0))))
    if y.dtype.kind in "iu":
        return float(stats.entropy(np.bincount(y) / len(y)))
    if ((y == 0) | (y == 1)).all() and not _sums_to_one(y):
        share = np.clip(y.mean(axis=0), 1e-7, 1 - 1e-7)
        return float(np.mean(-share * np.log(share) - (1 - share) * np.log(1 - share)))
    if _sums_to_one(y):
        return float(stats.entropy(y.mean(axis=0)))
    return float(np.mean(np.var(y, axis=0)))


def _sums_to_one(y):
    return y.ndim > 1 and y.shape[-1] > 1 and (y.sum(axis=-1) == 1).all()


def keep(record, path):
    """Writes a record that was kept in memory into a file."""
    from keras_trainkit.record import TrainingRecord

    for suffix in ("", "-wal", "-shm"):
        pathlib.Path(path + suffix).unlink(missing_ok=True)
    stored = TrainingRecord(path)
    stored.metadata.update(record.metadata)
    for series in record.series:
        steps, epochs, values = record.values(*series)
        stored.append([series], steps, epochs, values[:, None])
    stored.flush()
    stored.close()
