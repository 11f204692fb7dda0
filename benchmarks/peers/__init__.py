"""Peers that are measured beside us, each in an environment of its own under `.peers/` (`make .peers/ready`).

The scripts here run in those environments and import nothing of ours.
"""

from pathlib import Path

_HERE = Path(__file__).resolve().parent
_ENVIRONMENTS = _HERE.parent.parent / ".peers"


def command(peer: str, *arguments: str, script: str = "noop") -> tuple[str, ...] | None:
    """The command that runs one of a peer's scripts; None when its environment is not made."""
    python = _ENVIRONMENTS / peer / "bin" / "python"
    return (str(python), str(_HERE / f"{peer}_{script}.py"), *arguments) if python.exists() else None
