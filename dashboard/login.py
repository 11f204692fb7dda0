"""Who comes in: this machine's user as long as no token exists; else who has a token, or is known by single sign-on.

A token is kept in the session only, so a new window asks for it again. Whether it is still good is looked at in every
drawing: who is revoked is out at the next look.
"""

from collections.abc import Mapping
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAuthError

from api.client import ApiError
from dashboard.caller import Caller
from dashboard.language import Words
from dashboard.source import Source
from dashboard.words import plain, prose
from integrated_system import IntegratedSystem
from operations.actor import Actor, Role, local_user
from operations.api import get_logger
from operations.tokens import Token, attempts, is_loopback, keyring, used

__all__ = ["at_this_machine", "caller", "is_local", "leave", "role_of"]

SECRET, WRONG, NOTED = "secret", "wrong-secret", "noted-use"
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via")
"""Whoever has one of these came through a proxy, and is not taken for somebody at this machine."""


def caller(source: Source, words: Words) -> Caller | None:
    """Who looks; None: somebody who must log in first, for which a form was drawn.

    Raises:
        ConfigError, StateError: the system cannot be opened, so nobody can be known.
        ApiError: the API of `dashboard.api` does not answer.
    """
    system = source.system
    found = _elsewhere(source) if system.settings.dashboard.api else _here(system)
    if found is None:
        _form(source, words)
    return found


def leave() -> None:
    """Forget who looks, in this session."""
    st.session_state.pop(SECRET, None)
    if st.user.get("is_logged_in", False):
        st.logout()


def role_of(address: str, system: IntegratedSystem) -> Role | None:
    """The highest role that `dashboard.auth` gives to an address; None: it names it nowhere."""
    auth = system.settings.dashboard.auth
    roles: tuple[tuple[Role, tuple[str, ...]], ...] = (
        ("admin", auth.admins),
        ("operator", auth.operators),
        ("viewer", auth.viewers),
    )
    return next((role for role, named in roles if any(_means(name, address) for name in named)), None)


def _means(name: str, address: str) -> bool:
    """Whether an entry is about an address.

    >>> _means("@example.org", "ana@Example.org"), _means("@example.org", "ana@not-example.org"), _means("*", "x@y")
    (True, False, True)
    """
    name, address = name.casefold(), address.casefold()
    return name in {"*", address} or (name.startswith("@") and address.rpartition("@")[2] == name[1:])


def _here(system: IntegratedSystem) -> Caller | None:
    if (known := _signed_on(system)) is not None:
        return known
    ring = keyring(system)
    secret = st.session_state.get(SECRET)
    if secret is not None:
        token = ring.find(secret)
        if token is not None and token.state_at(system.clock.now()) == "good":
            _note_use(system, token)
            return Caller(token.actor, secret)
        st.session_state.pop(SECRET)
        st.session_state[WRONG] = "The token is not good any more."
    if not ring.exist and not _single_sign_on(system) and at_this_machine():
        return Caller(local_user(), greeting="No token exists: whoever is at this machine is operator.")
    return None


def _signed_on(system: IntegratedSystem) -> Caller | None:
    """Who is logged in by OpenID Connect, and named in `dashboard.auth`. An unverified address is nobody's."""
    if not _single_sign_on(system) or not st.user.get("is_logged_in", False):
        return None
    address = str(st.user.get("email") or "")
    # Some providers tell it as text.
    if not address or str(st.user.get("email_verified", True)).casefold() == "false":
        st.session_state[WRONG] = "The identity provider tells no verified e-mail address."
        return None
    role = role_of(address, system)
    if role is None:
        st.session_state[WRONG] = "You are logged in, but `dashboard.auth` names you nowhere."
        return None
    return Caller(Actor(f"oidc:{plain(address, limit=120)}", role))


