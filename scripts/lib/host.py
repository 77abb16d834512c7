"""What the scripts ask of libvirt: which guests are active and how much memory each has."""

import os
from typing import NamedTuple
from xml.etree import ElementTree

try:
    import libvirt
except ImportError as error:
    raise SystemExit("python3-libvirt is lacking (install it with: scripts/setup lab)") from error

import lab

# Every guest says its own figures this often once the statistics are on.
STATISTICS_PERIOD_SEC = 1

UNKNOWN = float("nan")


class Memory(NamedTuple):
    """One guest's memory in MiB; UNKNOWN where libvirt gives no figure."""

    name: str
    actual_mib: float
    unused_mib: float
    reported_sec: int  # when the guest said so, in seconds of the epoch; 0 for never


def default_uri() -> str:
    """The lab's guests if it is up, else what libvirt's own tools would take."""
    if lab.is_up():
        return lab.uri()
    return os.environ.get("LIBVIRT_DEFAULT_URI") or "qemu:///system"


def connect(uri: str) -> libvirt.virConnect:
    """Raises libvirt.libvirtError; nothing is printed on the way."""
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    return libvirt.open(uri)


def active_domains(connection: libvirt.virConnect) -> list:
    """Running and paused domains, aos_vm2 before aos_vm10: a paused one still holds its memory."""
    domains = connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
    return sorted(domains, key=lambda domain: (len(domain.name()), domain.name()))


def switch_on_statistics(domain: libvirt.virDomain) -> None:
    """Leaves a period that somebody has chosen; raises libvirtError where there is no balloon."""
    stats = ElementTree.fromstring(domain.XMLDesc()).find("./devices/memballoon/stats")
    if stats is None or stats.get("period", "0") == "0":
        domain.setMemoryStatsPeriod(STATISTICS_PERIOD_SEC, libvirt.VIR_DOMAIN_AFFECT_LIVE)


def read_memory(domain: libvirt.virDomain) -> Memory:
    stats = domain.memoryStats()
    return Memory(
        domain.name(),
        stats["actual"] / 1024.0 if "actual" in stats else UNKNOWN,
        stats["unused"] / 1024.0 if "unused" in stats else UNKNOWN,
        stats.get("last_update", 0),
    )
