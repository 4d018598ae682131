"""The Grafana dashboard, written as code: `python -m grafana.dashboard` writes `gitjob-cleaner.json`."""
