"""What file systems, botocore and paramiko raise, in our words: does another try make sense, and what is to be done?"""

import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from data_pipeline.errors import CollectError, ProviderRefused, ProviderUnavailable
from utils.one_line import one_line

__all__ = ["hidden", "told"]

_MAY_PASS = {
    "EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError", "HTTPClientError",
    "ResponseStreamingError", "IncompleteReadError", "ConnectionError", "ProxyConnectionError", "FSTimeoutError",
    "SSHException", "ChannelException", "ClientConnectorError", "ServerDisconnectedError", "ClientPayloadError",
    "ServiceRequestError", "ServiceResponseError", "NoValidConnectionsError", "error_temp",
}  # fmt: skip
"""Names of the libraries' exceptions that tell of the network; by name, so that none has to be imported."""

_NO_WAY = {errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH}
"""What the system says when no way leads to a host."""

_NO_ENTRY = {"NoCredentialsError", "PartialCredentialsError", "AuthenticationException", "BadAuthenticationType",
             "PasswordRequiredException", "CredentialRetrievalError", "ClientAuthenticationError",
             "DefaultCredentialsError"}  # fmt: skip
_CREDENTIALS = {
    "s3": "give `key` and `secret` in `options` (or `anon: true` for a public bucket), or set them in the environment",
    "sftp": "check `username`, and `password` or `key_filename`, in `options`",
    "ftp": "check `username` and `password` in `options`",
}


@dataclass(frozen=True, slots=True)
class _Verdict:
    what: str
    hint: str = ""
    transient: bool = False
    status: int | None = None
    unreached: bool = False


def told(
    error: BaseException,
    where: str,
    *,
    scheme: str,
    provider: str,
    options: Mapping[str, Any],
    listing: bool,
    host: str = "",
) -> CollectError:
    """The error for what a file system raised.

    Args:
        where: Dataset and address, for the message.
        host: Whom the file system speaks with; "": not known.
        options: Their values are kept out of the message.
        listing: Whether files were looked for; else one of them was read.
    """
    if isinstance(error, CollectError):
        error.provider = error.provider or provider
        return error
    said = one_line(hidden(_said(error), options)) or type(error).__name__
    verdict = _of_the_server(error, said, scheme, listing=listing) or _of_the_way(error, said)
    what, hint, status = f"{where}: {verdict.what}", verdict.hint, verdict.status
    if not verdict.transient:
        return ProviderRefused(what, hint=hint, provider=provider, status=status)
    return ProviderUnavailable(
        what, hint=hint, provider=provider, status=status, unreached=host if verdict.unreached else ""
    )


def _of_the_server(error: BaseException, said: str, scheme: str, *, listing: bool) -> _Verdict | None:
    """What the server said to us; None: it said nothing, or nothing that we know."""
    names, status = _names(error), _status(error)
    credentials = _CREDENTIALS.get(scheme, "check the credentials in `options`")
    if "BadHostKeyException" in names:
        return _Verdict(
            "the host's key is not the one in the file of known hosts",
            "somebody may be in between; ask the provider whether the key was changed",
        )
    if names & _NO_ENTRY or (scheme == "ftp" and said.startswith("530")):
        return _Verdict(f"not let in ({said})", credentials)
    if status is not None and (status == 429 or status >= 500):
        return _Verdict(f"answered {status} ({said})", transient=True, status=status)
    if isinstance(error, PermissionError) or status in (401, 403):
        return _Verdict(f"access denied ({said})", f"{credentials}, and the rights of that user", status=status or 403)
    if isinstance(error, FileNotFoundError) or status == 404 or (scheme == "ftp" and said.startswith("550")):
        if listing:
            return _Verdict(f"not there ({said})", "check `url`: the bucket or folder does not exist", status=status)
        return _Verdict("went away while it was read", transient=True)
    if isinstance(error, OSError) and (error.errno == errno.EBUSY or "pre-conditions" in said):
        return _Verdict("changed while it was read", "let its writer write another name and rename it", transient=True)
    return None


def _of_the_way(error: BaseException, said: str) -> _Verdict:
    """What happened on the way to the server, or before."""
    if isinstance(error, socket.gaierror):
        hint = "check `url`, and this machine's network"
        return _Verdict("the host's name cannot be resolved", hint, transient=True, unreached=True)
    if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
        hint = "`timeout.connect` and `timeout.read` bound the wait"
        return _Verdict("no answer in time", hint, transient=True, unreached=True)
    if isinstance(error, ConnectionError | EOFError) or _names(error) & _MAY_PASS:
        hint = "is the server up, are its name and port right, and may this machine reach it?"
        return _Verdict(f"the connection failed ({said})", hint, transient=True, unreached=True)
    if isinstance(error, ImportError):
        return _Verdict(f"a library is missing ({said})", f"install it: pip install {error.name or 'what is named'}")
    if isinstance(error, OSError) and error.errno not in (errno.EINVAL, errno.EPERM):
        return _Verdict(f"cannot be read ({said})", transient=True, unreached=error.errno in _NO_WAY)
    return _Verdict(f"cannot be asked like this ({said})", "check `url` and the names in `options`")


def hidden(text: str, options: Mapping[str, Any]) -> str:
    """The text without any value of the options: each may be a secret."""
    for value in sorted(_texts(options), key=len, reverse=True):
        text = text.replace(value, "***")
    return text


def _texts(value: Any) -> set[str]:
    if isinstance(value, Mapping):
        return {text for key, part in value.items() if key != "endpoint_url" for text in _texts(part)}
    if isinstance(value, list | tuple):
        return {text for part in value for text in _texts(part)}
    return {value} if isinstance(value, str) and len(value) > 3 else set()


def _names(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _said(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error)
    if isinstance(error, OSError) and error.args and isinstance(error.args[-1], str):
        text = error.args[-1]
    return str(text)


def _status(error: BaseException) -> int | None:
    """The HTTP status behind the error: s3fs keeps botocore's answer as the cause, others tell it themselves."""
    for one in (error, error.__cause__):
        answer = getattr(one, "response", None)
        if isinstance(answer, dict):
            found = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
        else:
            found = getattr(one, "status_code", None) or getattr(one, "code", None)
        if isinstance(found, int) and 100 <= found < 600:
            return found
    return None
