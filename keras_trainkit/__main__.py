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
    own = list(sys.argv[1:] if arguments is None else arguments)
    passed_on: list[str] = []
    if "--" in own:  # argparse would take the words after it for its own
        place = own.index("--")
        own, passed_on = own[:place], own[place + 1 :]
    parsed = parser.parse_args(own)
    if passed_on and "words" not in parsed:
        parser.error(f"unrecognized arguments: {' '.join(passed_on)}")
    parsed.words = passed_on
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
    from keras_trainkit.record.training_record import TrainingRecord
    from keras_trainkit.report import write

    run = parsed.run_directory
    directory = run if os.path.isdir(run) else os.path.dirname(run)
    path = parsed.output or os.path.join(directory, "report.html")
    record = TrainingRecord.open(run)
    return write(record, path, findings=diagnose(record))


def _search_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "script",
        metavar="SCRIPT",
        help="program that searches; words after -- are passed on to it",
    )
    parser.set_defaults(words=[])
    parser.add_argument(
        "--workers", type=int, default=2, help="processes that train (default: 2)"
    )
    parser.add_argument(
        "--port", type=int, help="port of the chief (default: one that is free)"
    )


def _search(parsed: argparse.Namespace) -> str:
    """Run a search script as one chief and several workers on this machine."""
    from keras_trainkit.search.distribute.launch import launch

    return launch(parsed.script, parsed.words, parsed.workers, parsed.port)


def _no_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "The variable TF_CONFIG says where everyone of the cluster is."


def _worker(parsed: argparse.Namespace) -> str:
    """Serve as the worker of a cluster that TF_CONFIG describes, until ended."""
    from keras_trainkit.distributed.serving import serve

    return serve("worker")


def _server(parsed: argparse.Namespace) -> str:
    """Serve as the parameter server that TF_CONFIG describes, until ended."""
    from keras_trainkit.distributed.serving import serve

    return serve("ps")


_Command = tuple[
    Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], str]
]
_COMMANDS: dict[str, _Command] = {
    "report": (_report_arguments, _report),
    "search": (_search_arguments, _search),
    "server": (_no_arguments, _server),
    "worker": (_no_arguments, _worker),
}


if __name__ == "__main__":
    sys.exit(main())
