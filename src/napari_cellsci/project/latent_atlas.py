"""What the latents of an encoder mean on the cells of a project; found out once."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellsci.cells.factors import cell_factors
from napari_cellsci.cells.label_crops import (
    NEIGHBOURS,
    label_crops,
    neighbour_factors,
)
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import InputError
from napari_cellsci.project import codes, generations
from napari_cellsci.project.arrays import Key
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.encoder_sources import EncoderLike, find_encoder
from napari_cellsci.project.latent_names import carry, read_names, set_names
from napari_cellsci.project.models import load_bundle, load_encoder, read_encoders
from napari_cellsci.project.movie_files import masks_of
from napari_cellsci.representation.atlas import LatentAtlas, LatentInfo
from napari_cellsci.representation.effects import measure_effects
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.meaning import describe_latents
from napari_cellsci.representation.motion import FLOWS
from napari_cellsci.representation.signature import COMPONENTS
from napari_cellsci.representation.surroundings import ENOUGH
from napari_cellsci.tasks import CancelToken, Done, OnEvent, Progress

Objects: TypeAlias = tuple[NDArray[np.bool_], NDArray[np.bool_]]

MOST_CELLS = 4_000
"""Cells that are looked at, spread evenly over the project."""
MOST_CROPS = 512
"""Cells whose crops are looked at."""
LEAST_FRAMES = 64
"""Frames that cells are taken from, if there are as many."""
_RECIPE = 6
"""Counts up when the same data would be described otherwise."""


def encoder_of(bench: Bench, source: EncoderLike) -> Encoder:
    """Return the encoder that is meant; by default the newest, else the shipped one.

    Raises
    ------
    InputError
        If there is nothing like that, or it has no encoder.
    """
    if source is None and read_encoders(bench):
        return load_encoder(bench)
    found = find_encoder(bench, load_bundle(bench) if source is None else source)
    assert found is not None
    return found


def latent_atlas(
    bench: Bench,
    source: EncoderLike,
    on_event: OnEvent,
    token: CancelToken | None,
) -> LatentAtlas:
    """Describe the latents of an encoder; see `Project.latent_atlas`."""
    encoder = encoder_of(bench, source)
    data = _fingerprint(bench)
    atlas = _kept(bench, encoder.hash, data)
    if atlas is None:
        atlas = _described(bench, encoder, on_event, token or CancelToken())
        _keep(bench, atlas, data)
        found = {info.index: info.suggestion for info in atlas}
        set_names(bench, encoder.hash, found, "evidence")
        carry(bench, encoder.hash)
        on_event(Done("Describing latents"))
    return atlas.called(read_names(bench, encoder.hash))


def rename_latent(
    bench: Bench, index: int, name: str | None, source: EncoderLike
) -> None:
    """Call a latent something; see `Project.rename_latent`."""
    encoder = encoder_of(bench, source)
    if not 0 <= index < encoder.config.latent:
        raise InputError(
            f"There is no latent z{index}: this encoder has z0 to "
            f"z{encoder.config.latent - 1}."
        )
    set_names(bench, encoder.hash, {index: name}, "user")
    carry(bench, encoder.hash)


def atlas_table(atlas: LatentAtlas) -> pd.DataFrame:
    """Return an atlas as a table, one row per latent, most active first."""
    return pd.DataFrame([_row(info, atlas) for info in atlas])


def _row(info: LatentInfo, atlas: LatentAtlas) -> dict[str, Any]:
    plain = (
        *("name", "named_by", "category", "active", "kl", "variance", "component"),
        *("stability", "partner", "turn", "centre_share", "own_share", "best"),
        *("agreement", "suggestion", "reading", "low", "high"),
    )
    row: dict[str, Any] = {"latent": info.symbol}
    row |= {name: getattr(info, name) for name in plain}
    row["category_found"] = (info.found or info).category
    row |= {f"share_{name}": info.shares.get(name) for name in COMPONENTS}
    row |= {f"flow_{name}": info.motions.get(name) for name in FLOWS}
    for name in atlas.measured:
        found = info.correlations.get(name)
        row[f"rho_{name}"] = None if found is None else found.spearman
    return {**row, "note": info.why}


def _described(
    bench: Bench, encoder: Encoder, on_event: OnEvent, token: CancelToken
) -> LatentAtlas:
    spec = generations.satisfy(bench, encoder.spec, "The encoder")
    store = generations.crops(bench, spec, on_event=on_event, token=token)
    rows = _sample(bench, ~generations.blank(bench, spec))
    views = _views(bench, encoder, rows, on_event, token)
    some = _spread(len(rows), MOST_CROPS)
    factors, objects = _measured(bench, spec, rows, some, on_event, token)
    effects = measure_effects(
        encoder,
        store[rows[some]],
        views[some, 0],
        objects,
        variance=views[:, 0].var(axis=0, dtype=np.float64),
        on_event=on_event,
        token=token,
    )
    on_event(Progress("Describing latents", 0, 0))
    return describe_latents(
        encoder.hash, views, bench.groups()[rows], effects, factors, token=token
    )


def _sample(bench: Bench, wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Choose the cells that are looked at, from frames spread over each movie.

    Whole frames are taken, as many as it needs, because reading label images is what
    takes time in a long movie.
    """
    cells = bench.cells()
    if not wanted.any():
        raise InputError(
            "All crops of this project are blank: there is nothing to tell latents by."
        )
    frames = cells.groupby(["movie", "t"], sort=False).ngroup().to_numpy()
    n_frames = int(frames.max()) + 1
    enough = int(np.ceil(MOST_CELLS / max(wanted.sum() / n_frames, 1e-9)))
    chosen = _spread(n_frames, max(enough, LEAST_FRAMES))
    rows = np.flatnonzero(wanted & np.isin(frames, chosen))
    return rows[_spread(len(rows), MOST_CELLS)].astype(np.int64)


