"""A host that is reached over ssh: an sshd of our own, on this machine."""

import getpass
import os
import socket
import subprocess
import tempfile
import urllib.parse
from pathlib import Path

import cases

SSHD = "/usr/sbin/sshd"


class SshServer:
    """Lets in who runs this, with a key of its own."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="memory_coordinator.ssh.")
        self.directory = Path(self._directory.name)
        self.port = cases.free_port()
        for name in ("host", "user"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.directory / name)], check=True
            )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        options = {
            "Port": self.port,
            "ListenAddress": "127.0.0.1",
            "HostKey": self.directory / "host",
            "AuthorizedKeysFile": self.directory / "user.pub",
            "PasswordAuthentication": "no",
            "StrictModes": "no",  # the directory is below one that all may write to
            "PidFile": "none",
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        self._process = subprocess.Popen([SSHD, "-D", "-e", "-f", "/dev/null", *words], stderr=subprocess.DEVNULL)

    def __enter__(self) -> "SshServer":
        cases.wait_until(self._answers, "sshd listens", 10)
        return self

    def __exit__(self, *_) -> None:
        self._process.kill()
        self._process.wait()
        self._directory.cleanup()

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def cut(self) -> None:
        """Ends every link that is there; new ones are let in."""
        subprocess.run(["pkill", "-KILL", "-P", str(self._process.pid)], check=True)

    def uri(self, path: Path) -> str:
        """The libvirt URI of the daemon that listens there on this host."""
        where = {"socket": path, "keyfile": self.directory / "user", "no_verify": 1, "proxy": "netcat"}
        query = urllib.parse.urlencode(where)
        return f"qemu+ssh://{getpass.getuser()}@127.0.0.1:{self.port}/session?{query}"
