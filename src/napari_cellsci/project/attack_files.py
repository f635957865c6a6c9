"""An attack as files: table, arrays, summary, movie, figure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellsci.disk import whole_file
from napari_cellsci.errors import InputError
from napari_cellsci.project.plain import plain

if TYPE_CHECKING:
    from napari_cellsci.project.attacked_movie import AttackedMovie
    from napari_cellsci.project.attacking import Attacked

DATA = (".csv", ".json", ".npz", ".tif", ".tiff")
FIGURES = (".svg", ".pdf", ".png")


def check_suffix(path: Path) -> None:
    """Refuse a file of a kind that cannot be written, before anything is computed.

    Raises
    ------
    InputError
    """
    if path.suffix and path.suffix.lower() not in (*DATA, *FIGURES):
        known = ", ".join((*DATA, *FIGURES))
        raise InputError(
            f"An attack is written as {known}, or all of it into a folder; not as "
            f"{path.name!r}."
        )


def save_attack(
    attacked: Attacked, movie: AttackedMovie | None, path: Path
) -> list[Path]:
    """Write an attack by the suffix of a path; without a suffix all, into a folder.

    ``.csv`` is the table of cells, ``.json`` the summary with the table, ``.npz`` the
    arrays (rows, perturbation, latents before and after, grey levels per unit),
    ``.tif`` the movie and the difference.

    Raises
    ------
    InputError
        If the suffix is not known or the place cannot be written.
    """
    check_suffix(path)
    suffix = path.suffix.lower()
    if not suffix:
        path.mkdir(parents=True, exist_ok=True)
        names = ["attack.csv", "attack.json", "attack.npz"]
        names += [] if movie is None else ["attack.tif"]
        return [
            written
            for name in names
            for written in save_attack(attacked, movie, path / name)
        ]
    if suffix in (".tif", ".tiff"):
        if movie is None:
            raise InputError("There is no movie to write the attack into.")
        return movie.save(path)
    with whole_file(path) as temporary:
        if suffix == ".csv":
            attacked.table.to_csv(temporary, index_label="cell")
        elif suffix == ".json":
            temporary.write_text(_json(attacked), encoding="utf-8")
        else:
            with temporary.open("wb") as file:
                np.savez_compressed(file, **_arrays(attacked))
    return [path]


def _json(attacked: Attacked) -> str:
    table = attacked.table.reset_index(names="cell")
    values = plain({**attacked.summary(), "table": table.to_dict("records")})
    return json.dumps(values, allow_nan=False, indent=1)


def _arrays(attacked: Attacked) -> dict[str, Any]:
    found = {
        "cell": attacked.rows,
        "perturbation": attacked.delta(),
        "grey_levels_per_unit": attacked.scale,
        "score_before": attacked.table["score_before"].to_numpy(),
        "score_after": attacked.table["score_after"].to_numpy(),
    }
    if attacked.before is not None and attacked.after is not None:
        found |= {"latents_before": attacked.before, "latents_after": attacked.after}
    return found
