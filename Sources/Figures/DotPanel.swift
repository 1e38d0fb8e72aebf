// A panel of rows with names, in each a dot with its interval for every model: what several arms or scores come
// to.

import Interventions
import Plot

/// The symbol and colour of a model, by its place.
func modelSymbol(_ model: Int) -> (symbol: Symbol, color: Color) {
  ([Symbol.circle, .hollowSquare, .diamond][model % 3], Palette.categories[model])
}

/// One row an item, from the top, and in it one dot a model; what lies beyond the axis is left out, and intervals
/// end with it.
///
/// - Parameters:
///   - names: millimetres that the items' names take on the left; without them if nil
///   - missing: what is written where no model has a number
///   - value: of a model and an item, by their places
func dotPanel(
  _ letter: String, _ title: String, x: Axis, items: [String], models: [String], names: Double?,
  lines: [Double], missing: String? = nil, legend: Legend.Corner? = nil, in area: Rect,
  _ value: (_ model: Int, _ item: Int) -> Estimate?
) -> Panel {
  var marks: [any Mark] = lines.map { ReferenceLine.vertical($0) }
  func middle(_ item: Int) -> Double { Double(items.count - 1 - item) + 0.5 }
  if let missing {
    for i in items.indices where models.indices.allSatisfy({ value($0, i) == nil }) {
      let left = x.lower + 0.04 * (x.upper - x.lower)
      marks.append(Label(missing, at: left, middle(i), Style.small))
    }
  }
  for m in models.indices {
    let (symbol, color) = modelSymbol(m)
    for i in items.indices {
      guard let number = value(m, i), (x.lower...x.upper).contains(number.value) else { continue }
      let y = middle(i) + 0.15 * Double(models.count - 1) - 0.3 * Double(m)
      if let interval = number.interval?.clamped(to: x.lower...x.upper) {
        marks.append(
          Line(
            [Datum(interval.lowerBound, y), Datum(interval.upperBound, y)], Pen(color, width: 0.7)))
      }
      marks.append(Points([Datum(number.value, y)], symbol, color, size: 1.3))
    }
  }
  if let legend {
    marks.append(
      Legend(
        legend,
        models.enumerated().map {
          LegendEntry($1, .symbol(modelSymbol($0).symbol, modelSymbol($0).color))
        }))
  }
  let labels = Axis.categories("", items.reversed())
  var margins = Panel.margins
  margins.left = names ?? 3
  return Panel(
    letter, title, in: area, margins: margins, x: x, y: names == nil ? labels.unlabelled : labels,
    marks)
}
