"""The topics of a site at a broker."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topics:
    """Below ``PREFIX/SITE``; names are those of the site's file, which hold no ``/``, ``+`` or ``#``.

    >>> Topics("headcount", "Fair").zone("north", "Main gate")
    'headcount/Fair/north/zone/Main gate'
    """

    prefix: str
    site: str

    @property
    def availability(self) -> str:
        """``online``, or ``offline`` once the site is watched no more: the last will says so of a crash."""
        return f"{self.prefix}/{self.site}/availability"

    @property
    def alerts(self) -> str:
        """Every alert that is raised or cleared."""
        return f"{self.prefix}/{self.site}/alerts"

    def camera(self, camera: str) -> str:
        """The newest measure of a camera's whole view."""
        return f"{self.prefix}/{self.site}/{camera}/state"

    def camera_availability(self, camera: str) -> str:
        """``online`` or ``offline``."""
        return f"{self.prefix}/{self.site}/{camera}/availability"

    def zone(self, camera: str, zone: str) -> str:
        """The newest measure of a zone."""
        return f"{self.prefix}/{self.site}/{camera}/zone/{zone}"

    def line(self, camera: str, line: str) -> str:
        """The newest measure of a line."""
        return f"{self.prefix}/{self.site}/{camera}/line/{line}"

    def alert(self, camera: str, zone: str | None = None) -> str:
        """Whether an alert is raised in a zone, or anywhere in a camera's view where it is None."""
        below = "" if zone is None else f"/zone/{zone}"
        return f"{self.prefix}/{self.site}/{camera}{below}/alert"
