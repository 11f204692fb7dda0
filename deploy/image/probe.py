"""Ask a server in the same container whether it is well: `probe.py 8000 /readyz` ends with 0 if so, else with 1.

Probes of containers run this instead of asking over the network: from loopback no token is needed.
"""

import sys
from http.client import HTTPConnection, HTTPException

PATIENCE_S = 5.0


def main(port: str, path: str) -> int:
    """0: it answered 200. What else it said, or that it did not, is printed: `docker inspect` shows it."""
    connection = HTTPConnection("127.0.0.1", int(port), timeout=PATIENCE_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        said = answer.read(2000).decode(errors="replace")
    except (OSError, HTTPException) as error:
        print(f"{path}: {error}")
        return 1
    finally:
        connection.close()
    print(f"{path}: {answer.status} {said}")
    return int(answer.status != 200)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
