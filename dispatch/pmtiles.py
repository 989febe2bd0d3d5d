"""The header of a PMTiles archive, version 3: just enough of it to refuse what the map cannot draw.

https://github.com/protomaps/PMTiles/blob/main/spec/v3/spec.md
"""

from pathlib import Path

HEADER_BYTES = 127
_MAGIC, _VERSION, _TILE_TYPE = b"PMTiles", 7, 99
_VECTOR = 1
_RASTER = frozenset({2, 3, 4, 5})
"""PNG, JPEG, WebP, AVIF."""


def whats_wrong_with(archive: Path) -> str | None:
    """Return why a file cannot be a basemap, with the way out; None where it can."""
    try:
        with archive.open("rb") as file:
            header = file.read(HEADER_BYTES)
    except OSError as error:
        return f"{archive} cannot be read ({error.strerror}): name a PMTiles file"
    if len(header) < HEADER_BYTES or header[:_VERSION] != _MAGIC or header[_VERSION] != 3:
        return f"{archive} is no PMTiles archive of version 3: make one with 'pmtiles convert'"
    if header[_TILE_TYPE] == _VECTOR:
        return f"{archive} holds vector tiles, and the map draws images: give an archive of PNG, JPEG or WebP tiles"
    if header[_TILE_TYPE] not in _RASTER:
        return f"{archive} does not say that its tiles are images: give an archive of PNG, JPEG or WebP tiles"
    return None
