"""Runs the fault suite and writes its table.

    python -m benchmarks.faults run --part tuning [--seeds 1] [--processes 2]
    python -m benchmarks.faults table --part tuning

`run` trains every program with a `TrainingMonitor`, keeps its record, and runs
`tk.preflight`; it goes on where an earlier call ended, and several calls may run side
by side, each with its `--share`. `table` diagnoses the records and counts; `counts`
prints those that confidence is taken from, `rules` the tables of the guide.
"""

import argparse

from benchmarks.faults.run import programs, run_all
from benchmarks.faults.split import is_held_out


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["run", "table", "counts", "rules"])
    parser.add_argument("--part", choices=["tuning", "held_out"], default="tuning")
    parser.add_argument("--folder", default="runs/faults")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--listed", action="store_true", help="each program")
    parser.add_argument("--stage", choices=["training", "preflight"])
    parser.add_argument("--share", default="0/1", help="1/2: every second program")
    parser.add_argument("--begin", type=int, default=0, help="with this program")
    arguments = parser.parse_args()
    folder = f"{arguments.folder}/{arguments.part}"
    if arguments.what == "table":
        from benchmarks.faults.table import write_table

        write_table(folder, arguments.listed)
        return
    if arguments.what == "rules":
        from benchmarks.faults.rule_rows import write_rules

        write_rules(arguments.folder)
        return
    if arguments.what == "counts":
        from benchmarks.faults.table import write_counts

        write_counts(folder)
        return
    names = [
        name
        for name, (_, family, shape, _) in programs().items()
        if is_held_out(family, shape) == (arguments.part == "held_out")
    ]
    # Faulty and healthy ones by turns, so that a part of the run says something.
    names.sort(key=lambda name: hash_of(name))
    place, shares = map(int, arguments.share.split("/"))
    jobs = [(name, seed) for seed in range(arguments.seeds) for name in names]
    jobs = (jobs[arguments.begin :] + jobs[: arguments.begin])[place::shares]
    for stage in [arguments.stage] if arguments.stage else ["training", "preflight"]:
        run_all(stage, jobs, folder, arguments.processes)


def hash_of(name):
    import hashlib

    return hashlib.sha256(name.encode()).hexdigest()


if __name__ == "__main__":
    main()
