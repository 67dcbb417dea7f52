// Playback of a training: the network, its fit and its losses, snapshot by snapshot.
//
// fastnetPlayback(root, data) fills an element; figures/playback.py makes the data. Everything is
// drawn on three canvases, whose axes stay the same in all frames. A place in the film is a number
// p: at whole numbers the network has the weights of a snapshot, between two their mixture.

const ACTIVATIONS = {}; // playback.py writes s(z) of every activation here

const STYLE = `
.fastnet-playback { --p-ink: #1f2430; --p-soft: #5d6675; --p-line: #dfe3e8; --p-paper: #ffffff;
  --p-blue: #3b6fd4; --p-orange: #d8691a; --p-mark: #c13f52;
  color: var(--p-ink); font: 14px/1.4 system-ui, sans-serif; text-align: left; }
@media (prefers-color-scheme: dark) { .fastnet-playback:not([data-theme=light]) {
  --p-ink: #e6e9ef; --p-soft: #a4acb9; --p-line: #343a46; --p-paper: #12151c;
  --p-blue: #6f9bec; --p-orange: #ef8d47; --p-mark: #ee7b88; } }
.fastnet-playback[data-theme=dark] { --p-ink: #e6e9ef; --p-soft: #a4acb9; --p-line: #343a46;
  --p-paper: #12151c; --p-blue: #6f9bec; --p-orange: #ef8d47; --p-mark: #ee7b88; }
.fastnet-playback figure[hidden] { display: none; }
@media (max-width: 700px) { .fastnet-playback .p-controls { position: sticky; bottom: 0;
  padding: 6px 0; background: var(--p-paper); } }
@media print { .fastnet-playback .p-controls { display: none; } }
.fastnet-playback * { box-sizing: border-box; }
.fastnet-playback .p-panes { display: grid; gap: 8px 20px;
  grid-template-columns: repeat(auto-fit, minmax(min(270px, 100%), 1fr)); }
.fastnet-playback figure { margin: 0; min-width: 0; overflow: visible; }
.fastnet-playback figcaption { color: var(--p-ink); font-weight: 600; min-height: 1.4em; }
.fastnet-playback .p-key { color: var(--p-soft); font-weight: normal; font-size: 12px;
  display: block; min-height: 2.8em; }
.fastnet-playback .p-key i { display: inline-block; width: 10px; height: 10px; border-radius: 5px;
  margin: 0 4px 0 0; }
.fastnet-playback .p-key span { margin-right: 10px; white-space: nowrap; }
.fastnet-playback canvas { display: block; width: 100%; height: 270px; }
.fastnet-playback .p-controls { display: flex; flex-wrap: wrap; gap: 8px; align-items: center;
  margin: 10px 0 0; }
.fastnet-playback button, .fastnet-playback select { font: inherit; color: var(--p-ink);
  background: transparent; border: 1px solid var(--p-soft); border-radius: 6px; padding: 4px 10px;
  min-height: 32px; cursor: pointer; }
.fastnet-playback option { color: #1f2430; background: #ffffff; }
.fastnet-playback button.p-play { background: #2f62c4; border-color: #2f62c4; color: #ffffff;
  min-width: 5em; }
.fastnet-playback label { color: var(--p-soft); display: inline-flex; gap: 6px;
  align-items: center; }
.fastnet-playback input[type=range] { flex: 1 1 200px; min-width: 120px; height: 32px; margin: 0;
  accent-color: #2f62c4; }
.fastnet-playback :focus-visible { outline: 2px solid var(--p-blue); outline-offset: 2px; }
.fastnet-playback .p-said { margin: 6px 0 0; font-variant-numeric: tabular-nums; min-height: 1.4em; }
.fastnet-playback .p-note { margin: 2px 0 0; color: var(--p-soft); font-size: 12px; }
`;

// ---------------------------------------------------------------- the network

/** Numbers from base64. */
function numbers(packed) {
  const bytes = Uint8Array.from(atob(packed.bytes), (c) => c.charCodeAt(0));
  const kind = packed.dtype === "f4" ? Float32Array : Float64Array;
  return Float64Array.from(new kind(bytes.buffer));
}