def _elsewhere(source: Source) -> Caller | None:
    """Who looks at the installation of another machine is known there: by a token, or without one if it asks none."""
    secret = st.session_state.get(SECRET, "")
    if not secret and not at_this_machine():
        return None  # an API that trusts this machine does not trust who comes to it from others
    answer = source.ask(Caller(Actor("", "viewer"), secret), "whoami")
    if answer.trouble is None:
        return Caller(Actor(answer.document["name"], answer.document["role"]), secret)
    try:
        source.client(Caller(Actor("", "viewer"), secret)).queries.whoami()
    except ApiError as error:
        if error.status not in {401, 403}:
            raise
        if secret:
            st.session_state.pop(SECRET)
            st.session_state[WRONG] = error.message
    return None


def _note_use(system: IntegratedSystem, token: Token) -> None:
    """Once a minute: the page is drawn far more often."""
    minute = system.clock.now().replace(second=0, microsecond=0)
    if st.session_state.get(NOTED) != (token.id, minute):
        st.session_state[NOTED] = (token.id, minute)
        used(system, token)


def _single_sign_on(system: IntegratedSystem) -> bool:
    """Whether it lets anybody in: never to another machine's API, which knows its own tokens only."""
    auth = system.settings.dashboard.auth
    return not system.settings.dashboard.api and bool(auth.viewers or auth.operators or auth.admins)


def _sign_on() -> None:
    """Lead to the identity provider; what is wrong with its file is for the log, for whoever asks is not known yet."""
    try:
        st.login()
    except StreamlitAuthError as error:
        get_logger("dashboard").error("single_sign_on.not_set_up", reason=" ".join(str(error).split()))
        st.session_state[WRONG] = (
            "Single sign-on is not set up here: `.streamlit/secrets.toml` is missing or not whole."
        )


def at_this_machine() -> bool:
    """Whether the window of this session is at this machine."""
    return is_local(st.context.ip_address, st.context.headers)


def is_local(address: str | None, headers: Mapping[str, str]) -> bool:
    """Whether somebody at this machine asks for this machine; `address`: as Streamlit tells it, None for loopback.

    The address alone does not tell: a proxy here asks for others, and a page whose name was made to lead here (DNS
    rebinding) asks for its own.
    """
    if address is not None or any(headers.get(name) for name in FORWARDED):
        return False
    host = headers.get("Host") or "localhost"
    return is_loopback(host.partition("]")[0] if host.startswith("[") else host.partition(":")[0])


def _form(source: Source, words: Words) -> None:
    """Asks for a token, or leads to the identity provider."""
    system = source.system
    with st.container(key="login", width=420, horizontal_alignment="left"):
        st.subheader(words("Log in"), anchor=False)
        if (wrong := st.session_state.pop(WRONG, None)) is not None:
            st.text(prose(words(wrong), limit=600))
        if _single_sign_on(system):
            if st.user.get("is_logged_in", False):
                st.button(words("Log out"), key="logout", on_click=leave)
            else:
                st.button(words("Log in with single sign-on"), key="login-oidc", type="primary", on_click=_sign_on)
        with st.form("login-form", border=False, clear_on_submit=True):
            secret = st.text_input(words("Token"), type="password", key="login-token", autocomplete="off")
            sent = st.form_submit_button(words("Log in"))
        st.text(prose(words("`tokens create` on the machine of this page makes a token.")))
    if sent and secret.strip():
        _try(source, secret.strip())


def _try(source: Source, secret: str) -> None:
    system = source.system
    if not system.settings.dashboard.api:
        token = keyring(system).find(secret)
        if token is None or token.state_at(system.clock.now()) != "good":
            allowed = _attempts(source).acquire(st.context.ip_address or "")
            st.session_state[WRONG] = "There is no such token." if allowed else "Too many wrong tokens: wait a moment."
            st.rerun()
    st.session_state[SECRET] = secret
    st.rerun()


@st.cache_resource(show_spinner=False)
def _attempts(_source: Source) -> Any:
    return attempts(_source.system)
