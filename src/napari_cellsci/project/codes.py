"""Latents and head scores of a whole project: made once, then read from disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.project.arrays import Key
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.crop_store import CropStore
from napari_cellsci.project.generations import crops, crops_of, satisfy
from napari_cellsci.project.movies import MovieInfo
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore

if TYPE_CHECKING:
    from napari_cellsci.project.bundles import Bundle
    from napari_cellsci.representation.encoder import Encoder

_BATCH = 1024
_VIEWS = 8


def latents(
    bench: Bench,
    encoder: Encoder,
    *,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return latents (n, D) and reconstruction errors (n,), computing each once."""
    parts = [
        _encoded(bench, info, encoder, False, on_event, token)
        for info in bench.movies()
    ]
    mu, error = zip(*parts, strict=True)
    return np.concatenate(mu), np.concatenate(error)


def view_latents(
    bench: Bench,
    encoder: Encoder,
    *,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> CropStore:
    """Return the latents of all eight views (n, 8, D), computing each once."""
    parts = [
        _encoded(bench, info, encoder, True, on_event, token)[0]
        for info in bench.movies()
    ]
    return CropStore(parts)


def _encoded(
    bench: Bench,
    info: MovieInfo,
    encoder: Encoder,
    views: bool,
    on_event: OnEvent,
    token: CancelToken | None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    names = ["views"] if views else ["mu", "error"]
    keys = [Key("latents", encoder.hash, name) for name in names]
    found = [bench.rooms.load(key, info.id) for key in keys]
    if any(array is None for array in found):
        spec = satisfy(bench, encoder.spec, "The encoder")
        source = crops_of(bench, info, spec, on_event, token)
        _encode(bench, info, encoder, source, keys, on_event, token)
        found = [bench.rooms.load(key, info.id) for key in keys]
    arrays = [array for array in found if array is not None]
    return arrays[0], arrays[-1]


def _encode(
    bench: Bench,
    info: MovieInfo,
    encoder: Encoder,
    source: NDArray[Any],
    keys: list[Key],
    on_event: OnEvent,
    token: CancelToken | None,
) -> None:
    n, length, views = len(source), encoder.config.latent, len(keys) == 1
    shapes = [(n, _VIEWS, length)] if views else [(n, length), (n,)]
    with bench.rooms.writing() as writer:
        arrays = [
            writer.new(
                key,
                shape,
                np.float32,
                movie_id=info.id,
                file_name=f"{info.name}.{key.variant}",
            )
            for key, shape in zip(keys, shapes, strict=True)
        ]
        batches = (
            (np.arange(i, min(i + _BATCH, n)), np.asarray(source[i : i + _BATCH]))
            for i in range(0, n, _BATCH)
        )
        for part in encoder.encode_batches(
            batches, views=views, with_error=not views, token=token
        ):
            arrays[0][part.rows] = part.mu
            if part.error is not None:
                arrays[1][part.rows] = part.error
            on_event(Progress("Encoding cells", int(part.rows[-1]) + 1, n))
        del arrays
        writer.flush()
        with bench.store.transaction() as inside:
            writer.register(inside)


def views_of(
    bench: Bench,
    encoder: Encoder,
    rows: NDArray[np.int64],
    *,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> NDArray[np.float32]:
    """Return the latents of all eight views of some cells (k, 8, D).

    Each cell's are kept in the database, so that labelling a few more cells costs the
    encoding of those only.
    """
    shape = (_VIEWS, encoder.config.latent)
    known = {
        row["cell_id"]: np.frombuffer(row["data"], "<f4").reshape(shape)
        for row in bench.store.rows(
            "SELECT cell_id, data FROM views WHERE encoder = ?", (encoder.hash,)
        )
    }
    missing = np.array([row for row in rows.tolist() if row not in known], np.int64)
    if missing.size:
        spec = satisfy(bench, encoder.spec, "The encoder")
        source = crops(bench, spec, on_event=on_event, token=token)
        made = encoder.encode(
            source[missing], views=True, on_event=on_event, token=token
        )
        with bench.store.transaction() as inside:
            inside.executemany(
                "INSERT OR IGNORE INTO views VALUES (?, ?, ?)",
                [
                    (encoder.hash, row, values.astype("<f4").tobytes())
                    for row, values in zip(missing.tolist(), made, strict=True)
                ],
            )
        known |= dict(zip(missing.tolist(), made, strict=True))
    return np.stack([known[row] for row in rows.tolist()]).astype(np.float32)


def member_scores(
    bench: Bench,
    bundle: Bundle,
    *,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return every head's scores (K, n, outputs), and codes and errors for `ood`.

    Of heads on crops, which are slow, the scores are kept.
    """
    if bundle.encoder is not None:
        code, error = latents(bench, bundle.encoder, on_event=on_event, token=token)
        if bundle.heads.input == "latents":
            members = bundle.heads.scores(code, on_event=on_event, token=token)
            return members, code, error
    parts = [_seen(bench, info, bundle, on_event, token) for info in bench.movies()]
    members = np.concatenate([part[0] for part in parts]).transpose(1, 0, 2)
    if bundle.encoder is None:
        code = np.concatenate([part[1] for part in parts])
        error = np.concatenate([part[2] for part in parts])
    return members, code, error


def _seen(
    bench: Bench,
    info: MovieInfo,
    bundle: Bundle,
    on_event: OnEvent,
    token: CancelToken | None,
) -> list[NDArray[Any]]:
    names = ["members"] if bundle.encoder is not None else ["members", "code", "error"]
    keys = [Key("scores", bundle.hash, name) for name in names]
    found = [bench.rooms.load(key, info.id) for key in keys]
    if all(array is not None for array in found):
        return [array for array in found if array is not None]
    spec = satisfy(bench, bundle.spec, f"The classifier {bundle.name!r}")
    source = crops_of(bench, info, spec, on_event, token)
    made = _see(bundle, source, on_event, token)
    with bench.rooms.writing() as writer:
        for key, values in zip(keys, made, strict=False):
            name = f"{info.name}.{key.variant}"
            writer.save(key, values, movie_id=info.id, file_name=name)
        writer.flush()
        with bench.store.transaction() as inside:
            writer.register(inside)
    return made


def _see(
    bundle: Bundle,
    source: NDArray[Any],
    on_event: OnEvent,
    token: CancelToken | None,
) -> list[NDArray[Any]]:
    """Return members (n, K, outputs), code (n, D) and error (n,) of raw crops."""
    parts: list[list[NDArray[Any]]] = []
    for start in range(0, len(source), _BATCH):
        if token is not None:
            token.raise_if_cancelled()
        batch = np.asarray(source[start : start + _BATCH])
        members = bundle.heads.scores(batch, token=token).transpose(1, 0, 2)
        part = [members]
        if bundle.encoder is None:
            part += bundle.encode(batch, token=token)
        parts.append(part)
        on_event(Progress("Scoring", start + len(batch), len(source)))
    return [np.concatenate(column) for column in zip(*parts, strict=True)]
