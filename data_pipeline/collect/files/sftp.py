"""SFTP with a host key that is looked at: a server that is not the one we know gets no password."""

import base64
import hashlib
import hmac
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import paramiko  # type: ignore[import-untyped]  # its types are not installed
from fsspec.implementations.sftp import SFTPFileSystem  # type: ignore[import-untyped]  # fsspec has no types

from data_pipeline.collect.files.stores import Address
from data_pipeline.errors import ProviderRefused

__all__ = ["SafeSftp", "key_fingerprint"]

# Without any handler Python prints paramiko's tracebacks; what went wrong is told by our errors.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


def key_fingerprint(key: Any) -> str:
    """As `ssh-keygen -l` writes it: `SHA256:…`."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")


class SafeSftp(SFTPFileSystem):  # type: ignore[misc]  # fsspec has no types
    """fsspec's SFTP, connecting in our way.

    The host's key must be the one of the option `host_key`, if given; else the one of the file `known_hosts` (default:
    the user's own). A host that such a file of the options does not know is refused; one that the user's own file does
    not know is accepted with a note.
    """

    cachable = False

    @classmethod
    def connected(
        cls,
        address: Address,
        options: Mapping[str, Any],
        *,
        connect: float,
        read: float,
        note: Callable[[str], None],
    ) -> "SafeSftp":
        """A connection that stands. Raises what paramiko raises, or `ProviderRefused` for the host's key."""
        given = dict(options)
        host_key, known_hosts = given.pop("host_key", ""), given.pop("known_hosts", "")
        bounds = {"timeout": connect, "banner_timeout": connect, "auth_timeout": connect}
        login = {name: value for name, value in (("username", address.user), ("password", address.password)) if value}
        given = {"port": address.port or 22, **bounds, **login, **given}
        if "password" in given or "key_filename" in given or "pkey" in given:
            # Keys of the user's own would be tried first, and servers hang up after a few wrong ones.
            given = {"look_for_keys": False, "allow_agent": False, **given}
        policy = _Policy(address, str(host_key), strict=bool(known_hosts), note=note)
        own = {"host_key_policy": policy, "known_hosts": str(known_hosts), "read": read, "skip_instance_cache": True}
        return cls(address.host, **own, **given)

    def _connect(self) -> None:
        options = dict(self.ssh_kwargs)
        known_hosts, read = options.pop("known_hosts"), options.pop("read")
        self.client = paramiko.SSHClient()
        try:
            if not self.host_key_policy.expected:
                _load(self.client, known_hosts, self.host_key_policy.provider)
            self.client.set_missing_host_key_policy(self.host_key_policy)
            self.client.connect(self.host, **options)
            self.ftp = self.client.open_sftp()
            self.ftp.get_channel().settimeout(read)
        except BaseException:
            self.client.close()
            raise


class _Policy(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]  # paramiko's types are not installed
    """What to do with a host that no file of known hosts names."""

    def __init__(self, address: Address, expected: str, *, strict: bool, note: Callable[[str], None]) -> None:
        self.provider = address.provider
        self.expected = expected.strip()
        self._strict = strict
        self._note = note

    def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
        found = key_fingerprint(key)
        if self.expected:
            if not _is_same(self.expected, key, found):
                raise ProviderRefused(
                    f"{self.provider}: the host's key is {found}, not the one in `options.host_key`",
                    hint="somebody may be in between; ask the provider whether the key was changed",
                    provider=self.provider,
                )
        elif self._strict:
            raise ProviderRefused(
                f"{self.provider}: the host is not in the file of `options.known_hosts` (its key is {found})",
                hint="compare the key with the provider's, then add it to that file",
                provider=self.provider,
            )
        else:
            self._note(f"the key of {self.provider} was not checked; to pin it: options: {{host_key: {found!r}}}")


def _load(client: Any, known_hosts: str, provider: str) -> None:
    path = Path(known_hosts or "~/.ssh/known_hosts").expanduser()
    try:
        client.load_host_keys(str(path))
    except FileNotFoundError as error:
        if known_hosts:
            raise ProviderRefused(
                f"{provider}: `options.known_hosts` names {path}, which does not exist", provider=provider
            ) from error
    except OSError as error:
        raise ProviderRefused(
            f"{provider}: {path} cannot be read ({error.strerror or error})", provider=provider
        ) from error


def _is_same(expected: str, key: Any, found: str) -> bool:
    """`SHA256:…`, or a public key as a line of `known_hosts` or of a `.pub` file ends."""
    if expected.startswith("SHA256:"):
        return hmac.compare_digest(expected.rstrip("="), found)
    return any(hmac.compare_digest(word, key.get_base64()) for word in expected.split() if word.startswith("AAAA"))