/** z2 (n x k) of the rows of U (n x d); W holds W1 (N1 x d), b1, W2 (k x N1), b2 one by one. */
function forward(W, n1, d, k, activation, U, n) {
  const Z = new Float64Array(n * k), h = new Float64Array(n1);
  const b1 = n1 * d, W2 = b1 + n1, b2 = W2 + k * n1;
  for (let t = 0; t < n; t++) {
    for (let i = 0; i < n1; i++) {
      let z = W[b1 + i];
      for (let j = 0; j < d; j++) z += W[i * d + j] * U[t * d + j];
      h[i] = activation(z);
    }
    for (let o = 0; o < k; o++) {
      let z = W[b2 + o];
      for (let i = 0; i < n1; i++) z += W[W2 + o * n1 + i] * h[i];
      Z[t * k + o] = z;
    }
  }
  return Z;
}

/** What a person is told of z2: numbers in their units, or probabilities; (n x outputs). */
function responses(Z, n, k, data) {
  const { link, y_scale, y_shift } = data;
  if (link === "identity") return Z.map((z, at) => z * y_scale[at % k] + y_shift[at % k]);
  if (link === "exp") return Z.map((z, at) => Math.exp(z) * y_scale[at % k] + y_shift[at % k]);
  const second = (z) => 1 / (1 + Math.exp(-z));
  if (link === "sigmoid") return Z.map(second);
  if (link === "logit") return Float64Array.from({ length: 2 * n }, (_, at) =>
    at % 2 ? second(Z[at >> 1]) : second(-Z[at >> 1]));
  const P = new Float64Array(n * k);
  for (let t = 0; t < n; t++) {
    const z = Z.subarray(t * k, t * k + k), largest = Math.max(...z);
    let sum = 0;
    for (let o = 0; o < k; o++) sum += P[t * k + o] = Math.exp(z[o] - largest);
    for (let o = 0; o < k; o++) P[t * k + o] /= sum;
  }
  return P;
}

/** Weights at a place in the film. */
function weightsAt(film, p) {
  const first = Math.floor(p), share = p - first, size = film.size;
  const a = film.weights.subarray(first * size, first * size + size);
  if (!share) return a;
  const b = film.weights.subarray((first + 1) * size, (first + 2) * size);
  return a.map((w, at) => w + share * (b[at] - w));
}

/** The epoch at a place in the film, in even steps of its logarithm between two snapshots. */
function epochAt(film, p) {
  const first = Math.floor(p), share = p - first, a = film.epochs[first];
  return share ? (a + 1) * ((film.epochs[first + 1] + 1) / (a + 1)) ** share - 1 : a;
}

// ---------------------------------------------------------------- drawing

/** About `most` round numbers from low to high, but at least three. */
function ticks(low, high, most) {
  const raw = (high - low) / most, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= raw * 0.999);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) found.push(i * step || 0);
  return found.length < 3 && most < 10 ? ticks(low, high, most + 1) : found;
}

/** A number for people. */
function said(value) {
  const size = Math.abs(value);
  if (value && (size < 1e-4 || size >= 1e7)) {
    return value.toExponential(1).replace(".0e", "e").replace("e+", "e");
  }
  return value.toLocaleString("en-US", { maximumSignificantDigits: 4 });
}

/** The box of a plot, with its axes drawn; x and y map values to pixels. */
function axes(pen, { width, height, colours }, x, y) {
  const box = { left: y.left ?? 46, top: 8, right: width - 18, bottom: height - 34 };
  const across = (v) => box.left + ((v - x.low) / (x.high - x.low)) * (box.right - box.left);
  const up = (v) => box.bottom - ((v - y.low) / (y.high - y.low)) * (box.bottom - box.top);
  pen.font = "11px system-ui, sans-serif";
  pen.lineWidth = 1;
  for (const [value, text] of y.ticks) {
    pen.strokeStyle = colours.line;
    line(pen, box.left, up(value), box.right, up(value));
    pen.fillStyle = colours.soft;
    write(pen, text, box.left - 6, up(value), "right", "middle", box.left - 8);
  }
  for (const [value, text] of x.ticks) write(pen, text, across(value), box.bottom + 5, "center", "top");
  pen.fillStyle = colours.ink;
  write(pen, x.title, (box.left + box.right) / 2, height - 1, "center", "bottom", box.right - box.left);
  if (y.title) {
    pen.save();
    pen.translate(10, (box.top + box.bottom) / 2);
    pen.rotate(-Math.PI / 2);
    write(pen, y.title, 0, 0, "center", "middle", box.bottom - box.top);
    pen.restore();
  }
  pen.strokeStyle = colours.soft;
  line(pen, box.left, box.bottom, box.right, box.bottom);
  return { ...box, across, up };
}

