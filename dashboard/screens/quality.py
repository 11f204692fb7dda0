"""How good the data is."""

import streamlit as st

from dashboard.here import Here


def draw(here: Here) -> None:
    """Draw the page."""
    st.subheader(here.words("Quality"), anchor=False)
