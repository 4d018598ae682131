"""What `fleet apply` says of its failure, among all that it and its libraries say."""

import json
from collections.abc import Iterator

_KEY = "fleetErrorMessage"
_LONGEST = 16_384
_CUT_BY_KUBELET = 2_048

_DECODER = json.JSONDecoder()


def failure_of(message: str) -> str:
    """
    Reduce a Pod's last words to the error that Fleet itself would tell, as Fleet >= 0.13 does; else return them as they are.

    Where the kubelet has kept only their end, what is left of the first line may be half a credential: it is left out. Source:
    filterFleetCLIJobOutput in Fleet; TerminationMessagePolicy in pkg/apis/core/types.go of Kubernetes.
    """
    text = message[-_LONGEST:]
    errors = list(dict.fromkeys(_errors_in(text)))
    if errors:
        return "\n".join(errors)
    return (_whole_lines(text) if len(text.encode(errors="replace")) >= _CUT_BY_KUBELET else text).strip()


def _whole_lines(text: str) -> str:
    """Leave out the first line; of a single one the first word."""
    _, _, lines = text.partition("\n")
    return lines if lines.strip() else text.partition(" ")[2]


def _errors_in(text: str) -> Iterator[str]:
    """The errors in all JSON objects of a text; several may stand on one line, after other words."""
    at = text.find("{")
    while at >= 0:
        try:
            found, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            found, end = None, at + 1
        error = found.get(_KEY) if isinstance(found, dict) else None
        if isinstance(error, str) and error.strip():
            yield error.strip()
        at = text.find("{", end)
