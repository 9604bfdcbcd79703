// Loads plotly's own code, 5 MB, while it is drawn and once for a page. As the widget's code itself it has to be there
// within the two seconds that anywidget waits, or the figure stays empty for ever on a busy machine.

function code(model) {
  globalThis.mdnbPlotly ??= (async () => {
    const url = URL.createObjectURL(new Blob([model.get("_plotly")], { type: "text/javascript" }));
    try {
      return (await import(url)).default;
    } finally {
      URL.revokeObjectURL(url);
    }
  })();
  return globalThis.mdnbPlotly;
}

export default () => {
  let figure;
  return {
    initialize({ model }) {
      figure = code(model).then(async (make) => {
        const made = await make();
        await made.initialize({ model });
        return made;
      });
      figure.catch(() => { globalThis.mdnbPlotly = undefined; });  // `render` tells of it; the next one tries again
    },
    async render({ model, el, signal }) {
      const made = await figure;
      return signal?.aborted ? undefined : made.render({ model, el });
    },
  };
};
