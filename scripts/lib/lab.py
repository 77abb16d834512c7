"""A bed of real guests on this machine: QEMU under a libvirt daemon of its own.

Everything of the lab lives under one directory, lab_dir(): the daemon's sockets and
state, the guests' consoles, control channels and reports. The machine's own libvirt
is never asked and never touched. Nothing here prints, except through the `tell`
function that up() is given.
"""

import collections
import contextlib
import fcntl
import grp
import json
import os
import pwd
import re
import secrets
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import time
import urllib.parse
import uuid
from pathlib import Path
from typing import Callable, Iterator, Optional
from xml.sax.saxutils import escape

REPOSITORY = Path(__file__).resolve().parents[2]
IMAGE = REPOSITORY / "build" / "guest"

GUESTS_MAX = 16
DEFAULT_MEMORY_MIB = 512
DEFAULT_MAX_MIB = 2048

# A guest boots in 2 s alone on a processor; sixteen emulated ones share two.
BOOT_TIMEOUT_SEC = 240
DAEMON_TIMEOUT_SEC = 60
TRIAL_TIMEOUT_SEC = 10
REPORT_TIMEOUT_SEC = 20

# libvirt puts sockets this deep under the directory; a socket's path has at most 107 bytes.
_LONGEST_SOCKET = "/config/libvirt/qemu/lib/domain-1000-aos_vm16/monitor.sock"
_DIR_LENGTH_MAX = 107 - len(_LONGEST_SOCKET)

# What marks a directory as a lab's, so that no other is ever removed; held locked by up(), and for
# as long as for_a_run() lasts.
_MARKER = "memory_coordinator-lab"
_STATE = "lab.json"

# A client without a daemon would start one by itself, outside of the lab.
os.environ["LIBVIRT_AUTOSTART"] = "0"


class LabError(Exception):
    """What went wrong, for a person to read."""


class UsageError(LabError):
    """What was asked for makes no sense, whatever state the lab is in."""


# One line of a guest's report. `load_state` is none, running, done (its plan ended)
# or killed; `load_mib` is what the load holds, in memory or in swap.
Report = collections.namedtuple(
    "Report",
    "uptime_ms free_kib available_kib total_kib oom_kills swap_ins swap_outs load_state load_mib",
)


# ---- the lab's directory and state ----


def lab_dir() -> Path:
    """The lab's directory, whether it exists or not. LabError for an unusable one."""
    path = os.environ.get("MEMORY_COORDINATOR_LAB", f"/tmp/memory_coordinator-lab.{os.geteuid()}")
    if not path.startswith("/") or os.path.normpath(path) != path or path == "/":
        raise LabError(f"MEMORY_COORDINATOR_LAB must be a plain absolute path, not '{path}'")
    if len(os.fsencode(path)) > _DIR_LENGTH_MAX:
        raise LabError(f"the lab's directory must have at most {_DIR_LENGTH_MAX} bytes: {path}")
    return Path(path)


def is_up() -> bool:
    """True from the end of up() to the beginning of down(), whatever has died since."""
    return _owned() and (lab_dir() / _STATE).exists()


def uri() -> str:
    """The libvirt URI of the lab. LabError if it is not up."""
    _state()
    return _uri()


def _uri() -> str:
    return uri_of(socket_path())


def uri_of(path: Path) -> str:
    """The libvirt URI of a daemon of this user's that listens there."""
    return "qemu:///session?socket=" + urllib.parse.quote(str(path))


def socket_path() -> Path:
    """Where the lab's libvirtd listens."""
    return lab_dir() / "run" / "libvirt" / "libvirt-sock"


def _owned() -> bool:
    """False where there is no directory; LabError where it is not a lab of this user."""
    path = lab_dir()
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise LabError(f"{path} is there already and is not a directory of this user")
    # An empty one is of an up() that was ended between its first two steps.
    if not (path / _MARKER).exists() and any(path.iterdir()):
        raise LabError(f"{path} is there already and is not a lab: it is left alone")
    return True


def _state() -> dict:
    """What up() was asked for."""
    if not is_up():
        raise LabError("the lab is not up (start it with: scripts/lab up)")
    return json.loads((lab_dir() / _STATE).read_text())


