"""The commands of `python -m keras_trainkit`.

A command is a function that takes the arguments parsed and returns what to print;
`_COMMANDS` names them. What a command needs loads only when it runs.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: The words after the program's name; those of the shell if `None`.

    Returns:
        The exit status: 0, or 1 if the command failed and said why.
    """
    parser = argparse.ArgumentParser(
        prog="python -m keras_trainkit", description=__doc__.splitlines()[0]
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (add_arguments, run) in _COMMANDS.items():
        words = run.__doc__.splitlines()[0] if run.__doc__ else None
        command = commands.add_parser(name, help=words, description=words)
        add_arguments(command)
        command.set_defaults(run=run)
    parsed = parser.parse_args(arguments)
    try:
        print(parsed.run(parsed))
    except (ImportError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _report_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run_directory",
        metavar="RUN_DIRECTORY",
        help="directory that a TrainingMonitor wrote to, or a record file",
    )
    parser.add_argument(
        "--output",
        metavar="PATH",
        help="page to write (default: report.html beside the record)",
    )


def _report(parsed: argparse.Namespace) -> str:
    """Write the report of a recorded run as one HTML page and print its path."""
    from keras_trainkit.diagnosis import diagnose
    from keras_trainkit.record import TrainingRecord
    from keras_trainkit.report import write

    run = parsed.run_directory
    directory = run if os.path.isdir(run) else os.path.dirname(run)
    path = parsed.output or os.path.join(directory, "report.html")
    record = TrainingRecord.open(run)
    return write(record, path, findings=diagnose(record))


_Command = tuple[
    Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], str]
]
_COMMANDS: dict[str, _Command] = {"report": (_report_arguments, _report)}


if __name__ == "__main__":
    sys.exit(main())
