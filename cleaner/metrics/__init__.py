"""What the tool exports to Prometheus; the only room that knows its client."""