def _create_dir() -> None:
    # The umask may be stricter than this, and libvirtd may run as another user.
    try:
        lab_dir().mkdir()
        lab_dir().chmod(0o755)
    except OSError as error:
        raise LabError(f"cannot make {lab_dir()}: {error.strerror}") from error


@contextlib.contextmanager
def _new_dir() -> Iterator[None]:
    """Makes the directory and marks it as a lab's; the lock shows that somebody is at work there. Where
    that fails, or is interrupted, all of the lab is ended."""
    _create_dir()
    with open(lab_dir() / _MARKER, "x", encoding="ascii") as marker:
        fcntl.flock(marker, fcntl.LOCK_EX)
        try:
            yield
        except BaseException:
            down()
            raise


def _fill_dir() -> None:
    path = lab_dir()
    # Where libvirtd's user can read them, whatever the checkout's permissions are.
    for name in ("vmlinuz", "initramfs.cpio.gz"):
        shutil.copyfile(IMAGE / name, path / name)
        (path / name).chmod(0o644)
    names = ("home", "run", "config", "config/libvirt", "cache", "data", "guests")
    directories = [path / name for name in names]
    for directory in directories:
        directory.mkdir(mode=0o700)
    # Consoles straight to files: virtlogd is not there.
    config = path / "config/libvirt/qemu.conf"
    config.write_text('stdio_handler = "file"\nsecurity_driver = "none"\n')
    config.chmod(0o644)
    user = libvirtd_user()
    if user:
        # Last of all: from here on that user can put what it likes into them.
        for directory in directories:
            os.chown(directory, user.pw_uid, user.pw_gid)


def _is_locked() -> bool:
    """Is a process at work in the directory, which may be this one?"""
    try:
        with open(lab_dir() / _MARKER, "rb") as marker:
            fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


# ---- its processes ----


def libvirtd_user() -> Optional[pwd.struct_passwd]:
    """Whom libvirtd runs as when it cannot be ourselves: root's daemon is the machine's own."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _as_daemon_user() -> dict:
    """Arguments of subprocess for running as the user of libvirtd."""
    user = libvirtd_user()
    if not user:
        return {}
    groups = []
    with contextlib.suppress(KeyError):
        groups.append(grp.getgrnam("kvm").gr_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": groups}


def _environment() -> dict[str, str]:
    path = lab_dir()
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C",
        "HOME": str(path / "home"),
        "XDG_RUNTIME_DIR": str(path / "run"),
        "XDG_CONFIG_HOME": str(path / "config"),
        "XDG_CACHE_HOME": str(path / "cache"),
        "XDG_DATA_HOME": str(path / "data"),
    }


def _processes() -> dict[int, str]:
    """The lab's processes and their programs' names: those whose HOME is in the lab."""
    mark = b"\0HOME=" + os.fsencode(lab_dir()) + b"/"
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        # Gone meanwhile, or another user's, or (ProcessLookupError) a zombie.
        with contextlib.suppress(OSError):
            if mark in b"\0" + (entry / "environ").read_bytes():
                program = os.path.basename(os.readlink(entry / "exe"))
                # " (deleted)" follows after an upgrade of the package.
                found[int(entry.name)] = program.split(" ")[0]
    return found


def _daemons() -> list[int]:
    return [pid for pid, program in _processes().items() if program == "libvirtd"]


def _kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _wait_until(condition: Callable[[], bool], timeout: float, interval: float = 0.1) -> bool:
    """Waits for the condition; False if it has not come within `timeout` seconds."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(interval)
    return True