const even = (low, high, most, title, more) =>
  ({ low, high, title, ticks: ticks(low, high, most).map((v) => [v, said(v)]), ...more });

function line(pen, x0, y0, x1, y1) {
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.stroke();
}

function dot(pen, x, y, radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 7);
  pen.fill();
}

/** Text, cut with an ellipsis where it does not fit. */
function write(pen, text, x, y, align, baseline, most = Infinity) {
  pen.textAlign = align;
  pen.textBaseline = baseline;
  let shown = text;
  while (shown.length > 2 && pen.measureText(shown).width > most) {
    shown = `${shown.slice(0, shown.endsWith("…") ? -2 : -1)}…`;
  }
  pen.fillText(shown, x, y);
}

function path(pen, xs, ys) {
  pen.beginPath();
  xs.forEach((x, at) => (at ? pen.lineTo(x, ys[at]) : pen.moveTo(x, ys[at])));
  pen.stroke();
}

function clip(pen, box, work) {
  pen.save();
  pen.beginPath();
  pen.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
  pen.clip();
  work();
  pen.restore();
}

/** An image of columns x rows colours [r, g, b, a], stretched over a box. */
function picture(pen, columns, rows, colour, x, y, width, height, smooth) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [columns, rows];
  const image = canvas.getContext("2d").createImageData(columns, rows);
  for (let at = 0; at < columns * rows; at++) image.data.set(colour(at), 4 * at);
  canvas.getContext("2d").putImageData(image, 0, 0);
  pen.imageSmoothingEnabled = smooth;
  pen.drawImage(canvas, x, y, width, height);
}

const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/** Blue for positive, orange for negative, the more opaque the larger. */
function signed(value, colours) {
  const strength = Math.min(1, Math.abs(value));
  return [...channels(value < 0 ? colours.orange : colours.blue), Math.round(255 * strength)];
}

// ---------------------------------------------------------------- the panes

/** The network: lines are weights, circles are filled by biases. */
function drawNetwork(pen, view) {
  const { film, data, W, width, height, colours } = view, { n1, d } = film;
  const names = [film.inputs.map((j) => data.inputs[j]), film.units, film.outputs.map((o) => data.outputs[o])];
  const places = [0.27, 0.56, 0.8].map((share) => share * width);
  const counts = [d, n1, film.k], top = 12, bottom = height - 22;
  const at = names.map((column) => column.map((_, i) => top + ((i + 0.5) / column.length) * (bottom - top)));
  const weight = (column, from, to) => column === 0
    ? W[film.units[to] * d + film.inputs[from]] / film.scales[0]
    : W[n1 * d + n1 + film.outputs[to] * n1 + film.units[from]] / film.scales[1];
  for (const column of [0, 1]) {
    at[column].forEach((y0, from) => at[column + 1].forEach((y1, to) => {
      const value = weight(column, from, to), strength = Math.min(1, Math.abs(value));
      pen.strokeStyle = value < 0 ? colours.orange : colours.blue;
      pen.globalAlpha = 0.1 + 0.9 * strength;
      pen.lineWidth = 0.4 + 4 * strength;
      line(pen, places[column], y0, places[column + 1], y1);
    }));
  }
  pen.globalAlpha = 1;
  pen.lineWidth = 1.2;
  pen.font = "11px system-ui, sans-serif";
  const radius = (column) => Math.max(3, Math.min(9, 0.38 * (bottom - top) / at[column].length));
  at.forEach((ys, column) => ys.forEach((y, i) => {
    const biases = column === 1 ? n1 * d + film.units[i] : n1 * d + n1 + film.k * n1 + film.outputs[i];
    pen.fillStyle = colours.paper;
    dot(pen, places[column], y, radius(column));
    if (column) {
      const [r, g, b, a] = signed(W[biases] / film.scales[1 + column], colours);
      pen.fillStyle = `rgba(${r}, ${g}, ${b}, ${a / 255})`;
      pen.fill();
    }
    pen.strokeStyle = colours.soft;
    pen.stroke();
    pen.fillStyle = colours.ink;
    if (column === 0) write(pen, names[0][i], places[0] - 13, y, "right", "middle", places[0] - 15);
    if (column === 2) write(pen, names[2][i], places[2] + 13, y, "left", "middle", width - places[2] - 15);
  }));
  pen.fillStyle = colours.soft;
  ["inputs", "hidden units", "outputs"].forEach((what, column) => {
    const count = names[column].length, all = counts[column];
    const one = all === 1 ? what.slice(0, -1) : what;
    const text = count < all ? `${count} of ${all} ${one}` : `${all} ${one}`;
    write(pen, text, [0.18, 0.52, 0.84][column] * width, height - 2, "center", "bottom", 0.34 * width);
  });
}

