"""
Grafana's SDK, as far as it is used here.

Its classes of the classic model warn, as soon as they are imported, that there is a second model. The classic one is what every
Grafana from 10 to 13 reads, so the warning is silenced here and nowhere else.
"""

import warnings

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "Prefer using dashboardv2", DeprecationWarning)
    from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, table, timeseries
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models import common as shapes
    from grafana_foundation_sdk.models import dashboard as model
    from grafana_foundation_sdk.models.prometheus import PromQueryFormat

__all__ = [
    "Builder",
    "JSONEncoder",
    "PromQueryFormat",
    "bargauge",
    "common",
    "dashboard",
    "model",
    "prometheus",
    "shapes",
    "stat",
    "table",
    "timeseries",
]
