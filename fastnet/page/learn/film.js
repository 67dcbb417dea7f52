// A training as a film: the function, the loss and the network at each kept epoch.
// The numbers come from Python; this file only draws them.
const SPACE = "http://www.w3.org/2000/svg";
const W = 440, H = 250, LEFT = 52, RIGHT = 22, TOP = 12, BOTTOM = 34;
const FRAMES_PER_SECOND = 30; // at normal speed

const make = (name, attributes, parent) => {
  const node = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (parent) parent.appendChild(node);
  return node;
};
const number = (v) => {
  if (v === null || v === undefined) return "not finite";
  const size = Math.abs(v);
  const text = v === 0 || (size >= 0.001 && size < 1e5) ? v.toPrecision(4) : v.toExponential(2);
  return text.replace(/-/g, "\u2212");
};

// A scale from data to pixels; a logarithmic one takes positive numbers.
const scale = (low, high, from, to, log) => {
  const f = log ? Math.log10 : (v) => v;
  const a = f(low), span = f(high) - a || 1;
  return (v) => from + ((f(v) - a) / span) * (to - from);
};
const linearTicks = (low, high) => {
  const raw = (high - low) / 4, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
  const ticks = [];
  for (let t = Math.ceil(low / step) * step; t <= high + step / 1e6; t += step) ticks.push(+t.toFixed(10));
  return ticks;
};
const logTicks = (low, high) => {
  const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9);
  const every = Math.max(1, Math.ceil((last - first + 1) / 6));
  const ticks = [];
  for (let p = first; p <= last; p += every) ticks.push(+`1e${p}`);
  return ticks.length > 1 ? ticks : [low, Math.sqrt(low * high), high];
};

// A panel with axes; `x` and `y` place data in it.
const panel = (parent, spec) => {
  const svg = make("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": spec.label }, parent);
  const x = scale(...spec.x, LEFT, W - RIGHT, spec.logX), y = scale(...spec.y, H - BOTTOM, TOP, spec.logY);
  const short = (t) => (spec.round || t === 0 || (Math.abs(t) >= 0.0001 && Math.abs(t) < 1e4))
    ? String(+t.toPrecision(3)).replace("-", "\u2212") : t.toExponential(0).replace("-", "\u2212");
  for (const t of spec.xTicks || linearTicks(...spec.x)) {
    make("line", { class: "tick", x1: x(t), x2: x(t), y1: H - BOTTOM, y2: H - BOTTOM + 4 }, svg);
    make("text", { x: x(t), y: H - BOTTOM + 17, "text-anchor": "middle" }, svg).textContent =
      short(spec.logX ? t - 1 : t);
  }
  for (const t of (spec.logY ? logTicks : linearTicks)(...spec.y)) {
    make("line", { class: "grid", x1: LEFT, x2: W - RIGHT, y1: y(t), y2: y(t) }, svg);
    make("text", { x: LEFT - 6, y: y(t) + 4, "text-anchor": "end" }, svg).textContent = short(t);
  }
  make("text", { x: W - RIGHT, y: H - 4, "text-anchor": "end" }, svg).textContent = spec.xName;
  make("text", { x: 2, y: 10 }, svg).textContent = spec.yName;
  const id = `clip-${Math.random().toString(36).slice(2)}`;
  const clip = make("clipPath", { id }, make("defs", {}, svg));
  make("rect", { x: LEFT, y: TOP, width: W - LEFT - RIGHT, height: H - TOP - BOTTOM }, clip);
  const inside = make("g", { "clip-path": `url(#${id})` }, svg);
  return { svg: inside, x, y };
};
const path = (xs, ys, p) => {
  let text = "", pen = "M";
  xs.forEach((x, i) => {
    if (ys[i] === null) { pen = "M"; return; }
    const at = Math.max(-1e4, Math.min(1e4, p.y(ys[i])));
    text += `${pen}${p.x(x).toFixed(1)},${at.toFixed(1)}`;
    pen = "L";
  });
  return text;
};
const stroke = (track) => ({ fill: "none", stroke: track.colour, "stroke-width": 2.2, "stroke-dasharray": track.dash });

// ------------------------------------------------------------------ the panels

const fitPanel = (parent, data) => {
  const { fit, tracks } = data;
  const p = panel(parent, { x: fit.xRange, y: fit.yRange, xName: "x", yName: "y", label: fit.label, round: true });
  make("path", { class: "target", d: path(fit.x, fit.target, p) }, p.svg);
  fit.points.forEach(([x, y]) => make("circle", { class: "sample", cx: p.x(x), cy: p.y(y), r: 3 }, p.svg));
  const curves = tracks.map((track) => make("path", stroke(track), p.svg));
  return (i) => curves.forEach((curve, t) => curve.setAttribute("d", path(fit.x, tracks[t].curves[i], p)));
};

const courseParts = (parent, data, spec) => {
  const last = data.epochs[data.epochs.length - 1];
  const xTicks = [1, 2]; // epochs 0 and 1, then 10, 100, ...: an epoch stands at log(epoch + 1)
  for (let e = 10; e <= last; e *= 10) xTicks.push(e + 1);
  const p = panel(parent, { x: [1, last + 1], logX: true, xTicks, y: spec.range, logY: true, xName: "epoch", yName: spec.name, label: spec.label });
  if (spec.rule) make("line", { class: "rule", x1: LEFT, x2: W, y1: p.y(spec.rule), y2: p.y(spec.rule) }, p.svg);
  for (const line of spec.lines) make("path", { d: path(line.x.map((e) => e + 1), line.y, p), ...stroke(line) }, p.svg);
  for (const mark of spec.marks || [])
    make("circle", { class: "mark", cx: p.x(mark.x + 1), cy: p.y(mark.y), r: 5, stroke: mark.colour }, p.svg);
  const cursor = make("line", { class: "cursor", y1: TOP, y2: H - BOTTOM }, p.svg);
  return (i) => {
    cursor.setAttribute("x1", p.x(data.epochs[i] + 1));
    cursor.setAttribute("x2", p.x(data.epochs[i] + 1));
  };
};

