"""Who is never touched, and who may be at all: the wall between the protector and everybody else's work.

The opt-in list (the scope) comes first; what is in it is still held against what is immune, whatever the scope says.
Pure: it judges a process table, and sends nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePath
from typing import Protocol

from utils.host.processes import ProcessStat

__all__ = ["PROTECTED", "Facts", "Scope", "Surroundings", "immunity", "in_scope", "surroundings"]

PROTECTED = (
    # what the machine stands on
    *(
        "init",
        "systemd*",
        "(sd-pam)",
        "runit*",
        "s6-*",
        "openrc*",
        "tini",
        "dumb-init",
        "catatonit",
        "*udevd",
        "udevadm",
    ),
    *("dbus*", "polkitd", "rsyslogd", "syslog-ng", "auditd", "cron", "crond", "atd", "chronyd", "ntpd", "ntpsec"),
    *("networkmanager", "wpa_supplicant", "dhclient", "dhcpcd", "connmand", "dnsmasq", "unbound", "named"),
    *(
        "qemu-ga",
        "cloud-init",
        "acpid",
        "irqbalance",
        "thermald",
        "earlyoom",
        "oomd",
        "agetty",
        "getty",
        "login",
        "lvm*",
    ),
    # how somebody gets in to mend it
    *("sshd*", "sftp-server", "dropbear", "sudo", "su", "doas", "screen", "tmux*", "mosh-server"),
    *("xorg", "xwayland", "gnome-shell", "kwin*", "plasmashell", "sddm", "gdm*", "lightdm"),
    # what other work stands on
    *("dockerd", "containerd*", "podman", "conmon", "crio", "runc", "crun", "kubelet", "kube-*", "libvirtd", "qemu-*"),
    *("postgres*", "postmaster", "mysqld*", "mariadbd*", "mongod", "mongos", "redis-server", "redis-sentinel"),
    *(
        "valkey-server",
        "memcached",
        "etcd",
        "cockroach",
        "clickhouse*",
        "influxd",
        "oracle*",
        "ora_*",
        "sqlservr",
        "db2*",
    ),
    *("beam.smp", "rabbitmq*", "vault", "consul", "slapd", "nfsd", "rpcbind", "smbd", "rclone", "ceph-*", "multipathd"),
)
"""Names that are immune, as patterns, without regard to case. A name is cut to 15 bytes by the kernel."""

_CUT = 15
_OURS = "integrated_system.py"


@dataclass(frozen=True, slots=True)
class Scope:
    """Which processes may be touched. Of several parts that are given all must hold; none: our own children.

    Attributes:
        names: Of programs, as /proc tells them.
        uids: Users; they may be others than ours, because they are named.
        cgroup: Path of a cgroup (v2), as in /proc/PID/cgroup; those below it are part of it.
    """

    names: frozenset[str] = frozenset()
    uids: frozenset[int] = frozenset()
    cgroup: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.names or self.uids or self.cgroup)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Who we are among the processes.

    Attributes:
        pid, uid, session: Ours.
        ancestors: Our parent, its parent and so on.
        descendants: What we started, and what that started.
        protected: Patterns of names that are immune besides `PROTECTED`, and ids of processes that are part of us.
    """

    pid: int
    uid: int
    session: int
    ancestors: frozenset[int]
    descendants: frozenset[int]
    protected: tuple[str, ...] = ()
    protected_pids: frozenset[int] = frozenset()


class Facts(Protocol):
    """What is asked of few processes only, as it costs a read each."""

    def command(self, pid: int) -> Sequence[str]:
        """Its arguments; none: not to be had."""
        ...

    def cgroup(self, pid: int) -> str:
        """The path of its cgroup (v2); "": not to be had."""
        ...


def surroundings(
    table: Iterable[ProcessStat],
    *,
    pid: int,
    uid: int,
    session: int,
    parent: int,
    protected: Sequence[str] = (),
    protected_pids: Iterable[int] = (),
) -> Surroundings:
    """Find our ancestors and descendants in a process table.

    Args:
        parent: What the kernel says ours is, in case the table does not show us.
    """
    parents = {stat.pid: stat.ppid for stat in table}
    parents.setdefault(pid, parent)
    ancestors: set[int] = set()
    for start in (parent, parents[pid]):
        at = start
        while at > 0 and at not in ancestors:  # a table that was read while processes came and went may have a circle
            ancestors.add(at)
            at = parents.get(at, 0)
    children: dict[int, list[int]] = {}
    for child, its_parent in parents.items():
        children.setdefault(its_parent, []).append(child)
    descendants: set[int] = set()
    waiting = [pid]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in descendants and child != pid:
                descendants.add(child)
                waiting.append(child)
    return Surroundings(
        pid,
        uid,
        session,
        frozenset(ancestors),
        frozenset(descendants - ancestors),
        tuple(name.casefold() for name in protected),
        frozenset(protected_pids),
    )


def immunity(process: ProcessStat, about: Surroundings, scope: Scope, facts: Facts) -> str:
    """Why a process is never touched, in words; "": it is not immune."""
    if process.pid <= 1:
        return "it is the first process"
    if process.pid == about.pid:
        return "it is this program"
    if process.pid in about.ancestors:
        return "this program was started by it"
    if process.kernel_thread:
        return "it is part of the kernel"
    if process.pid == process.session:
        return "it leads a session"
    if process.state in {"Z", "X"}:
        return "it has ended"
    if process.uid is None or (process.uid != about.uid and process.uid not in scope.uids):
        return "it belongs to another user"
    if process.session in {0, about.session} and process.pid not in about.descendants:
        return "it belongs to the session that this program runs in"
    if process.pid in about.protected_pids or _is_ours(facts.command(process.pid)):
        return "it is part of this program"
    if (name := _protected(process.name, about.protected)) is not None:
        return f"`{name}` is protected"
    return ""


def in_scope(process: ProcessStat, about: Surroundings, scope: Scope, facts: Facts) -> bool:
    """Whether somebody said that this process may be touched."""
    if scope.is_empty:
        return process.pid in about.descendants
    if scope.names and process.name not in {name[:_CUT] for name in scope.names}:
        return False
    if scope.uids and process.uid not in scope.uids:
        return False
    return not scope.cgroup or _is_below(facts.cgroup(process.pid), scope.cgroup)


def _protected(name: str, more: Iterable[str]) -> str | None:
    folded = name.casefold()
    for pattern in (*PROTECTED, *more):
        if fnmatchcase(folded, pattern) or folded == pattern[:_CUT]:
            return pattern
    return None


def _is_ours(command: Sequence[str]) -> bool:
    """A server, a run or the page of this program, of whatever installation."""
    names = [PurePath(part).name for part in command[:5]]
    return _OURS in names or ("streamlit" in names and any(part.endswith("dashboard/app.py") for part in command))


def _is_below(path: str, scope: str) -> bool:
    wanted = "/" + scope.removeprefix("/sys/fs/cgroup").strip("/")
    return path == wanted or path.startswith(wanted.rstrip("/") + "/")
