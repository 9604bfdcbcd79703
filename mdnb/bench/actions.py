"""What a user does to the widgets, and how long its result takes to appear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Action", "click_to_result"]


@dataclass(frozen=True)
class Action:
    """One thing that is done, and where its result is seen.

    Attributes
    ----------
    what : str
        CSS selector of what is acted on; the last element that it finds.
    where : str
        CSS selector of what shows the result; any change of its text, or of the value of an input.
    how : {"click", "slide", "arrow", "point"}
        Click a control; move a native slider; press the right arrow key on a control; click with the mouse on places
        of a plot, which all are tried in turn.
    places : sequence of (across, down)
        For "point": shares of the width and height of `what`. Without, the largest elements that `what` finds.
    ready : str
        CSS selector of what has to be there again before the next round.
    cell : int
        Number of the notebook's cell that shows it, which is scrolled to.
    """

    what: str
    where: str
    how: str = "click"
    places: Sequence[tuple[float, float]] = ()
    ready: str = ""
    cell: int | None = None


#: Waits for the action, then for the first change of what the kernel answers with.
_WATCH = """([where, event, until]) => {
  const find = () => { const all = document.querySelectorAll(where); return all[all.length - 1]; };
  const text = () => { const one = find(); return one && (one.tagName === "INPUT" ? one.value : one.textContent); };
  // What shows the result may show it for less than a look, such as while a short piece of work goes on.
  const seen = [];
  let begin = NaN, before = text(), timer = 0;
  document.addEventListener(event, () => {
    begin = performance.now(); before = text(); seen.length = 0;
  }, { capture: true, once: true });
  const tasks = [], watch = new PerformanceObserver((list) => tasks.push(...list.getEntries()));
  watch.observe({ entryTypes: ["longtask"] });
  window.mdnbTook = new Promise((finished) => {
    // A task is told of when it is over; and two clicks within 300 ms are to plotly a double click, which draws anew.
    const done = (took) => {
      clearInterval(timer);
      changes.disconnect();
      setTimeout(() => {
        tasks.push(...watch.takeRecords());
        watch.disconnect();
        const end = begin + took;
        const shares = tasks.map((one) => Math.min(one.startTime + one.duration, end) - Math.max(one.startTime, begin));
        finished([took, shares.filter((one) => one > 0).reduce((sum, one) => sum + one, 0)]);
      }, 400);
    };
    const armed = performance.now();
    const look = () => {
      const found = (one) => until ? (one || "").includes(until) : one !== before;
      if (begin && [text(), ...seen.splice(0)].some(found)) done(performance.now() - begin);
      else if (performance.now() - armed > 10000) done(NaN);
    };
    // Told of at once; and looked for every few milliseconds, as nobody tells of the value of an input. To look all the
    // time would take a processor for itself, which the kernel and the page that are measured need.
    const changes = new MutationObserver(() => { seen.push(text()); look(); });
    if (find()) changes.observe(find(), { childList: true, characterData: true, subtree: true });
    timer = setInterval(look, 4);
  });
}"""
#: JupyterLab takes away from the page what is scrolled out of sight.
_SCROLL = "(cell) => window.jupyterapp.shell.currentWidget.content.scrollToItem(cell, 'start')"
#: A cell that comes into sight is drawn, which moves what is below: who clicks where it was clicks on nothing.
_STEADY = """(what) => new Promise((done) => {
  let last = "", same = 0;
  const look = () => {
    const all = document.querySelectorAll(what), box = all.length ? all[all.length - 1].getBoundingClientRect() : {};
    const now = [box.x, box.y, box.width, box.height].join();
    same = now === last ? same + 1 : 0;
    last = now;
    if (same >= 20) done(); else requestAnimationFrame(look);
  };
  look();
})"""
_CLICK = "(what) => { const all = document.querySelectorAll(what); all[all.length - 1].click(); }"
_SLIDE = """(what) => {
  const all = document.querySelectorAll(what), target = all[all.length - 1];
  const now = Number(target.value), last = Number(target.max);
  target.focus();
  target.value = now >= last ? Number(target.min) : now + 7;
  target.dispatchEvent(new Event("input", { bubbles: true }));
}"""
_EVENTS = {"click": "click", "slide": "input", "arrow": "keydown", "point": "mousedown"}


def click_to_result(
    page: Any, action: Action, rounds: int = 15, until: str = "", busy: list[float] | None = None, first: int = 0
) -> list[float]:
    """Return the milliseconds from an action to the change of a text, each round; NaN where none came in 10 s.

    Parameters
    ----------
    page : playwright page
    action : Action
    rounds : int
    until : str
        What the text has to hold; any change of it is enough where this is empty.
    busy : list, optional
        Gets the milliseconds of each round that the page itself worked, as far as it was in tasks of 50 ms or more.
    first : int
        Number of the first round: places are gone through in turn, as a second click on the same one changes nothing.
    """
    times = []
    if action.cell is not None:
        page.evaluate(_SCROLL, action.cell)
        page.locator(action.where).last.wait_for(state="attached")
        page.evaluate(_STEADY, action.what)
    for number in range(first, first + rounds):
        if action.ready:
            page.locator(action.ready).last.wait_for()
        place = _place(page, action, number) if action.how == "point" else (0.0, 0.0)
        if action.how == "point":
            page.mouse.move(*place)  # and no pause: a click counts where plotly has not looked yet, too
        elif action.how == "arrow":
            page.locator(action.what).last.focus()
        page.evaluate(_WATCH, [action.where, _EVENTS[action.how], until])
        if action.how == "point":
            page.mouse.click(*place)
        elif action.how == "arrow":
            page.keyboard.press("ArrowRight")
        else:
            page.evaluate(_CLICK if action.how == "click" else _SLIDE, action.what)
        took, worked = page.evaluate("() => window.mdnbTook")
        times.append(float(took))
        if busy is not None:
            busy.append(float(worked))
    return times


def _place(page: Any, action: Action, number: int) -> tuple[float, float]:
    """Return where the mouse clicks in this round, in pixels of the page."""
    found = page.locator(action.what)
    found.last.wait_for(state="attached")
    if action.places:
        across, down = action.places[number % len(action.places)]
        found.last.scroll_into_view_if_needed()
        box = found.last.bounding_box()
        return box["x"] + across * box["width"], box["y"] + down * box["height"]
    boxes = sorted((one.bounding_box() for one in found.all()), key=lambda box: -box["width"] * box["height"])
    box = boxes[number % 2]
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
