"""A /proc of a test's own, with the processes it wants."""

from pathlib import Path

TICKS = 100  # a second, as the kernel has it on every machine that tests run on


def put(
    proc: Path,
    pid: int,
    name: str = "worker",
    *,
    started: int = 1000,
    cpu: float = 0.0,
    rss_pages: int = 1,
    ppid: int = 1,
    session: int = 1,
    state: str = "S",
    flags: int = 0,
    command: tuple[str, ...] = (),
) -> None:
    """Write what the kernel would tell of one process; `cpu` in seconds."""
    folder = proc / str(pid)
    folder.mkdir(parents=True, exist_ok=True)
    before = f"{pid} ({name}) {state} {ppid} {pid} {session} 0 -1 {flags} 0 0 0 0 {round(cpu * TICKS)} 0 0 0 20 0 3 0"
    (folder / "stat").write_text(f"{before} {started} 4096 {rss_pages} 18446744073709551615 1 1 0 0 0 0 0\n")
    (folder / "cmdline").write_bytes(b"".join(part.encode() + b"\0" for part in command))
