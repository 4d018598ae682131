"""What the tool exports to Prometheus; the only room that knows its client."""

from cleaner.metrics.catalogue import CATALOGUE, LABELS, SECTIONS, Metric
from cleaner.metrics.exposition import Exposition
from cleaner.metrics.guarding import GUARDS, GuardMetrics
from cleaner.metrics.instance import Metrics

__all__ = ["CATALOGUE", "GUARDS", "LABELS", "SECTIONS", "Exposition", "GuardMetrics", "Metric", "Metrics"]
