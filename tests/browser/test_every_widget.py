"""What holds for all seven widgets: names as text, labels, the keyboard, errors in their place, texts to copy."""

from __future__ import annotations

from typing import Any

from .conftest import poll
from .test_lab import ask, command, open_notebook, theme

BAD = '<img src=x onerror=alert(1)>"\\n\\U0001f41f'
SETUP = f"""\
%%capture
import json, os, warnings
import mdnb
bad = '{BAD}'
frames = mdnb.example("alanine-dipeptide").frames(range(200))
frames.topology.residue(0).name = frames.topology.atom(5).name = bad
os.makedirs("hostile", exist_ok=True)
open("hostile/<img src=x onerror=alert(1)>.xtc", "wb").write(b"nothing")
torsions = mdnb.featurize(frames, "torsions")
distances = mdnb.featurize(frames, "distances")
short = mdnb.Training(epochs=1, seed=0)
labels = [bad if one < 0 else "other" for one in torsions.column("cos psi ALA2")]
run = mdnb.fit(distances, labels, mdnb.CNN(channels=4), short)
explanation = mdnb.explain(run, distances, n=10, output=bad)
plain = mdnb.example("alanine-dipeptide")[:1]
internal = mdnb.featurize(plain, "internal-coordinates")
vae = mdnb.fit(internal, [(bad, "other")[one % 2] for one in range(3000)], mdnb.VAE(latent=2, hidden=16), short)
made = mdnb.generate(vae, 20, bad, seed=0, reference=plain)
views = [
    mdnb.TrajectoryPicker("hostile"), mdnb.FeaturePicker(frames, "torsions"),
    mdnb.Tuner(distances, labels), mdnb.Explorer(distances), mdnb.ExplanationView(explanation, mdnb.load(frames)),
    mdnb.GenerationView(vae, plain, condition=bad, generated=made),
    mdnb.StructureView(frames, list(range(-11, 11)), unit=bad, caption=bad),
]"""
SHOW = "from IPython.display import display\nfor one in views:\n    display(one)"
WIDGETS = ("trajectory-picker", "feature-picker", "tuner", "explorer", "explanation-view", "generation-view")
#: The controls that a user meets: those that can be seen, and that are not a tool for the mouse on a plot or molecule.
_CONTROLS = """root => [...root.querySelectorAll(
    'button, input, select, textarea, summary, [role=slider], [role=progressbar], a[href], [contenteditable]')]
  .filter(one => one.checkVisibility() && !one.closest('.js-plotly-plot, .nglview, [aria-hidden=true]'))"""
_NAMELESS = f"""root => ({_CONTROLS})(root).filter(one => !(one.textContent.trim() || one.labels?.length
    || one.title || one.getAttribute('aria-label') || one.getAttribute('aria-labelledby')))
  .map(one => one.outerHTML.slice(0, 200))"""
#: Those that the Tab key does not come to. Of a group of radio buttons it comes to one.
_UNREACHED = f"""root => ({_CONTROLS})(root).filter(one => !one.disabled && one.type !== 'radio'
    && one.getAttribute('role') !== 'progressbar' && one.tabIndex < 0).map(one => one.outerHTML.slice(0, 200))"""
_RATIO = """root => {
  const light = (rgb) => rgb.map(one => one / 255)
    .map(one => one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    .reduce((sum, one, i) => sum + one * [0.2126, 0.7152, 0.0722][i], 0);
  const read = (text) => text.match(/[\\d.]+/g).map(Number);
  const ground = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const [r, g, b, a = 1] = read(getComputedStyle(at).backgroundColor);
      if (a > 0.9) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const found = [];
  const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const one = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || !one.checkVisibility() || one.closest('svg, option, style')) continue;
    if (one.closest(':disabled, .nglview, .mdnb-stage [style*="absolute"]')) continue;
    const [a, b] = [light(read(getComputedStyle(one).color).slice(0, 3)), light(ground(one))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 3) found.push(`${ratio.toFixed(1)}: ${one.className} ${one.textContent.slice(0, 60)}`);
  }
  return found;
}"""


