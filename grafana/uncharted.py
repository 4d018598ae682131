"""The metrics that are neither on the dashboard nor in a rule, each with the reason."""

UNCHARTED = {
    "gitjob_cleaner_last_sweep_timestamp_seconds": "the last success counts; sweeps that end otherwise are charted by outcome",
    "process_max_fds": "a limit that never moves; the open files are charted",
    "process_virtual_memory_bytes": "address space costs nothing; the resident memory is charted",
}
