"""Refusals, as the `Status` objects that a Kubernetes API server answers with (texts as kube-apiserver 1.36 has them)."""

from collections.abc import Mapping

from cleaner.demo.kinds import Kind, Object


class RefusedError(Exception):
    """A request cannot be done; carries the whole answer.

    `retry_after` is in seconds and becomes a header of that name.
    """

    def __init__(self, code: int, reason: str, message: str, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.body: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        self.body |= {"message": message}
        self.body |= {"reason": reason} if reason else {}
        self.body |= {"details": dict(details)} if details is not None else {}
        self.body |= {"code": code}


def _details(kind: Kind, name: str, label: str) -> Object:
    return {"name": name} | ({"group": kind.group} if kind.group else {}) | {"kind": label}


def success(kind: Kind, name: str, uid: str) -> Object:
    """The answer to a deletion after which nothing is left."""
    head: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return head | {"details": _details(kind, name, kind.plural) | {"uid": uid}}


def not_found(kind: Kind, name: str) -> RefusedError:
    """404: the kind is served, the object is not there."""
    return RefusedError(404, "NotFound", f'{kind.resource} "{name}" not found', _details(kind, name, kind.plural))


def no_resource() -> RefusedError:
    """404: the group and version are served, this resource is not."""
    return RefusedError(404, "NotFound", "the server could not find the requested resource", {})


def exists(kind: Kind, name: str) -> RefusedError:
    """409: the name is taken."""
    return RefusedError(409, "AlreadyExists", f'{kind.resource} "{name}" already exists', _details(kind, name, kind.plural))


def modified(kind: Kind, name: str) -> RefusedError:
    """409: the resourceVersion sent is not the one stored."""
    text = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(kind, name, text, kind.resource, kind.plural)


def precondition(kind: Kind, name: str, field: str, wanted: str, found: str) -> RefusedError:
    """409: a DELETE's precondition does not hold; `field` is `UID` or `ResourceVersion`."""
    happened = "deleted and then recreated" if field == "UID" else "modified"
    text = f"the {field} in the precondition ({wanted}) does not match the {field} in record ({found}). "
    return conflict(kind, name, f"{text}The object might have been {happened}", kind.qualified, kind.name)


def conflict(kind: Kind, name: str, text: str, subject: str, label: str) -> RefusedError:
    """409 in the words of apimachinery's `NewConflict`."""
    message = f'Operation cannot be fulfilled on {subject} "{name}": {text}'
    return RefusedError(409, "Conflict", message, _details(kind, name, label))


def invalid(kind: Kind, name: str, field: str, text: str) -> RefusedError:
    """422: one field is wrong."""
    causes = [{"reason": "FieldValueInvalid", "message": text, "field": field}]
    message = f'{kind.qualified} "{name}" is invalid: {field}: {text}'
    return RefusedError(422, "Invalid", message, _details(kind, name, kind.name) | {"causes": causes})


def bad_options(options: str, field: str, text: str) -> RefusedError:
    """422: a query parameter or delete option is wrong; `options` is `ListOptions` or `DeleteOptions`."""
    message = f'{options}.meta.k8s.io "" is invalid: {field}: {text}'
    causes = [{"reason": "FieldValueInvalid", "message": text, "field": field}]
    return RefusedError(422, "Invalid", message, {"group": "meta.k8s.io", "kind": options, "causes": causes})


def bad_request(message: str) -> RefusedError:
    """400: what was sent cannot be understood."""
    return RefusedError(400, "BadRequest", message)


def unprocessable() -> RefusedError:
    """422: a JSON patch does not fit the object."""
    return RefusedError(422, "Invalid", "the server rejected our request due to an error in our request", {})


def unsupported_verb() -> RefusedError:
    """405: the resource has no such verb."""
    text = "the server does not allow this method on the requested resource"
    return RefusedError(405, "MethodNotAllowed", text, {})


def unsupported_media() -> RefusedError:
    """415: this kind of patch is not served."""
    return RefusedError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})


def forbidden(message: str) -> RefusedError:
    """403."""
    return RefusedError(403, "Forbidden", message, {})


def too_old(version: int, oldest: int) -> RefusedError:
    """410: a watch or list wants a past that is no longer kept."""
    return RefusedError(410, "Expired", f"too old resource version: {version} ({oldest})")


def too_new(version: int, current: int) -> RefusedError:
    """504: a list wants a resourceVersion that has not been reached."""
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    message = f"Timeout: Too large resource version: {version}, current: {current}"
    return RefusedError(504, "Timeout", message, {"causes": causes, "retryAfterSeconds": 1})


def token_expired(fresh_token: str) -> RefusedError:
    """410: a continue token's snapshot is gone; `fresh_token` goes on from the same place in the present."""
    refusal = RefusedError(
        410,
        "Expired",
        "The provided continue parameter is too old to display a consistent list result. You can start a new list "
        "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
        "results.",
    )
    refusal.body["metadata"] = {"continue": fresh_token}
    return refusal
