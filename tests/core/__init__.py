"""The rules, by tables and properties: no I/O, no clock, no cluster."""
