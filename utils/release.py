"""Which release this is."""

from functools import cache
from pathlib import Path


@cache
def release() -> str:
    """The version that `pyproject.toml` names.

    >>> release().count(".")
    2
    """
    import tomllib

    project = Path(__file__).resolve().parent.parent / "pyproject.toml"
    return str(tomllib.loads(project.read_text())["project"]["version"])
