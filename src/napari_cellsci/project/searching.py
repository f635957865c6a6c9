"""Searches for the settings of sparse heads, kept in the runs of a project."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from napari_cellsci.disk import whole_file
from napari_cellsci.errors import InputError
from napari_cellsci.heads.search import SearchConfig, SearchResult, search_sparse
from napari_cellsci.labels import Labels
from napari_cellsci.project import codes
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.encoder_sources import EncoderLike, find_encoder
from napari_cellsci.project.models import load_encoder
from napari_cellsci.project.plain import plain
from napari_cellsci.project.run_request import RunRequest
from napari_cellsci.project.runs import (
    RunInfo,
    finish,
    hardware,
    read_runs,
    running,
    versions,
)
from napari_cellsci.project.trained_on import labelled_cells
from napari_cellsci.project.training import data_fingerprint
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.tasks import CancelToken, OnEvent

KIND = "search"
_RESULT = "search.json"


def search(
    bench: Bench,
    labels: Labels,
    config: SearchConfig,
    *,
    storage: str | None,
    encoder: EncoderLike,
    on_event: OnEvent,
    token: CancelToken | None,
) -> SearchResult:
    """Search the settings of sparse heads; see `Project.search`."""
    cells = labelled_cells(bench, labels)
    classes = cells.classes
    code = find_encoder(bench, encoder) if encoder is not None else load_encoder(bench)
    assert code is not None
    latents = codes.views_of(bench, code, cells.rows, on_event=on_event, token=token)
    study = _study(config, code, cells.fingerprint)
    settings = {
        "study": study,
        "encoder": code.hash,
        "space": plain(config.space),
        "trials": config.trials,
        "storage": storage,
        "labels": cells.counts,
        "data": {**data_fingerprint(bench), "labels": cells.fingerprint},
        "versions": versions(),
        "hardware": hardware(),
        "request": RunRequest.of(
            "search", {**_chosen(config), "storage": storage, "encoder": encoder}
        ).to_dict(),
    }
    earlier = _storage(bench, study)
    with running(
        bench.store, bench.folder, KIND, study, settings, on_event, token=token
    ) as run:
        kept = run.folder / "study.db" if earlier is None else earlier
        result = search_sparse(
            latents,
            cells.y,
            cells.groups,
            config,
            len(classes),
            storage=storage or f"sqlite:///{kept}",
            name=study,
            class_names=classes,
            on_event=run.on_event,
            token=run.token,
        )
        text = json.dumps(plain({**result.to_dict(), "storage": str(kept)}), indent=1)
        with whole_file(run.folder / _RESULT) as temporary:
            temporary.write_text(text, encoding="utf-8")
        finish(bench.store, run.id)
    return result


def _chosen(config: SearchConfig) -> dict[str, Any]:
    """Return the settings that differ from the usual ones."""
    usual = asdict(SearchConfig())
    return {k: v for k, v in asdict(config).items() if v != usual[k]}


def _study(config: SearchConfig, code: Encoder, labels: str) -> str:
    """Return a name that the same search on the same data always has."""
    space = json.dumps(plain(config.space), sort_keys=True)
    digest = hashlib.sha256(space.encode()).hexdigest()[:8]
    return f"sparse-{code.hash[:8]}-{labels[:8]}-{digest}"


def _storage(bench: Bench, study: str) -> Any:
    """Return the file in which this very search was begun, if it was."""
    for run in _searches(bench):
        place = run.folder / "study.db"
        if run.config.get("study") == study and place.is_file():
            return place
    return None


def _searches(bench: Bench) -> list[RunInfo]:
    return [run for run in read_runs(bench.store, bench.folder) if run.kind == KIND]


def best_settings(bench: Bench, code: Encoder, wanted: str | bool) -> dict[str, Any]:
    """Return the settings that the last search on an encoder's latents found best.

    Parameters
    ----------
    wanted : str or True
        A run by its id, or the last one.

    Raises
    ------
    InputError
        If there is no such search, or it found nothing yet.
    """
    found = [
        run
        for run in _searches(bench)
        if (run.folder / _RESULT).is_file()
        and (run.id == wanted if isinstance(wanted, str) else True)
        and run.config.get("encoder") == code.hash
    ]
    if not found:
        which = f"{wanted!r}" if isinstance(wanted, str) else "that is complete"
        raise InputError(
            f"There is no search {which} for this encoder: run `cellsci search` first."
        )
    # Of processes that shared a study, the last to end has seen all trials.
    study = found[-1].config.get("study")
    sittings = [_read(run) for run in found if run.config.get("study") == study]
    return max(sittings, key=lambda sitting: sitting[0])[1]


def _read(run: RunInfo) -> tuple[int, dict[str, Any]]:
    """Return how many trials a sitting has seen, and the best settings."""
    place = run.folder / _RESULT
    try:
        values = json.loads(place.read_text(encoding="utf-8"))
        return int(values["trials"]), _checked(values["best"]["settings"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{place} is damaged: run `cellsci search` again.") from error


def _checked(settings: Mapping[str, Any]) -> dict[str, Any]:
    known = {
        "sparsity": float(settings["sparsity"]),
        "interval": int(settings["interval"]),
        "alpha": float(settings["alpha"]),
    }
    if "l1_prox" not in settings:
        return {"mode": "paper", **known}
    return {"mode": "rigl-l1", **known, "l1_prox": float(settings["l1_prox"])}
