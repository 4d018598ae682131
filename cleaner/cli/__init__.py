"""The commands, and all wiring."""

from cleaner.cli.parser import UsageError, parse

__all__ = ["run"]

INTERRUPTED = 130
"""What shells tell of a command that SIGINT has ended."""


def run(arguments: list[str]) -> int:
    """Run one command; return its exit code. What no command could run with is told in one line, with code 2."""
    import sys

    try:
        command, flags = parse(arguments)
    except UsageError as error:
        sys.stderr.write(f"gitjob-cleaner: {error}\n")
        return 2
    from cleaner.cli import commands

    try:
        return commands.dispatch(command, flags)
    except KeyboardInterrupt:  # of those that only read; who deletes takes the signals, and finishes what is under way
        return INTERRUPTED
