"""Rows written out, for the faces: the same writers as those of the file sink."""

from data_pipeline.export import Format, cell, rows_of, stream_rows, write_rows
from data_pipeline.python_values import values_of

__all__ = ["Format", "cell", "rows_of", "stream_rows", "values_of", "write_rows"]
