// Figure S6: what every sanity check came to, beside where it had to lie.

import Interventions
import Plot

/// One row a check and one column a checkpoint: a dot with its interval on the region that was written
/// down, and a tick or a cross. Checks that ask no checkpoint stand below.
///
/// - Parameter checkpoints: in the order of the columns
public func sanityFigure(_ rows: [SanityRow], checkpoints: [String]) -> DrawnFigure {
  let asked = rows.filter { $0.checkpoint != nil }.map(\.check).uniqued
  let others = rows.filter { $0.checkpoint == nil }.map(\.check).uniqued
  let heights = [asked.count, others.count].map { pitch * Double($0) }
  let frame = 5.5 + 9.5
  var figure = Figure(width: Figure.full, height: heights[0] + heights[1] + 2 * frame + 3)
  let bands = figure.area.rows([heights[0] + frame, heights[1] + frame], gap: 1)
  let ends = rows.compactMap(\.evidence?.number).flatMap { [$0.low, $0.high] }.filter(\.isFinite)
  let axis = roundRange(containing: ends + [-0.1, 1.05], about: 6)
  func panel(
    _ letter: String, _ title: String, _ checks: [SanityCheck], _ checkpoint: String?,
    in area: Rect, labelled: Bool, quantity: String
  ) -> Panel {
    let groups = runs(of: checks.map(\.item)).map { item, members in
      AxisGroup(item, (checks.count - members.upperBound)..<(checks.count - members.lowerBound))
    }
    let names = Axis.categories("", checks.reversed().map(\.label), groups: groups)
    let margins = Insets(left: labelled ? labels : 1.5, right: 4.5, top: 5.5, bottom: 9.5)
    return Panel(
      letter, title, in: area, margins: margins, x: .linear(quantity, axis, ticks: 3),
      y: labelled ? names : bare(names),
      [
        CheckMarks(
          checks: checks.reversed().map { check in
            rows.first { $0.check.id == check.id && $0.checkpoint == checkpoint }
          }, borders: groups.dropFirst().map { Double($0.members.upperBound) })
      ])
  }
  let unit = (bands[0].width - labels + 1.5) / Double(max(checkpoints.count, 1))
  let columns = bands[0].columns(
    checkpoints.indices.map { $0 == 0 ? unit + labels - 1.5 : unit })
  for (c, checkpoint) in checkpoints.enumerated() {
    figure.add(
      panel(
        c == 0 ? "a" : "", "", asked, checkpoint, in: columns[c],
        labelled: c == 0, quantity: "Share"))
    let middle = columns[c].right - (unit + 3) / 2
    figure.draw { canvas in
      // On two lines, since five names are wider than the page.
      let parts = checkpoint.split(separator: "-")
      let lines = [parts.dropLast().joined(separator: "-"), parts.last.map(String.init) ?? ""]
      for (line, text) in lines.enumerated() {
        canvas.text(
          text, at: Point(middle, bands[0].top + 0.6 + 2.6 * Double(line)), Style.small,
          align: .center, .middle)
      }
    }
  }
  let below = Rect(
    left: bands[1].left, top: bands[1].top, width: columns.first?.width ?? bands[1].width,
    height: bands[1].height)
  figure.add(
    panel("b", "Planted models", others, nil, in: below, labelled: true, quantity: "Share"))
  figure.draw(key(at: Point(below.right + 6, below.top + 16)))
  return DrawnFigure(drawing: figure, table: rows.table, caption: caption)
}

/// Millimetres a row, and those left of the first column.
private let pitch = 3.9
private let labels = 64.0
private let required = Color(0xDCDCDC)

private let caption =
  "Every sanity check with its 95% interval over groups, on the region in which it was written down "
  + "beforehand that it must lie, for a speech LM of two published halves and four small checkpoints, "
  + "and for models in which the answer was planted; of the published halves the projector alone has random "
  + "weights. A tick stands where the check holds, a cross where it fails."

/// The rows of one column, the lowest first; nil where the checkpoint was not asked.
private struct CheckMarks: Mark {
  let checks: [SanityRow?]
  /// Heights at which one item of the protocol ends.
  let borders: [Double]

