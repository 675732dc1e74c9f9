"""CPU time of calls, for the benchmarks beside this file."""

import statistics
import time


def medians(functions, rounds, calls=1):
    """Median CPU milliseconds of a call to each function.

    Rounds are interleaved, every other one in reversed order: who comes after whom
    has a price of its own.
    """
    times = {name: [] for name in functions}
    for function in functions.values():
        function()
        function()
    for turn in range(rounds):
        for name, function in list(functions.items())[:: -1 if turn % 2 else 1]:
            start = time.process_time()
            for _ in range(calls):
                function()
            times[name].append((time.process_time() - start) / calls * 1e3)
    return {name: statistics.median(values) for name, values in times.items()}
