"""All pages of one answer, from the first to the last, or to the one that did not come."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

from data_pipeline.collect.addresses import file_name, led_to
from data_pipeline.collect.http import answers
from data_pipeline.collect.http.drafts import Draft
from data_pipeline.collect.http.exchange import Answer
from data_pipeline.collect.http.page_rows import PageRows, rows_of
from data_pipeline.collect.http.paging import Paginate, next_in_json, next_in_links, value_in_json
from data_pipeline.collect.http.sending import Sender
from data_pipeline.errors import CollectError, ProviderRefused
from utils.resilience.errors import RejectedError

__all__ = ["Pages", "collect_pages"]

MAX_JSON_PAGE = 64 * 10**6
"""Bytes of a page that are read into memory to look for what leads to the next one."""
SMALL = 64 * 2**10
"""Bytes of a page that may be empty though it names a next one; larger ones are not looked into."""


_LONGEST_NUMBER = 40
_NUMBER = re.compile(rf"[0-9]{{1,{_LONGEST_NUMBER}}}")
_DATE = re.compile(r"[12]\d{3}-[01]\d-[0-3]\d")


@dataclass(slots=True)
class Pages:
    """What came.

    Attributes:
        partial: There is more, or may be.
        failure: The error that ended it, if one did.
    """

    answers: list[Answer] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    partial: bool = False
    failure: CollectError | RejectedError | None = None

    def close(self) -> None:
        for answer in self.answers:
            if answer.body is not None:
                answer.body.close()


@dataclass(frozen=True, slots=True)
class _Stop:
    """No further page. `note`: why, if it is not simply the last."""

    note: str = ""
    partial: bool = False


_LAST = _Stop()


def collect_pages(
    send: Sender, draft: Draft, paginate: Paginate, *, records: str = "", conditions: Mapping[str, str] | None = None
) -> Pages:
    """The pages that begin with `draft`. A failure after the first page keeps what came before: `partial`, with a note.

    A page without rows, or with the rows of an earlier one, ends them and is not kept. A short page does not: some
    providers cap the size below what is asked, others filter after they have counted. Where we count the pages
    ourselves, a 404 after the first one is the end too.

    Args:
        records: Where the rows of a page are (`parse.records`), if that is known.
        conditions: Headers of the first request, when there is only one.

    Raises:
        CollectError, RejectedError: the first page did not come.
    """
    found = Pages()
    try:
        _Walk(send, paginate, records, found).run(_step_of(paginate), draft, conditions or {})
    except BaseException:
        found.close()
        raise
    return found


class _Step(Protocol):
    """The way from page to page."""

    def first(self, draft: Draft) -> Draft: ...

    def next(self, draft: Draft, answer: Answer, rows: PageRows, number: int) -> Draft | _Stop:
        """`number`: of the page that `answer` is."""
        ...


@dataclass(slots=True)
class _Walk:
    send: Sender
    paginate: Paginate
    records: str
    found: Pages
    marks: set[str] = field(default_factory=set)
    header: bytes = b""

    def run(self, step: "_Step", draft: Draft, conditions: Mapping[str, str]) -> None:
        draft = step.first(draft)
        answer = self.send(draft.ask(), conditions=conditions)
        self._keep(answer)
        if answer.body is None or self.paginate.kind == "none":
            return
        rows = self._rows(answer)
        self.header = rows.header
        self.marks = {self._mark(rows, answer.body.sha256)}
        if self.paginate.counts and (rows.count == 0 or rows.missing):
            return
        while isinstance(following := self._following(step, draft, answer, rows), Draft):
            draft, number = following, len(self.found.answers) + 1
            came = self._page(draft, number)
            if isinstance(came, _Stop):
                self._stop(came)
                return
            answer, rows = came
        self._stop(following)

    def _following(self, step: "_Step", draft: Draft, answer: Answer, rows: PageRows) -> Draft | _Stop:
        number, most = len(self.found.answers), self.paginate.max_pages
        following = step.next(draft, answer, rows, number)
        if isinstance(following, Draft) and number >= most:
            more = "may have more" if self.paginate.counts else "has more"
            return _Stop(f"stopped after max_pages: {most}; the provider {more}", partial=True)
        return following

    def _page(self, draft: Draft, number: int) -> tuple[Answer, PageRows] | _Stop:
        """A later page, kept; or why it is none."""
        try:
            answer = self.send(draft.ask(), excused=lambda answer: self._rows(answer).count == 0)
        except (CollectError, RejectedError) as error:
            if self.paginate.counts and isinstance(error, ProviderRefused) and error.status == 404:
                return _Stop(f"page {number} is not there (404): page {number - 1} was the last")
            self.found.failure = error
            return _Stop(f"page {number} did not come, the {number - 1} before it are kept: {error}", partial=True)
        if answer.body is None:
            return _LAST
        rows = self._rows(answer)
        stop = self._end(answer, rows, number)
        if stop is not None:
            answer.body.close()
            return stop
        self.marks.add(self._mark(rows, answer.body.sha256))
        self._keep(answer)
        return answer, rows

    def _end(self, answer: Answer, rows: PageRows, number: int) -> _Stop | None:
        """Why a page that came is no page; None when it is one."""
        assert answer.body is not None
        if rows.count == 0:
            return _LAST
        if self._mark(rows, answer.body.sha256) in self.marks:
            return _Stop(f"page {number} repeats an earlier page; stopped there")
        if rows.missing:
            return _Stop(f"page {number} has nothing at `{self.records}`; stopped there", partial=True)
        return None

    def _rows(self, answer: Answer) -> PageRows:
        assert answer.body is not None
        if not self.paginate.counts and answer.body.size > SMALL:
            return PageRows(None, answer.body.sha256)
        kind, _ = answers.media_type(answer.headers.get("content-type", ""))
        name = file_name(answer.url)
        return rows_of(answer.body, name=name, media_type=kind, records=self.records, header=self.header)

    def _mark(self, rows: PageRows, sha256: str) -> str:
        """By what a repeated page is known. Where we count, a page past the end may repeat the last one's rows beside
        the number we asked for; a page that the provider names itself is the same only when every byte is.
        """
        return rows.mark if self.paginate.counts else sha256

    def _keep(self, answer: Answer) -> None:
        self.found.answers.append(answer)
        self.send.size += answer.body.size if answer.body else 0

    def _stop(self, stop: _Stop) -> None:
        self.found.partial = self.found.partial or stop.partial
        if stop.note:
            self.found.notes.append(stop.note)


def _step_of(paginate: Paginate) -> _Step:
    if paginate.counts:
        return _ByCount(paginate)
    if paginate.kind == "cursor":
        return _ByCursor(paginate)
    return _ByAddress(paginate)


class _ByAddress:
    """The provider names the next page's address, or there is only one page."""

    def __init__(self, paginate: Paginate) -> None:
        self._paginate = paginate
        self._seen: set[str] = set()

    def first(self, draft: Draft) -> Draft:
        self._seen.add(draft.ask().url)
        return draft

    def next(self, draft: Draft, answer: Answer, rows: PageRows, number: int) -> Draft | _Stop:
        self._seen.add(answer.url)
        target: str | None = None
        if self._paginate.kind == "link_header":
            target = next_in_links(answer.headers.get("link", ""))
        elif self._paginate.kind == "json_next":
            try:
                with _opened(answer, self._paginate.next) as stream:
                    target = next_in_json(stream, self._paginate.next)
            except ValueError as error:
                return _unsaid(number, error)
        if not target:
            return _LAST
        try:
            url = led_to(answer.url, target)
        except ValueError as error:
            return _Stop(f"page {number} names a next page that cannot be asked: {error}", partial=True)
        if url in self._seen:
            return _Stop(f"page {number} names an earlier page as the next one; stopped there")
        self._seen.add(url)
        return draft.at(url)


