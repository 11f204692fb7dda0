"""What is wrong, since when, and who takes it."""

import streamlit as st

from dashboard.here import Here


def draw(here: Here) -> None:
    """Draw the page."""
    st.subheader(here.words("Incidents"), anchor=False)