def start_libvirtd() -> None:
    """Starts the lab's libvirtd and returns when it answers; it finds running guests again."""
    path = lab_dir()
    if _daemons():
        return
    program = shutil.which("libvirtd", path=_environment()["PATH"])
    if not program:
        raise LabError("libvirtd is lacking (install it with: scripts/setup lab)")
    log = path / "libvirtd.log"
    with open(log, "ab") as output:
        # A session of its own: Ctrl-C on a script of the lab is not meant for it.
        daemon = subprocess.Popen(
            [program], cwd="/", env=_environment(), stdin=subprocess.DEVNULL,
            stdout=output, stderr=output, start_new_session=True, **_as_daemon_user(),
        )

    def answers() -> bool:
        if daemon.poll() is not None:
            raise LabError(f"libvirtd ended:\n{_last_lines(log)}")
        try:
            with _connection():
                return True
        except LabError:
            return False

    if not _wait_until(answers, DAEMON_TIMEOUT_SEC):
        raise LabError(f"libvirtd does not answer:\n{_last_lines(log)}")


def stop_libvirtd() -> None:
    """Ends the lab's libvirtd and nothing else: the guests run on without it."""
    _end(_daemons(), signal.SIGTERM)
    # It waits for its threads, and one that asks a frozen emulator never ends.
    _end(_daemons(), signal.SIGKILL)


def kill_libvirtd() -> None:
    """Ends it without a warning."""
    _end(_daemons(), signal.SIGKILL)


def signal_libvirtd(number: int) -> None:
    """Sends the signal to the lab's libvirtd, and waits for nothing."""
    for pid in _daemons():
        _kill(pid, number)


def restart_libvirtd() -> None:
    """stop_libvirtd() and start_libvirtd()."""
    stop_libvirtd()
    start_libvirtd()


def _end(pids: list[int], number: int) -> None:
    """Sends the signal, and waits up to 10 s for the processes' end."""
    for pid in pids:
        _kill(pid, number)
    _wait_until(lambda: not set(pids) & set(_processes()), 10, 0.02)


# ---- libvirt ----


def _libvirt():
    """The module: imported late, so that usage and scripts/setup work without it."""
    try:
        import libvirt
    except ImportError as error:
        raise LabError("python3-libvirt is lacking (install it with: scripts/setup lab)") from error
    # Errors come as exceptions; libvirt would also print each.
    libvirt.registerErrorHandler(lambda *_: None, None)
    return libvirt


@contextlib.contextmanager
def _connection() -> Iterator:
    libvirt = _libvirt()
    try:
        connection = libvirt.open(_uri())
    except libvirt.libvirtError as error:
        raise LabError(f"the lab's libvirtd does not answer: {error}") from error
    try:
        yield connection
    except libvirt.libvirtError as error:
        raise LabError(str(error)) from error
    finally:
        connection.close()


def guest_names() -> list[str]:
    """The running guests, in the order of their numbers."""
    _state()
    with _connection() as connection:
        domains = connection.listAllDomains(_libvirt().VIR_CONNECT_LIST_DOMAINS_ACTIVE)
        names = [domain.name() for domain in domains]
    return sorted(names, key=lambda name: (len(name), name))


# ---- guests ----


