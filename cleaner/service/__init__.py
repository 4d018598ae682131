"""The service: a loop, a watch, a leader; the same look, decide and act as a single sweep."""
