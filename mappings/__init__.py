"""Field correspondences: tables that translate between vendors' names and ours, and the way to load them.

Not here: HTTP, decisions, or any knowledge of who owns a field.
"""

from __future__ import annotations

from pathlib import Path

from fsm_core.errors import BadMapping
from fsm_core.model import shape
from fsm_core.model.entity import EntityShape
from mappings.compile import CODECS, Decoded, DescribedRow, Mapping
from mappings.source import Fault
from mappings.table import Direction, read_table

__all__ = ["CODECS", "Decoded", "DescribedRow", "Direction", "Fault", "Mapping", "load", "load_file", "shipped"]

SHIPPED = Path(__file__).parent
"""Where the tables of the package lie, as `<system kind>/<entity>.yaml`."""
TEMPLATES = SHIPPED / "templates"
"""Rule files to begin with; no tables."""


def shipped() -> list[tuple[str, str]]:
    """System kind and entity of every table of the package."""
    return sorted((path.parent.name, path.stem) for path in _tables(SHIPPED))


def templates() -> dict[str, Path]:
    """The rule files to begin with, by name."""
    return {path.stem: path for path in sorted(TEMPLATES.glob("*.yaml"))}


def _tables(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*/*.yaml") if path.parent != TEMPLATES]


def load(system_kind: str, entity: str, overrides: Path | None = None) -> Mapping:
    """The mapping of an entity for a kind of system; a file of the same name below `overrides` replaces ours."""
    name = Path(system_kind) / f"{entity}.yaml"
    folders = [folder for folder in (overrides, SHIPPED) if folder is not None]
    found = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if found is None:
        known = sorted({path.relative_to(folder).as_posix() for folder in folders for path in _tables(folder)})
        raise BadMapping(f"no mapping {name.as_posix()}; known: {', '.join(known)}")
    mapping = load_file(found)
    if mapping.entity != entity:
        raise BadMapping(f"{found}: it maps {mapping.entity}, its name says {entity}")
    return mapping


def load_file(path: Path, of: EntityShape | None = None) -> Mapping:
    """The mapping in one file; `of` stands in for the registered shape of its entity."""
    table = read_table(path)
    try:
        return Mapping(table, of or shape(table.entity), str(path))
    except BadMapping as error:
        if str(path) in error.message:
            raise
        raise BadMapping(f"{path}: {error.message}") from None