class Guest:
    """A running guest. Every method raises LabError where the guest does not do its part."""

    def __init__(self, name: str):
        if not re.fullmatch(r"aos_vm[1-9][0-9]?", name) or int(name[6:]) > GUESTS_MAX:
            raise UsageError(f"'{name}' is no guest: they are aos_vm1 to aos_vm{GUESTS_MAX}")
        self.name = name
        files = lab_dir() / "guests"
        self.console_path = files / f"{name}.console"
        self.report_path = files / f"{name}.report"  # grows by a line every 250 ms
        self._channel_path = files / f"{name}.channel"

    def load(self, plan_words: list[str]) -> None:
        """Starts a load with this plan (`load -h` in a guest tells what it may contain), in
        place of a running one; reports show it on return. UsageError for a bad plan."""
        code, output = self.run("load -n " + shlex.join(plan_words))
        if code:
            raise UsageError(output.strip().removeprefix("load: "))
        self._await_report(self._ask("load", " ".join(plan_words)))

    def stop_load(self) -> None:
        """Ends the load, if one runs: reports show `none` on return."""
        self._await_report(self._ask("stop", ""))

    def run(self, command: str, timeout: float = 10) -> tuple[int, str]:
        """Runs shell commands in the guest and returns their exit code and output (the
        first 128 KiB). A command that exceeds `timeout` seconds (LabError) ends when the
        guest is next asked something."""
        return self._ask("run", command, timeout)

    def report(self) -> Report:
        """The newest report, of at most 250 ms ago if guest and host are not overburdened."""
        with self._problems(), open(self.report_path, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 1024))
            lines = file.read().decode("ascii", "replace").split("\n")
        # The last piece is what has been written of a line that is not complete.
        for line in reversed(lines[:-1]):
            with contextlib.suppress(ValueError):
                return parse_report(line)
        raise LabError(f"{self.name} has not reported yet")

    def actual_kib(self) -> int:
        """The size of the guest now, as libvirt tells it. Hangs if the emulator is frozen."""
        with _connection() as connection:
            return connection.lookupByName(self.name).memoryStats()["actual"]

    def emulator_pid(self) -> int:
        """The process of its emulator."""
        with self._problems():
            pid = int((lab_dir() / f"run/libvirt/qemu/run/{self.name}.pid").read_text())
            if not _processes().get(pid, "").startswith("qemu"):
                raise LabError(f"{self.name} is not running")
        return pid

    def is_frozen(self) -> bool:
        """Is its emulator stopped by a signal?"""
        with self._problems():
            status = Path(f"/proc/{self.emulator_pid()}/stat").read_text()
            # The state follows the program's name, which is in parentheses.
            return status.rpartition(")")[2].split()[0] in "tT"

    @contextlib.contextmanager
    def _problems(self) -> Iterator[None]:
        """Files and sockets that are not there mean that the guest is not."""
        try:
            yield
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise LabError(f"{self.name} is not running") from error
        except socket.timeout as error:
            raise LabError(f"{self.name} has not answered in time") from error
        except OSError as error:
            raise LabError(f"{self.name}: {error.strerror}") from error

    def _ask(self, verb: str, body: str, timeout: float = 10) -> tuple[int, str]:
        """Sends a request of the agent's protocol (scripts/guest/agent.c), returns its reply."""
        nonce = secrets.token_hex(8)
        data = body.encode()
        if b"\1" in data or b"\0" in data or len(data) > 4000:
            raise LabError("what a guest is asked to do must be text of at most 4000 bytes")
        end = time.monotonic() + timeout
        with self._problems(), socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(timeout)
            channel.connect(str(self._channel_path))
            channel.sendall(b"\1%s %s %d\n%s" % (nonce.encode(), verb.encode(), len(data), data))
            received = b""
            while True:
                reply = re.search(rb"\x01%s (\d+) (\d+)\n" % nonce.encode(), received)
                if reply and len(received) - reply.end() >= int(reply[2]):
                    break
                channel.settimeout(max(end - time.monotonic(), 0.001))
                piece = channel.recv(65536)
                if not piece:
                    raise LabError(f"{self.name} ended while it was asked something")
                received += piece
        output = received[reply.end():reply.end() + int(reply[2])].decode("utf-8", "replace")
        return int(reply[1]), output

    def _await_report(self, reply: tuple[int, str]) -> None:
        code, text = reply
        if code:
            raise LabError(f"{self.name}: {text.strip()}")
        if not _wait_until(lambda: self.report().uptime_ms >= int(text), 10, 0.05):
            raise LabError(f"{self.name} does not report")


def parse_report(line: str) -> Report:
    """A line of a report file, without its end. ValueError if it is not one."""
    words = line.split()
    if len(words) != len(Report._fields):
        raise ValueError(line)
    return Report(*(int(word) for word in words[:7]), words[7], int(words[8]))


def create_guest(name: str, balloon: str = "virtio", backing: str = "") -> None:
    """Begins to boot a guest, and waits for nothing. LabError if it runs already. BALLOON is a
    model as libvirt has them; with "none" it never gets ready for start_guest(). BACKING stands
    in its <memoryBacking>."""
    state = _state()
    guest = Guest(name)
    if name in guest_names():
        raise LabError(f"{name} is running already")
    _create_guest(guest, state, balloon, backing)


def start_guest(name: str) -> None:
    """Boots a guest as up() does and returns when it is ready. LabError if it runs already."""
    create_guest(name)
    await_guest(name)


