"""An OpenID Connect provider on loopback: whoever is sent to it is logged in there already, and sent back at once.

OpenID Connect Core 1.0 §3.1 (authorization code flow), Discovery 1.0 §4, RP-Initiated Logout 1.0 §2; PKCE: RFC 7636.
"""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlencode

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from tests.faulty_server import Answer, FaultyServer, Request, as_json, redirect, status

__all__ = ["CLIENT", "SECRET", "OidcProvider", "new_key", "oidc_provider"]

CLIENT, SECRET = "orchestrator", "canary-60-clientSecret60"
KEY_ID = "first"


def new_key() -> RSAKey:
    """What answers are signed with."""
    return RSAKey.generate_key(2048, {"kid": KEY_ID, "use": "sig", "alg": "RS256"})


@dataclass
class OidcProvider:
    """What it knows, and whom it tells of.

    Attributes:
        url: Where it is, and its name in what it signs.
        claims: What it says of whoever comes next.
        key: What it signs with; another one than `published` signs what nobody can trust.
        logouts: Where those who logged out were sent back to.
        echoes: Whether it refuses everybody, with all that was sent to it in its answer.
        given: Codes and tokens that it gave away.
    """

    url: str
    claims: Mapping[str, object] = field(default_factory=dict)
    published: RSAKey = field(default_factory=new_key)
    key: RSAKey | None = None
    logouts: list[str] = field(default_factory=list)
    echoes: bool = False
    given: list[str] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def discovery(self) -> str:
        """The address that a client is given."""
        return f"{self.url}/.well-known/openid-configuration"

    def answer(self, request: Request) -> Answer:
        """What a browser or the client is told."""
        path = request.path.partition("?")[0]
        if path == "/.well-known/openid-configuration":
            return as_json(self._document())
        if path == "/keys":
            return as_json(KeySet([self.published]).as_dict(private=False))
        if path == "/authorize":
            return self._authorize(dict(request.query))
        if path == "/token" and request.method == "POST":
            return self._token(request)
        if path == "/logout":
            self.logouts.append(request.query["post_logout_redirect_uri"])
            return redirect(self.logouts[-1])
        return status(404)

    def _document(self) -> dict[str, object]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "end_session_endpoint": f"{self.url}/logout",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def _authorize(self, asked: dict[str, str]) -> Answer:
        known = asked["client_id"] == CLIENT and asked["response_type"] == "code" and "openid" in asked["scope"].split()
        if not known or asked["code_challenge_method"] != "S256":
            return status(400, b"no such client")
        code = secrets.token_urlsafe()
        self.given.append(code)
        self._codes[code] = asked
        back = urlencode({"code": code, "state": asked["state"]})
        return redirect(f"{asked['redirect_uri']}?{back}")

    def _token(self, request: Request) -> Answer:
        sent = dict(parse_qsl(request.body.decode()))
        if self.echoes:
            said = f"{sent} {request.headers} {_basic(request.headers.get('authorization', ''))}"
            return status(401, json.dumps({"error": "invalid_client", "error_description": said}).encode())
        asked = self._codes.pop(sent["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(sent["code_verifier"].encode()).digest()).rstrip(b"=")
        if (
            asked is None
            or asked["redirect_uri"] != sent["redirect_uri"]
            or asked["code_challenge"] != challenge.decode()
            or _basic(request.headers.get("authorization", "")) != (CLIENT, SECRET)
        ):
            return status(400, b'{"error": "invalid_grant"}')
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        header = {"alg": "RS256", "kid": KEY_ID}
        signed = jwt.encode(header, {**claims, **self.claims}, self.key or self.published)
        access = secrets.token_urlsafe()
        self.given += [access, signed]
        return as_json({"access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": signed})


def _basic(header: str) -> tuple[str, str]:
    """Who asks (RFC 6749 §2.3.1: both parts are encoded as in a form)."""
    user, _, password = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
    return unquote(user), unquote(password)


@contextmanager
def oidc_provider() -> Iterator[OidcProvider]:
    """One, for the block."""
    with FaultyServer() as server:
        provider = OidcProvider(f"http://{server.host}")
        server.answer = provider.answer
        yield provider
