"""The straight line: collect, parse, validate, score, store, detect, publish.

Where to read on, in the order of the line (`pipeline.py` is the line itself, for one dataset):

    asking          what is asked this time: all, what is new since the cursor, or pieces
        incremental     cursors                         partitions      pieces by hour, day, month or key
    bringing        collect/ and parse/, once or piece by piece, to one `Batch` (`batch`, `row_spool`)
        replaying       raw answers kept, and brought again in place of the provider
    judging         a batch held against its contract (`drift`), its rules (validate/), its cursor; `score`, `profile`
    storing         store/: a version, a part of a table, or a candidate that is held
    fallback        what readers get when nothing new is accepted; `promise`: whether it is fresh enough
    delivery        what came of it, in the words and events of the contract

    runner          many datasets: `waiting` says which may begin, `workforce` who works on it, beside other runs;
                    `recorder` writes down what came; then detect/
        run_queue/      runs that wait, and who works them off
    publish/        accepted versions go out

`dataset` has the values that travel, `errors` the family of errors; `export` writes rows as files, `python_values` are
cells as Python has them, `user_function` calls what a user wrote, `sql_database` knows databases by their address;
discover/ finds out what a source is before it is a dataset.
"""