class _ByCount:
    """We count: pages, or rows. A page that tells how many rows it has moves the offset by so many."""

    def __init__(self, paginate: Paginate) -> None:
        self._paginate = paginate
        self._at = paginate.first

    def first(self, draft: Draft) -> Draft:
        if self._paginate.size_param:
            draft = draft.put(self._paginate.targets[1], self._paginate.size)
        return draft.put(self._paginate.counter, self._at)

    def next(self, draft: Draft, answer: Answer, rows: PageRows, number: int) -> Draft | _Stop:
        step = 1
        if self._paginate.kind == "offset":
            assert self._paginate.size is not None
            # A provider that caps the size below ours would else be asked to skip rows.
            step = rows.count or self._paginate.size
        self._at += step
        return draft.put(self._paginate.counter, self._at)


class _ByCursor:
    """The answer holds a mark that the next request gives back."""

    def __init__(self, paginate: Paginate) -> None:
        self._paginate = paginate
        self._seen: set[Any] = set()
        self._last: str | None = None
        self._direction = 0

    def first(self, draft: Draft) -> Draft:
        return draft

    def next(self, draft: Draft, answer: Answer, rows: PageRows, number: int) -> Draft | _Stop:
        source = self._paginate.source
        try:
            with _opened(answer, source) as stream:
                cursor = value_in_json(stream, source)
            if isinstance(cursor, list | dict | bool) and cursor not in (False, [], {}):
                raise ValueError(f"`{source}` holds {type(cursor).__name__}, not a cursor")
        except ValueError as error:
            return _unsaid(number, error)
        if cursor is None or cursor is False or cursor in ("", [], {}):
            return _LAST
        if cursor in self._seen:
            return _Stop(f"page {number} names the cursor of an earlier page; stopped there", partial=True)
        if self._turned(cursor):
            return _Stop(f"page {number} names a cursor that goes backwards; stopped there", partial=True)
        self._seen.add(cursor)
        return draft.put(self._paginate.targets[0], cursor)

    def _turned(self, cursor: Any) -> bool:
        """Whether numbers or dates that grew begin to fall, or the other way round. Of other texts nobody can tell."""
        text = str(cursor)
        now = text.zfill(_LONGEST_NUMBER) if _NUMBER.fullmatch(text) else text if _DATE.match(text) else None
        before, self._last = self._last, now
        if now is None or before is None:
            return False
        direction = 1 if now > before else -1
        turned = self._direction not in (0, direction)
        self._direction = direction
        return turned


def _opened(answer: Answer, path: str) -> IO[bytes]:
    """The stream of a page, to look for `path` in.

    Raises:
        ValueError: it is too large to be read into memory.
    """
    assert answer.body is not None
    if answer.body.size > MAX_JSON_PAGE:
        raise ValueError(f"its {answer.body.size:,} bytes are too many to look for `{path}` in")
    return answer.body.open()


def _unsaid(number: int, error: ValueError) -> _Stop:
    # The parser will say more about a page that is no JSON; here it only means that pages may be missing.
    return _Stop(f"page {number} does not say whether there is a next one: {error}", partial=True)
