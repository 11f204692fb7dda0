"""A shared state in memory: what two breakers of the same test see of each other."""

from collections.abc import Callable

from utils.resilience.shared_state import Verdict


class MemoryState:
    """Counts its uses; raises while `broken`."""

    def __init__(self) -> None:
        self.verdicts: dict[str, Verdict] = {}
        self.saved: list[Verdict] = []
        self.looks = self.loads = 0
        self.broken = False

    def load(self, name: str) -> Verdict | None:
        self.loads += 1
        self._check()
        return self.verdicts.get(name)

    def change(self, name: str, step: Callable[[Verdict | None], Verdict]) -> None:
        self._check()
        verdict = step(self.verdicts.get(name))
        if verdict != self.verdicts.get(name):
            self.saved.append(verdict)
            self.verdicts[name] = verdict

    def version(self) -> int:
        self.looks += 1
        self._check()
        return len(self.saved)

    def _check(self) -> None:
        if self.broken:
            raise OSError("the disk is away")