/** Hidden units of a network that sees images: the weights of each as an image. */
function drawTemplates(pen, view) {
  const { film, data, W, width, height, colours } = view, side = data.side, d = film.d;
  const count = film.units.length, base = film.n1 * d + film.n1;
  let columns = 1;
  const room = (c) => Math.min(width / c, height / Math.ceil(count / c) - 14);
  for (let c = 2; c <= count; c++) if (room(c) > room(columns)) columns = c;
  const step = Math.min(room(columns), 90), size = step - 5;
  const left = (width - columns * step) / 2;
  pen.font = "11px system-ui, sans-serif";
  film.units.forEach((unit, i) => {
    const x = left + (i % columns) * step + 2, y = Math.floor(i / columns) * (step + 14);
    picture(pen, side, side, (at) => signed(W[unit * d + at] / film.scales[0], colours), x, y, size, size, false);
    pen.strokeStyle = colours.line;
    pen.strokeRect(x - 0.5, y - 0.5, size + 1, size + 1);
    let most = 0;
    for (let o = 1; o < film.k; o++) {
      if (W[base + o * film.n1 + unit] > W[base + most * film.n1 + unit]) most = o;
    }
    pen.fillStyle = colours.soft;
    if (film.k > 1) write(pen, data.outputs[most], x + size / 2, y + size + 2, "center", "top", size);
  });
}

/** One input: the curves of the outputs over the data. */
function drawCurve(pen, view) {
  const { data, Y, colours } = view, { grid, samples, lines } = data.fit, k = data.outputs.length;
  const box = axes(pen, view, even(...data.fit.x_range, 5, data.inputs[0]), even(...data.fit.y_range, 5, data.fit.y_title, { left: 56 }));
  clip(pen, box, () => {
    lines.forEach((o, place) => {
      pen.fillStyle = view.several ? data.colours[o] : colours.blue;
      pen.globalAlpha = 0.45;
      samples.x.forEach((value, t) => dot(pen, box.across(value), box.up(samples.y[t * k + o]), 2));
      pen.globalAlpha = 1;
      if (data.fit.target) {
        pen.strokeStyle = colours.soft;
        pen.lineWidth = 1.2;
        pen.setLineDash([5, 4]);
        path(pen, grid.map(box.across), data.fit.target.map(box.up));
        pen.setLineDash([]);
      }
      pen.strokeStyle = view.several ? data.colours[o] : colours.orange;
      pen.lineWidth = 2.5;
      path(pen, grid.map(box.across), grid.map((_, t) => box.up(Y[t * k + o])));
    });
  });
}

