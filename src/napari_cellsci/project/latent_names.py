"""What people, bundles and evidence call the latents of an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, get_args

from napari_cellsci.errors import BundleError
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.bundle_storage import rename_latents
from napari_cellsci.project.models import read_bundles
from napari_cellsci.representation.atlas import NamedBy, checked_name

if TYPE_CHECKING:
    from napari_cellsci.project.bundles import Bundle

_RANK: dict[NamedBy, int] = {"evidence": 0, "bundle": 1, "user": 2}
"""Who is believed: the user before the bundle, the bundle before the evidence."""


def read_names(bench: Bench, encoder: str) -> dict[int, tuple[str, NamedBy]]:
    """Return the names of an encoder's latents by number, and whose word each is.

    A user's name may be empty: that latent is to have none.
    """
    found: dict[int, tuple[str, NamedBy]] = {}
    for row in bench.store.rows(
        "SELECT latent, name, named_by FROM latent_names WHERE encoder = ?", (encoder,)
    ):
        index, by = row["latent"], row["named_by"]
        if by not in get_args(NamedBy):
            continue
        if index not in found or _RANK[by] > _RANK[found[index][1]]:
            found[index] = (row["name"], by)
    return found


def set_names(
    bench: Bench, encoder: str, names: Mapping[int, str | None], by: NamedBy
) -> None:
    """Keep names by number; None forgets what that one said of it."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with bench.store.transaction() as inside:
        for index, name in names.items():
            inside.execute(
                "DELETE FROM latent_names WHERE encoder = ? AND latent = ? "
                "AND named_by = ?",
                (encoder, index, by),
            )
            if name is not None:
                kept = checked_name(name) if name else ""
                inside.execute(
                    "INSERT INTO latent_names VALUES (?, ?, ?, ?, ?)",
                    (encoder, index, by, kept, now),
                )


def adopt(bench: Bench, bundle: Bundle) -> None:
    """Take over the names a bundle brings along for its encoder's latents.

    Not those that it has from this project (`carry`): they would outlive their cause.
    """
    if bundle.encoder is None or not bundle.latent_names:
        return
    encoder = bundle.encoder.hash
    known = {
        row["latent"]: row["name"]
        for row in bench.store.rows(
            "SELECT latent, name FROM latent_names WHERE encoder = ? "
            "AND named_by = 'bundle'",
            (encoder,),
        )
    }
    own = names_to_travel(bench, encoder)
    fresh = {
        index: name
        for index, name in bundle.latent_names.items()
        if name not in (known.get(index), own.get(index))
    }
    if fresh:
        set_names(bench, encoder, fresh, "bundle")


def carry(bench: Bench, encoder: str) -> None:
    """Give the bundles of the project that hold this encoder its names as they are."""
    names = names_to_travel(bench, encoder)
    for info in read_bundles(bench):
        if info.summary.get("encoder_hash") != encoder:
            continue
        # A damaged bundle is told of when it is used.
        with suppress(BundleError):
            rename_latents(info.path, names)


def names_to_travel(bench: Bench, encoder: str) -> dict[int, str]:
    """Return the names a bundle with this encoder takes along."""
    return {
        index: name
        for index, (name, _) in sorted(read_names(bench, encoder).items())
        if name
    }
