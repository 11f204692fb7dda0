"""Which provider an address belongs to."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.collect.addresses import DEFAULT_PORTS, provider_name

PART = st.text("aA.0:@[]%\\/?# \té-", max_size=8)


@given(st.sampled_from(["http", "https", "HTTPS", "ftp"]), PART, st.sampled_from(["", "/", "/x", "?q", "#f"]))
def test_a_provider_is_the_host_and_the_port_that_is_not_the_schemes_own(scheme: str, origin: str, rest: str) -> None:
    """Also of odd addresses: what is remembered by origin says what a look at the whole address says."""
    address = f"{scheme}://{origin}{rest}"
    try:
        parts = urlsplit(address)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        host, port = "", None
    if not host:
        with pytest.raises(ValueError, match=r"\S"):
            provider_name(address)
        return
    named = f"[{host}]" if ":" in host else host
    assert provider_name(address) == (named if port in (None, DEFAULT_PORTS.get(scheme.lower())) else f"{named}:{port}")
