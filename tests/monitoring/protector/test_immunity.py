"""Whom the protector never touches, in whatever process table."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.protector.immunity import Scope, Surroundings, immunity, in_scope, surroundings
from monitoring.protector.ladder import LADDERS, Resource
from monitoring.protector.offender import Used, worst
from utils.host.processes import ProcessStat

US, OUR_UID, OUR_SESSION, SHELL = 50, 1000, 40, 40


@dataclass
class Told:
    """What /proc would say of few processes."""

    commands: dict[int, Sequence[str]] = field(default_factory=dict)
    cgroups: dict[int, str] = field(default_factory=dict)

    def command(self, pid: int) -> Sequence[str]:
        return self.commands.get(pid, ())

    def cgroup(self, pid: int) -> str:
        return self.cgroups.get(pid, "")


def process(pid: int, **more: object) -> ProcessStat:
    """A greedy process that nothing speaks for: a child of ours, in a session of somebody's, with our user."""
    about = {
        "pid": pid,
        "ppid": US,
        "session": OUR_SESSION,
        "state": "R",
        "started": 1000 + pid,
        "name": "hog",
        "cpu_seconds": 100.0,
        "rss_bytes": 10**9,
        "kernel_thread": False,
        "uid": OUR_UID,
        **more,
    }
    return ProcessStat(**about)  # type: ignore[arg-type] # a test's own fields


BASE = (
    process(1, ppid=0, session=1, name="systemd", uid=0),
    process(SHELL, ppid=1, session=SHELL, name="bash"),
    process(US, ppid=SHELL, name="python"),
)


def about(*table: ProcessStat, protected: Sequence[str] = (), pids: Sequence[int] = ()) -> Surroundings:
    return surroundings(
        (*BASE, *table),
        pid=US,
        uid=OUR_UID,
        session=OUR_SESSION,
        parent=SHELL,
        protected=protected,
        protected_pids=pids,
    )


def test_a_greedy_child_of_ours_may_be_touched() -> None:
    """With an empty scope: what we started, and what that started."""
    child, grandchild = process(60), process(61, ppid=60)
    for one in (child, grandchild):
        assert immunity(one, about(child, grandchild), Scope(), Told()) == ""
        assert in_scope(one, about(child, grandchild), Scope(), Told())


@pytest.mark.parametrize(
    ("spared", "why"),
    [
        pytest.param(process(1, ppid=0), "first process", id="the first process"),
        pytest.param(process(US, ppid=SHELL), "is this program", id="this program"),
        pytest.param(process(SHELL, ppid=1), "started by it", id="our parent"),
        pytest.param(process(60, kernel_thread=True), "kernel", id="a kernel thread"),
        pytest.param(process(60, session=60), "leads a session", id="a session leader"),
        pytest.param(process(60, state="Z"), "has ended", id="a zombie"),
        pytest.param(process(60, uid=1001), "another user", id="another user's"),
        pytest.param(process(60, uid=None), "another user", id="nobody knows whose"),
        pytest.param(process(60, ppid=SHELL), "session", id="another one of our own session"),
        pytest.param(process(60, ppid=1, session=0), "session", id="a session outside of the container"),
        pytest.param(process(60, name="sshd"), "protected", id="the ssh server"),
        pytest.param(process(60, name="systemd-journal"), "protected", id="a part of systemd"),
        pytest.param(process(60, name="Postgres"), "protected", id="a database"),
        pytest.param(process(60, name="NetworkManager"), "protected", id="the network manager"),
        pytest.param(process(60, name="redis-sentinel"[:15]), "protected", id="a name as the kernel cuts it"),
    ],
)
def test_the_wall_holds_even_inside_the_scope(spared: ProcessStat, why: str) -> None:
    """A scope that names it makes nothing that is immune an offender."""
    scope = Scope(names=frozenset({spared.name}))
    assert why in immunity(spared, about(spared), scope, Told())


def test_a_table_that_contradicts_itself_is_read_to_its_end() -> None:
    """It was read while processes came and went: our parent is its own, two are each other's."""
    table = (process(SHELL, ppid=SHELL, session=SHELL), process(60, ppid=61), process(61, ppid=60))
    here = surroundings(table, pid=US, uid=OUR_UID, session=OUR_SESSION, parent=SHELL)
    assert (here.ancestors, here.descendants) == (frozenset({SHELL}), frozenset())


def test_names_that_the_configuration_protects_are_immune() -> None:
    """By pattern, without regard to case, also where the kernel cut the name."""
    one = process(60, name="nightly-warehou")
    for protected in ("nightly-*", "Nightly-Warehouse-Load"):
        assert "protected" in immunity(one, about(one, protected=[protected]), Scope(), Told())


