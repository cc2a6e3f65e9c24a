"""A stream's timestamps, sound or not -> seconds that start at 0 and rise strictly."""

_MAX_JUMP_S = 10.0


class Clock:
    """Presentation times in whole milliseconds, from the first frame on unless told otherwise."""

    def __init__(self, fps: float, declared_s: float, tick_s: float) -> None:
        """A stream of `fps` frames per second (0: unknown) that declares its length, in ticks of `tick_s`."""
        self.step_s = 1 / fps if 0 < fps <= 1000 else 0.04
        self._shown_end_s = 0.0
        self._declared_s = declared_s
        self._tick_s = tick_s
        self._base_s: float | None = None
        self._last_s = -1.0
        self._expected_end_s = 0.0

    @property
    def end_s(self) -> float:
        """The last frame's time plus its duration; a few frames more where packets say so that gave none."""
        expected_s = self._expected_end_s - (self._base_s or 0.0)
        is_near = self._shown_end_s < expected_s <= self._shown_end_s + 4 * self.step_s
        return expected_s if is_near else self._shown_end_s

    def begin(self, base_s: float) -> None:
        """Time 0 is here, not where the first frame is: those before it are lost."""
        self._base_s = base_s

    def expect(self, stamp: int, ticks: int) -> None:
        """A packet goes to the decoder: its frame may be skipped, and is part of the video all the same."""
        self._expected_end_s = max(self._expected_end_s, (stamp + ticks) * self._tick_s)

    def tell(self, stamp: int | None, ticks: int) -> float:
        """The next frame's time. Backward and absurd forward jumps are a clock that started anew."""
        stamp_s = stamp * self._tick_s if stamp is not None else None
        if self._base_s is None:
            self._base_s = stamp_s or 0.0
        is_first = self._last_s < 0
        time_s = max((stamp_s or 0.0) - self._base_s, 0.0) if is_first else self._follow(stamp_s)
        self._last_s = round(time_s, 3)
        self._note_end(ticks * self._tick_s)
        return self._last_s

    def _follow(self, stamp_s: float | None) -> float:
        next_s = self._last_s + self.step_s
        if stamp_s is None:
            return next_s
        time_s = stamp_s - (self._base_s or 0.0)
        is_absurd = time_s > self._last_s + _MAX_JUMP_S and 0 < self._declared_s < time_s - _MAX_JUMP_S
        if is_absurd or time_s < self._last_s - 1.0:
            self._base_s = stamp_s - next_s
            return next_s
        return max(time_s, self._last_s + 0.001)

    def _note_end(self, length_s: float) -> None:
        """A last frame may last as long as it says, within what the stream says."""
        is_credible = (
            0 < length_s < _MAX_JUMP_S or self._last_s + length_s < self._declared_s + _MAX_JUMP_S / 10
        )
        self._shown_end_s = self._last_s + (length_s if length_s > 0 and is_credible else self.step_s)
