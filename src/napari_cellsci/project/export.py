"""A project's cells, labels and scores for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellsci.disk import whole_file
from napari_cellsci.errors import InputError
from napari_cellsci.labels import Labels
from napari_cellsci.project import codes
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.models import load_encoder, read_bundles, read_encoders
from napari_cellsci.project.scoring import Scores, score
from napari_cellsci.tasks import CancelToken, OnEvent

SUFFIXES = (".csv", ".parquet", ".h5ad")


def export(
    bench: Bench,
    labels: Labels,
    path: Path,
    bundle: Any,
    on_event: OnEvent,
    token: CancelToken | None,
) -> None:
    """Write a project's cells; see `Project.export`."""
    check_suffix(path)
    scores = latents = None
    if bundle is not None or read_bundles(bench):
        scores = score(bench, bundle, None, on_event, token)
    if path.suffix.lower() == ".h5ad" and read_encoders(bench):
        encoder = load_encoder(bench)
        latents = codes.latents(bench, encoder, on_event=on_event, token=token)[0]
    labels.refresh()
    table = table_of(bench.cells(), labels.as_series(), scores, labels.left_out)
    about: dict[str, Any] = {"classes": [c.name for c in labels.classes]}
    if scores is not None:
        about |= {"bundle": scores.bundle, "bundle_hash": scores.bundle_hash}
    write(path, table, latents, about)


def table_of(
    cells: pd.DataFrame,
    labels: pd.Series[str],
    scores: Scores | None,
    left_out: NDArray[np.int64],
) -> pd.DataFrame:
    """Return one row per cell: where it is, its properties, label and scores.

    Where cells are filtered out (`left_out`, their rows) a column filtered_out says
    which.
    """
    table = cells.copy()
    table["label"] = labels.reindex(cells.index)
    if len(left_out):
        table["filtered_out"] = np.isin(cells.index, left_out)
    if scores is not None:
        new = [name for name in scores.table.columns if name not in table]
        table = table.join(scores.table[new])
    return table


def check_suffix(path: Path) -> None:
    """Refuse formats that are not known, and those whose library is missing.

    Raises
    ------
    InputError
    """
    needed = {".parquet": ("pyarrow", "parquet"), ".h5ad": ("anndata", "anndata")}
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(
            f"{path.name} does not say what to write: end it with one of "
            f"{', '.join(SUFFIXES)}."
        )
    if suffix in needed:
        module, extra = needed[suffix]
        from importlib.util import find_spec

        if find_spec(module) is None:
            raise InputError(
                f"Writing {suffix} needs {module}: install it with "
                f"`pip install 'napari-cellsci[{extra}]'`, or export .csv."
            )


def write(
    path: Path,
    table: pd.DataFrame,
    latents: NDArray[np.float32] | None,
    about: dict[str, Any],
) -> None:
    """Write the table in the format its suffix says, whole or not at all.

    ``.h5ad`` holds the latents as X (no columns where there is no encoder), the
    positions as ``obsm["spatial"]`` (x, y in px), everything else as obs, and `about`
    as uns.
    """
    suffix = path.suffix.lower()
    with whole_file(path) as temporary:
        if suffix == ".csv":
            table.to_csv(temporary, index_label="cell")
        elif suffix == ".parquet":
            table.to_parquet(temporary)
        else:
            _write_anndata(temporary, table, latents, about)


def _write_anndata(
    path: Path,
    table: pd.DataFrame,
    latents: NDArray[np.float32] | None,
    about: dict[str, Any],
) -> None:
    import anndata

    obs = table.copy()
    obs.index = pd.Index([str(row) for row in table.index], name="cell")
    for name in obs.select_dtypes(include="object"):
        obs[name] = pd.Categorical(obs[name])
    values = np.zeros((len(obs), 0), np.float32) if latents is None else latents
    names = [f"z{number}" for number in range(values.shape[1])]
    data = anndata.AnnData(
        X=values,
        obs=obs,
        var=pd.DataFrame(index=pd.Index(names, dtype=object)),
        obsm={"spatial": table[["x", "y"]].to_numpy()},
        uns={"napari_cellsci": about},
    )
    data.write_h5ad(path)
