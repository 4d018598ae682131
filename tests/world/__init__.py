"""The world that the tests and the benchmarks run against: a real Kubernetes API, faults on the way to it, Jobs in it."""
