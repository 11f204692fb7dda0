"""`database.url`: where the shared database is. Only its spelling is judged; whether it answers, a command tells."""

from urllib.parse import parse_qsl, urlsplit

from config.errors import Fault

__all__ = ["database_url"]

_SCHEMES = ("postgresql+psycopg", "postgresql")
_EXAMPLE = "Write `postgresql+psycopg://user:${DATABASE_PASSWORD}@host:5432/database`, or leave it empty for SQLite."
_OPTIONS = (
    *("host", "port", "user", "dbname", "options", "application_name", "connect_timeout", "target_session_attrs"),
    *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "ssl_min_protocol_version", "channel_binding"),
    *("gssencmode", "krbsrvname", "passfile", "require_auth", "client_encoding", "load_balance_hosts"),
    *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"),
)


def database_url(value: str) -> str:
    """`value` as it is, when it is empty or the address of a PostgreSQL database.

    Raises:
        Fault: It is neither. Nothing of the address but its scheme is in the message: the rest may hold a password.
    """
    if not value:
        return value
    scheme, separator, _ = value.partition("://")
    if not separator or scheme not in _SCHEMES:
        known = separator and scheme.replace("+", "").isalnum()
        said = f"the scheme `{scheme[:30]}`" if known else "something else"
        lies = " SQLite's file lies in `app.state_dir`." if scheme.startswith("sqlite") else ""
        raise Fault(f"expected the address of a PostgreSQL database, got {said}", hint=_EXAMPLE + lies)
    if "#" in value or any(character.isspace() for character in value):
        raise Fault("`#` or a space stands in it", hint="In a password write them percent-encoded: `%23`, `%20`.")
    encoded = " In a password, `/`, `?`, `#` and `@` are written percent-encoded, `%2F` for example."
    try:
        parts = urlsplit(value)
        hosts = parts.netloc.rpartition("@")[2]
        ports = [urlsplit(f"//{host}").port for host in hosts.split(",")]  # several: whoever of them answers
    except ValueError:
        raise Fault("the host or the port is not one", hint=_EXAMPLE + encoded * ("@" in value)) from None
    if 0 in ports:
        raise Fault("port 0 is none", hint=_EXAMPLE)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(set(options) - set(_OPTIONS)):
        hint = "A password stands before the host." if unknown[0] == "password" else f"Known: {', '.join(_OPTIONS)}."
        raise Fault(f"unknown option `{unknown[0][:40]}` in the address", hint=hint)
    if not (hosts or "host" in options):
        raise Fault("the host is missing", hint=f"{_EXAMPLE} A socket's folder is named as `?host=/run/postgresql`.")
    if "/" in parts.path[1:]:
        raise Fault("the database has a `/` in its name", hint=_EXAMPLE + encoded * ("@" in value))
    if not (parts.path[1:] or options.get("dbname")):
        raise Fault("the database is missing", hint=_EXAMPLE)
    return value
