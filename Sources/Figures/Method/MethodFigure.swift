// Drawing Figure 1: the places of intervention, a minimal pair, the three stages of the method, and what
// they find in that pair.

import Interventions
import Plot
import Speech

/// Figure 1 on a full page width.
public func methodFigure(_ data: MethodData) -> DrawnFigure {
  var figure = Figure(width: Figure.full, height: 122)
  let columns = figure.area.columns([38, 68, 68], gap: 2)
  let colors = ColorScale.diverging(limit: 1)
  let sound = PairSound(data)

  figure.addArchitecture("a", data, sound, in: columns[0])
  let middle = columns[1].rows([75, 44], gap: 1)
  figure.addPair("b", data, sound, in: middle[0])
  figure.addStages("c", data, colors, in: middle[1])

  let right = columns[2].rows([65, 10.5, 42.5], gap: 1)
  let questions = data.pair.prompt.filter { $0 != ":" }.split(separator: " ").map(String.init)
  // A word is a token of the package's checkpoints; of others only the last position is known.
  let named = ["audio end"] + questions + ["answer"]
  let text =
    named.count == data.windows.text && data.textIsWords ? named : data.windows.textPlaces
  let drawn = figure.addMap(
    "d", "B in this pair: corrupt run, clean activation", data.exact, of: data.sites,
    data.windows, in: right[0], colors, named: true, phones: data.phones(of: data.clean),
    text: text, marks: data.proposed, outlined: data.chosen,
    smallest: 6, time: "Time from the onset (ms)")
  figure.add(
    ColorBar(
      "Recovery", in: Rect(left: right[1].left + 14, top: right[1].top, width: 26, height: 2),
      of: drawn, absent: "no position"))
  figure.draw { canvas in
    let y = right[1].bottom - 2.4
    let left = right[1].left + 3.5
    canvas.symbol(.circle, at: Point(left + 0.8, y), size: 1.3, .ink)
    canvas.text(
      "\(data.proposed.count) strongest cells by A", at: Point(left + 2.4, y), Style.small, .middle)
    let frame = Rect(left: left + 31, top: y - 0.9, width: 2.4, height: 1.8)
    canvas.stroke(.rectangle(frame), Pen(.ink, width: 0.9))
    canvas.text("cell patched in e", at: Point(frame.right + 1, y), Style.small, .middle)
  }
  figure.add(outcomes("e", data, in: right[2]))
  figure.draw { canvas in
    let y = right[2].top + canvas.capHeight(Style.letter) - canvas.capHeight(Style.small) / 2
    for (x, symbol, name) in [(34.0, Symbol.diamond, "patched"), (49, .hollowCircle, "control")] {
      canvas.symbol(symbol, at: Point(right[2].left + x, y), size: 1.6, .ink)
      canvas.text(name, at: Point(right[2].left + x + 1.8, y), Style.small, .middle)
    }
  }
  return DrawnFigure(drawing: figure, table: table(data, sound), caption: caption)
}

private let caption =
  "Left: a small Qwen2-Audio model from sound to answer, with the places where activations are "
  + "exchanged. Middle: the members of a minimal pair as waveform and log-mel, their phones and their "
  + "distance in time; the three stages of temporal attribution patching. Right: in that pair the share "
  + "of the answer gap that exact patches move, by layer and time, with the cells that the search "
  + "proposes, and the logit differences of the runs as they are, patched in one cell in both "
  + "directions, and patched in a subspace of it, beside matched controls."

