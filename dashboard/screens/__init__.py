"""The pages, one file each. Not named `pages`: Streamlit would take such a folder for scripts of its own."""