/** Two inputs: the most probable class, or the number that is predicted, over the plane. */
function drawField(pen, view) {
  const { data, Y, colours } = view, { side, samples, x_range, y_range, z_range } = data.fit;
  const k = data.outputs.length;
  const box = axes(pen, view, even(...x_range, 5, data.inputs[0]), even(...y_range, 5, data.inputs[1], { left: 56 }));
  const fill = (values, at) => {
    if (!data.probabilities) {
      const [low, high] = z_range, share = (2 * (values[at * k] - low)) / (high - low) - 1;
      return signed(share, colours);
    }
    if (k === 1) return signed(2 * values[at] - 1, colours);
    let most = 0;
    for (let o = 1; o < k; o++) if (values[at * k + o] > values[at * k + most]) most = o;
    const sure = (values[at * k + most] - 1 / k) / (1 - 1 / k);
    return [...channels(data.colours[most]), Math.round(40 + 160 * sure)];
  };
  picture(pen, side, side, (at) => fill(Y, at), box.left, box.top, box.right - box.left, box.bottom - box.top, true);
  clip(pen, box, () => samples.x.forEach((value, t) => {
    const [r, g, b] = fill(samples.y, t);
    pen.fillStyle = `rgb(${r}, ${g}, ${b})`;
    pen.strokeStyle = colours.paper;
    pen.lineWidth = 1;
    dot(pen, box.across(value), box.up(samples.x2[t]), 3);
    pen.stroke();
  }));
}

/** Predicted against true. */
function drawParity(pen, view) {
  const { data, Y, colours } = view, { rows, y, y_range, title } = data.fit, k = data.outputs.length;
  const box = axes(pen, view, even(...y_range, 4, `${title}, true`), even(...y_range, 5, `${title}, predicted`, { left: 76 }));
  clip(pen, box, () => {
    pen.strokeStyle = colours.soft;
    pen.lineWidth = 1.2;
    line(pen, box.across(y_range[0]), box.up(y_range[0]), box.across(y_range[1]), box.up(y_range[1]));
    pen.fillStyle = colours.orange;
    pen.globalAlpha = 0.55;
    for (let t = 0; t < rows; t++) dot(pen, box.across(y[t * k]), box.up(Y[t * k]), 2.5);
    pen.globalAlpha = 1;
  });
}

/** Classes: the probability that each row gives to what is true, one strip for each class. */
function drawStrips(pen, view) {
  const { data, Y, colours } = view, { rows, strip, inverse, names } = data.fit;
  const k = data.outputs.length;
  const marks = names.map((name, at) => [names.length - 1 - at, name]);
  const box = axes(pen, view, even(0, 1, 5, "probability of what is true"),
    { low: -0.5, high: names.length - 0.5, ticks: marks, left: 80 });
  pen.strokeStyle = colours.soft;
  pen.setLineDash([4, 4]);
  line(pen, box.across(0.5), box.top, box.across(0.5), box.bottom);
  pen.setLineDash([]);
  pen.globalAlpha = 0.6;
  const height = (box.bottom - box.top) / names.length;
  for (let t = 0; t < rows; t++) {
    const p = Y[t * k + strip[t]], right = inverse[t] ? 1 - p : p;
    pen.fillStyle = right < 0.5 ? colours.orange : colours.blue;
    const shift = (((t * 0.618) % 1) - 0.5) * 0.7 * height;
    dot(pen, box.across(right), box.up(names.length - 1 - strip[t]) + shift, 2.2);
  }
  pen.globalAlpha = 1;
}

/** The losses on logarithmic axes, with a cursor. */
function drawLoss(pen, view) {
  const { film, width, colours, epoch } = view, history = film.history;
  const place = (e) => Math.log10(e + 1), last = Math.max(1, film.last);
  const powers = [0, ...Array.from({ length: 10 }, (_, i) => 10 ** i)].filter((e) => e <= last);
  const every = Math.ceil((powers.length * 46) / width);
  const x = { low: 0, high: place(last), title: "epoch",
    ticks: powers.filter((_, i) => i % every === 0).map((e) => [place(e), said(e)]) };
  const [low, high] = film.loss_range.map(Math.log10);
  const box = axes(pen, view, x, { low, high, title: "loss", ticks: lossTicks(low, high), left: 60 });
  const up = (v) => box.up(Math.log10(v)), across = (e) => box.across(place(e));
  if (film.target) {
    pen.strokeStyle = colours.mark;
    pen.lineWidth = 1.2;
    pen.setLineDash([6, 4]);
    line(pen, box.left, up(film.target), box.right, up(film.target));
    pen.setLineDash([]);
  }
  pen.strokeStyle = colours.soft;
  line(pen, across(epoch), box.top, across(epoch), box.bottom);
  clip(pen, box, () => ["train", "val"].forEach((name) => {
    if (!history[name]) return;
    pen.strokeStyle = pen.fillStyle = name === "train" ? colours.blue : colours.orange;
    pen.lineWidth = 2;
    const there = history.epoch.map((_, at) => at).filter((at) => history[name][at] > 0);
    path(pen, there.map((at) => across(history.epoch[at])), there.map((at) => up(history[name][at])));
    const loss = lossAt(history, name, epoch);
    if (loss > 0) dot(pen, across(epoch), up(loss), 4);
  }));
}

