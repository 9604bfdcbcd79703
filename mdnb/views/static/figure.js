// plotly's widget, whose code of 5 MB is loaded once for each page. A page forgets no code that it loaded: a figure
// that brought its own would leave 5 MB, and what the browser makes of them, each time that it is opened.

function held(version) {
  const key = Symbol.for(`mdnb.plotly.${version}`);
  return globalThis[key] ??= (() => {
    const made = {};
    made.arrival = new Promise((done) => { made.arrive = done; });
    return made;
  })();
}

function load(page, text) {
  if (page.loading) return;
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  page.loading = import(url).then((code) => { URL.revokeObjectURL(url); page.arrive(code); });
}

/** Return plotly's code: what the page holds, or the model brings, or the kernel sends when it is asked for it. */
function code(model) {
  const page = held(model.get("_plotly_version")), text = model.get("_plotly_code");
  if (text) {
    load(page, text);
    page.arrival.then(() => model.send({ kind: "held" }));  // the next figure need not bring it
  } else if (!page.loading) {
    const hear = (content, buffers) => {
      if (content.kind !== "plotly") return;
      model.off("msg:custom", hear);
      load(page, new TextDecoder().decode(buffers[0]));
    };
    model.on("msg:custom", hear);
    model.send({ kind: "wanted" });
  }
  return page.arrival;
}

// What Python says to plotly, each in an attribute of its own that holds the last word only.
const WORDS = ["addTraces", "deleteTraces", "moveTraces", "restyle", "relayout", "update", "animate",
               "removeLayoutProps", "removeTraceProps"].map((one) => `_py2js_${one}`);

export default () => {
  let theirs;
  return {
    async initialize({ model, ...rest }) {
      const missed = [];  // said before there is anybody to hear it
      const calls = WORDS.map((name) => [`change:${name}`, () => missed.push([name, model.get(name)])]);
      for (const [event, call] of calls) model.on(event, call);
      theirs = (await code(model)).default();
      for (const [event, call] of calls) model.off(event, call);
      theirs.initialize({ model, ...rest });
      for (const [name, value] of missed) {
        model.set(name, null);
        model.set(name, value);
      }
    },
    render: (given) => theirs.render(given),
  };
};
