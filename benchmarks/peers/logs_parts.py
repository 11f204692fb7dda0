"""The peers' JSON lines with rotation and gzip: the standard library's logging, loguru, structlog over the library."""

import gzip
import json
import logging
import logging.handlers
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import loguru
import orjson
import structlog

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from logs_work import EVENT, SIZE, check, timed
from loops import serve

FILES = 1000


class AsJson(logging.Formatter):
    """What people write who want JSON of the standard library."""

    def format(self, record):
        line = {"time": self.formatTime(record), "level": record.levelname, "component": record.name}
        return json.dumps({**line, "event": record.getMessage(), **record.fields})


def rotating(folder, formatter):
    """A handler of the standard library that gzips what it rotates."""

    def rotate(source, target):
        with open(source, "rb") as plain, gzip.open(target, "wb", 6) as packed:
            shutil.copyfileobj(plain, packed)
        Path(source).unlink()

    handler = logging.handlers.RotatingFileHandler(folder / "bench.jsonl", maxBytes=SIZE, backupCount=FILES)
    handler.namer, handler.rotator = (lambda name: f"{name}.gz"), rotate
    handler.setFormatter(formatter)
    logger = logging.getLogger("bench")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)
    return logger, handler


def stdlib(folder):
    logger, handler = rotating(folder, AsJson())
    figures = timed(lambda fields: logger.info(EVENT, extra={"fields": fields}), handler.close)
    check(folder)
    return figures


def of_structlog(folder):
    _, handler = rotating(folder, logging.Formatter("%(message)s"))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(serializer=lambda line, **_: orjson.dumps(line).decode()),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    log = structlog.get_logger("bench")
    figures = timed(lambda fields: log.info(EVENT, **fields), handler.close)
    check(folder)
    structlog.reset_defaults()
    return figures


def of_loguru(folder):
    log = loguru.logger
    log.remove()
    sink = log.add(folder / "bench.jsonl", serialize=True, rotation=SIZE, compression="gz", level="INFO")
    figures = timed(lambda fields: log.bind(**fields).info(EVENT), lambda: log.remove(sink))
    check(folder, lambda line: line["record"]["extra"]["rows"])
    return figures


def lines(_seconds):
    told = {}
    for name, contender in (("stdlib", stdlib), ("structlog", of_structlog), ("loguru", of_loguru)):
        with TemporaryDirectory(dir=sys.argv[1]) as folder:
            for figure, value in contender(Path(folder)).items():
                told.setdefault(figure, {})[name] = value
    return told


if __name__ == "__main__":
    serve({"lines": lines})
