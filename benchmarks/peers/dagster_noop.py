"""N independent no-op Dagster assets in one run, in-process executor, its event log in SQLite (the default).

The console logger is set to ERROR; at its default it writes several lines an asset, which would be unfair.
"""

import os
import sys
from pathlib import Path

home = Path("dagster").absolute()
home.mkdir()
(home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
os.environ["DAGSTER_HOME"] = str(home)

import dagster as dg  # noqa: E402 - it reads its home when it is imported


def asset(number):
    @dg.asset(name=f"noop_{number:05d}")
    def nothing() -> None:
        return None

    return nothing


if __name__ == "__main__":
    assets = [asset(number) for number in range(int(sys.argv[1]))]
    job = dg.define_asset_job("noop", executor_def=dg.in_process_executor)
    definitions = dg.Definitions(assets=assets, jobs=[job])
    resolve = getattr(definitions, "resolve_job_def", None) or definitions.get_job_def
    quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    with dg.DagsterInstance.get() as instance:
        result = resolve("noop").execute_in_process(instance=instance, run_config=quiet)
        if not result.success:
            sys.exit("an asset failed")
        print(len(instance.all_asset_keys()))
