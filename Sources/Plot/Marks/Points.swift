// Single measurements, with their intervals.

/// A symbol at every datum. Points beyond the axes are drawn where they lie, outside the area.
public struct Points: Mark {
  public var data: [Datum]
  public var symbol: Symbol
  public var color: Color
  /// The size of a symbol, in millimetres.
  public var size: Double

  public init(_ data: [Datum], _ symbol: Symbol = .circle, _ color: Color, size: Double = 1.2) {
    self.data = data
    self.symbol = symbol
    self.color = color
    self.size = size
  }

  public func draw(on canvas: Canvas, in frame: Frame) {
    for d in data { canvas.symbol(symbol, at: frame(d.x, d.y), size: size, color) }
  }
}

/// The interval of every datum that has one, as an upright whisker.
public struct Whiskers: Mark {
  public var data: [Datum]
  public var pen: Pen
  /// The width of the caps, in millimetres; 0 for none.
  public var cap: Double

  public init(_ data: [Datum], _ pen: Pen, cap: Double = 0) {
    self.data = data
    self.pen = pen
    self.cap = cap
  }

  public func draw(on canvas: Canvas, in frame: Frame) {
    for d in data {
      guard let interval = d.interval else { continue }
      let (low, high) = (frame(d.x, interval.lowerBound), frame(d.x, interval.upperBound))
      canvas.stroke(.line(low, high), pen)
      for end in [low, high] where cap > 0 {
        canvas.stroke(
          .line(Point(end.x - cap / 2, end.y), Point(end.x + cap / 2, end.y)), pen)
      }
    }
  }
}

/// Upright bars from a base line, with the intervals of those that have one.
public struct Bars: Mark {
  public var data: [Datum]
  public var color: Color
  /// The width of a bar, in units of the x axis.
  public var width: Double
  /// Where bars start, in units of the y axis.
  public var base: Double

  public init(_ data: [Datum], _ color: Color, width: Double = 0.6, base: Double = 0) {
    self.data = data
    self.color = color
    self.width = width
    self.base = base
  }

  public func draw(on canvas: Canvas, in frame: Frame) {
    for d in data {
      let corners = (frame(d.x - width / 2, base), frame(d.x + width / 2, d.y))
      canvas.fill(.rectangle(Rect(corners.0, corners.1)), color)
    }
    Whiskers(data, Pen(.ink, width: 0.6), cap: 1).draw(on: canvas, in: frame)
  }
}
