"""A guest moved to another lab beside its own (lab.another_host()), slowly while a test looks on."""

import contextlib
import threading
import time

import host
import lab
from cases import expect, wait_until
from host import libvirt

SLOW_MIB_PER_SEC = 4
FAST_MIB_PER_SEC = 4096
PATIENCE_SEC = 120.0


def uri(directory: str) -> str:
    """Of the lab there."""
    with lab.instead(directory):
        return lab.uri_of(lab.socket_path())


class Move:
    """Begins with the block; ended by finish(), or called off at the block's end."""

    def __init__(self, name: str, source: str, target: str):
        """From and to the labs in these directories."""
        self._source, self._target = host.connect(uri(source)), host.connect(uri(target))
        self._domain = self._source.lookupByName(name)
        # Its files and sockets are the other host's from then on.
        xml = self._domain.XMLDesc(libvirt.VIR_DOMAIN_XML_MIGRATABLE).replace(f"{source}/", f"{target}/")
        self._parameters = {
            libvirt.VIR_MIGRATE_PARAM_URI: "tcp:127.0.0.1",
            libvirt.VIR_MIGRATE_PARAM_DEST_XML: xml,
            libvirt.VIR_MIGRATE_PARAM_BANDWIDTH: SLOW_MIB_PER_SEC,
        }
        self._error = ""
        self._thread = threading.Thread(target=self._move)

    def __enter__(self) -> "Move":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        if self.is_under_way():
            # It may come to its end at this very moment.
            with contextlib.suppress(libvirt.libvirtError):
                self._domain.abortJob()
        self._thread.join(PATIENCE_SEC)

    def _move(self) -> None:
        try:
            self._domain.migrate3(self._target, self._parameters, libvirt.VIR_MIGRATE_LIVE)
        except libvirt.libvirtError as error:
            self._error = str(error)

    def is_under_way(self) -> bool:
        return self._thread.is_alive()

    def _is_transferring(self) -> bool:
        return self._domain.jobStats().get("memory_processed", 0) > 0

    def finish(self) -> None:
        """As fast as it can from now on, the guest suspended; returns when it runs there.

        As `virsh migrate --timeout-suspend`. Before version 9.0 QEMU overlooks what an emulated guest writes just
        after its dirty pages have been read ("physmem: Fix migration dirty bitmap coherency with TCG memory
        access"), and the guest hangs there; one that is at rest writes nothing.
        """
        end = time.monotonic() + PATIENCE_SEC
        # Suspended before it has begun, it would arrive suspended.
        wait_until(self._is_transferring, "the migration begins")
        self._domain.suspend()
        while self.is_under_way():
            expect(time.monotonic() < end, "the migration comes to its end")
            # Said too early it does not count, and too late there is nobody to hear it.
            with contextlib.suppress(libvirt.libvirtError):
                self._domain.migrateSetMaxSpeed(FAST_MIB_PER_SEC)
            self._thread.join(0.5)
        expect(not self._error, f"the migration succeeds: {self._error}")

    def call_off(self) -> None:
        """The guest stays where it is."""
        self._domain.abortJob()
        self._thread.join(PATIENCE_SEC)
        expect(bool(self._error), "the migration is called off")
