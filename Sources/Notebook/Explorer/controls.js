// What is known of the chosen cell, what is heard, and what the reader does.

// ## The chosen cell

function phonesIn(own, c) {
  if (c.text !== undefined || !own) return "";
  return own.phones.filter(p => p[1] < c.end && p[2] > c.start && p[0]).map(p => p[0]).join(" ");
}

function facts() {
  const m = map(), own = pair(), c = columns()[state.column], mean = m.directions[state.direction];
  const lines = [["site", m.rows[state.row]]];
  lines.push(["window", c.text === undefined ? `${d3.format("~f")(c.start)} to ${d3.format("~f")(c.end)} ms`
    : c.text === -1 ? "the last position of the text, where the answers are compared"
    : `position ${-c.text} of the text, counted back from where the answers are compared`]);
  if (own && c.text === undefined) {
    const said = ["base", "source"].map(role => `${phonesIn(member(role), c) || "none"} (${role})`);
    if (own.clean.phones.length) lines.push(["phones", said.join(", ")]);
  }
  const interval = isNumber(at(mean.low)) ? `[${number(at(mean.low))}, ${number(at(mean.high))}]` : "no interval";
  if (own) lines.push(["effect in this pair", number(at(shown().effect))]);
  lines.push([`effect over ${m.pairs.length} pairs`, `${number(at(mean.effect))} ${interval}`]);
  if (m.control) lines.push([m.control, own
    ? `${number(at(shown().control))}; over all pairs ${number(at(mean.control))}` : number(at(mean.control))]);
  if (m.estimate) lines.push([`search (${m.estimate})`, number(at(shown().search))]);
  if (own) {
    const index = at(shown().said);
    if (isNumber(index)) lines.push(["patched here, it says", `“${own.texts[index]}”`]);
    lines.push(["unpatched, it says", `“${member("base").said}”; the source “${member("source").said}”`]);
  }
  return lines;
}

function drawCell() {
  const lines = facts();
  const rows = d3.select("#facts").selectAll("tr").data(lines).join("tr");
  rows.selectAll("*").remove();
  rows.append("th").attr("scope", "row").text(d => d[0]);
  rows.append("td").text(d => d[1]);
  byId("spoken").textContent = lines.map(l => l.join(" ")).join("; ");
  for (const button of document.querySelectorAll("#play button")) button.disabled = !canPlay(button.dataset.what);
}

function choose(row, column) {
  [state.row, state.column] = [row, column];
  document.querySelectorAll("#views svg").forEach(svg => svg.mark && svg.mark());
  drawCell();
  writeAddress();
}

// ## Sound

const decode = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
/// Samples of a recording: 16 bits each, the low byte first, at the model's rate.
function pcm(id) {
  const sound = data.sounds[id];
  if (!sound.samples) {
    const bytes = decode(sound.pcm), view = new DataView(bytes.buffer);
    sound.samples = Float32Array.from({ length: bytes.length / 2 }, (_, i) => view.getInt16(2 * i, true) / 32768);
  }
  return sound.samples;
}

const kinds = {
  w: ["window", "this window alone"], c: ["context", "with 300 ms around it"],
  b: ["base", "the base recording"], s: ["source", "the source recording"],
};
const canPlay = what => {
  const c = columns()[state.column];
  if (!pair()) return false;
  return what === "base" || what === "source" || c.text === undefined && c.start < data.sounds[member("source").sound].ms;
};
let context = null, playing = null;
function play(what) {
  if (!canPlay(what)) return;
  context = context || new AudioContext();
  if (playing) playing.stop();
  const id = member(what === "base" ? "base" : "source").sound, sound = data.sounds[id], samples = pcm(id);
  const buffer = context.createBuffer(1, samples.length, sound.rate);
  buffer.copyToChannel(samples, 0);
  playing = context.createBufferSource();
  playing.buffer = buffer;
  playing.connect(context.destination);
  const c = columns()[state.column], around = what === "context" ? 0.3 : 0;
  if (what === "window" || what === "context") {
    const start = Math.max(0, c.start / 1000 - around), end = Math.min(sound.ms, c.end) / 1000 + around;
    playing.start(0, start, end - start);
  } else playing.start();
  window.lastPlayed = what;
}

