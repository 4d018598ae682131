"""Run a failed GitRepo again, the way Fleet means it."""
