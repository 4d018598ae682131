"""One pass: look, decide, act, and say what happened. Every way of running the tool that deletes goes through here."""

from cleaner.sweep.acting import SPENT
from cleaner.sweep.canary import Canary
from cleaner.sweep.look import Looked, is_missing, look
from cleaner.sweep.passes import Order, Sweep
from cleaner.sweep.pods import clear_orphaned_pods

__all__ = ["SPENT", "Canary", "Looked", "Order", "Sweep", "clear_orphaned_pods", "is_missing", "look"]
