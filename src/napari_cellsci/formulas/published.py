"""The twenty formulas of arXiv 2402.03115 (supplement, tables 1 and 2)."""

from __future__ import annotations

from dataclasses import dataclass

from napari_cellsci.formulas.expression import Expression


@dataclass(frozen=True, slots=True)
class Published:
    """A formula as it was printed.

    Attributes
    ----------
    name : str
        H for hinge loss on labels, M for mean squared error to a sparse head.
    text : str
    size : int
        The expression size that was printed.
    accuracy : float
        In %.
    size_agrees : bool
        False where the printed form has another number of nodes than was printed.
    """

    name: str
    text: str
    size: int
    accuracy: float
    size_agrees: bool = True

    @property
    def expression(self) -> Expression:
        """The formula."""
        return Expression.parse(self.text)


_ROWS: tuple[tuple[str, str, int, float, bool], ...] = (
    ("H1", "z29*(square(z17)+square(z21)) - exp(exp(z3))", 11, 97.6, True),
    (
        "H2",
        "0.83*(z29 - 1.37*z3 - abs(z3))*(square(z17)+square(z21)-0.19) - 1.74",
        20,
        97.8,
        True,
    ),
    ("H3", "(z29-z3)*(abs(z17)+square(z21)) - 2.88", 11, 97.4, True),
    ("H4", "0.74*(z29-0.62*z3)*(square(z17)+square(z21)) - 2.11", 15, 97.5, True),
    ("H5", "(square(z17)+square(z21))*(z29-sin(z3)) - 2.86", 12, 97.3, True),
    ("H6", "0.74*(square(z17)+square(z21))*(z29-sin(z3+0.18)) - 1.99", 16, 97.4, True),
    (
        "H7",
        "0.71*(square(z17)+square(z21))*(z29 - z3/(1.4*sqrt(abs(z3)))) - 2.11",
        19,
        97.6,
        True,
    ),
    ("H8", "(square(z17)+square(z21))*(z29-exp(z3)+0.71) - 2.03", 14, 97.4, True),
    (
        "H9",
        "0.70*(square(z17)+square(z21))*(z29 - z3/(square(z3)+0.66)) - 2.11",
        19,
        97.5,
        False,
    ),
    ("H10", "(z29-0.44*z3)*(square(z17)+square(z21)) - 2.56", 13, 97.4, True),
    (
        "M1",
        "2.32*abs(z17)+square(z21)+4.46*z29-3.16*square(0.56*z3+1)-6.15",
        18,
        97.4,
        False,
    ),
    (
        "M2",
        "square(z21)+4.22*(sqrt(abs(z17))+sin(z29)-sin(z3)) - 10.54",
        16,
        96.9,
        True,
    ),
    ("M3", "square(z17)+square(z21)+z29-6.00*exp(sin(z3))", 13, 97.0, True),
    (
        "M4",
        "square(z17)+square(z21)+z29-square(z3)-8.20*square(0.35*z3+1)+2.13",
        17,
        96.9,
        False,
    ),
    (
        "M5",
        "2*abs(z17)+square(z21)+3.72*z29-3.72*square(0.52*z3+1)-4.94",
        18,
        97.3,
        False,
    ),
    (
        "M6",
        "3.79*z29-square(z17)+square(z21)-3.93*square(0.50*z3+1)-5.49+1.45",
        19,
        97.0,
        False,
    ),
    ("M7", "square(z17)+square(z21)+(z3+3.99)*(z29-z3)-6.85", 15, 97.4, True),
    ("M8", "square(z17)+(abs(z21)-z3+2.55)*exp(sin(z29))-10.00", 15, 97.0, True),
    ("M9", "square(z17)+square(z21)+4.32*(sin(z29)-sin(z3))-8.77", 18, 97.1, False),
    ("M10", "square(z17-0.25)+square(z21)+3.76*z29-3.16*exp(z3)-3.53", 18, 97.1, True),
)
PUBLISHED: tuple[Published, ...] = tuple(Published(*row) for row in _ROWS)
"""H3 reads |z17|, and H2 and M8 |z3| and |z21|: bars that were lost in print."""
