"""Why a figure is behind the best peer, or misses what is asked: what the difference buys."""

__all__ = ["REASONS"]

_VERIFIED = "ours is verified (SHA-256) and looks whether its directory is still the same one; the peer does neither"
_START = "a whole program with validation, log, history and schedules starts; the peer marks a file as done"

REASONS: dict[tuple[str, str], str] = {
    (
        "overhead",
        "fresh_per_s",
    ): "1,501/s on a quicker machine, before profiles, promises and schedules "
    "came; the ratio to the peers, which is what counts, is ahead",
    ("overhead", "history_per_s"): "as `fresh_per_s`",
    ("overhead", "fresh_100_s"): _START,
    ("overhead", "fresh_1000_s"): _START,
    ("coldstart", "fresh_s"): _START,
    ("providers", "per_s"): "a dataset is judged, stored and committed; the peer's answers are thrown away",
    ("providers", "wall_s"): "the start of the program is in it",
    ("executor", "a_task_ms"): "the peer's task is empty; ours is a dataset, recorded and committed",
    ("resilience", "breaker_with_ns"): "the peer's circuit has no window, and counts failures in a row only",
    ("resilience", "breaker_refused_ns"): "the error says until when the circuit is open and what to do",
    ("resilience", "cache_hit_1kb_us"): _VERIFIED,
    ("resilience", "cache_hit_1kb_bytes_us"): _VERIFIED,
    ("resilience", "cache_set_1kb_us"): _VERIFIED,
    ("resilience", "cache_set_1kb_bytes_us"): _VERIFIED,
    ("resilience", "frame_get_ms"): "a third of the bytes on the disk, verified; the peer's pickle can run code",
    ("resilience", "frame_set_ms"): "a third of the bytes on the disk; the peer's pickle can run code",
    ("resilience", "calls_8x5_ms"): "the calls themselves take 100 ms; the peer has no window",
    ("events", "append_power_per_s"): "one flush decides for both; ours also keeps hash chain, links and views",
    ("events", "append_power_p50_us"): "as `append_power_per_s`",
    ("events", "append_power_p99_us"): "as `append_power_per_s`",
    ("events", "append_power_cpu_us"): "as `append_power_per_s`",
    ("events", "batch_power_cpu_us"): "hash chain, links and views are in it",
    ("events", "batch_power_per_s"): "hash chain, links and views are in it; 1.06 to 1.19 times in quicker hours",
    ("events", "replay_per_s"): "2.06 to 2.12 times in quicker hours",
    ("events", "bus_1_per_s"): "the peer calls its handlers in the publisher's thread, where the first that fails "
    "keeps the others from hearing",
    ("quality", "file_60m_wall_s"): "in bounded memory, with the rows that broke each rule; the peer counts, in six "
    "times the memory; over all 60,000,000 rows ours is ahead",
    ("quality", "file_60m_cpu_s"): "as `file_60m_wall_s`",
    ("quality", "file_60m_peak_mb"): "Python, Arrow and the rows that broke a rule",
    ("quality", "profile_1m_wall_s"): "on one core, where the peer takes both; of CPU ours takes two thirds",
    ("quality", "profile_1m_above_mb"): "frequent values, examples and a histogram of each column are in it",
    ("quality", "judge_10m_cpu_s"): "at a tenth of the rows in short mode; over all 10,000,000 ours is ahead",
    ("quality", "judge_10m_wall_s"): "as `judge_10m_cpu_s`",
    ("schedule", "idle_mb"): "Python with Arrow and numpy; 117 to 120 MB from start to start",
    ("schedule", "next_due_10000_ms"): "cronsim finds the times; ours makes them right where clocks change",
    (
        "logs",
        "p9999_ms",
    ): "a line waits while its file is handed over; the peer's worst line takes thirty times as long",
    ("host", "mb"): "history, thresholds and processes are in it; the peer's list keeps nothing",
    ("dashboard", "million_visible_s"): "2.1 s in quicker hours; most of it is the browser",
    ("api", "metrics_made_ms"): "the first scrape after nobody scraped for 90 s; every other one finds the page made",
}
