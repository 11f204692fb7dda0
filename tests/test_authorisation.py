"""Who may do what stands in docs/security.md as the program has it: what has no row there fails here."""

import pytest

from tests import authorisation
from tests.authorisation import (
    LET_IN,
    UNKNOWN,
    Path_,
    asked_for,
    buttons,
    commands,
    on_the_page,
    rendered,
    template_of,
)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path_], bool]:
    """What each asker got on each path, and whether the page says so."""
    with authorisation.configured(tmp_path_factory.mktemp("asked")).system() as system:
        served = authorisation.paths(system)
    return served, rendered(served) == on_the_page()


def test_the_page_says_who_may_do_what(asked: tuple[list[Path_], bool]) -> None:
    """`python -m tests.authorisation` writes it anew; look at what changed before you commit it."""
    served, same = asked

    assert len(served) > 80
    assert same, "docs/security.md is not as the program is: python -m tests.authorisation"


def test_nobody_from_elsewhere_gets_anything(asked: tuple[list[Path_], bool]) -> None:
    """Not even how it is; and once a token exists nobody without one changes anything here either."""
    served, _ = asked
    away, here = UNKNOWN.index("nobody, from elsewhere"), UNKNOWN.index("nobody, here")

    assert {one.answers[away] for one in served} == {"401"}
    assert [one for one in served if one.method != "GET" and one.answers[here] != "401"] == []


def test_a_higher_role_may_all_that_a_lower_one_may(asked: tuple[list[Path_], bool]) -> None:
    """A viewer looks and changes nothing; no path is closed to everybody."""
    served, _ = asked
    for one in served:
        by_role = [got == LET_IN for got in one.answers[len(UNKNOWN) :]]

        assert by_role == sorted(by_role), one
        assert by_role[-1], one
        assert by_role[0] == (one.method in {"GET", "WEBSOCKET"}), one


def test_every_operation_of_the_client_is_a_path_that_a_viewer_is_refused(asked: tuple[list[Path_], bool]) -> None:
    """What buttons call is what the table of paths is about."""
    known = {(one.method, one.path): one for one in asked[0]}
    for operation in buttons():
        for method, path in asked_for(operation):
            one = known[template_of(method, path, known)]
            assert one.answers[len(UNKNOWN)] == "403", operation

    assert {"run", "accept", "pause", "silence", "maintain"} <= set(buttons())


def test_keys_are_handed_out_by_the_owner_of_the_state_only() -> None:
    """On the command line: nothing else acts as admin than what copies the whole state, or makes a token."""
    acting = commands()

    assert {path for path, role in acting.items() if role == "admin"} == {
        *("backup", "restore", "migrate"),
        *("tokens create", "tokens revoke"),
    }
    assert acting["run"] == acting["runs cancel"] == "operator"
    assert acting["status"] == acting["config check"] == ""
    assert acting["events"] == acting["detect"] == ""