def test_what_is_part_of_this_program_is_immune() -> None:
    """A run of its own, its page, and what was named by number."""
    child, page, other, started = process(60), process(61), process(62), process(63)
    told = Told(
        {
            60: ("/usr/bin/python3", "/opt/cdo/integrated_system.py", "run"),
            61: ("python", "-m", "streamlit", "run", "/opt/cdo/dashboard/app.py"),
            63: ("python", "-P", "-m", "dashboard", "streamlit", "run", "/opt/cdo/dashboard/app.py"),
        }
    )
    here = about(child, page, other, started, pids=[62])
    ours = (child, page, other, started)
    assert ["part of this program" in immunity(one, here, Scope(), told) for one in ours] == [True] * 4


def test_another_user_is_reachable_only_when_named() -> None:
    """The scope's users are an opt-in of their own."""
    theirs = process(60, ppid=1, session=30, uid=1001)
    assert immunity(theirs, about(theirs), Scope(uids=frozenset({1001})), Told()) == ""
    assert immunity(theirs, about(theirs), Scope(names=frozenset({"hog"})), Told()) != ""


def test_of_a_scope_with_several_parts_all_must_hold() -> None:
    """Name, user and group narrow it down; a group has those below it, and not its namesakes."""
    one = process(60, ppid=1, session=30)
    told = Told(cgroups={60: "/work.slice/jobs/a"})
    for scope, expected in (
        (Scope(names=frozenset({"hog"})), True),
        (Scope(names=frozenset({"hog"}), uids=frozenset({7})), False),
        (Scope(cgroup="/work.slice/jobs"), True),
        (Scope(cgroup="/sys/fs/cgroup/work.slice/jobs/"), True),
        (Scope(cgroup="/work.slice/jo"), False),
        (Scope(), False),
    ):
        assert in_scope(one, about(one), scope, told) is expected
    assert not in_scope(one, about(one), Scope(cgroup="/work.slice"), Told())


ids = st.integers(1, 70)
stats = st.builds(
    ProcessStat,
    pid=ids,
    ppid=st.integers(0, 70),
    session=st.integers(0, 70),
    state=st.sampled_from("RSDZXT"),
    started=st.integers(0, 5),
    name=st.sampled_from(["hog", "sshd", "systemd-udevd", "postgres", "bash", "python", "Mysqld"]),
    cpu_seconds=st.just(1.0),
    rss_bytes=st.integers(0, 2**34),
    kernel_thread=st.booleans(),
    uid=st.sampled_from([None, 0, OUR_UID, 1001]),
)
scopes = st.builds(
    Scope,
    names=st.frozensets(st.sampled_from(["hog", "sshd", "python", "postgres", "bash"])),
    uids=st.frozensets(st.sampled_from([0, OUR_UID, 1001])),
    cgroup=st.sampled_from(["", "/a"]),
)


@given(
    st.lists(stats, max_size=25, unique_by=lambda one: one.pid),
    scopes,
    st.sampled_from(sorted(LADDERS)),
    st.frozensets(ids, max_size=3),
)
def test_no_process_table_makes_an_immune_process_the_worst(
    table: list[ProcessStat], scope: Scope, resource: Resource, ours: frozenset[int]
) -> None:
    """Whatever the table: who is picked is none of those that are never touched."""
    told = Told(cgroups=dict.fromkeys(range(71), "/a/b"))
    here = surroundings(
        table, pid=US, uid=OUR_UID, session=OUR_SESSION, parent=SHELL, protected=["python"], protected_pids=ours
    )
    used = Used({one.identity: 100.0 for one in table}, {one.identity: 1e9 for one in table})
    found = worst(resource, table, used, here, scope, told, 0.0)
    if found is None:
        return
    one = found.process
    parents = {stat.pid: stat.ppid for stat in table} | ({} if any(s.pid == US for s in table) else {US: SHELL})
    ancestors, at = {SHELL}, US
    for _ in range(80):
        at = parents.get(at, 0)
        ancestors.add(at)
    assert one.pid not in {1, US} | ancestors | ours
    assert one.pid != one.session
    assert not one.kernel_thread
    assert one.state not in "ZX"
    assert one.name in {"hog", "bash"}
    assert one.uid == OUR_UID or (one.uid is not None and one.uid in scope.uids)
    assert not scope.names or one.name in scope.names
    below_us, at = False, one.pid
    for _ in range(80):
        at = parents.get(at, 0)
        below_us = below_us or at == US
    assert below_us or not (scope == Scope() or one.session in {0, OUR_SESSION})


def test_the_one_that_uses_most_is_picked_unless_it_uses_little() -> None:
    """Ending one that uses little helps nobody."""
    table = (process(60, rss_bytes=10), process(61, rss_bytes=30), process(62, rss_bytes=20))
    here = about(*table)
    picked = worst("memory", table, Used(), here, Scope(), Told(), 5)
    assert picked is not None
    assert picked.process.pid == 61
    leave = frozenset({picked.process.identity})
    second = worst("memory", table, Used(), here, Scope(), Told(), 5, leave=leave)
    assert second is not None
    assert second.process.pid == 62
    assert worst("memory", table, Used(), here, Scope(), Told(), 31) is None
    assert worst("cpu", table, Used(), here, Scope(), Told(), 5) is None
