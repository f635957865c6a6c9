from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_cellsci.errors import InputError
from napari_cellsci.representation.atlas import (
    LONGEST_NAME,
    Correlation,
    LatentAtlas,
    LatentInfo,
    by_activity,
    checked_name,
    checked_names,
)


@pytest.fixture
def atlas() -> LatentAtlas:
    size = LatentInfo(
        index=2,
        kl=3.0,
        variance=1.0,
        active=True,
        category="morphology",
        shares={"invariant": 1.0},
        component="invariant",
        centre_share=0.7,
        motions={"size": 0.5},
        correlations={"area": Correlation(0.9, 0.8, 0.95, 0.7)},
        best="area",
        suggestion="size",
        low="smaller",
        high="larger",
    )
    other = LatentInfo(
        index=0, kl=1.0, variance=0.5, active=True, category="neighbourhood"
    )
    still = LatentInfo(index=1, kl=0.0, variance=0.0, active=False, category="inactive")
    return LatentAtlas("abc", (size, other, still), 10, ("area",), 0.9).called({})


def test_labels_hold_name_and_symbol(atlas: LatentAtlas) -> None:
    assert atlas.label(2) == "size z2"
    assert atlas.label(0) == "z0"
    assert atlas.labels == ["z0", "z1", "size z2"]
    assert atlas.names == {2: "size"}
    assert atlas.low_high(2) == ("smaller", "larger")
    assert atlas.low_high(0) == ("−", "+")
    assert [info.index for info in atlas.active] == [2, 0]
    assert [info.index for info in atlas.inactive] == [1]
    assert atlas.of_category("neighbourhood") == (atlas[0],)
    assert atlas[2].named_by == "evidence"
    with pytest.raises(InputError, match="no latent z3"):
        atlas[3]


def test_a_users_word_wins_and_may_be_none_at_all(atlas: LatentAtlas) -> None:
    named = atlas.called({2: ("girth", "user"), 0: ("crowd", "bundle")})
    assert named.labels == ["crowd z0", "z1", "girth z2"]
    assert named[0].named_by == "bundle"
    assert named[2].suggestion == "size"
    assert named.called({2: ("", "user")}).label(2) == "z2"
    assert named.called({}).label(2) == "size z2"


def test_an_atlas_survives_json(atlas: LatentAtlas) -> None:
    text = json.dumps(atlas.to_json(), allow_nan=False)
    again = LatentAtlas.from_json(json.loads(text))
    assert again.latents[0] == atlas.latents[0]
    assert math.isnan(again[0].centre_share)
    assert again.to_json() == atlas.to_json()
    assert json.loads(text)["latents"][0]["symbol"] == "z2"


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {
            "encoder": "a",
            "latents": [{}],
            "n_cells": 1,
            "measured": [],
            "equivariance": 1,
        },
        {
            "encoder": "a",
            "latents": [3],
            "n_cells": 1,
            "measured": [],
            "equivariance": 1,
        },
    ],
)
def test_what_is_no_atlas_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(InputError, match="no description of latents"):
        LatentAtlas.from_json(broken)


def test_the_most_active_come_first() -> None:
    kl, variance = np.array([1.0, 3, 1, 0]), np.array([0.1, 0.1, 0.5, 0])
    assert by_activity(kl, variance) == [1, 2, 0, 3]


@pytest.mark.parametrize(
    "name", ["size", " size  ", "cos 2θ", "größe", "2nd size [µm]"]
)
def test_names_are_plain_text(name: str) -> None:
    assert checked_name(name) == " ".join(name.split())


@pytest.mark.parametrize(
    "name",
    [
        *("", "   ", "a\nb", "a\tb", "a\x00", "a\u202eb", "a\u200bb", "\ue000"),
        *(
            "a\u2028b",
            "x" * (LONGEST_NAME + 1),
            "a<b>",
            "=1+1",
            "-x",
            "@x",
            3,
            None,
            b"size",
            ["size"],
        ),
    ],
)
def test_names_that_hide_something_are_refused(name: object) -> None:
    with pytest.raises(InputError, match="latent's name must"):
        checked_name(name)


@given(st.text(max_size=60))
def test_a_checked_name_stays_as_it_is(name: str) -> None:
    try:
        tidy = checked_name(name)
    except InputError:
        return
    assert checked_name(tidy) == tidy
    assert len(tidy) <= LONGEST_NAME
    assert tidy.isprintable()


def test_names_belong_to_latents() -> None:
    assert checked_names({3: " size "}, 4) == {3: "size"}
    with pytest.raises(InputError, match="no latent z4"):
        checked_names({4: "size"}, 4)
    with pytest.raises(InputError, match="no latent z-1"):
        checked_names({-1: "size"}, 4)