def await_guest(name: str) -> None:
    """Returns when a guest that boots is ready."""
    _await_ready([Guest(name)], _state()["memory_mib"], lambda _: None)


def stop_guest(name: str) -> None:
    """Ends a guest at once, without asking it."""
    _state()
    guest = Guest(name)
    # libvirt would wait long for a frozen emulator to end by itself.
    if guest.is_frozen():
        _kill(guest.emulator_pid(), signal.SIGKILL)
        if not _wait_until(lambda: name not in guest_names(), 30):
            raise LabError(f"{name} does not end")
        return
    _destroy(name)


def _destroy(name: str) -> None:
    with _connection() as connection:
        connection.lookupByName(name).destroy()


def _domain_xml(guest: Guest, state: dict, balloon: str, backing: str) -> str:
    kvm = state["kvm"]
    # QEMU would set a quarter of the machine's memory aside for translated code.
    tcg = "" if kvm else "<features><acpi/><tcg><tb-cache unit='MiB'>64</tb-cache></tcg></features>"
    # Zeroing all that the balloon takes during boot, and guarding against other
    # programs in the guest, only cost time here. An emulator that gets no processor for a moment
    # may miss the ticks by which the kernel tests its timer, and panic.
    words = "console=ttyS0 loglevel=5 panic=-1 init_on_alloc=0 mitigations=off no_timer_check"
    if state["swap_mib"]:
        words += f" swap={state['swap_mib']}"
    return f"""
<domain type='{"kvm" if kvm else "qemu"}'>
  <name>{guest.name}</name>
  <memory unit='MiB'>{state["max_mib"]}</memory>
  <currentMemory unit='MiB'>{state["memory_mib"]}</currentMemory>
  {f"<memoryBacking>{backing}</memoryBacking>" if backing else ""}
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{escape(str(lab_dir() / "vmlinuz"))}</kernel>
    <initrd>{escape(str(lab_dir() / "initramfs.cpio.gz"))}</initrd>
    <cmdline>{words}</cmdline>
  </os>
  {tcg or "<features><acpi/></features>"}
  {"<cpu mode='host-passthrough'/>" if kvm else ""}
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>destroy</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <controller type='usb' model='none'/>
    <serial type='file'>
      <source path='{escape(str(guest.console_path))}'/><target port='0'/>
    </serial>
    <serial type='unix'>
      <source mode='bind' path='{escape(str(guest._channel_path))}'/><target port='1'/>
    </serial>
    <serial type='file'>
      <source path='{escape(str(guest.report_path))}'/><target port='2'/>
    </serial>
    <memballoon model='{balloon}'/>
  </devices>
</domain>"""


def _create_guest(guest: Guest, state: dict, balloon: str = "virtio", backing: str = "") -> None:
    # A report of an earlier run would pass for this one's.
    for path in (guest.console_path, guest.report_path):
        path.unlink(missing_ok=True)
    with _connection() as connection:
        connection.createXML(_domain_xml(guest, state, balloon, backing))


def _is_ready(guest: Guest, memory_mib: int) -> bool:
    """Is the guest's balloon at its start size, and its agent there? LabError if it died."""
    try:
        actual_kib = guest.actual_kib()
    except LabError as error:
        raise LabError(f"{guest.name} ended while it booted ({error}); its console's last lines:\n"
                       + _last_lines(guest.console_path)) from error
    if actual_kib > memory_mib * 1024:
        return False
    try:
        guest.report()
        return guest.run("true")[0] == 0
    except LabError:
        return False


def _await_ready(guests: list[Guest], memory_mib: int, tell: Callable[[str], None]) -> None:
    start = time.monotonic()
    waiting = list(guests)
    while waiting:
        for guest in [guest for guest in waiting if _is_ready(guest, memory_mib)]:
            waiting.remove(guest)
            tell(f"{guest.name} is ready: {len(guests) - len(waiting)} of {len(guests)}, "
                 f"{time.monotonic() - start:.0f} s")
        if waiting and time.monotonic() - start > BOOT_TIMEOUT_SEC:
            raise LabError(f"{waiting[0].name} does not get ready; its console's last lines:\n"
                           + _last_lines(waiting[0].console_path))
        time.sleep(0.2 if waiting else 0)


