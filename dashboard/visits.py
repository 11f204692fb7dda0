"""When this browser looked last: kept in a cookie of the browser, for it is nobody else's business.

The cookie holds two moments and nothing else. Only this machine's pages are sent it; without it, e.g. in a private
window, every visit is the first.
"""

from datetime import datetime
from urllib.parse import urlsplit

import streamlit as st

from dashboard.view_model.news import AWAY, COOKIE, last_visit

__all__ = ["cookie", "keep", "since"]

# Ours, without anything from elsewhere in it. A tab that nobody looks at is no visit.
_SCRIPT = f"""<script>
(() => {{
  if (window.orchestratorVisits) return;
  window.orchestratorVisits = true;
  const note = () => {{
    if (document.visibilityState !== "visible") return;
    const name = "{COOKIE}" + location.port;
    const kept = (document.cookie.match(new RegExp(`(?:^|; )${{name}}=([0-9]+)[.]([0-9]+)`)) || [0, "0", "0"]).slice(1);
    const now = Date.now();
    const before = now - Number(kept[1]) > {int(AWAY.total_seconds() * 1000)} ? kept[1] : kept[0];
    document.cookie = `${{name}}=${{before}}.${{now}}; path=/; max-age=31536000; SameSite=Strict`;
  }};
  setTimeout(note, 3000);
  setInterval(note, 30000);
  document.addEventListener("visibilitychange", note);
}})();
</script>"""


def since(now: datetime) -> str | None:
    """The end of the visit before this one, RFC 3339; the same for the whole session. None: there was none."""
    if "last-visit" not in st.session_state:
        st.session_state["last-visit"] = last_visit(cookie(), now)
    found: str | None = st.session_state["last-visit"]
    return found


def cookie() -> str | None:
    """What the browser sent when this session began; cookies of a host are for all its ports, so each has its own."""
    port = urlsplit(st.context.url or "").port or ""
    return st.context.cookies.get(f"{COOKIE}{port}")


def keep() -> None:
    """Have the browser note that it looks now, and again while it does."""
    st.html(_SCRIPT, unsafe_allow_javascript=True)
