"""What a process has held in memory at most."""

import resource
from pathlib import Path


def peak_rss_mb() -> float:
    """The most memory that this process, or its largest child so far, has held, in MB (1e6 bytes)."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return max(_own_peak_bytes(), children) / 1e6


def _own_peak_bytes() -> int:
    """From /proc where there is one: getrusage counts what the parent held before this program began, too."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
