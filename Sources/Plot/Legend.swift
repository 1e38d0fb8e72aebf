// Keys to what colours and symbols mean.

/// One line of a legend: a sample of the mark and its name.
public struct LegendEntry: Sendable {
  /// What the sample looks like.
  public enum Sample: Sendable {
    case line(Pen)
    case band(Pen)
    case symbol(Symbol, Color)
    case bar(Color)
  }

  public var name: String
  public var sample: Sample

  public init(_ name: String, _ sample: Sample) {
    self.name = name
    self.sample = sample
  }
}

/// A small key in a corner of a panel.
public struct Legend: Mark {
  public enum Corner: Sendable { case topLeft, topRight, bottomLeft, bottomRight }

  public var corner: Corner
  public var entries: [LegendEntry]

  public init(_ corner: Corner, _ entries: [LegendEntry]) {
    self.corner = corner
    self.entries = entries
  }

  public func draw(on canvas: Canvas, in frame: Frame) {
    let line = canvas.lineHeight(Style.small)
    let sample = 4.0
    let width = sample + 1 + (entries.map { canvas.width(of: $0.name, Style.small) }.max() ?? 0)
    let height = line * Double(entries.count)
    let area = frame.area.inset(by: 1)
    let left = corner == .topLeft || corner == .bottomLeft ? area.left : area.right - width
    let top = corner == .topLeft || corner == .topRight ? area.top : area.bottom - height
    for (i, entry) in entries.enumerated() {
      let y = top + (Double(i) + 0.5) * line
      let path = Path.line(Point(left, y), Point(left + sample, y))
      switch entry.sample {
      case .line(let pen): canvas.stroke(path, pen)
      case .band(let pen):
        let box = Rect(left: left, top: y - 0.7, width: sample, height: 1.4)
        canvas.fill(.rectangle(box), pen.color.opacity(Band.opacity))
        canvas.stroke(path, pen)
      case .symbol(let symbol, let color):
        canvas.symbol(symbol, at: Point(left + sample / 2, y), size: 1.4, color)
      case .bar(let color):
        canvas.fill(
          .rectangle(Rect(left: left + sample / 2 - 0.8, top: y - 0.8, width: 1.6, height: 1.6)),
          color)
      }
      canvas.text(entry.name, at: Point(left + sample + 1, y), Style.small, .middle)
    }
  }
}

/// The colours of one or more heat maps, upright where its rectangle is higher than wide. It has a
/// pointed end where some value of the maps lies beyond the limit of their colour scale.
public struct ColorBar: Sendable {
  public var title: String
  /// The coloured bar itself with its points, in millimetres; numbers and title stand outside it.
  public var rect: Rect
  public let scale: ColorScale
  public let ticks: [Tick]
  /// Whether some value lies below, or above, the colour scale.
  public let pointed: (below: Bool, above: Bool)
  /// Whether some cell carries a dash.
  public let isDashed: Bool
  /// What a hatched cell is called, where the maps have one.
  public var absent: String?

  /// - Parameter maps: heat maps that share one colour scale.
  public init(
    _ title: String, in rect: Rect, of maps: [HeatMap], ticks count: Int = 4,
    absent: String? = "not applicable"
  ) {
    precondition(
      !maps.isEmpty && maps.allSatisfy { $0.colors == maps[0].colors },
      "a colour bar needs heat maps of one colour scale")
    self.title = title
    self.rect = rect
    scale = maps[0].colors
    ticks = Plot.ticks(in: scale.lower...scale.upper, about: count)
    let values = maps.flatMap { $0.values.flatMap { $0 } }
    let present = values.compactMap { $0 }
    pointed = (
      present.contains { [scale] in $0 < scale.lower },
      present.contains { [scale] in $0 > scale.upper }
    )
    isDashed = maps.contains { !$0.dashed.isEmpty }
    self.absent = values.contains { $0 == nil } ? absent : nil
  }

  func draw(on canvas: Canvas) {
    let upright = rect.height > rect.width
    let thickness = upright ? rect.width : rect.height
    // The bar along its own axis: `along` grows with the value.
    let start = upright ? rect.bottom : rect.left
    let (length, direction) = upright ? (rect.height, -1.0) : (rect.width, 1.0)
    func place(_ along: Double, _ across: Double) -> Point {
      upright
        ? Point(rect.left + across, start + direction * along)
        : Point(start + along, rect.top + across)
    }
    let point = thickness * 0.9
    let (low, high) = (pointed.below ? point : 0, length - (pointed.above ? point : 0))
    let along = Scale(from: scale.lower, to: scale.upper, start: low, end: high)

    // Strips overlap to the far end, so that no background shows between them.
    let strips = 128
    for i in 0..<strips {
      let f = Double(i) / Double(strips)
      let color = scale.color(
        scale.lower + (f + 0.5 / Double(strips)) * (scale.upper - scale.lower))
      let box = Rect(place(low + f * (high - low), 0), place(high, thickness))
      canvas.fill(.rectangle(box), color)
    }
    if pointed.below {
      canvas.fill(
        .polygon([place(low, 0), place(0, thickness / 2), place(low, thickness)]),
        scale.color(scale.lower))
    }
    if pointed.above {
      canvas.fill(
        .polygon([place(high, 0), place(length, thickness / 2), place(high, thickness)]),
        scale.color(scale.upper))
    }
    if isDashed {
      // In the middle of its half, as in a cell.
      let (value, half) = (scale.lower / 2, thickness / 2)
      let middle = place(along(value), half)
      canvas.stroke(
        .dash(in: Rect(left: middle.x - 2, top: middle.y - half, width: 4, height: thickness)),
        scale.dash(on: value))
    }
    for tick in ticks {
      let a = along(tick.value)
      canvas.stroke(.line(place(a, thickness), place(a, thickness + Style.tick)), Style.axis)
      let at = place(a, thickness + Style.tick + Style.gap)
      canvas.text(
        tick.label, at: at, Style.small, align: upright ? .left : .center, upright ? .middle : .top)
    }

    if upright {
      canvas.text(
        title, at: Point(rect.left, rect.top - 2 * Style.gap), Style.medium)
    } else {
      canvas.text(
        title, at: Point(rect.left - 2 * Style.gap, rect.center.y), Style.medium, align: .right,
        .middle)
    }
    if let absent {
      let box =
        upright
        ? Rect(left: rect.left, top: rect.bottom + 3, width: thickness, height: thickness)
        : Rect(left: rect.right + 5, top: rect.top, width: 4, height: thickness)
      canvas.hatch(.rectangle(box), within: box)
      canvas.text(absent, at: Point(box.right + Style.gap, box.center.y), Style.small, .middle)
    }
  }
}
