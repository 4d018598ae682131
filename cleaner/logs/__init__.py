"""One line on standard error for each thing that happened and that somebody may want to look up later."""

from cleaner.logs.log import Log
from cleaner.logs.standard import route_standard_logging

__all__ = ["Log", "route_standard_logging"]
