"""Run the command line."""

import sys

from cleaner.cli import run


def main() -> None:
    """Run and exit with the code that the command came to."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
