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
  /// How far an axis line stands off the data, in millimetres.
  public static let offset = 1.0
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
  /// Draws this axis below `area`, its line `offset` millimetres under the edge. Labels that would
  /// touch each other are turned, and thinned out where they would touch even then.
  func drawBelow(_ area: Rect, offset: Double, on canvas: Canvas) {
    let scale = Scale(from: lower, to: upper, start: area.left, end: area.right)
    let edge = area.bottom + offset
    var y = edge
    if line {
      let marks = ticks.map { tick in
        Path.line(Point(scale(tick.value), y), Point(scale(tick.value), y + Style.tick))
      }
      canvas.stroke(marks.reduce(.line(Point(area.left, y), Point(area.right, y)), +), Style.axis)
      y += Style.tick
    }

    let labelled = ticks.filter { !$0.label.isEmpty }
    let widths = labelled.map { canvas.width(of: $0.label, Style.small) }
    let turned = labelled.indices.dropFirst().contains { i in
      let distance = scale(labelled[i].value) - scale(labelled[i - 1].value)
      return distance < (widths[i - 1] + widths[i]) / 2 + 0.6
    }
    for tick in turned ? thinned(labelled, by: scale, on: canvas) : labelled {
      let place = Point(scale(tick.value), y + Style.gap)
      canvas.text(
        tick.label, at: place, Style.small, align: turned ? .right : .center,
        turned ? .middle : .top, upwards: turned)
    }
    if turned {
      y += Style.gap + (widths.max() ?? 0)
    } else if !labelled.isEmpty {
      let lines = labelled.map { $0.label.count { $0 == "\n" } }.max() ?? 0
      y +=
        Style.gap + canvas.capHeight(Style.small)
        + Double(lines) * canvas.lineHeight(Style.small)
    }

    if !groups.isEmpty { y += 1.5 * Style.gap }
    for group in groups {
      let ends = (
        scale(Double(group.members.lowerBound)) + 0.3, scale(Double(group.members.upperBound)) - 0.3
      )
      canvas.stroke(.line(Point(ends.0, y), Point(ends.1, y)), Style.axis)
      canvas.text(
        group.name, at: Point((ends.0 + ends.1) / 2, y + Style.gap), Style.small, align: .center,
        .top)
    }
    if !groups.isEmpty { y += Style.gap + canvas.capHeight(Style.small) }
    canvas.text(
      title, at: Point(area.center.x, y + 1.7 * Style.gap), Style.medium, align: .center, .top)
  }

  /// Draws this axis left of `area`, its line `offset` millimetres from the edge. Labels that would
  /// touch each other are thinned out.
  func drawLeft(of area: Rect, offset: Double, on canvas: Canvas) {
    let scale = Scale(from: lower, to: upper, start: area.bottom, end: area.top)
    var x = area.left - offset
    if line {
      let marks = ticks.map { tick in
        Path.line(Point(x, scale(tick.value)), Point(x - Style.tick, scale(tick.value)))
      }
      canvas.stroke(marks.reduce(.line(Point(x, area.top), Point(x, area.bottom)), +), Style.axis)
      x -= Style.tick
    }
    for tick in thinned(ticks.filter { !$0.label.isEmpty }, by: scale, on: canvas) {
      let place = Point(x - Style.gap, scale(tick.value))
      canvas.text(tick.label, at: place, Style.small, align: .right, .middle)
    }
    x -= Style.gap + (ticks.map { canvas.width(of: $0.label, Style.small) }.max() ?? 0)

    if !groups.isEmpty { x -= Style.gap }
    for group in groups {
      let ends = (
        scale(Double(group.members.lowerBound)) - 0.3, scale(Double(group.members.upperBound)) + 0.3
      )
      canvas.stroke(.line(Point(x, ends.0), Point(x, ends.1)), Style.axis)
      canvas.text(
        group.name, at: Point(x - Style.gap, (ends.0 + ends.1) / 2), Style.small, align: .right,
        .middle)
    }
    if !groups.isEmpty {
      x -= Style.gap + (groups.map { canvas.width(of: $0.name, Style.small) }.max() ?? 0)
    }
    // The baseline is that far from the labels that descenders do not touch them.
    canvas.text(
      title, at: Point(x - 1.8 * Style.gap, area.center.y), Style.medium, align: .center,
      upwards: true)
  }

  /// Every `k`-th tick, `k` being the smallest of 1, 2, 5, 10 ... that gives each line of text its
  /// room.
  private func thinned(_ ticks: [Tick], by scale: Scale, on canvas: Canvas) -> [Tick] {
    let distances = zip(ticks, ticks.dropFirst()).map { abs(scale($1.value) - scale($0.value)) }
    guard let least = distances.min() else { return ticks }
    var steps = [1, 2, 5]
    while least * Double(steps[0]) < 1.5 * canvas.capHeight(Style.small), steps[0] < ticks.count {
      steps.append(steps.removeFirst() * 10)
    }
    return ticks.indices.filter { $0 % steps[0] == 0 }.map { ticks[$0] }
  }
}
