"""Runs the fault suite and writes its table.

python -m benchmarks.faults --part tuning [--seeds 1] [--processes 2]
python -m benchmarks.faults --part held_out
"""

import argparse

from benchmarks.faults.run import programs, read, run_all
from benchmarks.faults.split import is_held_out


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--part", choices=["tuning", "held_out"], default="tuning")
    parser.add_argument("--folder", default="runs/faults")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", default="", help="names that contain this")
    arguments = parser.parse_args()
    names = [
        name
        for name, (_, family, shape, _) in programs().items()
        if is_held_out(family, shape) == (arguments.part == "held_out")
        and arguments.only in name
    ]
    jobs = [(name, seed) for seed in range(arguments.seeds) for name in names]
    run_all(jobs, f"{arguments.folder}/{arguments.part}", arguments.processes)
    print(len(read(f"{arguments.folder}/{arguments.part}")), "programs have been run")


if __name__ == "__main__":
    main()
