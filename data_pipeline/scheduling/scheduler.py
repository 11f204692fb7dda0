"""The scheduler: what is due becomes a run in the queue or is skipped with a reason, each occurrence once."""

import heapq
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import islice

from data_pipeline.run_queue.queue import NothingToCancel, RunQueue
from data_pipeline.scheduling.closing import Windows
from data_pipeline.scheduling.entry import Entry, Shut
from data_pipeline.scheduling.leader import Deposed, Leader
from data_pipeline.scheduling.occurrence import Occurrence
from data_pipeline.scheduling.pausing import begins
from data_pipeline.scheduling.plan import ACTOR, SOURCE, Caused, Plan, Told
from data_pipeline.scheduling.policy import MOST_MISSED, Busy, Skip, decide, overlap_of, skip_all
from data_pipeline.scheduling.scheduled import Scheduled
from data_pipeline.scheduling.triggers import Triggers
from data_pipeline.scheduling.views import Schedules, Standing, paused
from utils.clock import Clock
from utils.database import Connection, StateError
from utils.events import EventStore, NewEvent, rfc3339
from utils.logger import get_logger

__all__ = ["LEADER_GRACE_S", "Scheduler"]

STANDBY_S = 1.0
"""How soon a process that does not lead looks again whether it should."""

LONGEST_S = 60.0
"""A clock that is set forward is noticed by then."""

LEADER_GRACE_S = 60.0
"""Seconds by which an occurrence may be late and still be on time: a takeover lies between them."""

FILES_S = 3600.0
"""How often files of holidays are looked at again."""

MOST_AT_ONCE = 50
"""Schedules that one tick sees to, so that none takes long; the next one goes on at once."""

MOST_ROWS = 200
"""Occurrences that one tick writes down before it comes to an end."""

BUSY_S = 1.0
"""For how long the runs that are not over are taken as they were read, while many schedules are due."""

MANY_BUSY = 1_000
"""Schedules with runs that are not over, from which on reading them is a tick of its own."""

MOST_READ = 10_000
"""Occurrences of one schedule that one tick reads."""

SET_BACK_S = 1.0
"""Seconds from which on a clock that was set back is told of."""


class _PausedMeanwhile(StateError):
    """A schedule was paused since it was looked at; nothing was written."""


