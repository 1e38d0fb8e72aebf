// The panel of the three stages of the method: a pictogram, a formula and a sentence for each.

import Interventions
import Plot

extension Figure {
  mutating func addStages(
    _ letter: String, _ data: MethodData, _ colors: ColorScale, in outer: Rect
  ) {
    let rows = outer.inset(by: Insets(top: 6)).rows([1, 1, 1], gap: 1.5)
    let pictures: [(Rect, Canvas) -> Void] = [
      { searched(data, colors, in: $0, on: $1) }, confirmed, verified,
    ]
    let words: [(name: String, formula: [String], text: String)] = [
      (
        "A  Search",
        [
          "\u{03A3} (z", "src", " \u{2212} z", "base", ") \u{00B7} \u{2202}LD/\u{2202}z",
        ],
        "Two forward passes and one backward score every site and window. A score proposes; it "
          + "supports no claim."
      ),
      (
        "B  Confirm", ["z", "base", " \u{2190} z", "src"],
        "Exact patches of proposed cells, in both directions, beside an equally long move "
          + "towards an unrelated item."
      ),
      (
        "C  Verify",
        ["z\u{2032} = z", "base", " + P", "S", " (z", "src", " \u{2212} z", "base", ")"],
        "Only a subspace S is patched, beside random ones. Scrubbing: any run that the hypothesis "
          + "calls as good must do as well."
      ),
    ]
    draw { canvas in
      canvas.panelTitle(letter, "Three stages", in: outer)
      for (row, (picture, word)) in zip(rows, zip(pictures, words)) {
        picture(Rect(left: row.left, top: row.top, width: 19, height: 10.5), canvas)
        let left = row.left + 21
        let base = row.top + canvas.capHeight(Style.title)
        canvas.text(word.name, at: Point(left, base), Style.title)
        canvas.formula(word.formula, at: Point(left + 14, base))
        canvas.text(
          canvas.broken(word.text, width: row.right - left), at: Point(left, base + 2),
          Style.small, .top)
      }
    }
  }
}

private let thin = Pen(.ink, width: 0.5)

/// A run as a bar, its passes as arrows, and the scores that they give.
private func searched(
  _ data: MethodData, _ colors: ColorScale, in area: Rect, on canvas: Canvas
) {
  for (x, color, passes) in [(0.0, Color.clean, 1), (4.2, .corrupt, 2)] {
    let bar = Rect(
      left: area.left + x, top: area.top, width: passes == 1 ? 3 : 4.6, height: area.height)
    canvas.fill(.rectangle(bar), color.opacity(0.15))
    canvas.stroke(.rectangle(bar), Pen(color, width: 0.7))
    let up = bar.left + 1.5
    canvas.arrow(Point(up, bar.bottom - 0.8), Point(up, bar.top + 0.8), thin)
    if passes == 2 {
      canvas.arrow(
        Point(up + 1.7, bar.top + 0.8), Point(up + 1.7, bar.bottom - 0.8),
        Pen(.ink, width: 0.5, dashes: [0.7, 0.5]))
    }
  }
  canvas.arrow(
    Point(area.left + 9.4, area.center.y), Point(area.left + 11.6, area.center.y), thin)
  let count = data.windows.fixed.count
  let scores = data.search.map { Array($0[1...count]) }
  let map = Rect(
    left: area.left + 12.2, top: area.top, width: area.right - area.left - 12.2,
    height: area.height)
  HeatMap(scores, over: .units(columns: count, rows: scores.count), colors)
    .draw(on: canvas, in: Frame(map, x: 0...Double(count), y: 0...Double(scores.count)))
  canvas.stroke(.rectangle(map), Pen(.muted, width: 0.4))
}

/// Two runs as stacks of layers that exchange one cell.
private func confirmed(in area: Rect, on canvas: Canvas) {
  let (width, layers) = (6.5, 4)
  let label = canvas.lineHeight(Style.small)
  let stacks = [(area.left, Color.clean, "clean"), (area.right - width, .corrupt, "corrupt")]
  for (left, color, name) in stacks {
    let column = Rect(
      left: left, top: area.top, width: width, height: area.height - label)
    for (i, layer) in column.rows([Double](repeating: 1, count: layers), gap: 0.5).enumerated() {
      canvas.fill(.rectangle(layer), color.opacity(0.15))
      canvas.stroke(.rectangle(layer), Pen(color, width: 0.5))
      guard i == 2 else { continue }
      canvas.fill(
        .rectangle(
          Rect(left: layer.left + 2.4, top: layer.top, width: 1.7, height: layer.height)), color)
      let (from, to) = (area.left + width + 0.6, area.right - width - 0.6)
      let isClean = color == .clean
      let y = layer.center.y + (isClean ? -0.6 : 0.6)
      canvas.arrow(
        Point(isClean ? from : to, y), Point(isClean ? to : from, y), Pen(color, width: 0.7))
    }
    canvas.text(
      name, at: Point(column.center.x, area.bottom), Style.small, align: .center)
  }
}

/// The move from one activation to another, and its part in a subspace.
private func verified(in area: Rect, on canvas: Canvas) {
  let base = Point(area.left + 2, area.bottom - 2)
  let source = Point(area.left + 9, area.top + 1)
  // S runs along (0.94, -0.34), which has length 1.
  let along = (source.x - base.x) * 0.94 - (source.y - base.y) * 0.34
  func onS(_ t: Double) -> Point { Point(base.x + 0.94 * t, base.y - 0.34 * t) }
  let patched = onS(along)
  canvas.stroke(.line(onS(-1.8), onS(along + 4.2)), Pen(.muted, width: 0.5))
  canvas.stroke(.line(source, patched), Pen(.ink, width: 0.5, dashes: [0.7, 0.5]))
  canvas.stroke(.line(base, source), Pen(.muted, width: 0.5))
  canvas.arrow(base, patched, Pen(.ink, width: 0.9))
  canvas.symbol(.circle, at: base, size: 1.4, .corrupt)
  canvas.symbol(.circle, at: source, size: 1.4, .clean)
  canvas.formula(["z", "base"], at: Point(base.x + 1.4, area.bottom + 0.4))
  canvas.formula(["z", "src"], at: Point(source.x + 1.3, source.y + 1))
  canvas.text("z\u{2032}", at: Point(patched.x - 0.2, patched.y + 3), TextStyle(size: 7))
  let end = onS(along + 4.8)
  canvas.text("S", at: Point(end.x, end.y + 0.9), TextStyle(size: 7))
}
