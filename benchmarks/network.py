"""How fast a network is drawn again, and how fast a response map is there.

    xvfb-run -a python benchmarks/network.py [--rounds 15]

Three heads of 32-16-16-16-1: one with 21 weights, one with 48 as the published
method leaves, and a dense one of which some 60 weights are drawn. Milliseconds are
medians over the rounds, of the wall clock and of the thread's own processor time; where
a machine does other work, the latter is fairer.

redraw    the drawing is painted again, as after a hover
stream    another neuron's stream stands out, then painted
rebuild   everything is made anew, as after a resize, then painted
response  101 × 101 places are computed, put into words, and painted with contours,
          gradient arrows and pictures
film      one frame of the history of the connections
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from qtpy.QtWidgets import QApplication

from napari_cellsci.explain.codebook import CodeBook, read_network
from napari_cellsci.explain.response import arrows, respond
from napari_cellsci.explain.topology import Node, Topology
from napari_cellsci.explain.wording import in_words
from napari_cellsci.panels._pictures import limits_of, to_image, to_pixels
from napari_cellsci.panels._theme import theme_of
from napari_cellsci.panels.network.drawn import ClassLook, Drawn
from napari_cellsci.panels.network.film_view import FilmView
from napari_cellsci.panels.network.response_picture import ResponsePicture
from napari_cellsci.panels.network.response_view import ResponseView
from napari_cellsci.panels.network.view import NetworkView
from napari_cellsci.panels.score.summary import SIGNS
from napari_cellsci.viewer.colors import NEGATIVE, POSITIVE, ScoreScale

SIZES = (32, 16, 16, 16, 1)
CLASSES = ("interphase", "metaphase")
LOOKS = (
    ClassLook(CLASSES[0], SIGNS[0], NEGATIVE),
    ClassLook(CLASSES[1], SIGNS[1], POSITIVE),
)
WIDTH, HEIGHT = 340, 320


def network(live: tuple[int, ...]) -> Topology:
    """Return a head of which so many neurons of each layer are connected."""
    rng = np.random.default_rng(0)
    masks = []
    for (n_in, n_out), (low, high) in zip(pairwise(SIZES), pairwise(live), strict=True):
        mask = np.zeros((n_out, n_in), bool)
        mask[:high, :low] = True
        masks.append(mask)
    values = tuple(rng.normal(size=mask.shape) * mask for mask in masks)
    return Topology(values, tuple(masks), tuple(rng.normal(size=n) for n in SIZES[1:]))


def codebook() -> CodeBook:
    """Return latents and pictures without an encoder."""
    rng = np.random.default_rng(1)
    return CodeBook(
        "0" * 12,
        rng.normal(size=(3000, 32)).astype(np.float32),
        rng.normal(size=(32, 7, 1, 64, 64)).astype(np.float32),
        np.linspace(-3, 3, 7),
        tuple(f"name {i}" for i in range(32)),
        (("", ""),) * 32,
    )


def clock(name: str, deed: Callable[[], object], rounds: int) -> None:
    """Print how long something takes."""
    deed()
    wall, own = [], []
    for _ in range(rounds):
        began, busy = time.perf_counter(), time.thread_time()
        deed()
        wall.append(time.perf_counter() - began)
        own.append(time.thread_time() - busy)
    took, spent = (1e3 * statistics.median(times) for times in (wall, own))
    print(f"  {name:9s} {took:6.1f} ms   processor {spent:5.1f} ms")


def measure(title: str, topology: Topology, rounds: int) -> None:
    """Print all figures of one network."""
    theme, book = theme_of(None), codebook()
    limits = limits_of(book.strips.reshape(-1, *book.strips.shape[2:]))
    pictures = [[to_image(p) for p in to_pixels(s, limits)] for s in book.strips]
    reading = read_network(topology, book)
    print(f"{title}: {topology.n_active} weights, {len(reading.layout.edges)} drawn")
    view = NetworkView(theme)
    view.resize(WIDTH, HEIGHT)
    scale = ScoreScale(3.0, NEGATIVE, POSITIVE)
    drawn = Drawn(reading, book, LOOKS, (scale,), pictures)
    view.show()
    view.show_drawn(drawn)
    QApplication.processEvents()
    paint = view.viewport().repaint
    node = reading.layout.layer(1)[0]

    def stream() -> None:
        view.show_stream(drawn.stream(node), node)
        paint()

    def rebuild() -> None:
        view.rebuild()
        paint()

    clock("redraw", paint, rounds)
    clock("stream", stream, rounds)
    clock("rebuild", rebuild, rounds)
    answers = ResponseView(theme)
    answers.resize(WIDTH, HEIGHT)
    answers.show()
    QApplication.processEvents()
    axes = [Node(0, index) for index in reading.strongest[:2]]
    names = tuple(book.label(axis.number) for axis in axes)

    def response() -> None:
        found = respond(topology, axes, topology.output, at=book.usual)
        in_words(found, names, classes=CLASSES)
        answers.show_picture(
            ResponsePicture(
                found,
                names,
                "score f",
                tuple(pictures[axis.number] for axis in axes),
                scale,
                arrows(topology, found, at=book.usual, count=8),
                book.sample[:300][:, [axis.number for axis in axes]],
            )
        )
        answers.repaint()

    clock("response", response, rounds)
    film = FilmView(theme)
    film.resize(WIDTH, HEIGHT)
    film.show_network(reading.layout, book)
    film.show_masks(topology.masks)
    film.show()
    QApplication.processEvents()
    clock("film", film.repaint, rounds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    app = QApplication.instance() or QApplication([])
    heads = {"compact": (3, 3, 2, 2, 1), "published": (6, 4, 3, 3, 1), "dense": SIZES}
    for title, live in heads.items():
        measure(title, network(live), rounds)
    app.quit()


if __name__ == "__main__":
    main()