function lossTicks(low, high) {
  const found = [];
  for (let power = Math.floor(low); power <= high; power++) {
    for (const factor of high - low > 2 ? [1] : high - low > 0.7 ? [1, 2, 5] : [1, 2, 3, 4, 5, 6, 7, 8, 9]) {
      const at = power + Math.log10(factor);
      if (at >= low && at <= high) found.push([at, said(factor * 10 ** power)]);
    }
  }
  const every = Math.ceil(found.length / 8);
  return found.filter((_, i) => i % every === 0);
}

/** The loss at an epoch, on the line between its entries; null where there is none. */
function lossAt(history, name, epoch) {
  const next = history.epoch.findIndex((e) => e >= epoch), values = history[name];
  if (!values || next < 0) return null;
  if (!next || history.epoch[next] === epoch) return values[next];
  const [a, b] = [values[next - 1], values[next]];
  if (!(a > 0 && b > 0)) return null;
  const [e0, e1, e] = [history.epoch[next - 1], history.epoch[next], epoch].map((v) => Math.log(v + 1));
  return a * (b / a) ** ((e - e0) / (e1 - e0));
}

const FITS = { curve: drawCurve, field: drawField, parity: drawParity, strips: drawStrips };

// ---------------------------------------------------------------- the player

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const largest = (values) => values.reduce((most, v) => Math.max(most, Math.abs(v)), 0) || 1;

/** A film with its numbers unpacked. */
function unpack(film, data) {
  const weights = numbers(film.weights), { n1, d, k } = film, size = n1 * (d + 1 + k) + k;
  const kept = weights.subarray(film.kept * size, film.kept * size + size);
  const cuts = [0, n1 * d, n1 * d + n1, n1 * d + n1 + k * n1, size];
  const parts = cuts.slice(1).map((end, at) => largest(kept.subarray(cuts[at], end)));
  const scales = [parts[0], parts[2], parts[1], parts[3]];  // of W1, W2, b1, b2
  return { ...film, weights, size, scales };
}

/** What the fit needs as arrays. */
function unpackFit(fit) {
  const open = (value) => (value && value.bytes ? numbers(value) : value);
  const samples = fit.samples && Object.fromEntries(Object.entries(fit.samples).map(([n, v]) => [n, open(v)]));
  return { ...Object.fromEntries(Object.entries(fit).map(([n, v]) => [n, open(v)])), samples,
    grid: fit.grid && [...open(fit.grid)] };
}