def _last_lines(path: Path) -> str:
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    return "\n".join(lines[-10:]) or "(nothing)"


# ---- up and down ----


def up(n: int = 4, memory_mib: int = DEFAULT_MEMORY_MIB, max_mib: int = DEFAULT_MAX_MIB,
       swap_mib: int = 0, tell: Callable[[str], None] = lambda _: None) -> bool:
    """Boots guests aos_vm1..n, each `memory_mib` large and able to grow to `max_mib`, with
    compressed swap of `swap_mib`. Returns when all are ready: True, or False if these
    guests were up already. `tell` is given a line for each thing done. On failure or
    interruption nothing is left behind. LabError if another lab is up."""
    wanted = _wanted(n, memory_mib, max_mib, swap_mib)
    if _found_up(wanted):
        return False
    build_image()
    with _new_dir():
        _bring_up(wanted, tell)
    return True


@contextlib.contextmanager
def for_a_run(n: int, tell: Callable[[str], None]) -> Iterator[None]:
    """Guests as up() boots them, for the length of a block. What a run that was killed has left in
    the directory is ended; LabError if one is at work there."""
    wanted = _wanted(n, DEFAULT_MEMORY_MIB, DEFAULT_MAX_MIB, 0)
    if _owned():
        if _is_locked():
            raise LabError(f"there is a run already; MEMORY_COORDINATOR_LAB={lab_dir()} scripts/lab down ends it")
        tell("ending what a run has left behind")
        down()
    build_image()
    with _new_dir():
        _bring_up(wanted, tell)
        yield
        down()


def _wanted(n: int, memory_mib: int, max_mib: int, swap_mib: int) -> dict:
    """The state of such a lab. UsageError where there can be none."""
    if not 1 <= n <= GUESTS_MAX:
        raise UsageError(f"the number of guests must be 1 to {GUESTS_MAX}, not {n}")
    # A kernel that can grow to `max` keeps 1/64 of it as tables; over 65536 a load has no plan.
    least_mib = 128 + max_mib // 32
    if not least_mib <= memory_mib <= max_mib <= 65536:
        raise UsageError(f"sizes must be {least_mib} <= memory ({memory_mib}) <= max ({max_mib}) "
                         "<= 65536 MiB")
    if not 0 <= swap_mib <= 65536:
        raise UsageError(f"swap must be 0 to 65536 MiB, not {swap_mib}")
    return {"n": n, "memory_mib": memory_mib, "max_mib": max_mib, "swap_mib": swap_mib}


def _found_up(wanted: dict) -> bool:
    """True if this very lab is up, False if none is. Remains of a dead one are removed."""
    if not _owned():
        return False
    if _is_locked():
        raise LabError("the lab is being brought up just now, or is a run's own")
    if not is_up() or not _processes():
        down()
        return False
    state = _state()
    names = guest_names()
    if all(state[key] == value for key, value in wanted.items()) and \
            names == [f"aos_vm{i + 1}" for i in range(wanted["n"])]:
        return True
    raise LabError(f"another lab is up, with {', '.join(names) or 'no guest'} of "
                   f"{state['memory_mib']} to {state['max_mib']} MiB and {state['swap_mib']} MiB "
                   "of swap (end it with: scripts/lab down)")


def _bring_up(state: dict, tell: Callable[[str], None]) -> None:
    _fill_dir()
    state["kvm"] = _kvm_works()
    tell("starting libvirtd")
    start_libvirtd()
    guests = [Guest(f"aos_vm{i + 1}") for i in range(state["n"])]
    tell(f"booting {len(guests)} guests with {'KVM' if state['kvm'] else 'emulation'}, "
         f"{state['memory_mib']} MiB each and {state['max_mib']} at most")
    for guest in guests:
        _create_guest(guest, state)
    _await_ready(guests, state["memory_mib"], tell)
    _see_reports(guests, state, tell)
    (lab_dir() / _STATE).write_text(json.dumps(state))


