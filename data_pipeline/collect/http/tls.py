"""TLS as the configuration wants it, and its failures in words: what is wrong, and which key to set."""

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from data_pipeline.errors import ProviderRefused

if TYPE_CHECKING:
    from data_pipeline.collect.http.connections import Route

__all__ = ["explained", "tls_context"]

_SET_CA = "if you trust it, put the file of its authority into `tls.ca` of the provider"
_UNCHECKED = "tell the provider's owner; `tls.verify: false` reads from it unchecked meanwhile"

# X509_V_ERR_… of OpenSSL's x509_vfy.h
_HINTS_BY_CODE = {
    9: "its first day is yet to come: check this machine's clock, then tell the provider's owner",
    10: _UNCHECKED,
    18: _SET_CA,
    19: _SET_CA,
    20: _SET_CA,
    21: _SET_CA,
    62: "check the host in `url`, `base_url` or `token_url`: the certificate was made out to another name",
    64: "check the address in `url`, `base_url` or `token_url`: the certificate was made out to another one",
}
# OpenSSL names the alerts that the other side sent after the TLS version that brought them.
_WORDS_BY_ALERT = {
    "CERTIFICATE_REQUIRED": (
        "it wants a client certificate, and none is configured",
        "set `tls.client_cert` and `tls.client_key` of the provider",
    ),
    "UNKNOWN_CA": (
        "it does not know the authority of our client certificate",
        "ask the provider which authority must sign it, then set `tls.client_cert` and `tls.client_key`",
    ),
    "ALERT_CERTIFICATE_EXPIRED": (
        "our client certificate has expired",
        "renew it, then set `tls.client_cert` and `tls.client_key` of the provider",
    ),
    "BAD_CERTIFICATE": ("it refused our client certificate", "check `tls.client_cert` and `tls.client_key`"),
    "HANDSHAKE_FAILURE": (
        "no TLS that both sides accept; it may want a client certificate",
        "set `tls.client_cert` and `tls.client_key` of the provider, or ask which TLS versions it speaks",
    ),
    "WRONG_VERSION_NUMBER": ("it does not speak TLS", "write http:// instead of https://, or correct the port"),
    "PROTOCOL_VERSION": ("it speaks no TLS version that is still safe", "ask the provider for TLS 1.2 or newer"),
    "UNSUPPORTED_PROTOCOL": ("it speaks no TLS version that is still safe", "ask the provider for TLS 1.2 or newer"),
}


def tls_context(route: "Route") -> ssl.SSLContext:
    """What a connection of this route trusts and shows.

    Raises:
        ProviderRefused: a file of the configuration cannot be used; the message names its key.
    """
    import httpx

    if not route.verify:
        context = httpx.create_ssl_context(verify=False)
    elif route.ca and not route.public_too:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    else:
        context = httpx.create_ssl_context()  # certifi's, or SSL_CERT_FILE and SSL_CERT_DIR where they are set
    if route.ca and route.verify:
        try:
            context.load_verify_locations(cafile=route.ca)
        except OSError as error:
            raise _unusable("tls.ca", route.ca, error, "a PEM file with one or more certificates") from error
    if route.client_cert:
        _show(context, route)
    elif route.client_key:
        raise ProviderRefused(
            "`tls.client_key` is set and `tls.client_cert` is not", hint="set both, or remove `tls.client_key`"
        )
    return context


def explained(error: ssl.SSLError) -> tuple[str, str]:
    """What went wrong with TLS, and what to do about it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message or error.reason or str(error)
        hint = _HINTS_BY_CODE.get(error.verify_code, f"check the host name and its certificate; {_SET_CA}")
        return reason, hint
    reason = error.reason or str(error)
    for alert, (words, hint) in _WORDS_BY_ALERT.items():
        if alert in reason:
            return f"{words}; {reason}", hint
    return reason, f"check the host name and its certificate; {_SET_CA}"


def _show(context: ssl.SSLContext, route: "Route") -> None:
    cert, key = route.client_cert, route.client_key
    for name, path in (("tls.client_cert", cert), ("tls.client_key", key)):
        if path and not Path(path).is_file():
            raise ProviderRefused(f"`{name}`: there is no file {path}", hint=f"correct `{name}` of the provider")

    def no_password() -> str:
        # OpenSSL would ask for it on the terminal, and a nightly run would wait for ever.
        raise ValueError("encrypted")

    try:
        context.load_cert_chain(cert, key or None, password=no_password)
    except ValueError as error:
        raise ProviderRefused(
            f"`tls.client_key`: {key or cert} is encrypted, and there is nobody to type its password",
            hint="store the key without a password: `openssl pkey -in KEY -out PLAIN`, readable by this user only",
        ) from error
    except OSError as error:
        if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
            raise ProviderRefused(
                f"`tls.client_key`: {key} does not belong to the certificate {cert}",
                hint="set `tls.client_cert` and `tls.client_key` to a pair that was made together",
            ) from error
        wanted = "PEM files: the certificate, and its private key in `tls.client_key` or in the same file"
        raise _unusable("tls.client_cert", cert, error, wanted) from error


def _unusable(key: str, path: str, error: OSError, wanted: str) -> ProviderRefused:
    missing = isinstance(error, FileNotFoundError)
    why = f"there is no file {path}" if missing else f"{path} cannot be used ({error.strerror or error})"
    return ProviderRefused(f"`{key}`: {why}", hint=f"`{key}` of the provider takes {wanted}")
