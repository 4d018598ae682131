"""What `gitjob-cleaner demo` runs: a small Kubernetes-protocol server and a stand-in for Fleet's controller."""
