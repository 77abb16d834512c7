"""How a load gets into a guest: through the lab's channel, or over ssh as in the course."""

import re
import shlex
import subprocess

import host
import lab
from host import libvirt

LOAD_PROGRAM = lab.IMAGE / "load"
REMOTE_PROGRAM = "/tmp/memory_coordinator-load"
SSH_TIMEOUT_SEC = 30

ADDRESS_SOURCES = (
    libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE,
    libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT,
    libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP,
)


class TransportError(Exception):
    """What went wrong, for a person to read."""


class LabTransport:
    """The lab's guests. LabError where one does not do its part."""

    def prepare(self, guests: list) -> None:
        """The lab's guests have the load program on board."""
        missing = [guest for guest in guests if guest not in lab.guest_names()]
        if missing:
            raise TransportError(f"not in the lab: {', '.join(missing)}")

    def start(self, guest: str, plan: list) -> None:
        """Starts a load and returns at once."""
        lab.Guest(guest).load(plan)

    def stop(self, guest: str) -> None:
        lab.Guest(guest).stop_load()

    def is_running(self, guest: str) -> bool:
        return lab.Guest(guest).report().load_state == "running"


class SshTransport:
    """Guests of any libvirt that let us in over ssh."""

    def __init__(self, uri: str, ssh: str):
        self.ssh = shlex.split(ssh)
        try:
            self.connection = host.connect(uri)
        except libvirt.libvirtError as error:
            message = f"{uri}: {error} (for guests of the lab: scripts/lab up)"
            raise TransportError(message) from error
        self.hosts: dict = {}
        self.pids: dict = {}

    def prepare(self, guests: list) -> None:
        """Finds the guests and copies the load program into them."""
        try:
            program = LOAD_PROGRAM.read_bytes()
        except OSError as error:
            message = f"{LOAD_PROGRAM}: {error.strerror} (scripts/guest/build makes it)"
            raise TransportError(message) from error
        for guest in guests:
            self.hosts[guest] = self._host_of(guest)
            # By way of another name: a program that is running cannot be written over.
            copy = f"{REMOTE_PROGRAM}.new"
            self._run(guest, f"cat >{copy} && chmod +x {copy} && mv {copy} {REMOTE_PROGRAM}", program)

    def start(self, guest: str, plan: list) -> None:
        """Starts a load and returns at once; it outlives the connection."""
        command = f"{REMOTE_PROGRAM} {shlex.join(plan)}"
        answer = self._run(guest, f"nohup {command} </dev/null >/dev/null 2>&1 & echo $!")
        if not answer.strip().isdigit():
            raise TransportError(f"{guest}: the load did not start: {answer.strip()!r}")
        self.pids[guest] = answer.strip()

    def stop(self, guest: str) -> None:
        if guest in self.pids:
            self._run(guest, f"kill {self.pids.pop(guest)} 2>/dev/null || true")

    def is_running(self, guest: str) -> bool:
        if guest not in self.pids:
            return False
        # By its command line: a process that has ended may leave its number to another, or a zombie.
        test = f"grep -qs {REMOTE_PROGRAM} /proc/{self.pids[guest]}/cmdline"
        answer = self._run(guest, f"{test} && echo yes || echo no")
        return answer.strip() == "yes"

    def _host_of(self, guest: str) -> str:
        """The guest's first address that libvirt knows of, else its name."""
        try:
            domain = self.connection.lookupByName(guest)
        except libvirt.libvirtError as error:
            raise TransportError(str(error)) from error
        for source in ADDRESS_SOURCES:
            try:
                interfaces = domain.interfaceAddresses(source)
            except libvirt.libvirtError:
                continue  # no network of libvirt's, or no agent
            for interface in interfaces.values():
                for address in interface["addrs"] or []:
                    if not re.match(r"127\.|::1$|fe80:", address["addr"]):
                        return address["addr"]
        return guest

    def _run(self, guest: str, command: str, data: bytes = b"") -> str:
        try:
            done = subprocess.run(
                [*self.ssh, self.hosts[guest], command],
                input=data,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                timeout=SSH_TIMEOUT_SEC,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TransportError(f"{guest}: {error}") from error
        if done.returncode != 0:
            reason = done.stderr.decode(errors="replace").strip() or f"status {done.returncode}"
            raise TransportError(f"{guest} ({self.hosts[guest]}): {reason}")
        return done.stdout.decode(errors="replace")


