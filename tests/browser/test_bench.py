"""What `mdnb bench widgets` reads from a page."""

from __future__ import annotations

from math import isfinite
from typing import Any

from mdnb.bench.actions import Action, click_to_result

#: Its text is another for less than a look from outside, as where an answer comes at once.
PAGE = """<button id="one">Generate</button><script>
const one = document.querySelector("#one");
one.addEventListener("click", () => queueMicrotask(() => {
  one.textContent = "Generating ...";
  queueMicrotask(() => queueMicrotask(() => { one.textContent = "Generate"; }));
}));
</script>"""


def test_a_short_answer_is_not_lost(page: Any) -> None:
    page.set_content(PAGE)
    [took] = click_to_result(page, Action("#one", "#one"), 1)
    assert isfinite(took)
    assert took < 1000