/// The logit differences of the runs and of each patch, its control beside it.
private func outcomes(_ letter: String, _ data: MethodData, in area: Rect) -> Panel {
  let (clean, corrupt) = (data.outcomes[0].source, data.outcomes[0].base)
  let names = ["clean run", "corrupt run"] + data.outcomes.map(\.name)
  func row(_ i: Int) -> Double { Double(names.count - i) - 0.5 }
  let range = roundRange(
    containing: [clean, corrupt] + data.outcomes.flatMap { [$0.patched, $0.control] }, about: 4)
  var marks: [any Mark] = [
    ReferenceLine.vertical(0, Pen(.faint, width: 0.5)),
    ReferenceLine.vertical(clean, Pen(.clean, width: 0.5, dashes: [0.8, 0.6])),
    ReferenceLine.vertical(corrupt, Pen(.corrupt, width: 0.5, dashes: [0.8, 0.6])),
    Points([Datum(clean, row(0))], .circle, .clean, size: 1.6),
    Points([Datum(corrupt, row(1))], .circle, .corrupt, size: 1.6),
  ]
  for (i, outcome) in data.outcomes.enumerated() {
    let y = row(i + 2)
    let color = outcome.base == corrupt ? Color.corrupt : .clean
    marks += [
      Line([Datum(outcome.base, y), Datum(outcome.patched, y)], Pen(color, width: 0.9)),
      Points([Datum(outcome.control, y)], .hollowCircle, .ink, size: 1.5),
      Points([Datum(outcome.patched, y)], .diamond, .ink, size: 1.7),
      Label(
        "\(number(outcome.recovery, decimals: 2)) (\(number(outcome.controlRecovery, decimals: 2)))",
        at: range.upperBound, y, shift: (13, 0), align: .right),
    ]
  }
  marks.append(
    Label(
      "recovery\n(control)", at: range.upperBound, row(0) - 0.35, shift: (13, 0), align: .right))
  var margins = Panel.margins
  margins.left = 24
  margins.right = 14
  var y = Axis.categories("", names.reversed())
  y.line = false
  return Panel(
    letter, "Logit differences", in: area, margins: margins,
    x: .linear("LD at the answer\u{2019}s position (nats)", range, ticks: 4), y: y, marks)
}

/// Every plotted value, one a line.
private func table(_ data: MethodData, _ sound: PairSound) -> String {
  var lines = ["panel\titem\tplace\tvalue"]
  for stage in data.scheme {
    for (name, value) in [
      ("layers", "\(stage.layers)"), ("width", "\(stage.width)"),
      ("positions", "\(stage.spans.count)"),
      ("positions of sound", "\(stage.spans.count { $0 != nil })"),
      ("ms", stage.milliseconds.map { "\($0)" } ?? "NA"),
      ("attends across", "\(stage.attendsAcross)"),
    ] { lines.append("a\t\(stage.stage.rawValue)\t\(name)\t\(value)") }
  }
  for (name, member, picture) in [
    ("clean", data.clean, sound.clean), ("corrupt", data.corrupt, sound.corrupt),
  ] {
    for phone in data.phones(of: member) where !phone.label.isEmpty {
      lines.append("b\t\(name) phone \(phone.label)\t\(phone.start)ms\t\(phone.end)ms")
    }
    for point in picture.envelope {
      lines.append("b\t\(name) wave\t\(point.time)ms\t\(point.low)..\(point.high)")
    }
    for (band, row) in picture.mel.enumerated() {
      for (edge, value) in zip(sound.edges, row) {
        lines.append("b\t\(name) log-mel \(band)\t\(edge)ms\t\(value)")
      }
    }
  }
  for point in sound.difference { lines.append("b\tapart\t\(point.time)ms\t\(point.value)") }
  for (panel, map) in [("c search", data.search), ("d", data.exact)] {
    for (site, row) in zip(data.sites, map) {
      for (name, value) in zip(data.windows.names, row) {
        lines.append("\(panel)\t\(site)\t\(name)\t\(value.map { "\($0)" } ?? "NA")")
      }
    }
  }
  for (rank, cell) in data.proposed.enumerated() {
    lines.append(
      "d search\t\(data.sites[cell.site])\t\(data.windows.names[cell.window])\t\(rank + 1)")
  }
  for outcome in data.outcomes {
    for (name, value) in [
      ("base", outcome.base), ("source", outcome.source), ("patched", outcome.patched),
      ("control", outcome.control),
    ] { lines.append("e\t\(outcome.name)\t\(name)\t\(value)") }
  }
  return lines.joined(separator: "\n") + "\n"
}