def _silent(guests: list[Guest]) -> list[Guest]:
    """Those whose balloons do not report when they are asked to; statistics are off afterwards."""
    live = _libvirt().VIR_DOMAIN_AFFECT_LIVE
    with _connection() as connection:
        domains = [connection.lookupByName(guest.name) for guest in guests]
        # Each has reported once, when its driver came up.
        before = [domain.memoryStats().get("last_update") for domain in domains]
        for domain in domains:
            domain.setMemoryStatsPeriod(1, live)

        def has_reported(i: int) -> bool:
            return domains[i].memoryStats().get("last_update") != before[i]

        _wait_until(lambda: all(map(has_reported, range(len(guests)))), REPORT_TIMEOUT_SEC)
        silent = [guest for i, guest in enumerate(guests) if not has_reported(i)]
        for domain in domains:
            domain.setMemoryStatsPeriod(0, live)
    return silent


def _see_reports(guests: list[Guest], state: dict, tell: Callable[[str], None]) -> None:
    """Boots anew whose balloon does not report: with an emulator that gets little time a kernel now
    and then comes up so. LabError where it does not then either."""
    silent = _silent(guests)
    if not silent:
        return
    for guest in silent:
        tell(f"{guest.name} does not report what memory it has: booting it anew")
        _destroy(guest.name)
        _create_guest(guest, state)
    _await_ready(silent, state["memory_mib"], tell)
    if _silent(silent):
        raise LabError(f"{silent[0].name} does not report what memory it has")


def _kvm_works() -> bool:
    """Boots the real guest: a /dev/kvm may be there and yet not run one, or not for this user."""
    if not os.path.exists("/dev/kvm"):
        return False
    path = lab_dir()
    try:
        trial = subprocess.run(
            ["qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-m", "512", "-nodefaults",
             "-display", "none", "-no-reboot", "-serial", "stdio", "-kernel", path / "vmlinuz",
             "-initrd", path / "initramfs.cpio.gz", "-append", "console=ttyS0 panic=-1 trial"],
            cwd="/", env=_environment(), stdin=subprocess.DEVNULL, capture_output=True,
            timeout=TRIAL_TIMEOUT_SEC, check=False, **_as_daemon_user(),
        )
    except subprocess.TimeoutExpired:
        return False
    return b"trial boot succeeded" in trial.stdout


@contextlib.contextmanager
def another_host() -> Iterator[str]:
    """A lab beside this one, without guests, that libvirt takes for another host: what is moved
    there lives in its directory, and ends with it. Gives that directory."""
    path = f"{lab_dir()}-b"
    with instead(path):
        if _owned():
            down()
        with _new_dir():
            _fill_dir()
            config = lab_dir() / "config/libvirt/libvirtd.conf"
            config.write_text(f'host_uuid = "{uuid.uuid4()}"\n')
            config.chmod(0o644)
            start_libvirtd()
    try:
        yield path
    finally:
        with instead(path):
            down()


@contextlib.contextmanager
def instead(path: str) -> Iterator[None]:
    """All that is asked of this module is about the lab in this directory."""
    before = str(lab_dir())
    os.environ["MEMORY_COORDINATOR_LAB"] = path
    try:
        yield
    finally:
        os.environ["MEMORY_COORDINATOR_LAB"] = before


def build_image() -> None:
    """Makes the guests' kernel, initramfs and programs, as far as they are out of date."""
    if subprocess.run([REPOSITORY / "scripts" / "guest" / "build"], check=False).returncode:
        raise LabError("the guests' image could not be made")


def down() -> bool:
    """Ends everything of the lab, whatever state it is in, and removes its directory.
    False if there was nothing. It asks neither libvirt nor a guest: what is killed needs
    no answer, and leaves nothing outside of the directory."""
    with _uninterrupted():
        found = _owned()
        # The daemon first, or it would act upon its guests' ends.
        _end(_daemons(), signal.SIGKILL)
        left = list(_processes())
        _end(left, signal.SIGKILL)
        if _processes():
            raise LabError(f"these processes do not end: {', '.join(map(str, _processes()))}")
        if found:
            shutil.rmtree(lab_dir())
    return found


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """A second Ctrl-C must not end the cleaning up after the first."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
