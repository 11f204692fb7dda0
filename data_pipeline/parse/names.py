"""Column names that are unique and never empty."""

from collections.abc import Iterable

from data_pipeline.dataset import UNPARSED


def unique_names(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """The names made unique (`x`, `x_2`; an empty third one becomes `column_3`), and notes on what was changed.

    >>> unique_names(["x", "x", ""])
    (['x', 'x_2', 'column_3'], ['column 2 `x` is called `x_2`', 'column 3 has no name and is called `column_3`'])
    """
    wanted = [name.strip() for name in names]
    notes: list[str] = []
    if len(set(wanted)) == len(wanted) and "" not in wanted and UNPARSED not in wanted:
        return wanted, notes
    # Names sent as they are keep them: in `x, x, x_2` the second column becomes `x_3`.
    reserved = {*wanted, UNPARSED}
    taken: set[str] = set()
    counts: dict[str, int] = {}
    result = []
    for position, name in enumerate(wanted, start=1):
        new = name or f"column_{position}"
        if new in taken or new == UNPARSED or (not name and new in reserved):
            number = counts.get(new, 1)
            while True:
                number += 1
                candidate = f"{new}_{number}"
                if candidate not in taken and candidate not in reserved:
                    break
            counts[new] = number
            new = candidate
        taken.add(new)
        result.append(new)
        if not name:
            notes.append(f"column {position} has no name and is called `{new}`")
        elif new != name:
            notes.append(f"column {position} `{name}` is called `{new}`")
    return result, notes
