"""What a Job, a GitRepo or a Namespace wishes for itself by annotations `gitjob-cleaner/...`."""

import math
import re
from datetime import UTC, date, datetime, time
from typing import NamedTuple, TypeVar

from cleaner.durations import Seconds, format_duration, parse_duration
from cleaner.model import ANNOTATION_PREFIX, Annotations, Moment, Outcome
from cleaner.retention.policy import Bounds, Policy, Rule

Amount = TypeVar("Amount", int, float)

_DAY = 86400.0
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_COUNT = re.compile(r"\d{1,6}")
_AGES = {"succeeded-age": Outcome.SUCCEEDED, "failed-age": Outcome.FAILED}
_KEEPS = {"succeeded-keep": Outcome.SUCCEEDED, "failed-keep": Outcome.FAILED}
_PROTECTIONS = ("protect", "pause")


class Wishes(NamedTuple):
    """What one object asks for; `protected_until` is infinite for good and None for not at all."""

    of: str
    protected_until: Moment | None
    ages: dict[Outcome, Seconds]
    keeps: dict[Outcome, int]


def read_wishes(of: str, annotations: Annotations) -> Wishes:
    """
    Read the annotations of one object.

    Raises:
        ValueError: one of them is unknown or its value is not what it must be; the text names it.

    """
    wishes = Wishes(of, None, {}, {})
    for name, text in annotations:
        try:
            wishes = _add(wishes, name, text.strip())
        except ValueError as error:
            raise ValueError(f"annotation {ANNOTATION_PREFIX}{name:.60} of its {of}: {error}") from error
    return wishes


def _add(wishes: Wishes, name: str, text: str) -> Wishes:
    if name in _PROTECTIONS:
        known = [until for until in (wishes.protected_until, _protection(text)) if until is not None]
        return wishes._replace(protected_until=max(known, default=None))
    if name in _AGES:
        return wishes._replace(ages={**wishes.ages, _AGES[name]: parse_duration(text)})
    if name in _KEEPS:
        return wishes._replace(keeps={**wishes.keeps, _KEEPS[name]: _count(text)})
    raise ValueError(f"not one of {', '.join([*_PROTECTIONS, *_AGES, *_KEEPS])}")


def _protection(text: str) -> Moment | None:
    if text in ("true", "false"):
        return math.inf if text == "true" else None
    try:
        if _DATE.fullmatch(text):
            # A day that is named is a day that counts: protection ends with it.
            return datetime.combine(date.fromisoformat(text), time(), UTC).timestamp() + _DAY
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.timestamp()
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"{text!r:.60} is not true, false, a date like 2026-12-24 or a time like 2026-12-24T08:00:00Z")


def _count(text: str) -> int:
    if not _COUNT.fullmatch(text):
        raise ValueError(f"{text!r:.60} is not a count from 0 to 999999")
    return int(text)


def rule_for(outcome: Outcome, levels: tuple[Wishes, ...], policy: Policy) -> tuple[Rule, tuple[str, ...]]:
    """
    Rule for one Job: the nearest level that says something wins (Job, GitRepo, Namespace, operator), within the bounds.

    The second value tells what was clamped.
    """
    operator, bounds, told = policy.rule(outcome), policy.bounds, []
    age, keep = operator.age, operator.keep
    for of, _, ages, _ in levels:
        if outcome in ages:
            age = _clamp_age(ages[outcome], operator, bounds)
            if age != ages[outcome]:
                told.append(
                    f"{outcome.value}-age {format_duration(ages[outcome])} of the {of} is out of bounds: {format_duration(age)}"
                )
            break
    for of, _, _, keeps in levels:
        if outcome in keeps:
            keep = _clamp_keep(keeps[outcome], operator, bounds)
            if keep != keeps[outcome]:
                told.append(f"{outcome.value}-keep {keeps[outcome]} of the {of} is out of bounds: {keep}")
            break
    return Rule(keep, age), tuple(told)


def _clamp_age(wish: Seconds, operator: Rule, bounds: Bounds) -> Seconds:
    return _clamped(wish, operator.age, bounds.age_min, bounds.age_max)


def _clamp_keep(wish: int, operator: Rule, bounds: Bounds) -> int:
    return _clamped(wish, operator.keep, bounds.keep_min, bounds.keep_max)


def _clamped(wish: Amount, operator: Amount, least: Amount | None, most: Amount) -> Amount:
    """Clamp to the bounds; the operator's own value is never out of them, so that a wish for more cannot bring less."""
    return max(min(wish, max(most, operator)), operator if least is None else least)
