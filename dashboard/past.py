"""The moment that a page shows, when it is not now: chosen in the sidebar, or given in the address as `as_of`."""

from datetime import UTC, datetime

import streamlit as st

from dashboard.language import Words

__all__ = ["PAGES", "back_to_now", "chosen"]

PAGES = frozenset({"overview", "dataset", "runs", "incidents"})
"""The pages that can show the past; the others always show now."""

_KEPT, _PAGE, _PICKER = "as_of", "as_of_page", "as_of_picker"


def chosen(page: str, words: Words, now: datetime) -> tuple[str | None, str]:
    """The moment to show, RFC 3339 in UTC, None for now; and what is wrong with the one in the address, in words.

    It stays while somebody goes from page to page, and goes when they go back to an address without it.
    """
    session = st.session_state
    before, session[_PAGE] = session.get(_PAGE), page
    if page not in PAGES:
        return None, ""
    asked = st.query_params.get("as_of")
    wrong = ""
    if asked is not None:
        found = _read(asked, now)
        wrong = "" if found else words("This is no moment of the past: {given}. Shown is now.", given=asked[:60])
        session[_KEPT] = found
    elif before == page:
        session[_KEPT] = None
    kept: str | None = session.get(_KEPT)
    if kept is not None:
        st.query_params["as_of"] = kept
    session[_PICKER] = _to_the_minute(kept)
    st.datetime_input(
        words("As of (UTC)"),
        value=None,
        max_value=now.replace(tzinfo=None),
        step=300,
        key=_PICKER,
        on_change=_pick,
        help=words("Show this page as it was at that time"),
    )
    return kept, wrong


def back_to_now() -> None:
    """Show what is now."""
    st.session_state[_KEPT] = None
    st.query_params.pop("as_of", None)


def _pick() -> None:
    picked: datetime | None = st.session_state[_PICKER]
    if picked == _to_the_minute(st.session_state.get(_KEPT)):
        return
    if picked is None:
        back_to_now()
    else:
        st.query_params["as_of"] = picked.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")


def _to_the_minute(kept: str | None) -> datetime | None:
    """As the picker has it: more it cannot show."""
    return None if kept is None else datetime.fromisoformat(kept).replace(tzinfo=None, second=0, microsecond=0)


def _read(text: str, now: datetime) -> str | None:
    try:
        found = datetime.fromisoformat(text)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):  # overflow: its zone takes it out of the years 1 to 9999
        return None
    return found.isoformat().replace("+00:00", "Z") if found < now else None
