"""How the times of a movie are told: seconds, minutes, hours, or frames."""

from __future__ import annotations

from dataclasses import dataclass

SHORT, LONG = 3 * 60, 180 * 60
"""Movies shorter than this are told in seconds, longer than this in hours (s)."""


@dataclass(frozen=True, slots=True)
class Clock:
    """One way of telling time for a whole movie.

    Parameters
    ----------
    frame_interval : float or None
        Seconds; None when it is not known.
    n_frames : int
    """

    frame_interval: float | None = None
    n_frames: int = 0

    @property
    def unit(self) -> str:
        """Unit of the movie's times: "s", "min", "h", or "frames"."""
        if self.frame_interval is None:
            return "frames"
        length = self.frame_interval * max(self.n_frames - 1, 0)
        return "s" if length < SHORT else "min" if length < LONG else "h"

    @property
    def per_frame(self) -> float:
        """What one frame is in this unit."""
        if self.frame_interval is None:
            return 1.0
        return self.frame_interval / {"s": 1, "min": 60, "h": 3600}[self.unit]

    def words(self, t: int) -> str:
        """Return the time of a frame: "frame 3", "30 s", "88 min", "2 h 30"."""
        if self.unit == "frames":
            return f"frame {t}"
        if self.unit == "h":
            hours, minutes = divmod(round(t * self.per_frame * 60), 60)
            return f"{hours} h {minutes:02d}"
        return f"{t * self.per_frame:.3g} {self.unit}"
