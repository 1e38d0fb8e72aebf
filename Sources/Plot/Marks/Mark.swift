// What all marks share.

/// A data area on the page and the scales that map data into it.
public struct Frame: Sendable {
  /// The rectangle of the data, in millimetres.
  public let area: Rect
  public let x: Scale
  public let y: Scale

  /// The frame in which `x` runs to the right over the area, and `y` upwards.
  public init(_ area: Rect, x: ClosedRange<Double>, y: ClosedRange<Double>) {
    self.area = area
    self.x = Scale(from: x.lowerBound, to: x.upperBound, start: area.left, end: area.right)
    self.y = Scale(from: y.lowerBound, to: y.upperBound, start: area.bottom, end: area.top)
  }

  /// The place of a pair of data.
  public func callAsFunction(_ x: Double, _ y: Double) -> Point { Point(self.x(x), self.y(y)) }
}

/// Something drawn from data into a frame.
public protocol Mark: Sendable {
  func draw(on canvas: Canvas, in frame: Frame)
}

/// One value over another, with an interval if there is one.
public struct Datum: Equatable, Sendable {
  public var x: Double
  public var y: Double
  /// The ends of the interval around `y`.
  public var interval: ClosedRange<Double>?

  public init(_ x: Double, _ y: Double, _ interval: ClosedRange<Double>? = nil) {
    self.x = x
    self.y = y
    self.interval = interval
  }
}

/// The shape of a point.
public enum Symbol: Sendable, CaseIterable {
  case circle, square, diamond, hollowCircle, hollowSquare
}

extension Canvas {
  /// Draws a symbol of so many millimetres around a point.
  public func symbol(_ symbol: Symbol, at p: Point, size: Double, _ color: Color) {
    // A square looks as large as a circle when it is a little smaller.
    let box = Rect(left: p.x, top: p.y, width: 0, height: 0).inset(by: -0.44 * size)
    let r = 0.6 * size
    switch symbol {
    case .circle: fill(.circle(p, radius: size / 2), color)
    case .square: fill(.rectangle(box), color)
    case .diamond:
      fill(
        .polygon([
          Point(p.x - r, p.y), Point(p.x, p.y - r), Point(p.x + r, p.y), Point(p.x, p.y + r),
        ]), color)
    case .hollowCircle:
      fill(.circle(p, radius: size / 2), .white)
      stroke(.circle(p, radius: size / 2), Pen(color, width: 0.7))
    case .hollowSquare:
      fill(.rectangle(box), .white)
      stroke(.rectangle(box), Pen(color, width: 0.7))
    }
  }

  /// Fills a path with light grey hatching, which stands for "not applicable". Lines lie on one grid
  /// for the whole page, so that neighbouring areas join.
  func hatch(_ path: Path, within box: Rect) {
    if path.elements.isEmpty { return }
    fill(path, Color(0xF4F4F4))
    clipped(to: path) {
      let step = 1.1
      let first = Int(((box.left + box.top) / step).rounded(.down))
      let last = Int(((box.right + box.bottom) / step).rounded(.up))
      var lines = Path()
      for sum in (first...last).map({ Double($0) * step }) {
        lines =
          lines
          + .line(Point(sum - box.top, box.top), Point(sum - box.bottom, box.bottom))
      }
      stroke(lines, Pen(Color(0xCCCCCC), width: 0.4))
    }
  }
}
