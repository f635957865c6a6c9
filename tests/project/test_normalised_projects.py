"""Projects whose channels are normalised by steps: cut once, fitted once."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_cellsci.cells.sizing import Sizing
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.cells.steps import text_of
from napari_cellsci.cli.app import app
from napari_cellsci.errors import BundleError, InputError
from napari_cellsci.explain.blend import in_grey_levels
from napari_cellsci.project import Project
from napari_cellsci.project.bundles import Bundle

N = 40
SMALL = {
    "steps": 6,
    "batch": 16,
    "latent": 4,
    "filters": (4, 4, 8, 8),
    "hidden": 8,
    "device": "cpu",
}
BOTH = "brightfield,fluorescence"


def _images():
    """Two channels: textured discs on an even background, and dots in the dark."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:28, :28] - 14
    disc = np.hypot(y, x) < 8
    out = []
    for i in range(N):
        bright = 120 + rng.normal(0, 2, disc.shape)
        bright += disc * rng.normal(0, 25, disc.shape)
        dim = np.exp(rng.normal(3, 0.2, disc.shape)) * np.where(disc, 3, 1)
        dim[12:15, 12 + i % 2 * 2 : 16] *= 3
        cut = slice(i % 3, 28 - i % 4)
        out.append(np.stack([bright, dim])[:, cut].clip(0, 255).astype(np.uint8))
    return out


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A file of images, and a table that calls every other one of another class."""
    folder = tmp_path_factory.mktemp("images")
    for i, image in enumerate(_images()):
        np.save(folder / f"{i:02}.npy", image)
    lines = [f"{i},{'ab'[i % 2]}" for i in range(N)]
    (folder / "labels.csv").write_text("\n".join(["index,class", *lines]))
    return folder


@pytest.fixture(scope="module")
def trained(source, tmp_path_factory):
    """A project with an encoder, dense heads and CNNs."""
    folder = tmp_path_factory.mktemp("normalised") / "p"
    project = Project.create(
        folder,
        images=_images(),
        labels=source / "labels.csv",
        size=32,
        sizing="noise,constant",
        normalise=BOTH,
    )
    with project:
        project.train_head(
            1, models=1, steps=2, epochs=1, batch=16, folds=2, name="cnn"
        )
        project.train_encoder("quick", **SMALL)
        project.train_head(2, models=2, min_steps=20, epochs=1, name="dense")
        yield project


def test_the_project_says_how_and_is_not_fitted(trained):
    spec = trained.spec
    assert spec.normalised_by == BOTH
    assert spec.sizing == (Sizing(), Sizing(how="constant"))
    assert not spec.fitted
    assert json.loads(json.dumps(trained.info()))["crops"] == spec.to_dict()


def test_cells_are_cut_once_for_all_normalisations(trained):
    folders = [one for one in (trained.path / "crops").iterdir() if one.is_dir()]
    trained.crops(trained.spec.cut)
    assert len(folders) == 1
    again = [one for one in (trained.path / "crops").iterdir() if one.is_dir()]
    assert again == folders


@pytest.mark.parametrize("name", ["cnn", "dense"])
def test_models_carry_what_was_fitted(trained, name, tmp_path):
    bundle = trained.bundle(name)
    assert bundle.spec.fitted
    assert bundle.spec.unfitted == trained.spec
    bundle.save(tmp_path / "b")
    again = Bundle.load(tmp_path / "b")
    assert again.spec == bundle.spec
    scores = trained.score(again).table["score"]
    np.testing.assert_array_equal(scores, trained.score(bundle).table["score"])


def test_cnns_and_encoders_find_each_other(trained):
    made = trained.train_head(1, models=1, steps=2, epochs=1, batch=16, folds=2)
    assert made.encoder is not None
    assert made.spec == made.encoder.spec


def test_altered_bundles_are_refused(trained, tmp_path):
    trained.bundle("cnn").save(tmp_path / "b")
    path = tmp_path / "b" / "model.json"
    text = path.read_text()
    assert '"found"' in text
    path.write_text(text.replace('"found": ', '"found": 9'))
    with pytest.raises((BundleError, InputError)):
        Bundle.load(tmp_path / "b")


def test_attacks_stay_within_the_bounds_and_are_told_in_grey_levels(trained):
    found = trained.attack("dense", epsilon=0.2, clip=True, cells=range(8))
    crops = np.asarray(trained.crops()[np.arange(8)])
    from napari_cellsci.representation.normalise import normalise

    spec = found.bundle.spec
    moved = normalise(crops, spec).numpy() + found.pixels()
    assert -1e-6 <= moved.min() <= moved.max() <= 1 + 1e-6
    table = found.table
    expected = 0.2 * found.scale.mean(axis=1)
    np.testing.assert_allclose(table["epsilon_grey"], expected, rtol=1e-6)
    grey = in_grey_levels(found.pixels(), crops, spec)
    movie = trained.attacked_movie(found)
    y, x = table[["y", "x"]].to_numpy(int)[0]
    there = movie.difference(0)[:, y - 16 : y + 16, x - 16 : x + 16]
    np.testing.assert_allclose(there, grey[0], atol=1e-3)


def test_curves_are_told_in_grey_levels_of_their_normalisation(trained):
    found = trained.robustness(["dense"], most=N)
    attacked = trained.attack("dense", cells="labelled")
    assert found.grey == pytest.approx(np.median(attacked.scale))
    assert not found.notes


def test_another_normalisation_does_not_cut_again(trained):
    events = []
    plain = CropSpec.from_dict(trained.spec.cut.to_dict())
    from napari_cellsci.project import generations

    generations.tell_recut(trained._bench, plain, "It", events.append)
    assert not events


def test_the_command_line_says_the_same(source, tmp_path):
    done = CliRunner().invoke(
        app,
        [
            *("new", str(tmp_path / "p"), "--images", str(source), "--size", "32"),
            *(
                "--sizing",
                "noise,constant:5",
                "--normalise",
                "brightfield:3,log+zscore",
            ),
        ],
    )
    assert done.exit_code == 0, done.output
    with Project.open(tmp_path / "p") as project:
        spec = project.spec
        assert [text_of(one) for one in spec.steps] == ["brightfield:3", "log+zscore"]
        assert spec.sizing[1].value == 5


def test_what_the_command_line_cannot_mean_is_refused(source, tmp_path):
    for option in (["--normalise", "sharp"], ["--normalise", "zscore:3,zscore,zscore"]):
        done = CliRunner().invoke(
            app, ["new", str(tmp_path / "p"), "--images", str(source), *option]
        )
        assert done.exit_code == 2
        assert "normalisation" in done.output
        assert not (tmp_path / "p").exists()