  func draw(on canvas: Canvas, in frame: Frame) {
    for (i, row) in checks.enumerated() {
      guard let row else { continue }
      let y = frame.y(Double(i) + 0.5)
      if let rule = row.check.rule, row.evidence != nil {
        let region = rule.region
        var (left, right) = (
          frame.x(max(region.lowerBound, frame.x.lower)),
          frame.x(min(region.upperBound, frame.x.upper))
        )
        // One value is a bar that can be seen.
        if right - left < 0.9 {
          (left, right) = ((left + right) / 2 - 0.45, (left + right) / 2 + 0.45)
        }
        canvas.fill(
          .rectangle(Rect(Point(left, y - 0.42 * pitch), Point(right, y + 0.42 * pitch))), required)
      }
      guard let number = row.evidence?.number, number.value.isFinite else {
        if row.check.rule == nil {
          canvas.text(
            row.check.measured, at: Point(frame.area.left + 1, y), Style.small, align: .left,
            .middle)
        }
        continue
      }
      let ends = [number.low, number.high].map {
        frame.x(min(max($0, frame.x.lower), frame.x.upper))
      }
      canvas.stroke(.line(Point(ends[0], y), Point(ends[1], y)), Pen(.ink, width: 0.8))
      let place = Point(frame.x(min(max(number.value, frame.x.lower), frame.x.upper)), y)
      let holds = row.holds ?? false
      canvas.symbol(holds ? .circle : .hollowCircle, at: place, size: 1.5, .ink)
      canvas.verdict(holds, at: Point(frame.area.right + 2.4, y))
    }
    for border in borders {
      let y = frame.y(border)
      canvas.stroke(
        .line(Point(frame.area.left, y), Point(frame.area.right, y)), Pen(.faint, width: 0.4))
    }
  }
}

extension Canvas {
  /// A tick, or a heavier cross.
  fileprivate func verdict(_ holds: Bool, at p: Point) {
    if holds {
      stroke(
        .polyline([Point(p.x - 0.9, p.y), Point(p.x - 0.3, p.y + 0.7), Point(p.x + 0.9, p.y - 0.9)]
        ),
        Pen(.ink, width: 0.7))
    } else {
      for side in [-1.0, 1] {
        stroke(
          .line(Point(p.x - 0.8, p.y - 0.8 * side), Point(p.x + 0.8, p.y + 0.8 * side)),
          Pen(Palette.categories[1], width: 1.2))
      }
    }
  }
}

private func key(at p: Point) -> (Canvas) -> Void {
  { canvas in
    let line = 4.0
    func text(_ text: String, _ row: Double) {
      canvas.text(text, at: Point(p.x + 8, p.y + row * line), Style.small, align: .left, .middle)
    }
    canvas.fill(.rectangle(Rect(left: p.x, top: p.y - 1.5, width: 6, height: 3)), required)
    text("where the interval must lie; a bar, where it must hold or be one value", 0)
    canvas.stroke(.line(Point(p.x, p.y + line), Point(p.x + 6, p.y + line)), Pen(.ink, width: 0.8))
    canvas.symbol(.circle, at: Point(p.x + 3, p.y + line), size: 1.5, .ink)
    text("what was measured, with its interval; hollow where it fails", 1)
    canvas.verdict(true, at: Point(p.x + 1.5, p.y + 2 * line))
    canvas.verdict(false, at: Point(p.x + 4.5, p.y + 2 * line))
    text("holds, fails", 2)
  }
}

/// The axis without names and brackets, on the same rows.
private func bare(_ axis: Axis) -> Axis {
  var axis = axis.unlabelled
  axis.groups = []
  return axis
}

/// Runs of equal neighbours with their places.
private func runs(of items: [String]) -> [(String, Range<Int>)] {
  var found: [(String, Range<Int>)] = []
  for (i, item) in items.enumerated() {
    if let last = found.last, last.0 == item {
      found[found.count - 1].1 = last.1.lowerBound..<(i + 1)
    } else {
      found.append((item, i..<(i + 1)))
    }
  }
  return found
}

extension Array where Element == SanityCheck {
  /// The checks in the order of their first appearance, in the words of the last.
  fileprivate var uniqued: [SanityCheck] {
    reduce(into: []) { list, check in
      if let known = list.firstIndex(where: { $0.id == check.id }) {
        list[known] = check
      } else {
        list.append(check)
      }
    }
  }
}
