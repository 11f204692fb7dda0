"""Rows written out, for the faces: the same writers as those of the file sink."""

from data_pipeline.export import Format, cell, rows_of, stream_rows, write_rows

__all__ = ["Format", "cell", "rows_of", "stream_rows", "write_rows"]
