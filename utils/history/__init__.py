"""Named numbers over time: points, their roll-ups by minute and hour, charts and aggregates over any range.

    history = History(database)
    history.append("orders_open", times, values, labels={"shop": "berlin"})
    chart = history.range("orders_open", {"shop": "berlin"}, since=start, until=end, points=1200)
    days = history.aggregates("rows", {"dataset": "fx_daily"}, since=start, until=end, by="day", zone="Europe/Berlin")

`points.py` appends single points, `batches.py` many, `cells.py` sums them up, `rollups.py` makes and drops roll-ups,
`reading.py` chooses among the levels. All but the first bring numpy along: they are imported when they are asked for.
"""

from utils.history.points import CLOSE, LEVELS_SCHEMA, SCHEMA, point
from utils.history.series import Series, SeriesNameError
from utils.history.store import Block, History

__all__ = ["CLOSE", "LEVELS_SCHEMA", "SCHEMA", "Block", "History", "Series", "SeriesNameError", "point"]
