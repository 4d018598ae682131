"""Run the command line."""

import sys

from cleaner import __version__


def main() -> None:
    """Run and exit with the code that the command came to."""
    if sys.argv[1:] == ["--version"]:
        # Whoever asks no more, like a probe or a build, gets it for little more than Python's own start.
        sys.stdout.write(f"gitjob-cleaner {__version__}\n")
        return
    from cleaner.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
