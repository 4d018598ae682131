"""What kube-apiserver demands of a Job's status (`ValidateJobStatus` in kubernetes/pkg/apis/batch/validation)."""

from cleaner.demo.kinds import JOB, Object
from cleaner.demo.status import invalid


def check_status(job: Object) -> None:
    """Raise RefusedError (422) for an end that a Job cannot have.

    Only success has a completion time, and each terminal condition needs the one that announces it.
    """
    state = job.get("status") or {}
    true = {c.get("type") for c in state.get("conditions") or () if c.get("status") == "True"}
    name = job["metadata"]["name"]
    for end, herald in (("Complete", "SuccessCriteriaMet"), ("Failed", "FailureTarget")):
        if end in true and herald not in true:
            text = f"Invalid value: cannot set {end}=True condition without the {herald}=true condition"
            raise invalid(JOB, name, "status.conditions", text)
    if "Complete" in true and not state.get("completionTime"):
        raise invalid(JOB, name, "status.completionTime", "Required value: completionTime is required for Complete jobs")
    if state.get("completionTime") and "Complete" not in true:
        text = "Invalid value: cannot set completionTime when there is no Complete=True condition"
        raise invalid(JOB, name, "status.completionTime", text)
