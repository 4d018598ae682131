"""What a request asks for, in RBAC's words."""

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def asked(method: str, path: str) -> tuple[str, str]:
    """Verb and resource, as RBAC has them: `list jobs` for one path and `get jobs` for the same with a name behind it."""
    parts = path.split("/")
    rest = parts[3:] if parts[1] == "api" else parts[4:]
    if len(rest) > 2 and rest[0] == "namespaces":
        rest = rest[2:]
    if not rest:
        return method.lower(), parts[1]  # no resource at all: /version
    resource = f"{rest[0]}/{rest[2]}" if len(rest) > 2 else rest[0]
    return _VERBS.get(method) or ("get" if len(rest) > 1 else "list"), resource
