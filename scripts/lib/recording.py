"""What a trial records: the phases of its load, and every guest's memory over time.

On disk a recording is CSV with a header of comments:

    # test,1
    # phase,1.0,grow,aos_vm1 grows
    seconds,guest,actual_mib,unused_mib,free_mib,oom_kills,swap_ins,load_mib
    0.000,aos_vm1,512.000,257.215,257.109,0,0,0.000

Seconds count from the start of the program under test. Unused is what libvirt says on the host, free what
the guest itself says at the same moment; nan stands for a figure that was not to be had.
"""

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple


class Mark(NamedTuple):
    """The moment at which a phase of the load begins."""

    seconds: float
    kind: str
    label: str


class Sample(NamedTuple):
    seconds: float
    guest: str
    actual_mib: float
    unused_mib: float
    free_mib: float
    oom_kills: int
    swap_ins: int
    load_mib: float


class RecordingError(Exception):
    """A recording that cannot be read; the message names file and line."""


def _text(value) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


@dataclass
class Recording:
    test: str
    marks: list = field(default_factory=list)
    samples: list = field(default_factory=list)

    def guests(self) -> list:
        """Names in the order in which they were recorded."""
        return list(dict.fromkeys(sample.guest for sample in self.samples))

    def of(self, guest: str, begin: float = 0.0, end: float = float("inf")) -> list:
        """The guest's samples from begin to end, both included."""
        return [
            sample
            for sample in self.samples
            if sample.guest == guest and begin <= sample.seconds <= end
        ]

    def save(self, path: Path) -> None:
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["# test", self.test])
            for mark in self.marks:
                writer.writerow(["# phase", f"{mark.seconds:.3f}", mark.kind, mark.label])
            writer.writerow(Sample._fields)
            for sample in self.samples:
                writer.writerow([_text(value) for value in sample])

    @classmethod
    def load(cls, path: Path) -> "Recording":
        recording = cls(test="")
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            for row in reader:
                try:
                    recording._take(row)
                except (ValueError, TypeError, IndexError):
                    line = reader.line_num
                    raise RecordingError(f"{path}:{line}: not a line of a recording") from None
        if not recording.samples:
            raise RecordingError(f"{path}:{reader.line_num}: ends without a sample")
        return recording

    def _take(self, row: list) -> None:
        if row[0] == "# test":
            self.test = row[1]
        elif row[0] == "# phase":
            self.marks.append(Mark(float(row[1]), row[2], row[3]))
        elif tuple(row) != Sample._fields:
            convert = Sample.__annotations__.values()
            self.samples.append(
                Sample(*(kind(text) for kind, text in zip(convert, row, strict=True)))
            )
