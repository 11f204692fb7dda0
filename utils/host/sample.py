"""What a sample of this machine holds."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

__all__ = ["HostSample", "TopProcess"]


@dataclass(frozen=True, slots=True)
class TopProcess:
    """One of the few processes that use the most.

    Attributes:
        started: Clock ticks from boot to its start; with `pid` it names this process and no other.
        created: Epoch seconds of its start.
        name: Of the program, its first 15 bytes; whoever runs it may choose it.
        command: Its command line without secrets, in one line; the name where it is not told.
        cpu_percent: Of one core since the sample before; None: not known yet.
        user: Name, or number where there is none.
    """

    pid: int
    started: int
    created: float | None
    name: str
    command: str
    cpu_percent: float | None
    rss_bytes: int
    user: str


@dataclass(frozen=True, slots=True)
class HostSample:
    """The machine at one moment. Percents are 0..100; `None`: not to be had here, or not this time.

    In a container with limits, memory and CPU are told of the machine or of the container, whichever is fuller.

    Attributes:
        disk_percent, disk_free_bytes, disk_total_bytes: Of the disk that the collector was told, as a user has it.
        disk_read_bytes_s, disk_write_bytes_s: Of that disk.
        io_read_bytes_s, io_write_bytes_s: Of all disks together.
        network_bytes_sent, network_bytes_recv: Since boot, all interfaces; `network_…_bytes_s` without the loopback.
        network_latency_ms: Of a connection to a canary, measured now and then; None without canaries.
        pressure_cpu, pressure_memory, pressure_io: Percent of the last 10 s in which some task waited for it;
            `pressure_memory_full`: in which all tasks did (Linux, pressure stall information).
        connections: TCP and UDP sockets in use.
        load_1m: Tasks that run or wait, mean of a minute.
        temperature_c: The hottest sensor of the processor.
        process_threads, own_cpu_percent, own_rss_bytes, own_open_files: Of this process; its CPU in percent of a core.
        own_files_free: How many files and sockets this process may open yet.
        gc_collections: Since this process started, all generations.
        contained: Limits of a container, or of a service, are tighter than the machine.
        top_cpu, top_memory: The processes that use the most, the first first.
    """

    cpu_percent: float | None
    memory_percent: float | None
    disk_percent: float | None
    network_bytes_sent: int | None
    network_bytes_recv: int | None
    process_threads: int
    gc_collections: int
    load_1m: float | None
    swap_percent: float | None
    disk_free_bytes: int | None
    temperature_c: float | None
    time: datetime
    cpu_cores: float | None = None
    memory_available_bytes: int | None = None
    memory_total_bytes: int | None = None
    disk_total_bytes: int | None = None
    disk_read_bytes_s: float | None = None
    disk_write_bytes_s: float | None = None
    io_read_bytes_s: float | None = None
    io_write_bytes_s: float | None = None
    network_sent_bytes_s: float | None = None
    network_recv_bytes_s: float | None = None
    network_latency_ms: float | None = None
    connections: int | None = None
    processes: int | None = None
    pressure_cpu: float | None = None
    pressure_memory: float | None = None
    pressure_memory_full: float | None = None
    pressure_io: float | None = None
    own_cpu_percent: float | None = None
    own_rss_bytes: int | None = None
    own_open_files: int | None = None
    own_files_free: int | None = None
    python_threads: int = 0
    contained: bool = False
    top_cpu: tuple[TopProcess, ...] = ()
    top_memory: tuple[TopProcess, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The sample by field name; `time` stays a datetime."""
        return asdict(self)
