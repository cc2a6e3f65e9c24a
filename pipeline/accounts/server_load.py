"""A vLLM server's own metrics, looked at again and again -> how busy it was and what its caches saved."""

import http.client
import urllib.request
from dataclasses import dataclass, field

from reelproof.schemas.record import Record

_NAMES = {
    "vllm:num_requests_running": "running",
    "vllm:num_requests_waiting": "waiting",
    "vllm:prompt_tokens_total": "prompt_tokens",
    "vllm:generation_tokens_total": "completion_tokens",
    "vllm:prefix_cache_queries_total": "prefix_queries",
    "vllm:prefix_cache_hits_total": "prefix_hits",
    "vllm:mm_cache_queries_total": "image_queries",
    "vllm:mm_cache_hits_total": "image_hits",
}


class ServerLoad(Record):
    """One server, from its first request to its last."""

    url: str
    in_flight: int = 0
    """Requests running and waiting at the last look."""
    looks: int = 0
    """Between its first request and its last; 0 where it has no such metrics."""
    idle_share: float = 0
    """Of the looks between the first request and the last, those at which it had nothing to do."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prefix_hit_share: float = 0
    """Of the prompts' tokens, those that it had read before."""
    image_hit_share: float = 0
    """Of the frames, those that it had seen before."""
    restarts: int = 0


_GAUGES = frozenset(("running", "waiting"))
"""The others are counters: they fall only where a server starts again."""

UNANSWERED = (OSError, http.client.HTTPException, ValueError)
"""What a look at a server may raise: not there, cut off in its reply, or not talking as it should."""


@dataclass
class LoadWatch:
    """Counts looks at one server. Its counters start again with the server, so the lives are added up."""

    looks: int = 0
    idle: int = 0
    idle_since_busy: int = 0
    """Looks at an idle server that count only if it gets busy again."""
    past: dict[str, float] = field(default_factory=dict)
    """Counters of the lives that ended."""
    now: dict[str, float] = field(default_factory=dict)
    """The counters as last seen; a look that got nothing leaves them."""
    in_flight: int = 0

    def look(self, url: str) -> None:
        """One look; a server that does not answer counts as idle, and may live on."""
        seen = _counters(url)
        counters = {name: count for name, count in seen.items() if name not in _GAUGES}
        if any(count < self.now.get(name, 0) for name, count in counters.items()):
            self.end_life()
        self.now = counters or self.now
        self.in_flight = int(sum(seen.get(name, 0) for name in _GAUGES))
        if self.in_flight:
            self.idle += self.idle_since_busy if self.looks else 0
            self.looks += 1 + (self.idle_since_busy if self.looks else 0)
            self.idle_since_busy = 0
        else:
            self.idle_since_busy += 1

    def end_life(self) -> None:
        """The server ended: what comes next counts from zero."""
        self.past = _added(self.past, self.now)
        self.now = {}
        self.in_flight = 0

    def load(self, url: str, restarts: int) -> ServerLoad:
        """What was seen so far."""
        total = _added(self.past, self.now)
        return ServerLoad(
            url=url,
            in_flight=self.in_flight,
            looks=self.looks,
            idle_share=self.idle / self.looks if self.looks else 0,
            prompt_tokens=int(total.get("prompt_tokens", 0)),
            completion_tokens=int(total.get("completion_tokens", 0)),
            prefix_hit_share=_share(total.get("prefix_hits", 0), total.get("prefix_queries", 0)),
            image_hit_share=_share(total.get("image_hits", 0), total.get("image_queries", 0)),
            restarts=restarts,
        )


def _counters(url: str) -> dict[str, float]:
    """The metrics that count here, summed over engines; none where the server does not answer."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url.removesuffix("/v1") + "/metrics", timeout=2) as reply:
            return read_metrics(reply.read().decode())
    except UNANSWERED:
        return {}


def read_metrics(text: str) -> dict[str, float]:
    """Prometheus' text form -> our names of the metrics, summed over their labels."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        name = _NAMES.get(line.partition("{")[0])
        if name is not None:
            found[name] = found.get(name, 0) + float(line.rpartition(" ")[2])
    return found


def _added(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {*one, *other}}


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
