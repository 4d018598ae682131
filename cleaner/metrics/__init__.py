"""What the tool exports to Prometheus; the only room that knows its client."""

from cleaner.metrics.catalogue import CATALOGUE, LABELS, SECTIONS, Metric
from cleaner.metrics.exposition import Exposition
from cleaner.metrics.gateway import Gateway, NotPushed
from cleaner.metrics.guarding import GUARDS, GuardMetrics
from cleaner.metrics.instance import Metrics
from cleaner.metrics.run_totals import RUNS, Ended, RunTotals

__all__ = [
    "CATALOGUE",
    "GUARDS",
    "LABELS",
    "RUNS",
    "SECTIONS",
    "Ended",
    "Exposition",
    "Gateway",
    "GuardMetrics",
    "Metric",
    "Metrics",
    "NotPushed",
    "RunTotals",
]