def missed_by_tab(page: Any, widget: Any) -> list[str]:
    """Press Tab from the first control on until the focus leaves the widget; return the controls it did not come to."""
    seen = widget.evaluate_handle("() => new Set()")
    widget.evaluate(f"root => ({_CONTROLS})(root).find(one => !one.disabled).focus()")
    take = "(root, seen) => root.contains(document.activeElement) && Boolean(seen.add(document.activeElement))"
    presses = 0
    while widget.evaluate(take, seen) and presses < 200:
        page.keyboard.press("Tab")
        presses += 1
    if presses == 200:
        return ["the way out"]
    return widget.evaluate(
        f"""(root, seen) => ({_CONTROLS})(root).filter(one => !one.disabled && one.type !== 'radio' && !seen.has(one)
            && one.getAttribute('role') !== 'progressbar').map(one => one.outerHTML.slice(0, 200))""",
        seen,
    )


def test_all_widgets_are_safe_labelled_and_reached_by_keyboard(page: Any, lab: dict[str, Any]) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    open_notebook(page, lab, "every.ipynb", [SETUP, SHOW])
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    command(page, "notebook:run-all-cells")
    widgets = [page.locator(f".mdnb-{name}").first for name in WIDGETS]
    widgets.append(page.locator(".jp-OutputArea-output .mdnb-structure-view").last)
    for widget in widgets:
        widget.locator(".mdnb-show-code").last.wait_for()
    widgets[0].get_by_label("Pick from").select_option("files in a folder")
    widgets[1].get_by_label("look at positions").check()
    ask(page, "def broken():\n    raise mdnb.errors.DataError('no such thing; do <b>this</b> instead')\nprint('made')")
    found: list[tuple[int, str]] = []
    for number, widget in enumerate(widgets):
        widget.scroll_into_view_if_needed()
        # Names of files, residues, atoms and classes are text, wherever they stand.
        assert widget.locator("img[src=x]").count() == 0
        if number != 2:  # a Tuner shows no names
            poll(
                "the name as text",
                lambda w=widget: "<img src=x" in w.evaluate("e => e.textContent").replace("\xa0", " "),
                page,
            )
        # The code can be copied; and so can the parameters.
        for what, words in (("code", "Copy the code"), ("parameters", "Copy the parameters")):
            widget.locator(f".mdnb-show-{what}").last.click()
            copies = widget.get_by_role("button", name=words)
            page.evaluate("() => navigator.clipboard.writeText('before')")
            copies.last.click()
            widget.get_by_text("copied", exact=True).last.wait_for()
            poll("the copy", lambda: page.evaluate("() => navigator.clipboard.readText()") != "before", page)
            copied = page.evaluate("() => navigator.clipboard.readText()")
            made = "code()" if what == "code" else "parameters_yaml()"
            assert ask(page, f"print(json.dumps(views[{number}].{made}) == json.dumps({copied!r}))") == "True"
        widget.locator(".mdnb-show-parameters").last.click()
        # What goes wrong in a callback is told in the widget, with what to do.
        ask(page, f"views[{number}].code = broken; print('broken')")
        widget.locator(".mdnb-show-code").last.click()
        widget.get_by_role("alert").get_by_text("no such thing; do <b>this</b> instead").wait_for()
        found += [(number, one) for what in (_NAMELESS, _UNREACHED, _RATIO) for one in widget.evaluate(what)]
        found += [(number, f"the Tab key misses {one}") for one in missed_by_tab(page, widget)]
    theme(page, "Dark")
    for widget in widgets:
        poll("the dark theme", lambda w=widget: w.evaluate("e => e.classList.contains('mdnb-dark')"), page)
        found += [(widgets.index(widget), f"dark {one}") for one in widget.evaluate(_RATIO)]
    theme(page, "Light")
    assert found == []
    assert dialogs == []
    assert page.watch.foreign() == []