def _measured(
    bench: Bench,
    spec: CropSpec,
    rows: NDArray[np.int64],
    some: NDArray[np.int64],
    on_event: OnEvent,
    token: CancelToken,
) -> tuple[dict[str, NDArray[np.float64]], Objects | None]:
    """Return what is measured of the cells `rows`, and the objects of `some` of them.

    Where a movie has label images, neighbours are what they cover of the crop.
    """
    cells = bench.cells()
    windows = {info.name: spec.window(info.pixel_size) for info in bench.movies()}
    factors = {
        name: values[rows] for name, values in cell_factors(cells, windows).items()
    }
    around = np.full((len(rows), len(NEIGHBOURS)), np.nan)
    own, others = np.zeros((2, len(some), spec.size, spec.size), bool)
    place = np.full(len(rows), -1)
    place[some] = np.arange(len(some))
    table = cells.iloc[rows]
    for info in bench.movies():
        masks = masks_of(info, bench.folder)
        mine = np.flatnonzero((table["movie"] == info.name).to_numpy())
        if masks is None or not len(mine):
            continue
        done = 0
        for part in label_crops(
            masks,
            table.iloc[mine],
            window=windows[info.name],
            size=spec.size,
            tracked=info.masks_tracked,
            token=token,
        ):
            at = mine[part.rows]
            around[at] = neighbour_factors(part.others)
            kept = place[at] >= 0
            own[place[at][kept]] = part.own[kept]
            others[place[at][kept]] = part.others[kept]
            done += len(at)
            on_event(Progress("Looking at masks", done, len(mine)))
    if np.isfinite(around[:, 0]).mean() >= 0.5:
        factors |= dict(zip(NEIGHBOURS, around.T, strict=True))
    seen = own.any(axis=(1, 2)).mean() >= ENOUGH
    return factors, (own, others) if seen else None


def _views(
    bench: Bench,
    encoder: Encoder,
    rows: NDArray[np.int64],
    on_event: OnEvent,
    token: CancelToken,
) -> NDArray[np.float32]:
    """Return the latents of all views of some cells (k, 8, D)."""
    key = Key("latents", encoder.hash, "views")
    if all(bench.rooms.load(key, info.id) is not None for info in bench.movies()):
        return codes.view_latents(bench, encoder, token=token)[rows]
    return codes.views_of(bench, encoder, rows, on_event=on_event, token=token)


def _fingerprint(bench: Bench) -> str:
    """Return what tells these cells and their properties from others."""
    digest = hashlib.sha256(f"{_RECIPE} {bench.spec.hash}".encode())
    cells = bench.cells()
    for name in cells.columns:
        digest.update(str(name).encode())
        if cells[name].dtype == object:
            digest.update("\n".join(map(str, cells[name].unique())).encode())
            continue
        digest.update(np.ascontiguousarray(cells[name].to_numpy()).tobytes())
    return digest.hexdigest()[:16]


def _kept(bench: Bench, encoder: str, data: str) -> LatentAtlas | None:
    text = bench.store.scalar(
        "SELECT content FROM latent_atlases WHERE encoder = ? AND data = ?",
        (encoder, data),
    )
    if text is None:
        return None
    try:
        return LatentAtlas.from_json(json.loads(text))
    except ValueError:
        return None


def _keep(bench: Bench, atlas: LatentAtlas, data: str) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with bench.store.transaction() as inside:
        inside.execute(
            "INSERT OR REPLACE INTO latent_atlases VALUES (?, ?, ?, ?)",
            (atlas.encoder, data, json.dumps(atlas.to_json(), allow_nan=False), now),
        )


def _spread(n: int, most: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))
