"""Jobs whose deletion was accepted and that wait for their finalizers: they count as deleted once they are seen gone."""

import msgspec

from cleaner.cluster import Fate
from cleaner.happened import Attempted
from cleaner.inventory import Inventory


class Leaving:
    """What was accepted, by uid. Another attempt that came to nothing does not take that back."""

    def __init__(self) -> None:
        self._accepted: dict[str, Attempted] = {}

    def __contains__(self, uid: str) -> bool:
        """Whether a deletion of this Job was accepted before."""
        return uid in self._accepted

    def note(self, attempted: Attempted) -> None:
        """Note what became of an attempt."""
        uid, fate = attempted.verdict.job.uid, attempted.deletion.fate
        if fate is Fate.TERMINATING:
            self._accepted[uid] = attempted
        elif fate is Fate.DELETED:
            self._accepted.pop(uid, None)

    def gone(self, uid: str) -> Attempted | None:
        """What became of the attempt, now that the Job is seen to be gone; None where no deletion was accepted."""
        accepted = self._accepted.get(uid)
        if accepted is None:
            return None
        deletion = msgspec.structs.replace(accepted.deletion, fate=Fate.DELETED, detail="seen gone")
        return msgspec.structs.replace(accepted, deletion=deletion)

    def missing(self, inventory: Inventory) -> list[str]:
        """Those that are not known any more; of a GitRepo that is not looked after now nothing is known."""
        missing = []
        for uid, accepted in self._accepted.items():
            owner = accepted.verdict.job.owner
            group = inventory.groups.get(owner)
            if owner not in inventory.left_out and (group is None or all(job.uid != uid for job in group.jobs)):
                missing.append(uid)
        return missing
