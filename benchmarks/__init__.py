"""Measurements that anyone can run; every claim of speed or memory in the docs comes from one of them."""
