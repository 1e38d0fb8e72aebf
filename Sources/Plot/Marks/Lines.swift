// Curves over a continuous axis.

/// A line through data. It is cut at the edges of the area.
public struct Line: Mark {
  public var data: [Datum]
  public var pen: Pen

  public init(_ data: [Datum], _ pen: Pen) {
    self.data = data
    self.pen = pen
  }

  public func draw(on canvas: Canvas, in frame: Frame) {
    canvas.clipped(to: .rectangle(frame.area.inset(by: -0.2))) {
      canvas.stroke(.polyline(data.map { frame($0.x, $0.y) }), pen)
    }
  }
}

/// The intervals of neighbouring data, joined. It is cut at the edges of the area.
public struct Band: Mark {
  /// How opaque a band is, so that bands which cross stay visible.
  public static let opacity = 0.2

  public var data: [Datum]
  public var color: Color

  /// Data without an interval are left out.
  public init(_ data: [Datum], _ color: Color) {
    self.data = data
    self.color = color
  }

  public func draw(on canvas: Canvas, in frame: Frame) {
    let ends = data.compactMap { d in d.interval.map { (d.x, $0) } }
    let upper = ends.map { frame($0.0, $0.1.upperBound) }
    let lower = ends.reversed().map { frame($0.0, $0.1.lowerBound) }
    canvas.clipped(to: .rectangle(frame.area)) {
      canvas.fill(.polygon(upper + lower), color.opacity(Band.opacity))
    }
  }
}

/// A straight line across the whole area, such as zero, chance, or identity.
public enum ReferenceLine: Mark {
  case horizontal(Double, Pen = standard)
  case vertical(Double, Pen = standard)
  /// `y = x`.
  case identity(Pen = standard)

  /// Thin, grey, dashed.
  public static let standard = Pen(.muted, width: 0.5, dashes: [0.8, 0.6])

  public func draw(on canvas: Canvas, in frame: Frame) {
    let (x, y, area) = (frame.x, frame.y, frame.area)
    switch self {
    case .horizontal(let value, let pen):
      canvas.stroke(.line(Point(area.left, y(value)), Point(area.right, y(value))), pen)
    case .vertical(let value, let pen):
      canvas.stroke(.line(Point(x(value), area.bottom), Point(x(value), area.top)), pen)
    case .identity(let pen):
      let (low, high) = (max(x.lower, y.lower), min(x.upper, y.upper))
      canvas.stroke(.line(frame(low, low), frame(high, high)), pen)
    }
  }
}
