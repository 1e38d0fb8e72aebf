// The two maps and the recordings above them.

const size = { width: 620, left: 122, right: 4, row: 22, text: 24, gap: 8 };
const color = d3.scaleSequential(v => d3.interpolateRdBu(1 - v)).domain([-1, 1]).clamp(true);

/// Horizontal places of the columns: sound by its time, then the text, token by token.
function layout() {
  const windows = columns();
  const sound = windows.filter(c => c.text === undefined), text = windows.length - sound.length;
  const end = d3.max(sound, c => c.end) || 1;
  const right = size.width - size.right - text * size.text - (text ? size.gap : 0);
  const x = d3.scaleLinear().domain([0, end]).range([size.left, right]);
  return {
    x, end, right,
    place: (c, i) => c.text === undefined
      ? [x(c.start), x(c.end)]
      : [right + size.gap + (i - sound.length) * size.text, right + size.gap + (i - sound.length + 1) * size.text],
  };
}

function drawMap(id, values, none) {
  const box = d3.select("#" + id);
  box.selectAll("*").remove();
  if (!values) { box.append("p").attr("class", "quiet").text(none); return; }
  const { rows } = map(), windows = columns(), plan = layout();
  const height = rows.length * size.row, top = 4;
  const svg = box.append("svg").attr("viewBox", `0 0 ${size.width} ${top + height + 40}`).attr("aria-hidden", "true");
  const y = row => top + (rows.length - 1 - row) * size.row;
  const cells = rows.flatMap((_, row) => windows.map((c, column) => ({ row, column, c, v: at(values, row, column) })))
    .filter(d => isNumber(d.v));
  svg.append("g").selectAll("rect").data(cells).join("rect").attr("class", "cell")
    .attr("data-cell", d => `${d.row},${d.column}`)
    .attr("x", d => plan.place(d.c, d.column)[0]).attr("y", d => y(d.row))
    .attr("width", d => plan.place(d.c, d.column)[1] - plan.place(d.c, d.column)[0] - 0.5).attr("height", size.row - 0.5)
    .attr("fill", d => color(d.v))
    .on("click", function () {
      const d = d3.select(this).datum();
      choose(d.row, d.column);
      byId(id).focus({ preventScroll: true });
    })
    .append("title").text(d => `${rows[d.row]} @ ${d.c.name}: ${number(d.v)}`);
  // What is below zero is marked, so that it is told from above without colour.
  const middle = d => d3.mean(plan.place(d.c, d.column));
  if (!state.numbers) {
    svg.append("g").selectAll("line").data(cells.filter(d => d.v < -0.02)).join("line").attr("class", "below")
      .attr("x1", d => middle(d) - 4).attr("x2", d => middle(d) + 4).attr("pointer-events", "none")
      .attr("y1", d => y(d.row) + size.row / 2).attr("y2", d => y(d.row) + size.row / 2);
  } else {
    svg.append("g").attr("font-size", "8.5px").attr("text-anchor", "middle").attr("pointer-events", "none")
      .selectAll("text").data(cells).join("text").attr("x", middle).attr("y", d => y(d.row) + size.row / 2 + 3)
      .style("fill", d => Math.abs(d.v) > 0.6 ? "#fff" : "#000")
      .text(d => Math.abs(d.v) < 0.005 ? "0" : d.v.toFixed(2).replace("0.", ".").replace("-", "−"));
  }
  svg.append("g").attr("text-anchor", "end").selectAll("text").data(rows).join("text")
    .attr("x", size.left - 6).attr("y", (_, row) => y(row) + size.row / 2 + 4).text(d => d);
  svg.append("g").attr("transform", `translate(0,${top + height})`)
    .call(d3.axisBottom(plan.x).ticks(8).tickSizeOuter(0)).attr("font-size", null).attr("font-family", null);
  svg.append("text").attr("x", (size.left + plan.right) / 2).attr("y", top + height + 34).attr("text-anchor", "middle")
    .text("time in the base recording (ms)");
  const text = windows.map((c, i) => ({ c, i })).filter(d => d.c.text !== undefined);
  svg.append("g").attr("text-anchor", "middle").selectAll("text").data(text).join("text")
    .attr("x", d => d3.mean(plan.place(d.c, d.i))).attr("y", top + height + 16)
    .text(d => String(d.c.text).replace("-", "−"));
  if (text.length) svg.append("text").attr("x", size.width - size.right).attr("y", top + height + 34)
    .attr("text-anchor", "end").text("text, from its end");
  for (const name of ["chosen", "chosen inner"]) svg.append("rect").attr("class", name);
  svg.node().mark = () => {
    const [left, right] = plan.place(windows[state.column], state.column);
    svg.selectAll(".chosen").attr("x", left).attr("y", y(state.row)).attr("width", right - left)
      .attr("height", size.row);
  };
  svg.node().mark();
}