class Scheduler:
    """Sees to every occurrence, as long as its process leads.

    Args:
        scheduled: Every dataset with a schedule; asked again each time the process becomes the leader.
        changing: Those of them whose days off lie in files; asked again every hour.
        shut: Whether a dataset can be asked for at all now; None: it can.
        triggers: Those who wait for something to happen.
        told: Called with what became of each occurrence, after it was written.
        grace_s: Seconds by which an occurrence may be late and still be on time.
    """

    def __init__(
        self,
        scheduled: Callable[[], Sequence[Scheduled]],
        *,
        leader: Leader,
        queue: RunQueue,
        events: EventStore,
        schedules: Schedules,
        windows: Windows,
        triggers: Triggers,
        clock: Clock,
        changing: Callable[[], Sequence[Scheduled]] = lambda: (),
        shut: Callable[[str], Shut | None] = lambda _: None,
        told: Callable[[Told], None] = lambda _: None,
        grace_s: float = LEADER_GRACE_S,
    ) -> None:
        self._scheduled = scheduled
        self._changing = changing
        self._leader = leader
        self._queue = queue
        self._events = events
        self._schedules = schedules
        self._windows = windows
        self._triggers = triggers
        self._clock = clock
        self._shut = shut
        self._told = told
        self._grace = timedelta(seconds=grace_s)
        self._entries: dict[str, Entry] = {}
        self._heap: list[tuple[datetime, int, int, str]] = []
        self._busy: dict[str, Busy] | None = None
        self._busy_at = 0.0
        self._led = 0  # as whom the entries were read
        self._heard = 0
        self._seen: datetime | None = None
        self._read_files_at = 0.0

    @property
    def leads(self) -> bool:
        """Whether this process sees to the schedules, as far as it knows."""
        return self._leader.leads

    @property
    def waits_for_files(self) -> bool:
        """Whether files came that are not known to be whole yet: the next looks will tell."""
        return self.leads and self._triggers.waits_for_files

    def tick(self) -> float:
        """See to what is due; gives the seconds until the next tick is, 0.0: at once. News may bring it forward.

        Raises:
            StateError: the state cannot be used; what was due is due again.
        """
        if not self._leader.lead():
            self._let_go()
            return STANDBY_S
        try:
            if self._led != self._leader.fence:
                self._take_over()
            return self._work()
        except Deposed:
            self._leader.resign()
            self._let_go()
            return STANDBY_S
        except _PausedMeanwhile:
            self._read_again()
            return 0.0

    def close(self) -> None:
        """Let another process lead."""
        self._let_go()
        self._leader.resign()

    # --- as the leader ------------------------------------------------------------------------

    def _take_over(self) -> None:
        """Read where every schedule stands; what is new or was changed begins now."""
        self._let_go()
        declared = {one.dataset: one for one in self._scheduled()}
        self._heard = self._events.head()[0]
        stands = self._schedules.all()
        now = self._clock.now()
        events = [
            NewEvent(
                "schedule.set",
                name,
                {"since": rfc3339(begins(stands.get(name), now)), "fingerprint": one.fingerprint},
                source=SOURCE,
            )
            for name, one in declared.items()
            if name not in stands or stands[name].fingerprint != one.fingerprint
        ]
        gone = stands.keys() - declared.keys()
        events += [NewEvent("schedule.removed", name, source=SOURCE) for name in sorted(gone)]
        if events:
            self._events.append(events, guard=self._leader.guard)
            stands = self._schedules.all()
        self._entries = {name: Entry(one, stands[name]) for name, one in declared.items()}
        for entry in self._entries.values():
            self._expect(entry)
            self._windows_before(entry, stands[entry.it.dataset])
        self._triggers.begin([one for one in declared.values() if not one.has_times])
        self._read_files_at = self._clock.monotonic()
        self._led = self._leader.fence

    def _let_go(self) -> None:
        if self._led:
            self._triggers.end()
            self._windows.forget()
        self._entries, self._heap, self._busy, self._led = {}, [], None, 0

    def _read_again(self) -> None:
        """Somebody paused schedules, or resumed them."""
        stands = self._schedules.all()
        for name, entry in self._entries.items():
            found = stands.get(name)
            if found is not None and (found.paused_at is not None, found.handled) != (entry.paused, entry.handled):
                entry.stand(found)
                self._expect(entry)

    def _work(self) -> float:
        now = self._clock.now()
        self._watch_the_clock(now)
        self._hear()
        self._read_files()
        more = self._see_to_what_is_due(now)
        self._judge_windows(now)
        soonest = self._triggers.step(now, self._fire)
        if more:
            return 0.0
        moments = [moment for moment in (self._heap[0][0] if self._heap else None, self._windows.next) if moment]
        left = (min(moments) - self._clock.now()).total_seconds() if moments else LONGEST_S
        return max(0.0, min(left, soonest, LONGEST_S))

    def _watch_the_clock(self, now: datetime) -> None:
        if self._seen is not None and (back := (self._seen - now).total_seconds()) > SET_BACK_S:
            words = "what was seen to is not seen to again: each schedule goes on after its last occurrence"
            get_logger("scheduler").warning("clock.set_back", seconds=round(back, 3), words=words)
        self._seen = now

    def _hear(self) -> None:
        head = self._events.head()[0]
        if head != self._heard:
            after, self._heard = self._heard, head
            if any(self._events.read(after=after, limit=1, type=f"schedule.{what}") for what in ("paused", "resumed")):
                self._read_again()

    def _read_files(self) -> None:
        """Days off that changed since."""
        if self._clock.monotonic() - self._read_files_at >= FILES_S:
            self._read_files_at = self._clock.monotonic()
            for one in self._changing():
                entry = self._entries[one.dataset]
                entry.it = one
                self._expect(entry)

    def _see_to_what_is_due(self, now: datetime) -> bool:
        """Decide about, and write down, what is due of some schedules; whether more of them wait."""
        if not self._heap or self._heap[0][0] > now:
            return False
        busy, is_new = self._under_way()
        if is_new and len(busy) > MANY_BUSY:
            return True  # reading so many took its time: the next tick decides
        taken: list[Entry] = []
        after: list[tuple[datetime, datetime | None, str]] = []
        plan = Plan()
        try:
            while self._heap and self._heap[0][0] <= now and len(taken) < MOST_AT_ONCE and plan.rows < MOST_ROWS:
                _, _, turn, name = heapq.heappop(self._heap)
                entry = self._entries[name]
                if turn == entry.turn:
                    taken.append(entry)
                    after.append(self._planned(entry, now, busy.get(name, Busy()), plan))
            self._write(plan)
        except BaseException:
            for entry in taken:
                self._expect(entry)
            raise
        for entry, (handled, put_off, put_off_for) in zip(taken, after, strict=True):
            entry.handled, entry.put_off, entry.put_off_for = handled, put_off, put_off_for
            self._expect(entry)
        more = bool(self._heap) and self._heap[0][0] <= now
        self._busy = plan.added_to(busy) if more else None
        return more

    def _under_way(self) -> tuple[dict[str, Busy], bool]:
        """The runs that are not over, and whether they were read just now: once where many are due, and each second."""
        if self._busy is not None and self._clock.monotonic() - self._busy_at <= BUSY_S:
            return self._busy, False
        self._busy = self._schedules.busy()
        self._busy_at = self._clock.monotonic()
        return self._busy, True

    def _planned(self, entry: Entry, now: datetime, busy: Busy, plan: Plan) -> tuple[datetime, datetime | None, str]:
        """Decide about what is due of a schedule; gives where it stands once that is written."""
        one = entry.it
        due = list(islice(one.timetable.between(entry.handled, now), MOST_READ + 1))
        if len(due) > MOST_READ:
            # The newest ones are still to come: of all before them nothing but the row is left.
            older = due[: MOST_READ - MOST_MISSED]
            plan.skip(one.dataset, Skip(older, "missed", f"nobody was there for more than {len(older):,} occurrences"))
            return older[-1].due, None, ""
        while due and one.timetable.starts_at(due[-1]) > now:
            due.pop()
        if not due:
            return entry.handled, entry.put_off, entry.put_off_for
        if one.asked.kind == "window" and (left := self._without_window(one, due, now, plan)) is not None:
            return left, None, ""
        decision = decide(
            due,
            missed=one.asked.missed,
            overlap=overlap_of(one.asked),
            on_time=now - one.timetable.starts_at(due[-1]) <= self._grace,
            waited_for=entry.put_off_for,
            busy=busy,
        )
        if decision.run and (shut := self._shut(one.dataset)) is not None:
            if shut.until is not None:
                if shut.until != entry.put_off:
                    told = {"due": rfc3339(due[-1].due), "until": rfc3339(shut.until), "provider": shut.provider}
                    plan.note(NewEvent("schedule.put_off", one.dataset, told, source=SOURCE))
                return entry.handled, shut.until, shut.provider
            decision = skip_all(due, "provider", f"the circuit of {shut.provider} is held open by hand")
        plan.add(one, decision)
        return due[-1].due, None, ""

    def _without_window(self, one: Scheduled, due: list[Occurrence], now: datetime, plan: Plan) -> datetime | None:
        """When the window of the newest try has brought its data: no more tries in it; gives the last of them."""
        for occurrence in due:
            if (tried := self._windows.of(one, occurrence)) is not None:
                self._windows.tried(one, tried)
        window = self._windows.of(one, due[-1])
        if window is None or not self._windows.is_done(one, window):
            return None
        before = [occurrence for occurrence in due if occurrence.due < window.opens]
        rest = [*due[len(before) :], *one.timetable.between(due[-1].due, window.closes - timedelta(microseconds=1))]
        plan.add(one, skip_all(before, "missed", "nobody was there; the window after it has brought its data"))
        plan.add(one, skip_all(rest, "done", "the window has brought its data"))
        return rest[-1].due

    def _windows_before(self, entry: Entry, stands: Standing) -> None:
        """The window in which the schedule stands may have closed while nobody was there."""
        if entry.it.asked.kind == "window":
            tried = entry.it.timetable.previous(entry.handled)
            if tried is not None and tried.due > stands.since:
                window = entry.it.timetable.window(tried)
                if stands.overdue is None or stands.overdue < window.closes:
                    self._windows.tried(entry.it, window)

    def _judge_windows(self, now: datetime) -> None:
        following = self._windows.next
        if following is not None and following <= now:
            plan = Plan()
            judged = self._windows.judge(now, self._schedules.busy(), plan)
            self._write(plan)
            self._windows.settle(judged)

    def _fire(self, caused: Sequence[Caused], also: Sequence[NewEvent]) -> None:
        """Something happened that schedules wait for; what became of it before is passed over."""
        known = self._schedules.known([one.occurrence.run_id for one in caused]) if caused else set()
        busy = self._schedules.busy() if caused else {}
        plan = Plan(events=list(also))
        for one, occurrence, what in caused:
            if occurrence.run_id in known:
                continue
            here = busy.get(one.dataset, Busy())
            if self._entries[one.dataset].paused:
                plan.add(one, skip_all([occurrence], "paused", "the schedule is paused"), cause=what)
                continue
            decision = decide([occurrence], missed="last", overlap=overlap_of(one.asked), on_time=True, busy=here)
            plan.add(one, decision, cause=what)
            busy[one.dataset] = here.after(decision)
        self._write(plan)

    def _expect(self, entry: Entry) -> None:
        """Put the schedule where its next start is."""
        entry.turn += 1
        if entry.paused or not entry.it.has_times:
            return
        start = entry.put_off
        if start is None:
            following = entry.it.timetable.next(entry.handled)
            if following is None:
                return
            start = entry.it.timetable.starts_at(following)
        heapq.heappush(self._heap, (start, entry.it.rank, entry.turn, entry.it.dataset))

    def _write(self, plan: Plan) -> None:
        """All of it in one commit, as the leader, and only if nothing of it was paused meanwhile."""
        if not plan.requests and not plan.events:
            return

        def guard(connection: Connection) -> None:
            self._leader.guard(connection)
            now_paused = paused(connection)
            if any(not self._entries[name].paused for name in plan.names & now_paused if name in self._entries):
                raise _PausedMeanwhile("paused meanwhile", transient=True)

        self._queue.put(plan.requests, beside=plan.events, guard=guard)
        for run_id in plan.replaced:
            try:
                self._queue.cancel(run_id, ACTOR, reason="the next occurrence takes its place")
            except NothingToCancel:
                continue  # it is over by now
        for told in plan.told:
            self._told(told)
