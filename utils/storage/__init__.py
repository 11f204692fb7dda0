"""Blobs under names: on disk (`Storage`), or in an object store with copies on disk (`object_storage.py`)."""

from utils.storage.blob import Blob, Stored
from utils.storage.errors import BlobNameInvalid, BlobNotFound, StorageError
from utils.storage.storage import Storage
from utils.storage.writer import BlobWriter

__all__ = ["Blob", "BlobNameInvalid", "BlobNotFound", "BlobWriter", "Storage", "StorageError", "Stored"]
