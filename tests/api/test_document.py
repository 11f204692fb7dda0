"""What the API says about itself."""

import base64
import hashlib
import re

import httpx
import pytest

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def document(server: str) -> dict:
    return httpx.get(f"{server}/openapi.json", timeout=120).json()


def _operations(document: dict):
    for path, methods in document["paths"].items():
        for method, one in methods.items():
            if method in METHODS:
                yield path, method, one


def _references(part) -> set[str]:
    if isinstance(part, dict):
        own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
        return own.union(*map(_references, part.values()))
    return set().union(*map(_references, part)) if isinstance(part, list) else set()


def test_nothing_is_named_that_is_not_there(document: dict) -> None:
    """Every reference leads to a schema of the document, the problem of errors among them."""
    schemas = document["components"]["schemas"]

    assert _references(document) <= {f"#/components/schemas/{name}" for name in schemas}
    assert set(schemas["Problem"]["required"]) >= {"type", "title", "status", "detail", "hint", "transient"}


def test_every_route_says_what_it_is_for_and_how_it_fails(document: dict) -> None:
    """A summary, a known tag, an answer that is good and the problems; POST takes a key."""
    tags = {tag["name"] for tag in document["tags"]}
    for path, method, one in _operations(document):
        where = f"{method} {path}"
        assert one["summary"], where
        assert set(one["tags"]) <= tags, where
        assert any(status.startswith("2") for status in one["responses"]), where
        assert "application/problem+json" in one["responses"]["4XX"]["content"], where
        keys = [given["name"] for given in one.get("parameters", []) if given["in"] == "header"]
        assert ("Idempotency-Key" in keys) is (method == "post"), where
    identities = [one["operationId"] for _, _, one in _operations(document)]
    assert len(set(identities)) == len(identities)


def test_every_number_that_is_asked_for_has_a_least_and_a_most(document: dict) -> None:
    """What no database can take is refused in words: it is no internal error."""
    open_ended = [
        f"{method} {path} {given['name']}"
        for path, method, one in _operations(document)
        for given in one.get("parameters", [])
        for kind in (given["schema"], *given["schema"].get("anyOf", []))
        if kind.get("type") in {"integer", "number"}
        and not ({"minimum", "exclusiveMinimum"} & set(kind) and {"maximum", "exclusiveMaximum"} & set(kind))
    ]
    assert open_ended == []


def test_the_page_needs_nothing_from_elsewhere(server: str) -> None:
    """No address of another machine in it, and its policy lets only its own script and style work."""
    answer = httpx.get(f"{server}/docs", timeout=120)

    assert answer.headers["content-type"].startswith("text/html")
    assert not re.findall(r"https?://", answer.text)
    policy = answer.headers["content-security-policy"]
    for tag in ("script", "style"):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", answer.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
