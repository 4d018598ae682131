"""The page on Fleet's releases leaves none out, and says of each how it is known."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

Release = tuple[int, int]

PAGE = (Path(__file__).parents[2] / "docs/fleet.md").read_text(encoding="utf-8")
SECTION = re.split(r"^## .*\n", PAGE, flags=re.MULTILINE)[1]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in SECTION.splitlines() if re.match(r"\| 0\.", line)]
RAN: set[Release] = {(10, 2), (10, 4), (14, 10), (16, 1)}
OPEN = 999
"""Stands for the last release of a line: more may come."""


def span(releases: str) -> tuple[Release, Release]:
    """First and last release of a row, as (minor, patch): `0.9.x`, `0.15.0`, or `0.10.0 to 0.10.3`."""
    found = re.fullmatch(r"0\.(\d+)\.(x|\d+)(?: to 0\.(\d+)\.(\d+))?", releases)
    assert found, releases
    minor, patch, last_minor, last_patch = found.groups()
    if patch == "x":
        return (int(minor), 0), (int(minor), OPEN)
    first = (int(minor), int(patch))
    return first, (int(last_minor), int(last_patch)) if last_minor else first


SPANS = [span(row[0]) for row in ROWS]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_release_says_how_it_is_known(row: list[str]) -> None:
    known_by, (first, last) = row[-1], span(row[0])
    seen = re.findall(r"0\.(\d+)\.(\d+)", known_by)

    assert len(row) == 5
    assert re.fullmatch(r"read|seen on 0\.\d+\.\d+, else read", known_by)
    assert {(int(minor), int(patch)) for minor, patch in seen} == {release for release in RAN if first <= release <= last}


def test_no_release_from_0_9_to_0_16_is_left_out() -> None:
    assert SPANS[0][0] == (9, 0)
    assert SPANS[-1] == ((16, 0), (16, OPEN))


def test_releases_follow_one_another() -> None:
    gaps = [
        (before, after)
        for (_, before), (after, _) in pairwise(SPANS)
        if after not in {(before[0], before[1] + 1), (before[0] + 1, 0)}
    ]

    assert gaps == []
    assert all(first <= last for first, last in SPANS)
