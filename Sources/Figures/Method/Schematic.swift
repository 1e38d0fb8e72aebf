// What the schematic panels of a figure are made of: arrows, formulas with indices, broken lines.

import Plot

extension Canvas {
  /// A line with a head at its end.
  func arrow(_ start: Point, _ end: Point, _ pen: Pen) {
    let (dx, dy) = (end.x - start.x, end.y - start.y)
    let length = (dx * dx + dy * dy).squareRoot()
    let (x, y) = (dx / length, dy / length)
    let (long, half) = (1.2, 0.55)
    let neck = Point(end.x - long * x, end.y - long * y)
    stroke(.line(start, neck), pen)
    fill(
      .polygon([
        end, Point(neck.x - half * y, neck.y + half * x),
        Point(neck.x + half * y, neck.y - half * x),
      ]), pen.color)
  }

  /// A formula whose every second part is an index, at a baseline. Indices are as large as the smallest
  /// text that may be, so that the rest is larger.
  func formula(_ parts: [String], at start: Point) {
    var x = start.x
    for (i, part) in parts.enumerated() {
      let isIndex = i % 2 == 1
      let style = TextStyle(size: isIndex ? 6 : 7)
      text(part, at: Point(x, start.y + (isIndex ? 0.7 : 0)), style)
      x += width(of: part, style)
    }
  }

  /// A text broken into lines of at most a width.
  func broken(_ text: String, width: Double, _ style: TextStyle = Style.small) -> String {
    var lines = [""]
    for word in text.split(separator: " ") {
      let longer = lines.last!.isEmpty ? String(word) : "\(lines.last!) \(word)"
      if self.width(of: longer, style) > width, !lines.last!.isEmpty {
        lines.append(String(word))
      } else {
        lines[lines.count - 1] = longer
      }
    }
    return lines.joined(separator: "\n")
  }
}
