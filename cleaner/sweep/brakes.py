"""The brake that every way of deleting asks by itself: no deletion by a clock that is off."""

from cleaner.cluster import Gauges, Refusal
from cleaner.durations import Seconds


def clock_is_off(cluster: Gauges, bound: Seconds) -> Refusal | None:
    """Hold our clock against the API's: whether a wish or an age has ended is told by ours."""
    skew = cluster.skew()
    if skew is None:
        return Refusal("clock", "the API's answers carry no date to hold our clock against")
    if abs(skew) > bound:
        return Refusal("clock", f"our clock and the API's differ by {abs(skew):.0f}s, more than {bound:.0f}s")
    return None
