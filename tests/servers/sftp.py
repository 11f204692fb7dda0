"""A real SFTP server on loopback, one for the whole session; it serves a folder to user `partner`."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

USER, PASSWORD = "partner", "p@ss/word-7"


@dataclass(frozen=True)
class SftpServer:
    """Where it listens, the folder it serves as `/`, its host key, and a client key that it accepts."""

    port: int
    root: Path
    host_key: str
    key_file: Path

    @property
    def options(self) -> dict[str, Any]:
        return {"username": USER, "password": PASSWORD}

    def url(self, path: str) -> str:
        return f"sftp://127.0.0.1:{self.port}/{path}"


@pytest.fixture(scope="session")
def sftp_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SftpServer]:
    """Started once. Tests use folders of their own below `root`."""
    import asyncssh

    folder = tmp_path_factory.mktemp("sftp")
    root = folder / "root"
    root.mkdir()
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    own_key = asyncssh.generate_private_key("ssh-ed25519")
    own_key.write_private_key(folder / "id")
    (folder / "authorized").write_bytes(own_key.export_public_key())
    # What the client writes to its own files must be readable by it alone.
    (folder / "id").chmod(0o600)

    class Login(asyncssh.SSHServer):
        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == (USER, PASSWORD)

    class Files(asyncssh.SFTPServer):
        def __init__(self, channel: Any) -> None:
            super().__init__(channel, chroot=str(root).encode())

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sftp-server", daemon=True)
    thread.start()

    def run(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(120)

    async def start() -> Any:
        return await asyncssh.create_server(
            Login,
            "127.0.0.1",
            0,
            server_host_keys=[host_key],
            authorized_client_keys=str(folder / "authorized"),
            sftp_factory=Files,
        )

    server = run(start())
    yield SftpServer(
        server.sockets[0].getsockname()[1], root, host_key.export_public_key().decode().strip(), folder / "id"
    )

    async def stop() -> None:
        server.close()
        await server.wait_closed()
        # Connections end in tasks of their own.
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    run(stop())
    loop.call_soon_threadsafe(loop.stop)
    thread.join(120)
    loop.close()
