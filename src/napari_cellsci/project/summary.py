"""How a project stands, as JSON values."""

from __future__ import annotations

from typing import Any

from napari_cellsci.labels import Labels
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.models import (
    BundleInfo,
    EncoderInfo,
    read_bundles,
    read_encoders,
)
from napari_cellsci.project.movies import MovieInfo
from napari_cellsci.project.runs import read_runs
from napari_cellsci.project.usable import usable_only
from napari_cellsci.representation.config import TITLES, EncoderConfig


def summarise(bench: Bench, labels: Labels) -> dict[str, Any]:
    """Return cells, labels, movies, models and runs of a project."""
    labels.refresh()
    movies = bench.movies()
    return {
        "name": bench.folder.name,
        "path": str(bench.folder),
        "cells": sum(info.n_cells for info in movies),
        "classes": [c.name for c in labels.classes if c.position is not None],
        "labels": labels.counts(),
        "filtered_out": len(labels.left_out),
        "usable_only": usable_only(bench),
        "crops": bench.spec.to_dict(),
        "movies": [_movie(info) for info in movies],
        "encoders": [_encoder(info) for info in read_encoders(bench)],
        "held_out_by": bench.unit,
        "bundles": [_bundle(info) for info in read_bundles(bench)],
        "runs": [
            {"id": run.id, "kind": run.kind, "name": run.name, "status": run.status}
            for run in read_runs(bench.store, bench.folder)
        ],
    }


def _movie(info: MovieInfo) -> dict[str, Any]:
    known: dict[str, Any] = {
        "name": info.name,
        "kind": info.kind,
        "path": None if info.path is None else str(info.path),
        "frames": info.n_frames,
        "shape": list(info.shape),
        "channels": info.n_channels,
        "pixel_size": info.pixel_size,
        "frame_interval": info.frame_interval,
        "cells": info.n_cells,
    }
    if info.is_images:
        known["skipped"] = info.reading.get("skipped", [])
    return known


def _encoder(info: EncoderInfo) -> dict[str, Any]:
    config = EncoderConfig.from_dict(dict(info.summary.get("config", {})))
    return {
        "name": info.name,
        "hash": info.hash,
        "made_at": info.made_at,
        "kind": config.kind,
        "title": TITLES[config.kind],
        "latents": config.latent,
        "steps": config.steps,
        "channels": list(info.summary.get("spec", {}).get("channels", ())),
        "of_class": info.summary.get("of_class"),
    }


def _bundle(info: BundleInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "hash": info.hash,
        "scheme": info.scheme,
        "made_at": info.made_at,
        **info.summary,
    }