class Player {
  constructor(root, data) {
    this.root = root;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.frames = 0; // drawn so far
    this.build(data);
    this.open(data);
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(root);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** Show other data in place: of a run that has trained on. */
  open(data) {
    const { film: old, playing } = this, following = !old || (!playing && this.atEnd());
    const epoch = following ? 0 : epochAt(old, this.p);
    this.data = { ...data, fit: unpackFit(data.fit) };
    this.films = data.films.map((film) => unpack(film, data));
    this.fill(data.films);
    const same = this.films.findIndex((film) => old && film.n1 === old.n1);
    const place = same < 0 ? data.first : same, { epochs } = this.films[place];
    const p = epochs.filter((e) => e <= epoch).length - 1;
    this.choose(place, following ? null : p);
    if (playing) this.start();
  }

  build(data) {
    const root = this.root;
    root.replaceChildren(element("style", {}, STYLE));
    root.classList.add("fastnet-playback");
    Object.entries({ role: "group", "aria-label": "Playback of the training", tabindex: "0" })
      .forEach(([name, value]) => root.setAttribute(name, value));
    this.panes = ["network", "fit", "loss"].map((name) => {
      const canvas = element("canvas", { role: "img" }), caption = element("figcaption");
      return { name, canvas, caption, figure: element("figure", {}, caption, canvas) };
    });
    root.append(element("div", { class: "p-panes" }, ...this.panes.map((pane) => pane.figure)));
    const button = (text, label, does, kind = "") => {
      const made = element("button", { type: "button", class: kind, "aria-label": label }, text);
      made.addEventListener("click", does);
      return made;
    };
    this.play = button("Play", "Play", () => this.toggle(), "p-play");
    this.speed = element("select", {}, ...[0.25, 0.5, 1, 2, 4].map((v) =>
      element("option", v === 1 ? { value: v, selected: "" } : { value: v }, `${v}×`)));
    this.widths = element("select");
    this.widths.addEventListener("change", () => this.choose(Number(this.widths.value)));
    this.slider = element("input", { type: "range", min: 0, step: 1, "aria-label": "Epoch" });
    this.slider.addEventListener("input", () => this.stop(Number(this.slider.value)));
    this.widthLabel = element("label", {}, "Hidden units ", this.widths);
    root.append(element("div", { class: "p-controls" }, this.play,
      button("‹ Step", "Step back", () => this.step(-1)), button("Step ›", "Step forward", () => this.step(1)),
      button("Best", "Best epoch, whose weights are kept", () => this.stop(this.film.kept)),
      this.slider, element("label", {}, "Speed ", this.speed), this.widthLabel));
    this.said = element("p", { class: "p-said", "aria-live": "polite" });
    this.note = element("p", { class: "p-note" });
    root.append(this.said, this.note);
    root.addEventListener("keydown", (event) => this.key(event));
  }

  fill(films) {
    this.widths.replaceChildren(...films.map((film, at) => element("option", { value: at }, film.label)));
    this.widthLabel.hidden = films.length < 2;
    this.widthLabel.style.display = films.length < 2 ? "none" : "";
  }

  choose(place, p = null) {
    const { data } = this, film = (this.film = this.films[place]);
    this.widths.value = place;
    this.last = film.epochs.length - 1;
    this.slider.max = this.last;
    this.view = { film, data, several: data.outputs.length > 1 };
    this.panes[1].figure.hidden = data.fit.kind === "none";
    const mixed = this.calm.matches ? "" : " Between them the weights are interpolated.";
    const snapshots = `${film.epochs.length} snapshots of ${film.title}`;
    this.note.textContent = `${snapshots}.${mixed} Keys: space plays, arrows step.`;
    this.caption();
    this.stop(p === null ? film.kept : Math.min(p, this.last));
  }

  caption() {
    const { film, data, panes } = this;
    const key = (...keys) => element("span", { class: "p-key" }, ...keys.map(([colour, text]) =>
      element("span", {}, ...(colour ? [element("i", { style: `background: ${colour}` })] : []), text)));
    const signs = [["var(--p-blue)", "positive"], ["var(--p-orange)", "negative"]];
    const size = data.side ? ["", "below: the class it speaks for most"] : ["", "width: size; fill: bias"];
    const losses = [["var(--p-blue)", "training"]];
    if (film.history.val) losses.push(["var(--p-orange)", "validation"]);
    if (film.target) losses.push(["var(--p-mark)", `target ${said(film.target)}`]);
    const fitKeys = data.fit.keys.map(([colour, text]) =>
      [/^[a-z]/.test(colour) ? `var(--p-${colour})` : colour, text]);
    const images = film.units.length < film.n1
      ? `The weights of ${film.units.length} of the ${film.n1} hidden units` : "The weights of each hidden unit";
    panes[0].caption.replaceChildren(data.side ? images : "The network", key(...signs, size));
    panes[1].caption.replaceChildren(data.fit.caption, key(...fitKeys));
    panes[2].caption.replaceChildren("The loss", key(...losses));
  }

  atEnd() {
    return this.p >= this.last || this.p === this.film.kept;
  }

  toggle() {
    if (this.playing) return this.stop(this.p);
    if (this.atEnd()) this.p = 0;
    this.start();
  }

  start() {
    this.playing = true;
    this.play.textContent = "Pause";
    this.play.setAttribute("aria-label", "Pause");
    this.said.setAttribute("aria-live", "off");
    this.before = performance.now();
    this.request = requestAnimationFrame((now) => this.tick(now));
  }

  /** One frame of the film, which takes 4 to 10 s. */
  tick(now) {
    if (!this.playing || !this.root.isConnected) return;
    const rate = (Number(this.speed.value) * this.last) / Math.max(4, Math.min(10, this.last / 4));
    const elapsed = (now - this.before) / 1000;
    if (!this.calm.matches || elapsed * Number(this.speed.value) >= 0.5) {
      this.before = now;
      this.p = Math.min(this.last, this.calm.matches ? Math.floor(this.p) + 1 : this.p + elapsed * rate);
      if (this.p >= this.last) return this.stop(this.last);
      this.draw();
    }
    this.request = requestAnimationFrame((next) => this.tick(next));
  }

  /** Pause at a place. */
  stop(p) {
    cancelAnimationFrame(this.request);
    this.playing = false;
    this.play.textContent = "Play";
    this.play.setAttribute("aria-label", "Play");
    this.said.setAttribute("aria-live", "polite");
    this.p = p;
    this.draw();
  }

  step(by) {
    const from = by > 0 ? Math.floor(this.p) : Math.ceil(this.p);
    this.stop(Math.max(0, Math.min(this.last, from + by)));
  }

  key(event) {
    const name = event.target.tagName;
    if (event.ctrlKey || event.metaKey || event.altKey || name === "SELECT") return;
    const moves = { ArrowLeft: -1, ArrowRight: 1 };
    if (event.key === " " && name !== "BUTTON") this.toggle();
    else if (event.key in moves && name !== "INPUT") this.step(moves[event.key]);
    else return;
    event.preventDefault();
  }

  /** What the network predicts at the inputs of the fit; it is drawn. */
  predictions() {
    const { film, data, p } = this, { n1, d, k } = film, U = data.fit.U;
    if (!U) return [];
    const n = U.length / d, Z = forward(weightsAt(film, p), n1, d, k, ACTIVATIONS[film.activation], U, n);
    return responses(Z, n, k, data);
  }

  draw() {
    const { film, p, root } = this;
    if (p === undefined || !root.clientWidth) return;
    const style = getComputedStyle(root), epoch = epochAt(film, p), W = weightsAt(film, p);
    const colours = Object.fromEntries(["ink", "soft", "line", "paper", "blue", "orange", "mark"]
      .map((name) => [name, style.getPropertyValue(`--p-${name}`).trim()]));
    const draws = [this.data.side ? drawTemplates : drawNetwork, FITS[this.data.fit.kind], drawLoss];
    const view = { ...this.view, W, epoch, colours, Y: this.predictions() };
    this.panes.forEach(({ canvas, figure }, at) => {
      if (figure.hidden) return;
      const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
      if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
        [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
      }
      const pen = canvas.getContext("2d");
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      pen.clearRect(0, 0, width, height);
      draws[at](pen, { ...view, width, height });
    });
    this.frames += 1;
    this.tell(epoch);
  }

  /** The epoch and the losses in words. */
  tell(epoch) {
    const { film, p } = this, about = Number.isInteger(p) ? "Epoch" : "About epoch";
    const parts = [`${about} ${Math.round(epoch).toLocaleString("en-US")} of ${film.last.toLocaleString("en-US")}`];
    for (const [name, words] of [["train", "training"], ["val", "validation"]]) {
      const loss = lossAt(film.history, name, epoch);
      if (loss !== null && loss !== undefined) parts.push(`${words} loss ${said(loss)}`);
    }
    if (p === film.kept) parts.push("the best: its weights are kept");
    const text = parts.join(" · ");
    this.said.textContent = text;
    this.slider.value = Math.round(p);
    this.slider.setAttribute("aria-valuetext", parts[0]);
    if (this.playing) return;
    this.panes.forEach(({ canvas, caption }) =>
      canvas.setAttribute("aria-label", `${caption.firstChild.textContent}. ${text}.`));
  }
}

/** Fill an element with the playback of `data`; once filled, show other data in it. */
function fastnetPlayback(root, data) {
  if (root.player) root.player.open(data);
  else root.player = new Player(root, data);
  return root.player;
}
