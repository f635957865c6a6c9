"""The four findings of arXiv 2402.03115 on attacks, asked of one's own cells.

    python scripts/attack_findings.py PROJECT [PROJECT …]

For every classifier of the projects (the newest of every kind, or those named with
``--model``), prints how accuracy falls under attack on images (finding 1), what the
perturbations look like (2), what moving only latents of position and neighbourhood does
(3), and what a blank picture is called (4); then the verdicts. Slow: minutes a project.
"""

from __future__ import annotations

import argparse

from napari_cellsci.project import Project
from napari_cellsci.project.robustness import ModelRobustness, Robustness

IMAGE = (0.05, 0.1, 0.2, 0.3, 0.5)


def tell(name: str, found: Robustness) -> None:
    """Print what was found of one project."""
    cells = ", ".join(f"{n} {what}" for what, n in found.cells.items())
    noise = "unknown" if found.noise is None else f"{found.noise:.3f}"
    print(f"\n## {name}: {cells}; camera noise ε = {noise}")
    steps = " | ".join(f"ε = {e:g}" for e in IMAGE)
    print(f"\n| classifier | scheme | unattacked | {steps} |")
    print("|---|---|---|" + "---|" * len(IMAGE))
    for model in found.models:
        curve = model.curves["image"]
        values = " | ".join(_rate(*curve.at(e)) for e in (0.0, *IMAGE))
        print(f"| {model.bundle} | {model.scheme} | {values} |")
    for model in found.models:
        _tell_model(model)


def _tell_model(model: ModelRobustness) -> None:
    seen = model.findings
    print(f"\n{model.bundle} (scheme {model.scheme}, {model.models} models)")
    print(f"  {model.verdict.shortcut}: {model.verdict.sentence}")
    print(
        f"  energy of the gradient on the cell {seen.energy:.0%} (its area "
        f"{seen.area:.0%}); accuracy under ε = {seen.probe:g} outside "
        f"alone {seen.outside:.0%}, inside alone {seen.inside:.0%}"
    )
    alike = ", ".join(f"{k} {v:+.2f}" for k, v in list(model.alike.items())[:4])
    if alike:
        print(f"  raising the score looks like: {alike}")
    for kind in ("latent", "around", "own"):
        if kind in model.curves:
            curve = model.curves[kind]
            told = ", ".join(f"{_rate(*curve.at(e))} at {e:g}" for e in (0.5, 1.0, 2.0))
            odd = f" ({curve.broken} not finite)" if curve.broken else ""
            print(f"  latents ({kind}): {told}{odd}")
    for check in model.verdict.checks[1:]:
        print(f"  {check.standing}: {check.sentence}")


def _rate(mean: float, sd: float) -> str:
    return f"{mean:.1%} ± {sd:.1%}"


def main() -> None:
    """Examine the projects that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("projects", nargs="+")
    parser.add_argument("--model", action="append")
    parser.add_argument("--most", type=int, default=400)
    given = parser.parse_args()
    for folder in given.projects:
        with Project.open(folder) as project:
            found = project.robustness(given.model, most=given.most)
            tell(project.name, found)


if __name__ == "__main__":
    main()
