"""The HTTP side of the service: metrics, health and the status page."""
