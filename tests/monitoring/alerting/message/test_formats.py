"""The same message in plain text, Markdown and HTML: words from outside stay words in each."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.alerting.message import Message, Part
from monitoring.alerting.message.message import Style


def message(text: str, style: Style = "text", label: str = "Says") -> Message:
    return Message("opened", "error", "title", (Part("", "Opening."), Part(label, text, style)), "foot")


class Read(HTMLParser):
    """What a mail program makes of it: the tags, and the words between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words = ""
        self.links: list[str | None] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.words += data


def rendered(markdown: str) -> Read:
    """By a renderer of Markdown, as a chat would show it."""
    from markdown_it import MarkdownIt

    return Read(MarkdownIt("commonmark").enable("strikethrough").render(markdown))


def test_plain_text_has_a_paragraph_and_a_line_for_each_part() -> None:
    """A command stands alone on its line, to be copied."""
    both = Message("opened", "error", "t", (Part("", "A."), Part("Do", "why i1", "command"), Part("Owner", "me")), "i1")

    assert both.text == "A.\n\nDo: why i1\nOwner: me\n\ni1"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("fx_daily and __fx__", id="underscores"),
        pytest.param("**bold** *it* ~~gone~~", id="stars"),
        pytest.param("`rm -rf /`", id="backticks"),
        pytest.param("[click](https://evil.test)", id="a link with another name"),
        pytest.param("![pixel](https://evil.test/p.png)", id="a picture"),
        pytest.param("<script>x</script> & <!channel>", id="tags"),
        pytest.param("# head", id="a heading"),
        pytest.param("- item", id="a list"),
        pytest.param("1. item", id="a numbered list"),
        pytest.param("> quoted", id="a quotation"),
    ],
)
def test_words_command_nothing_in_markdown(text: str) -> None:
    """They are shown as they came."""
    for label in ("Says", ""):
        shown = rendered(message(text, label=label).body("markdown"))

        assert text in shown.words
        assert set(shown.tags) <= {"p", "strong"}
        assert shown.links == []


def test_a_name_with_underscores_has_no_strokes_in_it() -> None:
    """Not every service that takes Markdown drops them."""
    assert "fx_daily_rates" in message("fx_daily_rates (503, 41 tries) a-b #7!").body("markdown")
    assert "\\" not in message("fx_daily_rates (503, 41 tries) a-b #7!").body("markdown")


@pytest.mark.parametrize("name", ["everyone", "here", "channel"])
def test_nobody_is_called_by_the_words_of_a_provider(name: str) -> None:
    """`@everyone` in an error would wake a whole chat."""
    assert f"@{name}" not in message(f"busy @{name}").body("markdown")
    assert "anna@example.org" in message("anna@example.org").body("markdown")


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=40))
def test_any_words_are_only_words_in_html(text: str) -> None:
    """No tag, no link, and every sign shown as it came."""
    for style in ("text", "command", "link"):
        shown = Read(message(f"x{text}", style).body("html"))

        assert f"x{text}" in shown.words
        assert set(shown.tags) <= {"p", "b", "code", "small"}


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=40))
def test_a_command_is_pasted_as_it_was_meant(text: str) -> None:
    """Whatever stands in it, a backtick too."""
    body = message(text, "command").body("markdown")

    code = body.split("**Says:** ")[1].split("\n")[0]
    fence = len(code) - len(code.lstrip("`"))
    inside = code[fence:-fence]
    assert "`" * fence not in inside.replace("`" * (fence - 1) if fence > 1 else "\0", "")
    assert inside.strip() == text.strip()


def test_only_addresses_of_the_web_become_links() -> None:
    """A runbook may be words, and a provider may send what looks like an address."""
    assert Read(message("https://wiki.test/a?b=1&c=2", "link").body("html")).links == ["https://wiki.test/a?b=1&c=2"]
    assert Read(message("javascript:alert(1)", "link").body("html")).links == []
    assert Read(message('https://x.test/"><b>', "link").body("html")).links == []
    assert "https://wiki.test/a_b_c" in message("https://wiki.test/a_b_c", "link").body("markdown")
