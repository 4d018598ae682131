"""The HTTP side of the service: metrics, health and the status page."""

from cleaner.web.history import Bounds, History
from cleaner.web.page import StatusPage
from cleaner.web.routes import Exposition, probes, routes
from cleaner.web.server import Server

__all__ = ["Bounds", "Exposition", "History", "Server", "StatusPage", "probes", "routes"]
