// Which map of the page is shown, and the address that says so.

"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = id => document.getElementById(id);
// What is shown; the address holds the same.
const state = { model: null, task: null, pair: null, direction: null, row: 0, column: 0, numbers: false };
const all = "all";

const models = [...new Set(data.maps.map(m => m.model))];
const mapOf = (model, task) => data.maps.find(m => m.model === model && m.task === task);
const tasksOf = model => data.maps.filter(m => m.model === model).map(m => m.task);
const map = () => mapOf(state.model, state.task);
const directionsOf = () => ["sufficiency", "necessity"].filter(d => d in map().directions);
const pair = () => map().pairs.find(p => p.id === state.pair) || null;
/// The windows of the columns; where they are those of segments, each pair has its own.
const columns = () => shown().columns || map().columns;
/// The values that are drawn: of one pair, or of all.
const shown = () => (pair() || map()).directions[state.direction];
const member = role => {
  const cleanIsBase = state.direction === "necessity";
  return pair()[(role === "base") === cleanIsBase ? "clean" : "corrupt"];
};
const isNumber = v => typeof v === "number";
const number = v => isNumber(v) ? (Math.abs(v) < 0.0005 ? "0.000" : v.toFixed(3).replace("-", "−")) : "—";
const at = (grid, row = state.row, column = state.column) => grid && grid[row] ? grid[row][column] : null;

function readAddress(address = location.hash) {
  const said = new URLSearchParams(address.slice(1));
  const one = (wanted, list, fallback) => list.includes(wanted) ? wanted : fallback;
  state.model = one(said.get("model"), models, models[0]);
  const tasks = tasksOf(state.model);
  state.task = one(said.get("task"), tasks, tasks[0]);
  const pairs = map().pairs.map(p => p.id);
  state.pair = one(said.get("pair"), [...pairs, all], pairs[0]);
  const directions = directionsOf();
  state.direction = one(said.get("direction"), directions, directions[0]);
  state.numbers = said.get("numbers") === "1";
  const [site, window] = (said.get("cell") || "").split("@");
  const row = map().rows.indexOf(site), column = columns().findIndex(c => c.name === window);
  if (row >= 0 && column >= 0) [state.row, state.column] = [row, column];
  else [state.row, state.column] = strongest();
}

function address() {
  const said = new URLSearchParams({
    model: state.model, task: state.task, pair: state.pair, direction: state.direction,
    cell: `${map().rows[state.row]}@${columns()[state.column].name}`,
  });
  if (state.numbers) said.set("numbers", "1");
  return said;
}

// Browsers take only so many addresses in half a minute, so that a key that is held writes the last one.
let pending;
function writeAddress() {
  clearTimeout(pending);
  pending = setTimeout(() => history.replaceState(null, "", "#" + address()), 200);
}

/// Where one looks first: the largest effect that a window of sound has.
function strongest() {
  let best = [0, 0], most = -1;
  shown().effect.forEach((line, row) => line.forEach((v, column) => {
    if (isNumber(v) && columns()[column].text === undefined && Math.abs(v) > most)
      [most, best] = [Math.abs(v), [row, column]];
  }));
  return best;
}
