"""THIRD_PARTY.md: whose work the program stands on, as the lock file has it."""

import re

from tests.deploy.dockerfile import ROOT


def canonical(name: str) -> str:
    """As PEP 503 compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_it_lists_what_is_locked_with_a_licence_each():
    """The same names and versions, no more; when it differs, `make licences` writes it anew."""
    lines = (ROOT / "requirements.txt").read_text().split()
    locked = {canonical(name): version for name, _, version in (line.partition("==") for line in lines)}
    rows = [
        [cell.strip() for cell in line.strip("|\n").split("|")]
        for line in (ROOT / "THIRD_PARTY.md").read_text().splitlines()
        if line.startswith("| ")
    ][1:]

    assert {canonical(name): version for name, version, _ in rows} == locked, "run `make licences`"
    assert all(re.search(r"[A-Z]", licence) and licence != "UNKNOWN" for _, _, licence in rows)
