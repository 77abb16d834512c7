"""What the tests of records share: records of the simulator, and records made up line by line."""

import json
import subprocess
import tempfile
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SIM = ROOT / "build" / "sim"

_folder = tempfile.TemporaryDirectory(prefix="memory_coordinator-report-")
FOLDER = Path(_folder.name)


def run(*command, status: int = 0) -> subprocess.CompletedProcess:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode != status:
        raise AssertionError(f"{command}: status {done.returncode}, not {status}: {done.stderr}")
    return done


@cache
def simulate(scenario: str, host: str, interval: str) -> tuple:
    """(the record's path, the coordinator's log) of one of tests/scenarios."""
    (path,) = (ROOT / "tests" / "scenarios").glob(f"{scenario}-*.ini")
    record = FOLDER / f"{scenario}-{host}-{interval}.json"
    done = run(SIM, "-v", "--record", record, "--host", host, "--interval", interval, path)
    return record, done.stderr


def play(path: Path, record: Path) -> None:
    """A scenario that need not keep the gates, but must be one."""
    done = subprocess.run([SIM, "--record", record, path], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise AssertionError(f"{path}: {done.stderr}")


def guest(name: str, uuid: int, size_mib: int, unused_mib: int, **changes) -> dict:
    """One guest of a line; changes are of its fields, those with a dot of its decision."""
    kib = 1024
    fields = {
        "name": name, "uuid": f"{uuid:032x}", "id": 1, "is_running": True, "is_frozen": False, "is_known": True,
        "has_balloon": True, "period_sec": 1, "max_kib": 2048 * kib, "current_kib": 0, "actual_kib": size_mib * kib,
        "rss_kib": (size_mib + 32) * kib, "unused_kib": unused_mib * kib, "usable_kib": unused_mib * kib,
        "available_kib": (size_mib - 24) * kib, "last_update_sec": 1700000000, "settings": {},
        "limits": {
            "managed": True, "min_kib": 200 * kib, "max_kib": 2**63 - 1, "headroom_kib": 100 * kib,
            "headroom_percent": 0, "shares": 1000,
        },
        "decision": {
            "action": "hold", "reason": "settled", "bound": "none", "from_kib": size_mib * kib,
            "target_kib": size_mib * kib, "used_kib": (size_mib - unused_mib) * kib,
            "claimed_kib": (size_mib - unused_mib) * kib, "needed_kib": (size_mib - unused_mib) * kib,
            "unused_kib": unused_mib * kib, "headroom_kib": 192 * kib, "owed_kib": size_mib * kib,
            "rss_kib": (size_mib + 32) * kib, "overhead_kib": 32 * kib, "can_swap": False,
        },
        "request": "none",
    }  # fmt: skip
    for key, value in changes.items():
        holder, name_of_field = (fields["decision"], key[9:]) if key.startswith("decision_") else (fields, key)
        holder[name_of_field] = value
    return fields


def asked(action: str, from_mib: int, to_mib: int, request: str = "made", reason: str = "needs") -> dict:
    """The changes that make of a guest one that was asked for memory."""
    return {
        "request": request, "decision_action": action, "decision_reason": reason,
        "decision_from_kib": from_mib * 1024, "decision_target_kib": to_mib * 1024,
    }  # fmt: skip


def line(seconds: float, guests: list, **changes) -> dict:
    fields = {
        "memory_coordinator": 1, "version": "0.1.0", "pid": 7, "written_sec": 1700000000 + int(seconds),
        "uri": "test:///", "is_connected": True, "is_dry_run": False, "is_paused": False,
        "now_usec": int(1e9 + seconds * 1e6), "wall_sec": 1700000000 + int(seconds),
        "policy": {
            "interval_usec": 2000000, "host_reserve_kib": 204800, "surge_kib_per_sec": 28672, "metric": "unused",
            "goal": "balance",
        },
        "host": {"has_memory": True, "total_kib": 8388608, "available_kib": 4194304},
        "decided": {"state": "high", "pool_kib": 6291456, "level_kib": 0},
        "domains": guests,
    }  # fmt: skip
    return fields | changes


def write(name: str, lines: list) -> Path:
    """Lines are objects, or bytes as they are."""
    path = FOLDER / name
    with open(path, "wb") as file:
        for one in lines:
            file.write(one if isinstance(one, bytes) else json.dumps(one).encode() + b"\n")
    return path
