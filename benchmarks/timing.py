"""CPU time of calls, for the benchmarks beside this file."""

import statistics
import time


def medians(functions, rounds, calls=1):
    """Median CPU milliseconds of a call to each function, rounds interleaved."""
    times = {name: [] for name in functions}
    for function in functions.values():
        function()
        function()
    for _ in range(rounds):
        for name, function in functions.items():
            start = time.process_time()
            for _ in range(calls):
                function()
            times[name].append((time.process_time() - start) / calls * 1e3)
    return {name: statistics.median(values) for name, values in times.items()}
