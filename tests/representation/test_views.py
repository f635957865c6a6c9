"""The eight views form the symmetry group of the square."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_cellsci.representation.views import (
    N_VIEWS,
    compose,
    dihedral,
    dihedral_each,
    inverse,
)

SQUARE = torch.arange(16.0).reshape(1, 1, 4, 4)


def test_the_eight_views_differ_and_keep_every_pixel() -> None:
    views = [dihedral(SQUARE, g) for g in range(N_VIEWS)]
    assert len({tuple(v.flatten().tolist()) for v in views}) == N_VIEWS
    for view in views:
        assert sorted(view.flatten().tolist()) == list(range(16))
    assert torch.equal(views[0], SQUARE)


@pytest.mark.parametrize("g", range(N_VIEWS))
def test_views_are_numpys_turns_and_mirrors(g: int) -> None:
    image = SQUARE[0, 0].numpy()
    expected = np.rot90(np.fliplr(image) if g >= 4 else image, g % 4)
    np.testing.assert_array_equal(dihedral(SQUARE, g)[0, 0].numpy(), expected)


def test_the_group_table() -> None:
    for g in range(N_VIEWS):
        row = [compose(g, h) for h in range(N_VIEWS)]
        assert sorted(row) == list(range(N_VIEWS))
        assert compose(g, inverse(g)) == compose(inverse(g), g) == 0
        for h in range(N_VIEWS):
            twice = dihedral(dihedral(SQUARE, h), g)
            assert torch.equal(twice, dihedral(SQUARE, compose(g, h)))
            for k in range(N_VIEWS):
                assert compose(compose(g, h), k) == compose(g, compose(h, k))


def test_every_image_is_turned_its_own_way() -> None:
    images = torch.randn(20, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    elements = torch.arange(20) % N_VIEWS
    turned = dihedral_each(images, elements)
    for image, g, found in zip(images, elements.tolist(), turned, strict=True):
        assert torch.equal(found, dihedral(image, g))


@pytest.mark.parametrize("g", [-1, 8])
def test_there_is_no_ninth_view(g: int) -> None:
    with pytest.raises(ValueError, match="8 views"):
        dihedral(SQUARE, g)
