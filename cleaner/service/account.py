"""What is told of each pass: that it began, and what it came to."""

from collections import Counter
from collections.abc import Mapping

from cleaner.cluster import Brake, Clock, Fate
from cleaner.happened import Observer, SweepBegan, Swept
from cleaner.model import Outcome, Owner
from cleaner.result import exit_code
from cleaner.retention import Reason
from cleaner.sweep import Sweep

_OUTCOMES = {0: "done", 1: "partial", 3: "refused", 4: "unreachable", 5: "braked"}


class Account:
    """Numbers the passes of this process."""

    def __init__(self, clock: Clock, tell: Observer, led: Brake) -> None:
        self._clock, self._tell, self._led = clock, tell, led
        self._count = 0

    def begin(self, trigger: str) -> str:
        """Tell that a pass begins; return its name."""
        self._count += 1
        sweep_id = f"{int(self._clock.now()):x}-{self._count}"
        self._tell(SweepBegan(sweep_id, trigger))
        return sweep_id

    def end(self, sweep_id: str, trigger: str, sweep: Sweep, jobs: int) -> tuple[float, bool]:
        """Tell what a pass of so many Jobs came to; return when it ended, and whether it went well."""
        result = sweep.result()
        code = exit_code(result)
        stopped = result.brake is not None and result.brake.brake == "stop"
        brake = result.brake or self._led()
        self._tell(
            Swept(
                id=sweep_id,
                trigger=trigger,
                outcome="stopped" if stopped else _OUTCOMES[code],
                started=result.started,
                seconds=max(0.0, result.ended - result.started),
                gitrepos=len(result.plans),
                jobs=jobs,
                fates=_counted(result.fates()),
                pods=_counted(result.pods.fates()),
                backlog=result.backlog,
                detail=f"{brake.brake}: {brake.text}" if brake is not None else "",
            )
        )
        return result.ended, code == 0


def _counted(fates: Mapping[Fate, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((fate.value, count) for fate, count in fates.items()))


def jobs_of(sweep: Sweep) -> int:
    """Count the Jobs that a pass has judged."""
    return sum(len(plan.verdicts) for plan in sweep.plans.values())


def pods_left(sweep: Sweep) -> Counter[tuple[Owner, Outcome | None, Reason]]:
    """Count the Pods that Jobs left behind and that are still there after a pass, by GitRepo, outcome and verdict."""
    return Counter((verdict.job.owner, verdict.job.outcome, verdict.reason) for verdict in sweep.result().pods.left())
