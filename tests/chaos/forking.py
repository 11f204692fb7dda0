"""A process that forks a child for each line it reads: a child works some milliseconds after it was asked for.

So many of them can be killed. The answer to a line is the child's pid; what goes wrong in a child is on the standard
error.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable


def fork_for_each_line(work: Callable[[str], None]) -> None:
    """Answer the lines of standard input. `work` has no end of its own: one that ends has failed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are buried by the kernel
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                work(line.strip())
            except BaseException:  # noqa: BLE001 - whatever it is, the test has to see it
                traceback.print_exc()
                sys.stderr.flush()
            finally:
                os._exit(1)
        os.write(1, f"{child}\n".encode())