const netPanel = (parent, { nets, n1, label }) => {
  const svg = make("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": label }, parent);
  const lines = [];
  const row = (u) => 16 + ((H - 32) * (u + 0.5)) / n1;
  for (let u = 0; u < n1; u++) {
    lines.push(make("line", { x1: 50, y1: H / 2, x2: W / 2, y2: row(u) }, svg));
    lines.push(make("line", { x1: W / 2, y1: row(u), x2: W - 50, y2: H / 2 }, svg));
  }
  const dot = (x, y, name) => {
    make("circle", { class: "unit", cx: x, cy: y, r: 11 }, svg);
    make("text", { x, y: y + 4, "text-anchor": "middle" }, svg).textContent = name;
  };
  dot(50, H / 2, "x");
  for (let u = 0; u < n1; u++) dot(W / 2, row(u), "h");
  dot(W - 50, H / 2, "\u0177");
  return (i) => lines.forEach((line, at) => {
    const w = nets[i][at];
    line.setAttribute("stroke", w >= 0 ? "#3b7dd8" : "#d97706");
    line.setAttribute("stroke-width", Math.min(9, 0.6 + 1.1 * Math.abs(w)));
  });
};

const regionPanel = (parent, { regions }) => {
  const p = panel(parent, { x: [-1, 1], y: [-1, 1], xName: "x1", yName: "x2", label: regions.label, round: true });
  const side = regions.side, tiles = [];
  for (let a = 0; a < side; a++) for (let b = 0; b < side; b++) {
    const left = p.x(-1 + (2 * b) / side), top = p.y(-1 + (2 * (a + 1)) / side);
    const width = p.x(-1 + (2 * (b + 1)) / side) - left + 0.4, height = p.y(-1 + (2 * a) / side) - top + 0.4;
    tiles.push(make("rect", { x: left, y: top, width, height }, p.svg));
  }
  regions.points.forEach(([x, y, c]) => {
    make("circle", { cx: p.x(x), cy: p.y(y), r: 8, class: "class", fill: regions.colours[c] }, p.svg);
    make("text", { x: p.x(x), y: p.y(y) + 4, "text-anchor": "middle", class: "number" }, p.svg).textContent = c + 1;
  });
  return (i) => tiles.forEach((tile, at) => {
    const code = regions.frames[i][at];
    tile.setAttribute("fill", regions.colours[Math.floor(code / 10)]);
    tile.setAttribute("fill-opacity", 0.06 + 0.06 * (code % 10));
  });
};

// ------------------------------------------------------------------ the film

export default function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector(".film");
  clearInterval(root.timer);
  const box = root.querySelector(".panels"), find = (name) => root.querySelector(`.${name}`);
  const [play, back, step, slider, speed, now] = ["play", "back", "step", "slider", "speed", "now"].map(find);
  box.replaceChildren();
  find("legend").replaceChildren(...data.legend.map(({ name, colour, dash, dot }) => {
    const item = document.createElement("span"), sign = make("svg", { viewBox: "0 0 34 10", class: "sign", "aria-hidden": "true" });
    if (dot) make("circle", { class: "sample", cx: 17, cy: 5, r: 3 }, sign);
    else make("line", { x1: 1, x2: 33, y1: 5, y2: 5, stroke: colour, "stroke-width": 2.5, "stroke-dasharray": dash || "" }, sign);
    item.append(sign, ` ${name}`);
    return item;
  }));
  const place = (title) => {
    const figure = document.createElement("figure"), caption = document.createElement("figcaption");
    caption.textContent = title;
    figure.append(caption);
    box.append(figure);
    return figure;
  };
  const draw = [];
  if (data.fit) draw.push(fitPanel(place(data.fit.title), data));
  if (data.regions) draw.push(regionPanel(place(data.regions.title), data));
  for (const spec of data.courses) draw.push(courseParts(place(spec.title), data, spec));
  if (data.network) draw.push(netPanel(place(data.network.title), data.network));

  const last = data.epochs.length - 1;
  const show = (i) => {
    root.at = Math.max(0, Math.min(last, i));
    for (const part of draw) part(root.at);
    slider.value = root.at;
    slider.setAttribute("aria-valuetext", `epoch ${data.epochs[root.at]}`);
    now.textContent = `Epoch ${data.epochs[root.at].toLocaleString("en")}: ` +
      data.tracks.map((t) => `${t.name ? t.name + ": " : ""}loss ${number(t.losses[root.at])}`).join("; ");
    back.disabled = root.at === 0;
    step.disabled = root.at === last;
  };
  const pause = () => { clearInterval(root.timer); root.timer = null; play.textContent = "Play"; };
  const start = () => {
    if (root.at === last) show(0);
    clearInterval(root.timer);
    play.textContent = "Pause";
    root.timer = setInterval(() => (root.at === last ? pause() : show(root.at + 1)), 1000 / FRAMES_PER_SECOND / speed.value);
  };
  slider.max = last;
  play.onclick = () => (root.timer ? pause() : start());
  back.onclick = () => { pause(); show(root.at - 1); };
  step.onclick = () => { pause(); show(root.at + 1); };
  slider.oninput = () => { pause(); show(+slider.value); };
  speed.onchange = () => root.timer && start();
  pause();
  show(data.token === root.token ? root.at : 0);
  root.token = data.token;
  return () => clearInterval(root.timer);
}
