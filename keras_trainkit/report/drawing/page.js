"use strict";
(function () {
  const page = JSON.parse(document.getElementById("data").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const storageKey = "keras_trainkit:" + location.pathname;
  const kept = recall();
  let printing = false;
  let drawn = 0;
  let errors = 0;

  function fail(error) {
    errors += 1;
    document.body.dataset.errors = errors;
    console.error(error);
  }
  window.addEventListener("error", (event) => fail(event.error || event.message));
  document.addEventListener("securitypolicyviolation", (event) =>
    fail("refused: " + event.blockedURI + " by " + event.violatedDirective));

  // What the reader has set outlives a reload; a page without storage forgets it.
  function recall() {
    try {
      return JSON.parse(sessionStorage.getItem(storageKey)) || {};
    } catch (error) {
      return {};
    }
  }
  function remember() {
    kept.scroll = window.scrollY;
    kept.open = [...document.querySelectorAll("details[open]")].map((one) => one.id);
    page.figures.forEach((figure) => {
      const last = figure.choice ? figure.choice.options.length - 1 : 0;
      const follows = Boolean(figure.choice && figure.choice.slider) &&
        figure.state.option === last;
      kept[figure.name] = { ...figure.state, follows, ...touched(figure) };
    });
    try {
      sessionStorage.setItem(storageKey, JSON.stringify(kept));
    } catch (error) {
      // Some browsers deny storage to files; the page works without.
    }
  }

  // Arrays come packed, colours as roles under keys that hold colours.
  function unpack(packed) {
    const bytes = Uint8Array.from(atob(packed.bdata), (one) => one.charCodeAt(0));
    const kinds = { f4: Float32Array, f8: Float64Array, i4: Int32Array };
    const values = new kinds[packed.dtype](bytes.buffer);
    if (!packed.shape) return values;
    const [rows, columns] = packed.shape.split(",").map(Number);
    return Array.from({ length: rows }, (_, row) =>
      values.subarray(row * columns, (row + 1) * columns));
  }
  function resolve(node, colors, isColor) {
    if (typeof node === "string") return isColor && node in colors ? colors[node] : node;
    if (Array.isArray(node)) return node.map((one) => resolve(one, colors, isColor));
    if (node === null || typeof node !== "object") return node;
    if ("bdata" in node) return unpack(node);
    return Object.fromEntries(Object.entries(node).map(([key, value]) =>
      [key, resolve(value, colors, /color(scale|way)?$/.test(key))]));
  }
  function put(target, path, value) {
    const names = path.split(".");
    const last = names.pop();
    names.forEach((name) => { target = target[name] = { ...target[name] }; });
    target[last] = value;
  }

  function traces(figure) {
    const option = figure.choice && figure.choice.options[figure.state.option];
    const rest = new Set(figure.rest);
    const shown = option && option.traces && new Set(option.traces);
    return figure.traces.map((trace, index) => {
      const copy = { ...trace, uid: String(index) };
      if (shown || rest.size) {
        const onDemand = rest.has(index) ? [false, "legendonly", true][figure.state.all] : true;
        copy.visible = !shown || shown.has(index) ? onDemand : false;
      }
      if (option && option.data) {
        Object.entries(option.data).forEach(([path, values]) => {
          if (values[index] !== null) put(copy, path, values[index]);
        });
      }
      return copy;
    });
  }
  function layout(figure, width) {
    const result = { ...figure.layout, template: page.template, uirevision: "kept" };
    const option = figure.choice && figure.choice.options[figure.state.option];
    Object.entries((option && option.layout) || {}).forEach(([path, value]) =>
      put(result, path, value));
    if (figure.logarithmic && figure.state.log !== undefined) {
      put(result, figure.logarithmic + ".type", figure.state.log ? "log" : "linear");
      Object.entries(page.logTicks).forEach(([key, value]) =>
        put(result, figure.logarithmic + "." + key, figure.state.log ? value : undefined));
      put(result, figure.logarithmic + ".uirevision", String(figure.state.log));
      put(result, figure.logarithmic + ".range", undefined);
      if (figure.state.log) put(result, figure.logarithmic + ".rangemode", "normal");
    }
    const narrow = width < 640;
    const places = narrow && !(result.legend || {}).orientation
      ? { orientation: "h", yref: "container", y: 0, yanchor: "bottom" } : {};
    if (narrow) {
      result.margin = { l: 44, r: 8, t: 24, b: 40, ...result.margin };
      if ((result.xaxis || {}).tickmode === "array") put(result, "xaxis.tickangle", -50);
    }
    result.legend = {
      ...places,
      ...result.legend,
      uirevision: figure.state.option + "-" + figure.state.all,
    };
    return result;
  }
  function draw(figure) {
    const element = document.getElementById("plot-" + figure.name);
    const colors = page.colors[dark.matches && !printing ? "dark" : "light"];
    const config = {
      responsive: true,
      displaylogo: false,
      modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
    };
    return Plotly.react(
      element,
      resolve(traces(figure), colors),
      resolve(layout(figure, element.clientWidth), colors),
      config,
    );
  }
  function redraw(figure) {
    draw(figure).catch(fail);
  }

  // Zoom and legend clicks, as differences from what the figure would show by itself.
  function touched(figure) {
    const element = document.getElementById("plot-" + figure.name);
    const found = { ranges: {}, visible: {} };
    if (!element.data) return found;
    Object.keys(element.layout).filter((name) => /^[xy]axis\d*$/.test(name)).forEach((name) => {
      const axis = element.layout[name];
      const own = (figure.layout[name] || {}).range;
      if (axis.autorange === false && JSON.stringify(axis.range) !== JSON.stringify(own)) {
        found.ranges[name + ".range"] = axis.range;
      }
    });
    const untouched = traces(figure);
    element.data.forEach((trace, index) => {
      const before = untouched[index].visible;
      if (trace.visible !== before && trace.meta) found.visible[trace.meta] = trace.visible;
    });
    return found;
  }
  async function touchAgain(figure, before) {
    const element = document.getElementById("plot-" + figure.name);
    const visible = before.visible || {};
    const places = [];
    element.data.forEach((trace, index) => {
      if (trace.meta in visible && trace.visible !== false) places.push(index);
    });
    if (places.length) {
      const values = places.map((index) => visible[element.data[index].meta]);
      await Plotly.restyle(element, { visible: values }, places);
    }
    if (Object.keys(before.ranges || {}).length) {
      await Plotly.relayout(element, before.ranges);
    }
  }

  function make(tag, attributes, ...children) {
    const element = Object.assign(document.createElement(tag), attributes);
    element.append(...children);
    return element;
  }
  function addControls(figure) {
    const place = document.getElementById("controls-" + figure.name);
    const { choice, state } = figure;
    if (choice && choice.slider) {
      const words = make("output", { textContent: choice.options[state.option].label });
      const slider = make("input", {
        type: "range", min: 0, max: choice.options.length - 1, value: state.option,
      });
      slider.addEventListener("input", () => {
        state.option = Number(slider.value);
        words.textContent = choice.options[state.option].label;
        redraw(figure);
      });
      place.append(make("label", {}, choice.label + " ", slider), words);
    } else if (choice) {
      addList(choice.label, choice.options.map((option) => option.label), state.option,
        (index) => { state.option = index; });
    }
    if (figure.rest.length) {
      const words = ["the worst", "any, by the legend", "all"];
      addList("Show", words, state.all, (index) => { state.all = index; });
    }
    if (figure.logarithmic) {
      const now = state.log !== undefined
        ? state.log : figure.layout[figure.logarithmic].type === "log";
      addBox("Logarithmic", now, (on) => { state.log = on; });
    }
    function addList(label, words, now, set) {
      const list = make("select", {}, ...words.map((text, index) =>
        make("option", { value: index, textContent: text, selected: index === now })));
      list.addEventListener("change", () => {
        set(Number(list.value));
        redraw(figure);
      });
      place.append(make("label", {}, label + " ", list));
    }
    function addBox(words, on, set) {
      const box = make("input", { type: "checkbox", checked: on });
      box.addEventListener("change", () => {
        set(box.checked);
        redraw(figure);
      });
      place.append(make("label", {}, box, " " + words));
    }
  }

  function showMosaics() {
    const data = document.getElementById("mosaic-data");
    const pictures = data ? JSON.parse(data.textContent) : [];
    const slider = document.getElementById("mosaic-epoch");
    if (!pictures.length) return;
    const show = () => {
      const picture = pictures[slider ? slider.value : 0];
      const image = document.getElementById("mosaic");
      image.src = picture.address;
      image.alt = "Mosaic of the first layer's filters after epoch " + picture.epoch;
      document.getElementById("mosaic-words").textContent = picture.words;
      if (slider) kept.mosaic = slider.value === slider.max ? null : slider.value;
    };
    if (slider) {
      if (kept.mosaic) slider.value = kept.mosaic;
      slider.addEventListener("input", show);
    }
    show();
    drawn += 1;
  }

  function makeSortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    const shown = [...table.tBodies[0].rows].filter((row) =>
      !row.classList.contains("rest")).length;
    const key = (row, column) => {
      const cell = row.cells[column];
      return "key" in cell.dataset ? Number(cell.dataset.key) : cell.textContent;
    };
    heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      heads.forEach((one) => one.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...table.tBodies[0].rows].sort((one, other) => {
        const [a, b] = [key(one, column), key(other, column)];
        // NaN first, cells without a reading last, whichever way the numbers go.
        if (typeof a !== typeof b) {
          const text = typeof a === "string" ? a : b;
          return (typeof a === "string") === (text !== "") ? -1 : 1;
        }
        const order = typeof a === "string" ? a.localeCompare(b) : a - b;
        return down ? -order : order;
      });
      rows.forEach((row, index) => row.classList.toggle("rest", index >= shown));
      table.tBodies[0].append(...rows);
    }));
    const box = document.getElementById("all-" + table.id);
    if (!box) return;
    const show = () => {
      kept[box.id] = box.checked;
      table.classList.toggle("all", box.checked);
    };
    box.checked = Boolean(kept[box.id]);
    box.addEventListener("change", show);
    show();
  }

  function goLive() {
    const seconds = Number(document.body.dataset.live);
    if (!seconds) return;
    const button = document.getElementById("pause");
    const words = document.getElementById("live-words");
    let busyUntil = 0;
    let next = Date.now() + 1000 * seconds;
    ["pointermove", "pointerdown", "wheel", "keydown"].forEach((name) =>
      window.addEventListener(name, () => { busyUntil = Date.now() + 2500; }, { passive: true }));
    const show = () => {
      button.textContent = kept.paused ? "Resume" : "Pause";
      button.setAttribute("aria-pressed", String(Boolean(kept.paused)));
      words.textContent = kept.paused
        ? "Paused" : "Live, reads itself anew every " + seconds + " s";
      words.parentElement.classList.toggle("paused", Boolean(kept.paused));
    };
    button.addEventListener("click", () => {
      kept.paused = !kept.paused;
      next = Date.now() + 1000 * seconds;
      show();
    });
    show();
    setInterval(() => {
      const now = Date.now();
      if (kept.paused || document.hidden || now < next || now < busyUntil) return;
      next = now + 1000 * seconds;
      remember();
      location.reload();
    }, 500);
  }
  function tellAge() {
    const element = document.getElementById("written");
    const seconds = (Date.now() - Date.parse(element.getAttribute("datetime"))) / 1000;
    if (!(seconds >= 0)) return;
    const [count, unit] = seconds < 90 ? [seconds, "s"]
      : seconds < 5400 ? [seconds / 60, "min"]
      : seconds < 129600 ? [seconds / 3600, "h"] : [seconds / 86400, "days"];
    element.title = element.getAttribute("datetime");
    element.textContent = Math.round(count) + " " + unit + " ago";
  }

  async function start() {
    (kept.open || []).forEach((id) => {
      const details = document.getElementById(id);
      if (details) details.open = true;
    });
    document.querySelectorAll("table.sortable").forEach(makeSortable);
    showMosaics();
    tellAge();
    setInterval(tellAge, 5000);
    page.figures.forEach((figure) => {
      const before = kept[figure.name] || {};
      const last = figure.choice ? figure.choice.options.length - 1 : 0;
      const option = before.follows ? last : before.option;
      figure.state = {
        option: figure.choice ? Math.min(option ?? figure.choice.selected, last) : 0,
        all: before.all || 0,
        log: before.log,
      };
      addControls(figure);
    });
    goLive();
    window.scrollTo(0, kept.scroll || 0);
    for (const figure of page.figures) {
      try {
        await draw(figure);
        await touchAgain(figure, kept[figure.name] || {});
        drawn += 1;
      } catch (error) {
        fail(error);
      }
    }
    dark.addEventListener("change", () => page.figures.forEach(redraw));
    window.addEventListener("beforeprint", () => {
      printing = true;
      page.figures.forEach(redraw);
    });
    window.addEventListener("afterprint", () => {
      printing = false;
      page.figures.forEach(redraw);
    });
    window.addEventListener("pagehide", remember);
    document.body.dataset.errors = errors;
    document.body.dataset.drawn = drawn;
  }
  start().catch(fail);
})();
