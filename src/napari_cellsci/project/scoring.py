"""Scores of all cells of a project."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from napari_cellsci.disk import whole_file
from napari_cellsci.project import codes, generations
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.models import SHIPPED, load_bundle, read_bundles
from napari_cellsci.project.tables import IMAGE
from napari_cellsci.tasks import CancelToken, Done, Log, OnEvent

if TYPE_CHECKING:
    from napari_cellsci.project.bundles import Bundle

SCORE_COLUMNS = [
    "movie",
    "track_id",
    "t",
    "y",
    "x",
    "score",
    "score_sd",
    "probability",
    "prediction",
    "ood",
]
_PLACE = SCORE_COLUMNS[1:5]


@dataclass(frozen=True)
class Scores:
    """What a bundle says of every cell.

    Parameters
    ----------
    table : DataFrame
        Index = row id of the cell; columns `SCORE_COLUMNS`, ``image`` and ``group``
        behind ``movie`` where cells are images of their own, and ``runner_up`` behind
        ``probability`` where there are more than two classes.
    bundle : str
        Name of the bundle.
    bundle_hash : str
    classes : tuple of str
    member : int, optional
        The head that was asked, or None for the mean of all.
    """

    table: pd.DataFrame
    bundle: str
    bundle_hash: str
    classes: tuple[str, ...]
    member: int | None = None

    def counts(self) -> dict[str, int]:
        """Return how many cells are predicted to be what."""
        found = self.table["prediction"].value_counts()
        return {str(name): int(count) for name, count in found.items()}

    def save_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the table, whole or not at all.

        Raises
        ------
        ProjectError
            If the place cannot be written.
        """
        with whole_file(Path(path)) as temporary:
            self.table.to_csv(temporary, index=False)


def find_bundle(bench: Bench, source: Any, on_event: OnEvent) -> Bundle:
    """Return the bundle that is meant: an object, a name, "shipped", or a folder."""
    from napari_cellsci.project.bundles import Bundle

    if isinstance(source, Bundle):
        return source
    if source is None:
        if not read_bundles(bench):
            on_event(
                Log(
                    "The project has no classifier of its own: the one that ships with "
                    "napari-cellsci is used."
                )
            )
        return load_bundle(bench)
    name = os.fspath(source)
    named = [info.name for info in read_bundles(bench)]
    is_path = isinstance(source, os.PathLike) or (Path(name) / "model.json").is_file()
    if name != SHIPPED and name not in named and is_path:
        return Bundle.load(name)
    return load_bundle(bench, name)


def score(
    bench: Bench,
    source: Any,
    member: int | None,
    on_event: OnEvent,
    token: CancelToken | None,
) -> Scores:
    """Score all cells; see `Project.score`."""
    bundle = find_bundle(bench, source, on_event)
    whose = f"The classifier {bundle.name!r}"
    spec = generations.satisfy(bench, bundle.spec, whose)
    generations.tell_recut(bench, spec, whose, on_event)
    generations.crops(bench, spec, on_event=on_event, token=token)
    members, code, error = codes.member_scores(
        bench, bundle, on_event=on_event, token=token
    )
    seen = _seen(members, code, error, generations.blank(bench, spec))
    cells = bench.cells()
    judged = bundle.judge(seen, member).set_index(cells.index)
    words = [name for name in IMAGE if name in cells]
    placed = cells[[SCORE_COLUMNS[0], *words, *_PLACE]]
    table = pd.concat([placed, judged], axis=1)
    on_event(Done("Scoring"))
    return Scores(table, bundle.name, bundle.hash, bundle.classes, member)


def _seen(members: Any, code: Any, error: Any, blank: Any) -> Any:
    from napari_cellsci.project.bundles import Seen

    return Seen(members, code, error, blank)
