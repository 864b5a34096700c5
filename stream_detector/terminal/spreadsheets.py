"""Cells of tables that people open in a spreadsheet, where some texts would be formulas.

A label's text may begin like a formula. A ``'`` before it makes the spreadsheet show it as text;
readers of the data remove it. See https://owasp.org/www-community/attacks/CSV_Injection.
"""

import re

_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")


def cell_of(text: str) -> str:
    """``text`` as a cell that no spreadsheet evaluates."""
    return f"'{text}" if _FORMULA.match(text) else text


def text_of(cell: str) -> str:
    """The inverse of ``cell_of``; other cells stay unchanged."""
    return cell[1:] if cell[:1] == "'" and _FORMULA.match(cell) else cell
