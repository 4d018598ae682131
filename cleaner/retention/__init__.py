"""The rules: why a finished Job is kept, until when, and what is left to delete. Pure: no I/O, no clock, no log."""

from cleaner.retention.plan import Plan, Surroundings, plan, plan_pods
from cleaner.retention.policy import Bounds, Current, Policy, Rule
from cleaner.retention.reasons import Reason, Verdict
from cleaner.retention.stuck import Stuck, polling_dies, stuck

__all__ = [
    "Bounds",
    "Current",
    "Plan",
    "Policy",
    "Reason",
    "Rule",
    "Stuck",
    "Surroundings",
    "Verdict",
    "plan",
    "plan_pods",
    "polling_dies",
    "stuck",
]
