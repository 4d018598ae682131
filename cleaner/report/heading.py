"""What every output begins with: which command, on which cluster, and whether it was in earnest."""

import msgspec


class Heading(msgspec.Struct, frozen=True):
    """The command, the tool's version, and where it ran."""

    command: str
    version: str
    context: str
    server: str
    dry_run: bool = False
