"""Verbs about movies, cells and labels: simulate, new, add, relocate, import-labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_cellsci.cli.settings import comma_list
from napari_cellsci.cli.talk import Json, ProjectFolder, talking

Image = Annotated[
    Path | None,
    typer.Option(help="Movie: TIFF, OME-TIFF, zarr, OME-Zarr, a folder of TIFFs."),
]
Images = Annotated[
    Path | None,
    typer.Option(
        help="Images of single cells instead of a movie: a folder (subfolders are "
        "classes), or a TIFF of pages, npy, npz, zarr."
    ),
]
Labels = Annotated[
    Path | None,
    typer.Option(
        help="CSV of images: image (name) or index (from 0), class, columns of groups."
    ),
]
GroupBy = Annotated[
    str | None,
    typer.Option(help="Column of --labels; images of one group are held out together."),
]
Tile = Annotated[
    tuple[int, int] | None,
    typer.Option(help="Height and width (px) of the tiles of a montage."),
]
TileGap = Annotated[
    int | None, typer.Option(help="Width (px) of the lines between those tiles.")
]
Tracks = Annotated[
    Path | None,
    typer.Option(
        help="Tracks: CSV in napari's column order, btrack .h5, TrackMate, CTC, GEFF, "
        "or tracked label images."
    ),
]
Masks = Annotated[
    Path | None,
    typer.Option(help="Label images (T, Y, X); linked if there are no tracks."),
]
PixelSize = Annotated[
    float | None, typer.Option(help="µm per pixel; wins over the file's metadata.")
]
FrameInterval = Annotated[
    float | None, typer.Option(help="Seconds between frames; wins over the metadata.")
]
Axes = Annotated[
    str | None,
    typer.Option(
        help="Axes, where metadata are wrong: of a movie e.g. TZCYX, of images e.g. "
        "NCYX."
    ),
]
Name = Annotated[
    str | None, typer.Option(help="What to call the movie, or the set of images.")
]
Size = Annotated[
    int | None,
    typer.Option(
        help="Width of a crop as it is kept, a multiple of 16 px (64; less where "
        "all images are smaller)."
    ),
]
Sizes = Annotated[
    str | None,
    typer.Option(
        help="How images are brought to that size: noise, mean, constant:20, "
        "resize; one for all channels, or one for each."
    ),
]
Normalise = Annotated[
    str,
    typer.Option(
        help="How pixels are normalised: zscore, brightfield, fluorescence, or "
        "steps such as log+zscore; one for all channels, or one for each."
    ),
]
Fov = Annotated[
    float | None,
    typer.Option("--fov", help="Width of a crop in µm (default 21.3)."),
]
FovPx = Annotated[
    float | None, typer.Option(help="Width of a crop in pixels of the movie.")
]
Channel = Annotated[
    list[str] | None,
    typer.Option(help="Channel by number from 0 or by name; may be given again."),
]
Plane = Annotated[
    str, typer.Option(help='Plane of a stack, or "max" for its projection.')
]
Classes = Annotated[
    str | None,
    typer.Option(
        help="Classes to tell apart; of two, the second is score ≥ 0. By default "
        "interphase,metaphase, or those that folders or labels of images say."
    ),
]


def simulate(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to make.")],
    frames: Annotated[int, typer.Option(help="Number of frames.")] = 40,
    cells: Annotated[int, typer.Option(help="Nuclei in the first frame.")] = 48,
    size: Annotated[int, typer.Option(help="Edge of a frame (px).")] = 512,
    confounder: Annotated[
        float,
        typer.Option(
            help="How much sparser it is around metaphases, −1 to 1; 0 = not at all."
        ),
    ] = 0.7,
    seed: Annotated[int, typer.Option(help="Seed of every random number.")] = 0,
    as_json: Json = False,
) -> None:
    """Simulate a movie of dividing nuclei with known truth.

    Writes movie.tif, tracks.csv, labels.tif, and truth.csv, which import-labels reads.
    """
    with talking(as_json) as talk:
        from napari_cellsci.cells.simulator import SimulationConfig
        from napari_cellsci.cells.simulator import simulate as run
        from napari_cellsci.disk import whole_folder

        config = SimulationConfig(
            frames=frames, cells=cells, size=size, confounder=confounder, seed=seed
        )
        folder = out.absolute()
        with whole_folder(folder) as temporary:
            made = run(config, on_event=talk.on_event, token=talk.token)
            made.save(temporary)
        counts = made.truth["class"].value_counts().to_dict()
        said = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        files = ["movie.tif", "tracks.csv", "labels.tif", "truth.csv"]
        talk.result(
            {
                "folder": str(folder),
                "files": files,
                "frames": frames,
                "cells": len(made.truth),
                "tracks": int(made.tracks["track_id"].nunique()),
                "classes": {str(k): int(v) for k, v in counts.items()},
            },
            f"{out}: {frames} frames, {len(made.truth):,} cells ({said}).",
        )


def new(
    project: ProjectFolder,
    image: Image = None,
    tracks: Tracks = None,
    masks: Masks = None,
    images: Images = None,
    labels: Labels = None,
    group_by: GroupBy = None,
    tile: Tile = None,
    tile_gap: TileGap = None,
    size: Size = None,
    sizing: Sizes = None,
    normalise: Normalise = "zscore",
    pixel_size: PixelSize = None,
    frame_interval: FrameInterval = None,
    fov: Fov = None,
    fov_px: FovPx = None,
    channel: Channel = None,
    z: Plane = "max",
    axes: Axes = None,
    classes: Classes = None,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Make a project of a movie and its tracks, or of images of single cells."""
    with talking(as_json) as talk:
        from napari_cellsci.project import Project

        with Project.create(
            project,
            image=image,
            tracks=tracks,
            masks=masks,
            images=images,
            labels=labels,
            group_by=group_by,
            tile=_tile(tile, tile_gap),
            size=size,
            sizing=sizing,
            normalise=normalise,
            axes=axes,
            pixel_size=pixel_size,
            frame_interval=frame_interval,
            fov_um=fov,
            fov_px=fov_px,
            channels=_channels(channel),
            z=_plane(z),
            classes=comma_list(classes),
            name=name,
            on_event=talk.on_event,
            token=talk.token,
        ) as made:
            info = made.info()
            skipped = info["movies"][0].get("skipped", [])
            talk.result({**info, "skipped": skipped}, _made(project, made, info))


