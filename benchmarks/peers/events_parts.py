"""The peers' logs and buses at the same work as ours, as far as they can do it.

eventsourcing's recorder keeps one unique index, no chain, and waits for the disk (SQLite's default, synchronous=FULL);
SQLAlchemy Core fills a table of our columns, with indexes for what our links answer, without waiting (NORMAL).
"""

import asyncio
import logging
import sys
import uuid
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import blinker
import orjson
import psygnal
import sqlalchemy as sa
from eventsourcing.persistence import StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore
from pyee.base import EventEmitter

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from events_workload import HANDLERS, SUBJECTS, announced, data, handler, kind, one_by_one, source, subject
from loops import serve

STREAMS = [uuid.uuid5(uuid.NAMESPACE_URL, subject(number)) for number in range(SUBJECTS)]


def stored(number):
    return StoredEvent(
        originator_id=STREAMS[number % SUBJECTS],
        originator_version=number // SUBJECTS,
        topic=kind(number),
        state=orjson.dumps(data(number)),
    )


def recorder(place):
    made = SQLiteApplicationRecorder(SQLiteDatastore(f"{place}/eventsourcing.db"))
    made.create_table()
    with made.datastore.transaction(commit=False) as cursor:
        cursor.execute("PRAGMA synchronous")
        if tuple(cursor.fetchone()) != (2,):
            raise RuntimeError("eventsourcing no longer waits for the disk")
    return made


def table(place):
    """Through SQLAlchemy, a table with our columns, and an index for each question that our links answer."""
    engine = sa.create_engine(f"sqlite:///{place}/sqlalchemy.db")

    @sa.event.listens_for(engine, "connect")
    def prepare(connection, _record):
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")

    texts = ("time", "source", "type", "subject", "data")
    metadata = sa.MetaData()
    events = sa.Table(
        "events",
        metadata,
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, unique=True, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in texts),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("prev_hash", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Index("events_by_subject", "subject", "version", unique=True),
        sa.Index("events_by_source", "source", "seq"),
        sa.Index("events_by_type", "type", "seq"),
    )
    metadata.create_all(engine)
    insert = sa.insert(events).inline()

    def append(number):
        row = {
            "seq": number + 1,
            "id": f"01940000-0000-7000-8000-{number:012x}",
            "time": "2026-01-01T00:00:00.000000Z",
            "source": source(number),
            "type": kind(number),
            "subject": subject(number),
            "data": orjson.dumps(data(number)).decode(),
            "version": number // SUBJECTS,
            "prev_hash": "0" * 64,
            "hash": "1" * 64,
        }
        with engine.begin() as connection:
            connection.execute(insert, row)

    return append


def append(folder, seconds):
    """Events one by one, each committed."""
    with TemporaryDirectory(dir=folder) as place:
        log = recorder(place)
        done = one_by_one(
            {"SQLAlchemy": table(place), "eventsourcing": lambda number: log.insert_events([stored(number)])}, seconds
        )
        log.datastore.close()
    loose, strict = done["SQLAlchemy"], done["eventsourcing"]
    return {
        "append_per_s": {"SQLAlchemy": loose.per_second},
        "append_cpu_us": {"SQLAlchemy": loose.cpu_us},
        "append_p50_us": {"SQLAlchemy": loose.microseconds(0.5)},
        "append_p99_us": {"SQLAlchemy": loose.microseconds(0.99)},
        "append_power_per_s": {"eventsourcing": strict.per_second},
        "append_power_cpu_us": {"eventsourcing": strict.cpu_us},
        "append_power_p50_us": {"eventsourcing": strict.microseconds(0.5)},
        "append_power_p99_us": {"eventsourcing": strict.microseconds(0.99)},
    }


def batch(folder, seconds):
    """A thousand a commit, then all read again in pages of a thousand, with their data decoded."""
    with TemporaryDirectory(dir=folder) as place:
        log = recorder(place)

        def thousand(number):
            log.insert_events([stored(one) for one in range(number * 1000, number * 1000 + 1000)])

        done = one_by_one({"eventsourcing": thousand}, seconds)["eventsourcing"]
        began, used, count, start = perf_counter(), process_time(), 0, 1
        while page := log.select_notifications(start=start, limit=1000):
            for one in page:
                orjson.loads(one.state)
            count, start = count + len(page), page[-1].id + 1
        taken, used = perf_counter() - began, process_time() - used
        if count != len(done.times) * 1000:
            raise RuntimeError(f"{count} events of {len(done.times) * 1000} came back")
        log.datastore.close()
    return {
        "batch_power_per_s": {"eventsourcing": done.per_second * 1000},
        "batch_power_cpu_us": {"eventsourcing": done.cpu_us / 1000},
        "replay_per_s": {"eventsourcing": count / taken},
        "replay_cpu_us": {"eventsourcing": used / count * 1e6},
    }


def of_psygnal(handlers):
    class Told:
        said = psygnal.Signal(object)

    told = Told()
    for one in handlers:
        told.said.connect(one, check_nargs=False, unique=False)
    return told.said.emit


def of_blinker(handlers):
    signal = blinker.Signal()
    for one in handlers:
        signal.connect(one, weak=False)
    return signal.send


def of_pyee(handlers):
    emitter = EventEmitter()
    for one in handlers:
        emitter.on("said", one)
    return lambda event: emitter.emit("said", event)


BUSES = {"psygnal": of_psygnal, "blinker": of_blinker, "pyee": of_pyee}


def bus(seconds):
    """Handlers are called in place, by the emitter; bubus awaits them."""
    figures = ("bus_100_per_s", "bus_100_cpu_us", "bus_1_per_s", "bus_publish_us", "bus_others_of_2")
    told = {figure: {} for figure in figures}
    for name, make in BUSES.items():
        many = announced(make([handler() for _ in range(HANDLERS)]), seconds)
        told["bus_100_per_s"][name] = many.per_second
        told["bus_100_cpu_us"][name] = many.cpu_us
        told["bus_publish_us"][name] = many.microseconds(0.5)
        told["bus_1_per_s"][name] = announced(make([handler()]), seconds).per_second
        told["bus_others_of_2"][name] = others(make)
    told["bus_100_per_s"]["bubus"] = asyncio.run(of_bubus(seconds))
    return told


def others(make):
    """How many of two healthy handlers heard an event when a third one raised."""
    heard = set()

    def failing(_event):
        raise ValueError

    def first(_event):
        heard.add(1)

    def last(_event):
        heard.add(2)

    with suppress(Exception):
        make([first, failing, last])("event")
    return len(heard)


async def of_bubus(seconds):
    logging.disable(logging.CRITICAL)
    from bubus import BaseEvent, EventBus

    class Happened(BaseEvent):
        number: int

    def listener(number):
        async def listen(_event: Happened):
            return None

        listen.__name__ = f"listen_{number}"
        return listen

    theirs = EventBus(name="bench", max_history_size=50)
    for number in range(HANDLERS):
        theirs.on(Happened, listener(number))
    count, began = 0, perf_counter()
    while perf_counter() - began < seconds:
        await theirs.dispatch(Happened(number=count))
        count += 1
    taken = perf_counter() - began
    await theirs.stop()
    return count / taken


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    serve(
        {
            "append": lambda seconds: append(folder, seconds),
            "batch": lambda seconds: batch(folder, seconds),
            "bus": bus,
        }
    )
