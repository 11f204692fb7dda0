"""FTP that hangs up when it is not let in, and bounds every wait."""

from collections.abc import Mapping
from typing import Any

from fsspec.implementations.ftp import FTPFileSystem  # type: ignore[import-untyped]  # fsspec has no types

from data_pipeline.collect.files.stores import Address

__all__ = ["SafeFtp"]


class SafeFtp(FTPFileSystem):  # type: ignore[misc]  # fsspec has no types
    """fsspec's FTP, connecting in our way."""

    cachable = False

    @classmethod
    def connected(cls, address: Address, options: Mapping[str, Any], *, connect: float, read: float) -> "SafeFtp":
        """A connection that stands, for files as they are (binary). Raises what ftplib raises."""
        given = {"username": address.user, "password": address.password, "timeout": connect, **options}
        system = cls(address.host, port=address.port or 21, skip_instance_cache=True, use_listings_cache=False, **given)
        system.ftp.sock.settimeout(read)
        system.ftp.timeout = read
        system.ftp.voidcmd("TYPE I")
        return system

    def _connect(self) -> None:
        try:
            super()._connect()
        except BaseException:
            self.ftp.close()
            raise