def _made(project: Path, made: Any, info: dict[str, Any]) -> str:
    cells, spec = made.cells, made.spec
    width = f"{spec.fov_um:g} µm" if spec.fov_um is not None else f"{spec.fov_px:g} px"
    if "image" not in cells:
        tracks = int(cells.groupby(["movie", "track_id"]).ngroups)
        return (
            f"{project}: {len(cells):,} cells of {tracks:,} tracks, crops {width} "
            f"wide. Next: cellsci score {project} -o scores.csv"
        )
    labelled = sum(info["labels"].values())
    groups = cells.loc[cells["group"] != "", "group"].nunique()
    parts = [f"{len(cells):,} images of single cells"]
    parts += [f"in {groups:,} groups"] if groups else []
    parts += [f"{labelled:,} labelled ({', '.join(info['classes'])})"] * bool(labelled)
    return (
        f"{project}: {', '.join(parts)}, crops {width} wide. Next: "
        f"cellsci train-encoder {project}"
    )


def _channels(names: list[str] | None) -> list[int | str] | None:
    if not names:
        return None
    # "0,1" is as good as --channel 0 --channel 1.
    parts = comma_list(",".join(names))
    return [int(part) if part.isdecimal() else part for part in parts]


def _tile(tile: tuple[int, int] | None, gap: int | None) -> tuple[int, ...] | None:
    from napari_cellsci.errors import InputError

    if gap is None:
        return tile
    if tile is None:
        raise InputError("Lines are between tiles: give --tile HEIGHT WIDTH too.")
    return (*tile, gap)


def _plane(z: str) -> Any:
    from napari_cellsci.errors import InputError

    if z == "max":
        return "max"
    if not z.isdecimal():
        raise InputError(f'The plane is a number from 0 or "max", not {z!r}.')
    return int(z)


