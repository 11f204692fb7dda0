"""What a page shows stands in its address, so that a link shows the same."""

from collections.abc import Mapping, Sequence

import streamlit as st

__all__ = ["choice", "given", "go"]


def given(name: str, default: str = "", *, among: Mapping[str, object] | None = None) -> str:
    """What the address says, or the default; also where it says something that there is not."""
    value = st.query_params.get(name, default)
    return default if among is not None and value not in among else value


def go(**values: str) -> None:
    """Put these into the address; "" takes one out. For what happens on a click."""
    for name, value in values.items():
        if value:
            st.query_params[name] = value
        else:
            st.query_params.pop(name, None)


def choice(name: str, label: str, options: Mapping[str, str], default: str, *, forget: Sequence[str] = ()) -> str:
    """A row of options, one of which is chosen; what is chosen stands in the address under `name`.

    Unlike Streamlit's own binding, which writes the option's words there, so that a count in them would change it.

    Args:
        options: Their names in the address, and their words, translated already.
        forget: Other names of the address that are taken out when something else is chosen.
    """
    key = f"choice-{name}"
    st.session_state[key] = given(name, default, among=options)

    def chosen() -> None:
        picked = st.session_state[key]
        go(**dict.fromkeys(forget, ""), **{name: "" if picked == default else picked})

    st.segmented_control(
        label, list(options), format_func=lambda one: options[one], key=key, required=True, on_change=chosen
    )
    return given(name, default, among=options)
