"""The one progress bar: a widget in a live notebook, text in a terminal, nothing in a report."""

from __future__ import annotations

import os
from typing import Any

__all__ = ["progress_bar"]


def progress_bar(*, total: int, description: str, unit: str, initial: int = 0) -> Any:
    """Return a tqdm bar (`update`, `set_postfix_str`, `close`; a context manager).

    A bar drawn in a papermill run would stay frozen in the saved notebook, so there it is silent
    (the runner has a bar of its own).
    """
    if os.environ.get("MDNB_REPORT"):
        from tqdm.std import tqdm

        return tqdm(total=total, disable=True)
    from tqdm.auto import tqdm as auto

    return auto(total=total, desc=description, unit=unit, initial=initial, leave=False)
