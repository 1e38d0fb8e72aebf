// Places on the page. Lengths are millimetres, x to the right, y downwards from the top left corner.

/// A place on the page, in millimetres from its top left corner.
public struct Point: Equatable, Sendable {
  public var x: Double
  public var y: Double

  public init(_ x: Double, _ y: Double) {
    self.x = x
    self.y = y
  }
}

/// Space left free at the four sides of a rectangle, in millimetres.
public struct Insets: Equatable, Sendable {
  public var left: Double
  public var right: Double
  public var top: Double
  public var bottom: Double

  public init(left: Double = 0, right: Double = 0, top: Double = 0, bottom: Double = 0) {
    self.left = left
    self.right = right
    self.top = top
    self.bottom = bottom
  }
}

/// An upright rectangle on the page, in millimetres.
public struct Rect: Equatable, Sendable {
  public var left: Double
  public var top: Double
  public var width: Double
  public var height: Double

  public init(left: Double, top: Double, width: Double, height: Double) {
    self.left = left
    self.top = top
    self.width = width
    self.height = height
  }

  /// The rectangle with these two opposite corners, in any order.
  public init(_ p: Point, _ q: Point) {
    self.init(
      left: min(p.x, q.x), top: min(p.y, q.y), width: abs(p.x - q.x), height: abs(p.y - q.y))
  }

  public var right: Double { left + width }
  public var bottom: Double { top + height }
  public var center: Point { Point(left + width / 2, top + height / 2) }

  /// The rectangle that remains within these margins; negative margins enlarge it.
  public func inset(by insets: Insets) -> Rect {
    Rect(
      left: left + insets.left, top: top + insets.top,
      width: width - insets.left - insets.right, height: height - insets.top - insets.bottom)
  }

  /// The rectangle that remains within the same margin, in millimetres, at all four sides.
  public func inset(by margin: Double) -> Rect {
    inset(by: Insets(left: margin, right: margin, top: margin, bottom: margin))
  }

  /// Side-by-side parts whose widths stand in the given proportion, `gap` millimetres apart.
  public func columns(_ weights: [Double], gap: Double = 0) -> [Rect] {
    parts(of: width, weights, gap).map { start, size in
      Rect(left: left + start, top: top, width: size, height: height)
    }
  }

  /// Parts above each other whose heights stand in the given proportion, `gap` millimetres apart.
  public func rows(_ weights: [Double], gap: Double = 0) -> [Rect] {
    parts(of: height, weights, gap).map { start, size in
      Rect(left: left, top: top + start, width: width, height: size)
    }
  }

  private func parts(
    of length: Double, _ weights: [Double], _ gap: Double
  ) -> [(start: Double, size: Double)] {
    let unit = (length - gap * Double(weights.count - 1)) / weights.reduce(0, +)
    precondition(unit > 0, "no room for \(weights.count) parts in \(length) mm")
    var start = 0.0
    return weights.map { weight in
      defer { start += weight * unit + gap }
      return (start, weight * unit)
    }
  }
}

/// An outline to fill, stroke or clip to.
public struct Path: Sendable {
  enum Element {
    case move(Point)
    case line(Point)
    case circle(Point, radius: Double)
    case close
  }

  var elements: [Element] = []

  /// Straight lines through these points.
  public static func polyline(_ points: [Point]) -> Path {
    var path = Path()
    for (i, point) in points.enumerated() {
      path.elements.append(i == 0 ? .move(point) : .line(point))
    }
    return path
  }

  /// The closed outline through these points.
  public static func polygon(_ points: [Point]) -> Path {
    var path = polyline(points)
    if !points.isEmpty { path.elements.append(.close) }
    return path
  }

  /// One straight line.
  public static func line(_ start: Point, _ end: Point) -> Path { polyline([start, end]) }

  /// The outline of a rectangle.
  public static func rectangle(_ r: Rect) -> Path {
    polygon([
      Point(r.left, r.top), Point(r.right, r.top), Point(r.right, r.bottom),
      Point(r.left, r.bottom),
    ])
  }

  /// A circle with its radius in millimetres.
  public static func circle(_ center: Point, radius: Double) -> Path {
    var path = Path()
    path.elements = [.circle(center, radius: radius)]
    return path
  }

  /// Both outlines as one.
  public static func + (a: Path, b: Path) -> Path {
    var path = a
    path.elements += b.elements
    return path
  }
}
