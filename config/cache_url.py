"""`cache.url`: where the shared cache is. Only its spelling is judged here; whether somebody answers, a run tells."""

from urllib.parse import parse_qsl, unquote, urlsplit

from config.errors import Fault

_EXAMPLE = "Write `redis://host:6379/0`, `rediss://host` (TLS) or `unix:///run/redis.sock`, or leave it empty."
_OPTIONS = ("db", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname")


def cache_url(value: str) -> str:
    """`value` as it is, when it is empty or the address of a Redis.

    Raises:
        Fault: It is neither. Nothing of the address but its scheme is in the message: the rest may hold a password.
    """
    if not value:
        return value
    scheme, separator, _ = value.partition("://")
    if not separator or scheme not in ("redis", "rediss", "unix"):
        said = f"the scheme `{scheme[:20]}`" if separator and scheme.isalnum() else "something else"
        raise Fault(f"expected the address of a Redis, got {said}", hint=_EXAMPLE)
    if "#" in value or any(character.isspace() for character in value):
        raise Fault("`#` or a space stands in it", hint="In a password write them percent-encoded: `%23`, `%20`.")
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        encoded = " In a password, `/`, `?`, `#` and `@` are written percent-encoded, `%2F` for example."
        raise Fault("the host or the port is not one", hint=_EXAMPLE + encoded * ("@" in value)) from None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(set(options) - set(_OPTIONS)):
        raise Fault(f"unknown option `{unknown[0][:40]}` in the address", hint=f"Known are {', '.join(_OPTIONS)}.")
    if scheme == "unix":
        if host or port or not parts.path.startswith("/") or parts.path == "/":
            raise Fault("the socket's path must be absolute", hint="Three slashes: `unix:///run/redis.sock`.")
        database = options.get("db", "0")
    else:
        if not host:
            raise Fault("the host is missing", hint=_EXAMPLE)
        if port == 0:
            raise Fault("port 0 is none", hint=_EXAMPLE)
        database = options.get("db", unquote(parts.path).removeprefix("/") or "0")
    if not (database.isascii() and database.isdigit() and len(database) < 6):
        raise Fault("the database must be a number", hint="The part after the host: `redis://host:6379/0`.")
    return value
