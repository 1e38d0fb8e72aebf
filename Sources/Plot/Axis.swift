// What stands beside a panel: lines, ticks, numbers, names, brackets, a title with its unit.

/// The sizes and pens that all figures share.
public enum Style {
  /// Numbers and names beside the axes, legends and annotations.
  public static let small = TextStyle(size: 6)
  /// Titles of axes and colour bars.
  public static let medium = TextStyle(size: 6.5)
  /// Titles of panels.
  public static let title = TextStyle(size: 7, weight: .bold)
  /// Panel letters.
  public static let letter = TextStyle(size: 9, weight: .bold)
  /// Axis lines and ticks.
  public static let axis = Pen(.ink, width: 0.5)
  /// The length of a tick, in millimetres.
  public static let tick = 0.9
  /// The space between a tick and its label, and between labels and titles, in millimetres.
  public static let gap = 0.8
}

/// A named run of categories, drawn as a bracket.
public struct AxisGroup: Equatable, Sendable {
  public var name: String
  public var members: Range<Int>

  public init(_ name: String, _ members: Range<Int>) {
    self.name = name
    self.members = members
  }
}

/// One axis of a panel: its range of data and what is written beside it.
public struct Axis: Equatable, Sendable {
  /// The name of the quantity and its unit: `Time (ms)`.
  public var title: String
  public var lower: Double
  public var upper: Double
  public var ticks: [Tick]
  /// Brackets beyond the names of a categorical axis.
  public var groups: [AxisGroup] = []
  /// Whether the axis line and the ticks are drawn.
  public var line = true

  /// An axis with ticks of one's own.
  public init(_ title: String, _ range: ClosedRange<Double>, ticks: [Tick]) {
    precondition(range.lowerBound < range.upperBound, "the axis “\(title)” has no length")
    self.title = title
    lower = range.lowerBound
    upper = range.upperBound
    self.ticks = ticks
  }

  /// An axis over a range, with about `count` steps between ticks.
  public static func linear(
    _ title: String, _ range: ClosedRange<Double>, ticks count: Int = 4
  ) -> Axis {
    Axis(title, range, ticks: Plot.ticks(in: range, about: count))
  }

  /// An axis from tick to tick around all values; those that are not finite are ignored.
  public static func fitting(
    _ title: String, _ values: some Sequence<Double>, ticks count: Int = 4
  ) -> Axis {
    linear(title, roundRange(containing: values, about: count), ticks: count)
  }

  /// An axis of names; category `i` reaches from `i` to `i + 1` and its name stands in the middle.
  public static func categories(
    _ title: String, _ names: [String], groups: [AxisGroup] = []
  ) -> Axis {
    var axis = Axis(
      title, 0...Double(max(names.count, 1)),
      ticks: names.enumerated().map { Tick(Double($0) + 0.5, $1) })
    axis.groups = groups
    axis.line = false
    return axis
  }

  /// The same range without names, numbers, brackets and title, for a panel beside one that has them.
  public var unlabelled: Axis {
    var axis = self
    axis.title = ""
    axis.ticks = ticks.map { Tick($0.value, "") }
    axis.groups = []
    return axis
  }
}

extension Axis {
  /// Draws this axis below `area`, its line `offset` millimetres under the edge.
  func drawBelow(_ area: Rect, offset: Double, on canvas: Canvas) {
    let scale = Scale(from: lower, to: upper, start: area.left, end: area.right)
    let edge = area.bottom + offset
    if line { canvas.stroke(.line(Point(area.left, edge), Point(area.right, edge)), Style.axis) }
    var y = edge + (line ? Style.tick : 0) + Style.gap
    for tick in ticks {
      let x = scale(tick.value)
      if line { canvas.stroke(.line(Point(x, edge), Point(x, edge + Style.tick)), Style.axis) }
      canvas.text(tick.label, at: Point(x, y), Style.small, align: .center, .top)
    }
    let rows = ticks.map { $0.label.split(separator: "\n").count }.max() ?? 0
    if rows > 0 {
      y += canvas.capHeight(Style.small) + Double(rows - 1) * canvas.lineHeight(Style.small)
      y += 0.5 * Style.gap
    }
    for group in groups {
      let ends = (
        scale(Double(group.members.lowerBound)) + 0.3, scale(Double(group.members.upperBound)) - 0.3
      )
      y += group == groups.first ? Style.gap : 0
      canvas.stroke(.line(Point(ends.0, y), Point(ends.1, y)), Style.axis)
      canvas.text(
        group.name, at: Point((ends.0 + ends.1) / 2, y + Style.gap), Style.small, align: .center,
        .top)
    }
    if !groups.isEmpty { y += Style.gap + canvas.capHeight(Style.small) }
    canvas.text(
      title, at: Point(area.center.x, y + 1.2 * Style.gap), Style.medium, align: .center, .top)
  }

  /// Draws this axis left of `area`, on its edge.
  func drawLeft(of area: Rect, on canvas: Canvas) {
    let scale = Scale(from: lower, to: upper, start: area.bottom, end: area.top)
    if line {
      canvas.stroke(.line(Point(area.left, area.top), Point(area.left, area.bottom)), Style.axis)
    }
    var x = area.left - (line ? Style.tick : 0) - Style.gap
    for tick in ticks {
      let y = scale(tick.value)
      if line {
        canvas.stroke(.line(Point(area.left, y), Point(area.left - Style.tick, y)), Style.axis)
      }
      canvas.text(tick.label, at: Point(x, y), Style.small, align: .right, .middle)
    }
    x -= ticks.map { canvas.width(of: $0.label, Style.small) }.max() ?? 0
    if !groups.isEmpty {
      x -= Style.gap
      for group in groups {
        let ends = (
          scale(Double(group.members.lowerBound)) - 0.3,
          scale(Double(group.members.upperBound)) + 0.3
        )
        canvas.stroke(.line(Point(x, ends.0), Point(x, ends.1)), Style.axis)
        canvas.text(
          group.name, at: Point(x - Style.gap, (ends.0 + ends.1) / 2), Style.small, align: .right,
          .middle)
      }
      x -= Style.gap + (groups.map { canvas.width(of: $0.name, Style.small) }.max() ?? 0)
    }
    canvas.text(
      title, at: Point(x - 1.2 * Style.gap, area.center.y), Style.medium, align: .center,
      upwards: true)
  }
}
