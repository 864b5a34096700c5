"""Cells of tables that people open in a spreadsheet, which takes some texts for formulas.

What anybody wrote into a label may begin as one. A ``'`` before it makes a spreadsheet show it as
text; whoever reads the table as data takes that off again. See
https://owasp.org/www-community/attacks/CSV_Injection.
"""

import re

__all__ = ["cell_of", "text_of"]

_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")


def cell_of(text: str) -> str:
    """``text`` as a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def text_of(cell: str) -> str:
    """The text that ``cell_of`` made ``cell`` of; other cells stay as they are."""
    return cell[1:] if cell[:1] == "'" and _FORMULA.match(cell) else cell
