"""How it is set up."""

import streamlit as st

from dashboard.here import Here


def draw(here: Here) -> None:
    """Draw the page."""
    st.subheader(here.words("Settings"), anchor=False)