// ## Choices

function fill(id, values, chosen, title = v => v) {
  const select = byId(id);
  select.replaceChildren(...values.map(v => new Option(title(v), v, false, v === chosen)));
}

function draw() {
  fill("model", models, state.model);
  fill("task", tasksOf(state.model), state.task);
  fill("pair", [...map().pairs.map(p => p.id), all], state.pair,
    id => id === all ? `all ${map().pairs.length} pairs, their mean` : titleOf(map().pairs.find(p => p.id === id)));
  fill("direction", directionsOf(), state.direction,
    d => d === "sufficiency" ? "sufficiency: clean into corrupt" : "necessity: corrupt into clean");
  byId("numbers").checked = state.numbers;
  drawSound("base", "base");
  drawSound("source", "source");
  drawMap("exact", shown().effect, "");
  drawMap("search", shown().search, "No search was run beside this map.");
  byId("exact-note").textContent = pair() ? "of this pair" : `mean over ${map().pairs.length} pairs`;
  byId("search-note").textContent = map().estimate ? `${map().estimate}, the same cells` : "";
  byId("made").textContent = map().made;
  drawCell();
  writeAddress();
}
const titleOf = p => `${p.clean.answer} / ${p.corrupt.answer} — ${p.id}`;

function change(key, value) {
  const cell = [map().rows[state.row], columns()[state.column].name];
  state[key] = value;
  const one = (wanted, list) => list.includes(wanted) ? wanted : list[0];
  state.task = one(state.task, tasksOf(state.model));
  state.pair = one(state.pair, [...map().pairs.map(p => p.id), all]);
  state.direction = one(state.direction, directionsOf());
  const row = map().rows.indexOf(cell[0]), column = columns().findIndex(c => c.name === cell[1]);
  if (row >= 0 && column >= 0) [state.row, state.column] = [row, column];
  else [state.row, state.column] = strongest();
  draw();
}
for (const key of ["model", "task", "pair", "direction"])
  byId(key).addEventListener("change", event => change(key, event.target.value));
byId("numbers").addEventListener("change", event => change("numbers", event.target.checked));

d3.select("#play").selectAll("button").data(Object.entries(kinds)).join("button").attr("type", "button")
  .attr("data-what", d => d[1][0]).html(d => `${d[1][1]} <kbd>${d[0]}</kbd>`)
  .on("click", function () { play(this.dataset.what); });

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (["SELECT", "INPUT"].includes(event.target.tagName)) return;
  const { rows } = map(), count = columns().length;
  const ids = [...map().pairs.map(p => p.id), all];
  const next = (list, value, by) => list[(list.indexOf(value) + by + list.length) % list.length];
  const inMap = ["exact", "search"].includes(event.target.id);
  const moves = {
    ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, 0], ArrowDown: [-1, 0],
    Home: [0, -count], End: [0, count], PageUp: [rows.length, 0], PageDown: [-rows.length, 0],
  };
  const within = (v, count) => Math.max(0, Math.min(count - 1, v));
  if (moves[event.key] && inMap) {
    const [up, along] = moves[event.key];
    choose(within(state.row + up, rows.length), within(state.column + along, count));
  } else if (kinds[event.key]) play(kinds[event.key][0]);
  else if (event.key === "n" || event.key === "p") change("pair", next(ids, state.pair, event.key === "n" ? 1 : -1));
  else if (event.key === "d") change("direction", next(directionsOf(), state.direction, 1));
  else return;
  event.preventDefault();
});
window.addEventListener("hashchange", () => { readAddress(); draw(); });

drawLegend();
readAddress();
draw();
window.drawnAfter = performance.now();
