"""A recorded decision in the words of the coordinator's log (src/report.c)."""

from record import Look

REASONS = {
    "settled": "has what it should have",
    "needs": "needs more unused",
    "starving": "starving",
    "caches": "its page cache would like more",
    "spare": "has some to spare",
    "donates": "others need it more",
    "left": "left like that",
    "no-balloon": "no balloon",
    "unmanaged": "not managed",
    "frozen": "its emulator does not answer",
    "unread": "it could not be read",
    "busy": "busy",
    "paused": "paused",
    "no-news": "its statistics are off or have not come yet",
    "stale": "no fresh statistics from the guest",
    "impossible": "impossible statistics from the guest",
    "stuck": "its balloon does not move",
}

# What of the guest itself is behind a reason.
CAUSES = {
    "no-balloon": {
        "virtio-mem": "cannot balloon: it has virtio-mem",
        "huge-pages": "cannot balloon: its memory is in huge pages",
        "device": "cannot balloon: a device is passed through to it",
        "encrypted": "cannot balloon: its memory is encrypted",
        "locked": "cannot balloon: its memory is locked",
    },
    "busy": {
        "leaves": "migrating to another host",
        "arrives": "migrating from another host",
        "starts": "it is being started",
        "saves": "its state is being saved",
    },
}

# Reasons that mean: nothing can be decided about the guest.
HELD = tuple(REASONS)[list(REASONS).index("no-balloon") :]

BOUNDS = {
    "none": "",
    "min": "down to its minimum",
    "max": "up to its maximum",
    "pool": "the host has no more",
    "share": "it has its share, others need more",
    "cache": "page cache is fed only so far",
    "untouched": "it has never touched what it says it uses",
    "dead-band": "too little for a call",
    "gradual": "in steps",
    "in-flight": "its balloon is still moving",
    "swapping": "it has swapped in of late",
    "grace": "not seen at rest yet",
    "host": "the host does not say what it has",
}

# What came of a request that was not simply made.
OUTCOMES = {"refused": "refused", "unanswered": "no answer", "withheld": "not asked for"}


def say_why(look: Look) -> str:
    words = CAUSES.get(look.reason, {}).get(look.cause) or REASONS.get(look.reason, look.reason)
    if look.reason not in HELD and look.reason != "left":
        words += f", {look.spare:.1f} MiB unused, should be {look.headroom:.1f}"
    bound = BOUNDS.get(look.bound, look.bound)
    return f"{words}; {bound}" if bound else words


def say_move(look: Look) -> str:
    would = "would go " if look.request == "withheld" else ""
    return f"{would}{look.origin:.1f} -> {look.target:.1f} MiB"
