"""Whatever an encoder is, all that stands on encoders works with it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_cellsci.errors import InputError
from napari_cellsci.formulas.engines import Found, Status
from napari_cellsci.formulas.expression import Expression
from napari_cellsci.formulas.fronts import front_of
from napari_cellsci.project import Project, class_encoders, class_rows
from napari_cellsci.project.bundles import Bundle
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.traversals import effect_map, traverse_many

SMALL: dict[str, Any] = {
    "steps": 12,
    "batch": 32,
    "latent": 4,
    "filters": (2, 4, 4, 8),
    "hidden": 8,
    "device": "cpu",
}
KINDS: dict[str, dict[str, Any]] = {
    "bvae": {"kind": "bvae", "beta": 0.01, "learning_rate": 1e-2},
    "infogan": {"kind": "infogan"},
}


class Sum:
    """An engine that always finds a line through what it may read."""

    name = "builtin"

    def status(self) -> Status:
        return Status("ready", "")

    def search(self, x, y, spec, names, *, weights=None, **rest) -> Found:
        roots = [Expression.parse(t, names).root for t in ("1.0", " + ".join(names))]
        own = zip(np.atleast_2d(y), weights, strict=True)
        fronts = [
            front_of(roots, x[w > 0], t[w > 0], w[w > 0], names, spec) for t, w in own
        ]
        return Found(fronts, False, "sum 1", 2, 0.1)


@pytest.fixture(scope="module", params=KINDS)
def folder(
    request: pytest.FixtureRequest,
    made: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A labelled project with an encoder of a kind and dense heads on it."""
    place = tmp_path_factory.mktemp("kinds") / request.param
    shutil.copytree(made, place)
    with Project.open(place) as project:
        project.train_encoder("quick", **{**SMALL, **KINDS[request.param]})
        project.train_head(2, models=2, min_steps=30, epochs=1, name="dense")
    return place


@pytest.fixture
def project(folder: Path) -> Iterator[Project]:
    with Project.open(folder) as opened:
        yield opened


def test_the_encoder_is_told_from_others(project: Project) -> None:
    (info,) = project.encoders
    encoder = project.encoder()
    assert info.name == f"{encoder.config.kind}-quick-1"
    assert project.runs[0].config["config"]["kind"] == encoder.config.kind


def test_cells_are_encoded_in_all_views_and_named(project: Project) -> None:
    z = project.latents()
    assert z.shape == (len(project), 4)
    views = project.latents(views=True)
    np.testing.assert_allclose(np.asarray(views[:5])[:, 0], z[:5], atol=1e-5)
    atlas = project.latent_atlas()
    assert len(atlas) == 4
    assert atlas.n_cells > 0


def test_heads_score_calibrate_and_know_strangers(
    project: Project, tmp_path: Path
) -> None:
    scores = project.score("dense")
    table = scores.table
    assert len(table) == len(project)
    assert np.isfinite(table[["score", "probability", "ood"]].to_numpy()).all()
    bundle = project.bundle("dense")
    bundle.save(tmp_path / "saved")
    again = Bundle.load(tmp_path / "saved")
    assert again.encoder is not None
    assert again.encoder.config == bundle.encoder.config  # type: ignore[union-attr]
    assert again.hash == bundle.hash
    other = project.score(tmp_path / "saved").table
    np.testing.assert_array_equal(table["score"], other["score"])


def test_pictures_are_drawn_of_latents(project: Project) -> None:
    encoder = project.encoder()
    strips = traverse_many(encoder, [0, 3])
    assert strips.shape == (2, 7, 1, 64, 64)
    ends = encoder.decode(np.eye(4, dtype=np.float32)[:1] * encoder.reach)
    np.testing.assert_allclose(strips[0, -1], ends[0], atol=1e-5)
    assert effect_map(encoder, 1).shape == (1, 64, 64)


@pytest.mark.parametrize("kind", ["fgsm-image", "fgsm-latent"])
def test_scores_are_attacked(project: Project, kind: Any) -> None:
    done = project.attack("dense", kind=kind, epsilon=0.5, cells=list(range(12)))
    assert (done.table["gradient"] == "ok").all()
    assert np.isfinite(done.table["score_after"]).all()


def test_sparse_heads_are_read_as_networks(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "p")
    with Project.open(tmp_path / "p") as project:
        project.train_head(3, 2, mode="paper", min_steps=40, epochs=1, name="sparse")
        assert project.network("sparse").weights[0].shape[1] == 4
        assert np.isfinite(project.score("sparse").table["score"]).all()


def test_formulas_are_written_on_its_latents(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "napari_cellsci.heads.formula.find_engine", lambda name, **rest: Sum()
    )
    shutil.copytree(folder, tmp_path / "p")
    with Project.open(tmp_path / "p") as project:
        bundle = project.discover(runs=2, name="short")
        assert bundle.scheme == 4
        assert np.isfinite(project.score("short").table["score"]).all()


def test_one_encoder_per_class(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for room in (class_rows, class_encoders):
        monkeypatch.setattr(room, "FEWEST", 3)
    shutil.copytree(made, tmp_path / "p")
    with Project.open(tmp_path / "p") as project:
        settings = {**SMALL, **KINDS["infogan"], "steps": 3, "validation": 0.3}
        table = project.train_encoder_per_class("quick", name="own", **settings)
        counts = project.labels.counts()
        classes = [cls for cls in project.labels.names if counts.get(cls, 0) >= 3]
        names = [f"own-{cls}" for cls in classes]
        assert [info.name for info in project.encoders] == names == table.encoders
        assert len(table.rows) == len(names) ** 2
        own = table.fit(names[1], classes[1])
        assert 0 <= own.realism <= 1  # type: ignore[operator]
        assert all(np.isfinite([row.error, row.nats]).all() for row in table.rows)
        said = table.text()
        assert "takes for real" in said
        assert names[0] in said
        assert json.dumps(table.to_dict())
        left_out = project.runs[0].config["left_out"]
        labels = project.labels.as_series()
        kept = np.setdiff1d(np.arange(len(project)), left_out)
        assert set(labels.loc[kept]) == {classes[0]}
        with pytest.raises(InputError, match="'none' is not a class"):
            project.train_encoder("quick", of_class="none", **SMALL)
        with pytest.raises(InputError, match="is taken"):
            project.train_encoder_per_class("quick", name="own", **settings)


def test_an_encoder_of_one_class_alone(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "p")
    with Project.open(tmp_path / "p") as project:
        cls = project.classes[0]
        encoder = project.train_encoder("quick", of_class=cls, **{**SMALL, "steps": 2})
        n = int((project.labels.as_series() == cls).sum())
        record = encoder.record
        assert record["n_train"] + record["n_validation"] == n
        assert project.runs[-1].request is not None
        said = project.runs[-1].request.command(tmp_path / "p")
        assert f"--class {cls}" in said
    assert isinstance(encoder, Encoder)
