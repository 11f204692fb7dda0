"""A provider with latency: `python slow_server.py PORT_FILE SECONDS` answers every GET with a small CSV after a wait.

Asyncio and no framework, in a process of its own, so that it costs the measured side as little as can be.
"""

import asyncio
import sys
from pathlib import Path

BODY = b"id,value\n" + b"".join(b"%d,%d.5\n" % (number, number) for number in range(20))
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


async def serve(port_file: Path, latency: float) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(latency)
                writer.write(ANSWER)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=256)
    part = port_file.with_suffix(".part")
    part.write_text(str(server.sockets[0].getsockname()[1]))
    part.replace(port_file)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), float(sys.argv[2])))