function drawSound(id, role) {
  const box = d3.select("#" + id);
  box.selectAll("*").remove();
  const title = byId(id + "-title");
  if (!pair()) {
    title.textContent = role === "base" ? "Base" : "Source";
    box.append("p").attr("class", "quiet").text("All pairs together have no one sound; choose a pair to hear it.");
    return;
  }
  const own = member(role), sound = data.sounds[own.sound], plan = layout();
  title.innerHTML = "";
  d3.select(title).text(`${role === "base" ? "Base" : "Source"}: `).append("span").text(`“${own.answer}”`);
  d3.select(title).append("small").text(`  asked “${pair().prompt}”, the model says “${own.said}”`);
  const heights = { wave: 56, mel: 80, phones: 20 }, total = heights.wave + heights.mel + heights.phones + 4;
  const svg = box.append("svg").attr("viewBox", `0 0 ${size.width} ${total}`).attr("role", "img")
    .attr("aria-label", `waveform, log-mel spectrogram and phones of the ${role} recording`);
  const samples = pcm(own.sound), perPixel = samples.length / (plan.x(sound.ms) - plan.x(0));
  const points = d3.range(0, plan.x(sound.ms) - plan.x(0)).map(i => {
    const part = samples.subarray(Math.floor(i * perPixel), Math.max(1, Math.floor((i + 1) * perPixel)));
    return [plan.x(0) + i, d3.min(part) || 0, d3.max(part) || 0];
  });
  const loud = d3.max(points, p => Math.max(-p[1], p[2])) || 1;
  const y = d3.scaleLinear().domain([-loud, loud]).range([heights.wave, 0]);
  svg.append("path").attr("fill", "#30363d")
    .attr("d", d3.area().x(p => p[0]).y0(p => y(p[1]) + 0.3).y1(p => y(p[2]) - 0.3)(points));
  svg.append("image").attr("href", picture(sound)).attr("x", plan.x(0)).attr("y", heights.wave + 2)
    .attr("width", plan.x(10 * sound.frames) - plan.x(0)).attr("height", heights.mel).attr("preserveAspectRatio", "none");
  const below = heights.wave + heights.mel + 4;
  const phones = svg.append("g").selectAll("g").data(own.phones).join("g");
  phones.append("line").attr("x1", d => plan.x(d[1])).attr("x2", d => plan.x(d[1])).attr("y1", 0)
    .attr("y2", total).attr("stroke", "#8a9097").attr("stroke-width", 0.5);
  phones.append("text").attr("x", d => plan.x((d[1] + d[2]) / 2)).attr("y", below + 12).attr("text-anchor", "middle")
    .attr("font-size", d => plan.x(d[2]) - plan.x(d[1]) < 13 ? "8px" : null)
    .text(d => plan.x(d[2]) - plan.x(d[1]) < 7 ? "" : d[0]);
  for (const [name, place] of [["waveform", heights.wave / 2], ["log-mel", heights.wave + heights.mel / 2],
    ["phones", below + 8]])
    if (name !== "phones" || own.phones.length)
      svg.append("text").attr("x", size.left - 6).attr("y", place + 4).attr("text-anchor", "end").text(name);
  const moment = svg.append("rect").attr("class", "moment").attr("y", 0).attr("height", total);
  svg.node().mark = () => {
    const c = columns()[state.column], end = Math.min(c.end, sound.ms);
    const isThere = c.text === undefined && end > c.start;
    moment.attr("x", isThere ? plan.x(c.start) : 0).attr("width", isThere ? plan.x(end) - plan.x(c.start) : 0);
  };
  svg.node().mark();
}

/// A log-mel as a picture, dark where there is energy.
function picture(sound) {
  if (sound.picture) return sound.picture;
  const bytes = decode(sound.mel), bands = sound.bands, canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [sound.frames, bands];
  const context = canvas.getContext("2d"), image = context.createImageData(sound.frames, bands);
  for (let band = 0; band < bands; band++) for (let t = 0; t < sound.frames; t++) {
    const to = 4 * ((bands - 1 - band) * sound.frames + t);
    image.data.fill(255 - bytes[band * sound.frames + t], to, to + 3);
    image.data[to + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return sound.picture = canvas.toDataURL();
}

function drawLegend() {
  const svg = d3.select("#legend").append("svg").attr("viewBox", `0 0 ${2 * size.width} 34`).attr("aria-hidden", "true");
  const x = d3.scaleLinear().domain([-1, 1]).range([size.left, size.left + 260]);
  d3.range(-1, 1, 0.1).forEach(v => {
    svg.append("rect").attr("x", x(v)).attr("y", 2).attr("width", 26.5).attr("height", 12).attr("fill", color(v + 0.05));
    if (v < -0.02) svg.append("line").attr("x1", x(v) + 9).attr("x2", x(v) + 17).attr("y1", 8).attr("y2", 8)
      .attr("stroke", "#000");
  });
  svg.selectAll(null).data([-1, -0.5, 0, 0.5, 1]).join("text").attr("x", d => x(d)).attr("y", 28)
    .attr("text-anchor", "middle").text(d => String(d).replace("-", "−"));
  svg.append("text").attr("x", x(1) + 40).attr("y", 13)
    .text("recovery of the logit difference; empty: the site has no position in that window");
}
