from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

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
from napari_cellsci.representation.naming import Found
from napari_cellsci.representation.vocabulary import (
    FACTOR_PAIRS,
    FACTORS,
    factor_called,
    factor_of,
    pair_called,
    place_called,
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


# --- names and categories -------------------------------------------------------------

_WORDS = [factor.name for factor in FACTORS.values()]
_WORDS += [pair.name(angle) for pair in FACTOR_PAIRS for angle in (0, 30, 135)]
_WORDS += ["brightness of channel 2", "Size", "girth", "neighbour", ""]
_PLACES = ("morphology", "position", "neighbourhood")


def _corr(rho: float) -> Correlation:
    return Correlation(rho, rho - 0.1, rho + 0.1, 0.0)


@st.composite
def latents(draw: st.DrawFn) -> LatentInfo:
    active = draw(st.booleans())
    reading = draw(st.sampled_from([None, "like size", "like neighbours", "unknown"]))
    place = place_called((reading or "").removeprefix("like "))
    category = place or draw(st.sampled_from(_PLACES))
    keys = st.sampled_from(sorted(FACTORS))
    rhos = st.floats(-1, 1)
    return LatentInfo(
        index=0,
        kl=1.0,
        variance=1.0,
        active=active,
        category=category if active else "inactive",
        reading=reading,
        motions={"size": draw(rhos), "x": draw(rhos)},
        correlations={k: _corr(draw(rhos)) for k in draw(st.sets(keys, max_size=3))},
        low="smaller" if reading == "like size" else None,
        high="larger" if reading == "like size" else None,
    )


@given(
    st.lists(
        st.tuples(
            latents(), st.sampled_from(_WORDS), st.sampled_from(["user", "bundle"])
        ),
        max_size=4,
    )
)
def test_a_name_and_its_category_never_contradict(
    given_: list[tuple[LatentInfo, str, Any]],
) -> None:
    infos = tuple(replace(info, index=i) for i, (info, _, _) in enumerate(given_))
    bare = LatentAtlas("abc", infos, 10)
    names = {i: (name, by) for i, (_, name, by) in enumerate(given_)}
    atlas = bare.called(names)
    for info, before in zip(atlas, infos, strict=True):
        place = place_called(info.name or "")
        if not info.active:
            assert info.category == "inactive"
        elif place is None:
            assert (info.category, info.found) == (before.category, None)
        else:
            assert info.category == place
            ends = (info.low, info.high)
            assert ends in _ends_of(str(info.name))
            unlike = info.category != before.category
            assert not unlike or info.found == Found(
                before.category, before.low, before.high
            )
    assert atlas.called({}).latents == bare.called({}).latents
    assert LatentAtlas.from_json(atlas.to_json()).to_json() == atlas.to_json()


def _ends_of(name: str) -> list[tuple[str | None, str | None]]:
    """What the ends of a latent of this name may be said to look like."""
    pair = pair_called(name)
    if pair is not None:
        return [(None, None), pair[0].words(pair[1])]
    factor = factor_of(factor_called(name) or "")
    assert factor is not None
    return [(None, None), factor.words(1), factor.words(-1)]


@given(st.lists(latents(), max_size=5), st.sampled_from(_WORDS))
def test_what_is_proposed_is_not_taken_and_fits_its_category(
    found: list[LatentInfo], name: str
) -> None:
    infos = [replace(info, index=i) for i, info in enumerate(found)]
    atlas = LatentAtlas("abc", tuple(infos), 10).called({0: (name, "bundle")})
    proposed = list(atlas.proposals.values())
    assert len(set(proposed)) == len(proposed)
    assert not {p.casefold() for p in proposed} & {
        n.casefold() for n in atlas.names.values()
    }
    for index, word in atlas.proposals.items():
        assert not atlas[index].active or place_called(word) == atlas[index].category


def test_the_name_of_an_encoder_leads_and_what_is_found_is_told(
    atlas: LatentAtlas,
) -> None:
    named = atlas.called({2: ("neighbours", "bundle"), 0: ("Size", "user")})
    assert named[2].category == "neighbourhood"
    assert named.low_high(2) == ("−", "+")
    assert named[2].found == Found("morphology", "smaller", "larger")
    assert named[2].origin == "named with the encoder"
    assert named[2].why.startswith("Named with the encoder; these cells say: size")
    assert (named[0].category, named[0].origin) == ("morphology", "given by you")
    assert named.proposals == {}
    assert atlas[2].origin == "found here"
    told = named.to_json()["latents"][0]
    assert told["origin"] == "named with the encoder"
    assert told["found"] == {
        "category": "morphology",
        "low": "smaller",
        "high": "larger",
    }


def test_which_end_is_which_is_told_by_the_cells(atlas: LatentAtlas) -> None:
    crowd = replace(
        atlas[0], correlations={"neighbours": Correlation(-0.4, -0.5, -0.3, 0.1)}
    )
    shown = replace(atlas, latents=(crowd,)).called({0: ("neighbours", "bundle")})
    assert shown.low_high(0) == ("more", "fewer")
    unsure = replace(crowd, correlations={"neighbours": _corr(0.05)})
    shown = replace(atlas, latents=(unsure,)).called({0: ("neighbours", "bundle")})
    assert shown.low_high(0) == ("−", "+")


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