def add(
    project: ProjectFolder,
    image: Image = None,
    tracks: Tracks = None,
    masks: Masks = None,
    images: Images = None,
    labels: Labels = None,
    group_by: GroupBy = None,
    tile: Tile = None,
    tile_gap: TileGap = None,
    pixel_size: PixelSize = None,
    frame_interval: FrameInterval = None,
    axes: Axes = None,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Add a movie, or images of single cells, and crop them in the same way."""
    with talking(as_json) as talk:
        from napari_cellsci.project import Project
        from napari_cellsci.project.image_reading import refuse_both, refuse_neither

        common: dict[str, Any] = {"axes": axes, "pixel_size": pixel_size, "name": name}
        common |= {"on_event": talk.on_event, "token": talk.token}
        with Project.open(project) as opened:
            tiles = _tile(tile, tile_gap)
            if images is not None:
                refuse_both(image, tracks, masks)
                called = opened.add_images(
                    images, labels=labels, group_by=group_by, tile=tiles, **common
                )
            else:
                refuse_neither(image, labels, group_by, tiles)
                called = opened.add_movie(
                    image, tracks, masks=masks, frame_interval=frame_interval, **common
                )
            info = opened.info()
            added = next(m for m in info["movies"] if m["name"] == called)
            sets = {movie["kind"] for movie in info["movies"]}
            talk.result(
                {"movie": called, **info, "skipped": added.get("skipped", [])},
                f"{project}: {called!r} added with {added['cells']:,} cells; the "
                f"project has {info['cells']:,} cells in {len(info['movies'])} "
                f"{'movies' if sets == {'movie'} else 'movies and image sets'} now.",
            )


def relocate(
    project: ProjectFolder,
    image: Annotated[
        Path, typer.Option(help="Where the movie's file or the images are now.")
    ],
    movie: Annotated[
        str | None, typer.Option(help="Name of the movie in the project.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Tell a project where a movie's file, or a set's images, are now."""
    with talking(as_json) as talk:
        from napari_cellsci.errors import InputError
        from napari_cellsci.project import Project

        with Project.open(project) as opened:
            names = [info.name for info in opened.movies]
            if movie is None and len(names) > 1:
                raise InputError(
                    f"The project has the movies {', '.join(names)}: say which with "
                    "--movie."
                )
            called = movie or names[0]
            opened.relocate_movie(called, image)
            talk.result(
                {"movie": called, "path": str(image.absolute())},
                f"{project}: {called!r} is read from {image}.",
            )


def import_labels(
    project: ProjectFolder,
    csv: Annotated[
        Path,
        typer.Argument(
            metavar="CSV",
            help="Columns track_id, t, class; optionally movie, y, x. Of images: image "
            "or index, class.",
        ),
    ],
    max_distance: Annotated[
        float,
        typer.Option(help="How far the cell of a row without a track may be (px)."),
    ] = 8.0,
    add_classes: Annotated[
        bool,
        typer.Option(
            "--add-classes",
            help="Accept a table of which no class is known; its classes are kept, "
            "not trained.",
        ),
    ] = False,
    annotator: Annotated[
        str | None, typer.Option(help="Whose labels these are; yours by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Read labels from a table; one import is undone as one."""
    with talking(as_json) as talk:
        from napari_cellsci.project import Project

        with Project.open(project) as opened:
            report = opened.labels.import_csv(
                csv, max_distance, add_classes=add_classes, who=annotator
            )
            unmatched = report.unmatched
            for row in unmatched.head(10).itertuples():
                talk.say(f"row {row.row}: {row.reason}")
            if len(unmatched) > 10:
                talk.say(f"… and {len(unmatched) - 10} more rows without a cell")
            rows = unmatched[["row", "reason"]].to_dict(orient="records")
            talk.result(
                {
                    "matched": report.matched,
                    "unused": report.unused,
                    "unmatched": [{str(k): v for k, v in row.items()} for row in rows],
                    "labels": opened.labels.counts(),
                },
                report.sentence,
            )
