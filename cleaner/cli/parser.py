"""The command line, made from the fields of the settings; it imports nothing heavy, so that `--help` is light."""

import argparse
from typing import Any, NoReturn

from cleaner import __version__
from cleaner.durations import parse_duration
from cleaner.settings import describe_default, fields_of

COMMANDS = {
    "sweep": "one pass: delete the finished Jobs that nothing needs any more",
    "run": "the service: sweep at an interval, watch in between, serve metrics and a page",
    "migrate": "once, after an upgrade of Fleet: clear what Fleet <= 0.10.3 has left, and unblock what it blocks",
    "explain": "why each Job of one GitRepo is kept, and until when",
    "guard": "a service of its own: hold GitRepos that are deleted until their last error is told and their Pods are gone",
    "release": "take the finalizer of guard off every GitRepo, once: before you uninstall",
    "retry": "run a GitRepo that failed again, or all that failed, as Fleet itself does",
    "check": "before you install: what a command needs here, and whether it is there, line by line; nothing is changed",
    "rights": "the roles that a command needs with its settings, as manifests: exactly these; asks no cluster",
    "demo": "watch it at work on an embedded sandbox, without a cluster",
}
_UNCHECKED = ("check", "rights", "demo")
_OF_DELETING = {"dry_run", "yes", "max_deletions", "delete_rate", "delete_workers"}
_OF_SERVING = {"interval", "watch", "listen", "leader_election", "lease_duration", "events", "metrics_per_gitrepo"}
_OF_RETRYING = {"wait", "all_failed", "retry_limit", "retry_pause", "nudge"}
_OF_ELECTING = {"leader_election", "lease_duration"}
_NOT_MIGRATING = {"evidence", "guard", "orphaned_pods", "current", "wake"}
_OF_ONE = _OF_RETRYING | {"again", "wait_limit"}
_OF_CONNECTING = {"kubeconfig", "context", "request_timeout", "log_level", "log_format", "namespaces", "yes"}
_OF_GUARDING = {
    "clock_bound",
    "exclude_namespaces",
    "selector",
    "instance",
    "own_namespace",
    "interval",
    "listen",
    "events",
    "guard",
}
_OF_KEEPING = {
    "succeeded_keep",
    "succeeded_age",
    "failed_keep",
    "failed_age",
    "current",
    "settle",
    "annotated_age_min",
    "annotated_age_max",
    "annotated_keep_min",
    "annotated_keep_max",
    "orphaned_pods",
    "evidence",
    "wake",
    "clock_bound",
    "instance",
    "own_namespace",
}
_LEFT_OUT = {
    "sweep": _OF_SERVING | _OF_ONE | {"evidence", "guard"},
    "explain": _OF_DELETING | _OF_SERVING | _OF_ONE | {"evidence", "guard"},
    "run": {"output", "guard"} | _OF_ONE,
    "migrate": (_OF_SERVING - _OF_ELECTING) | _OF_RETRYING | _NOT_MIGRATING,
    "check": {"yes", "log_level", "log_format"},
    "retry": (_OF_DELETING - {"dry_run", "yes"}) | _OF_SERVING | _OF_KEEPING | {"again", "guard", "log_level", "log_format"},
}
_OF_RIGHTS = {
    "namespaces",
    "exclude_namespaces",
    "selector",
    "instance",
    "own_namespace",
    "fleet_namespace",
    "fleet_version",
    "current",
    "orphaned_pods",
    "evidence",
    "watch",
    "events",
    "leader_election",
    "guard",
    "wait",
    "all_failed",
    "nudge",
    "dry_run",
}
_TAKEN = {
    "guard": _OF_CONNECTING | _OF_GUARDING,
    "release": _OF_CONNECTING | {"dry_run"},
    "rights": _OF_RIGHTS,
}


class UsageError(Exception):
    """What was typed cannot be understood; the text is one line."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


def parse(arguments: list[str]) -> tuple[str, dict[str, str]]:
    """
    Read the command and its flags, as text: the settings make values of them.

    Raises:
        UsageError: there is no such command or flag.

    """
    found = vars(_parser().parse_args(arguments))
    command = found.pop("command")
    return command, {name: text for name, text in found.items() if text is not None}


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="gitjob-cleaner",
        description="Deletes the finished Jobs of Fleet GitRepos that nothing needs any more, and says why it keeps the rest.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"gitjob-cleaner {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command, meaning in COMMANDS.items():
        one = commands.add_parser(command, help=meaning, description=meaning, allow_abbrev=False)
        _add_demo(one) if command == "demo" else _add_settings(one, command)
    return parser


def _add_settings(parser: argparse.ArgumentParser, command: str) -> None:
    if command == "explain":
        parser.add_argument("gitrepo", metavar="[NAMESPACE/]GITREPO", help="the GitRepo to explain")
    if command == "retry":
        meaning = "the GitRepo to run again; or, instead, --all-failed"
        parser.add_argument("gitrepo", metavar="[NAMESPACE/]GITREPO", nargs="?", help=meaning)
    if command in {"check", "rights"}:
        choices = [name for name in COMMANDS if name not in _UNCHECKED]
        meaning = f"the command that it is about: {', '.join(choices)} (default: sweep); with the flags that it is to have"
        parser.add_argument("checked", metavar="COMMAND", nargs="?", choices=choices, default="sweep", help=meaning)
    if command == "rights":
        meaning = "the ServiceAccount that gets them, in own_namespace (default: gitjob-cleaner)"
        parser.add_argument("--account", metavar="NAME", default="gitjob-cleaner", help=meaning)
        parser.add_argument("--name", metavar="NAME", help="the name of the roles (default: the account's)")
    parser.add_argument("--config", metavar="PATH", help="YAML file with settings, named as the flags are but with _ for -")
    for field in fields_of():
        if field.name in _TAKEN.get(command, {field.name}) - _LEFT_OUT.get(command, set()):
            _add(parser, field)


def _add(parser: argparse.ArgumentParser, field: Any) -> None:
    kind, flag = field.metadata["kind"], field.name.replace("_", "-")
    meaning = f"{field.metadata['meaning']} ({kind}; default: {describe_default(field)})".replace("%", "%%")
    if kind == "true or false":
        # What is on by itself is shown as what switches it off.
        on, off = _switch(field)
        parser.add_argument(f"--{flag}", dest=field.name, action="store_const", const="true", help=on)
        parser.add_argument(f"--no-{flag}", dest=field.name, action="store_const", const="false", help=off)
    else:
        parser.add_argument(f"--{flag}", dest=field.name, metavar=_metavar(kind), help=meaning)


def _switch(field: Any) -> tuple[str, str]:
    meaning = str(field.metadata["meaning"]).replace("%", "%%")
    if field.default is True:
        return argparse.SUPPRESS, f"do not {meaning} (default: do)"
    never = "do not, in a Pod neither" if field.default is None else argparse.SUPPRESS
    return f"{meaning} (default: {describe_default(field)})", never


def _metavar(kind: str) -> str:
    """What stands for a value: the choices, where there are any, else the first word of its kind."""
    if " or " in kind:
        return kind.replace(", ", "|").replace(" or ", "|")
    return {"per second": "RATE", "label selector": "SELECTOR"}.get(kind) or kind.split(maxsplit=1)[0].upper()


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--for", dest="duration", metavar="DURATION", type=_duration, help="end by itself, like 30s")
    parser.add_argument("--port", metavar="PORT", help="port on 127.0.0.1 for the sandbox (default: a free one)")


def _duration(text: str) -> str:
    try:
        parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text
