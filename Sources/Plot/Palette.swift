// Colour maps. Lightness falls in equal steps along every map, so that equal differences of value
// look equally different, also to colour-blind readers; hue and chroma follow published anchors.

/// A map from a number in 0 ... 1 to a colour.
public struct Palette: Equatable, Sendable {
  /// Lightness at the lightest and at the darkest end.
  private static let light = 0.975
  private static let dark = 0.40

  /// Arms that start at the lightest colour; one for a sequential, two for a diverging palette.
  private var arms: [[OKLab]]

  /// Blue, neutral, red, for values of both signs; 0.5 is neutral, and the lightness at 0.5 - d is
  /// that at 0.5 + d. Anchors: ColorBrewer's RdBu (Brewer 2002), which is colour-blind safe.
  public static let diverging = Palette(arms: [
    arm(0xD1E5F0, 0x92C5DE, 0x4393C3, 0x2166AC, 0x053061),
    arm(0xFDDBC7, 0xF4A582, 0xD6604D, 0xB2182B, 0x67001F),
  ])

  /// Pale to dark violet, for values of one sign; distinct from both arms of `diverging`. Anchors:
  /// ColorBrewer's Purples (Brewer 2002).
  public static let sequential = Palette(arms: [
    arm(0xEFEDF5, 0xDADAEB, 0xBCBDDC, 0x9E9AC8, 0x807DBA, 0x6A51A3, 0x54278F, 0x3F007D)
  ])

  /// Colours for kinds of things, told apart by colour-blind readers (Okabe and Ito 2008, in an
  /// order of our own, without the yellow that white paper swallows).
  public static let categories: [Color] = [
    Color(0x0072B2), Color(0xD55E00), Color(0x009E73), Color(0xCC79A7), Color(0xE69F00),
    Color(0x56B4E9), Color(0x000000),
  ]

  /// The colour at `t`, which is clamped to 0 ... 1.
  public func color(_ t: Double) -> Color {
    let t = min(max(t, 0), 1)
    if arms.count == 1 { return Palette.along(arms[0], t) }
    return t < 0.5 ? Palette.along(arms[0], 1 - 2 * t) : Palette.along(arms[1], 2 * t - 1)
  }

  private static func arm(_ anchors: UInt32...) -> [OKLab] {
    [OKLab(lightness: light, a: 0, b: 0)] + anchors.map { OKLab(Color($0)) }
  }

  /// The point of an arm whose lightness is the fraction `t` of the way from light to dark.
  private static func along(_ arm: [OKLab], _ t: Double) -> Color {
    let lightness = light + (dark - light) * t
    let next = arm.firstIndex { $0.lightness < lightness } ?? arm.count - 1
    let (p, q) = (arm[max(next - 1, 0)], arm[next])
    let f = next == 0 ? 1 : (p.lightness - lightness) / (p.lightness - q.lightness)
    return OKLab(lightness: lightness, a: p.a + (q.a - p.a) * f, b: p.b + (q.b - p.b) * f).color
  }
}

/// A palette stretched over a range of values. Values beyond the range take the colour of its end;
/// a `ColorBar` shows by a pointed end that there are some.
public struct ColorScale: Equatable, Sendable {
  public let palette: Palette
  public let lower: Double
  public let upper: Double

  /// The diverging palette from `-limit` to `limit`, neutral at 0.
  public static func diverging(limit: Double) -> ColorScale {
    precondition(limit > 0, "the limit of a diverging colour scale must be positive")
    return ColorScale(palette: .diverging, lower: -limit, upper: limit)
  }

  /// The sequential palette over a range.
  public static func sequential(_ range: ClosedRange<Double>) -> ColorScale {
    precondition(range.lowerBound < range.upperBound, "a colour scale needs two different limits")
    return ColorScale(
      palette: .sequential, lower: range.lowerBound, upper: range.upperBound)
  }

  /// The colour of a value. Drawing with the colour of a NaN is an error.
  public func color(_ value: Double) -> Color {
    guard !value.isNaN else { return Color(red: .nan, green: .nan, blue: .nan) }
    return palette.color((value - lower) / (upper - lower))
  }
}

extension ColorScale {
  /// The value below which a cell carries a dash, a twentieth of the way to the end; nil for values of one
  /// sign. Both arms of a diverging palette are equally dark, so that grey alone would not tell them apart.
  var dashedBelow: Double? { palette == .diverging ? lower / 20 : nil }

  /// The pen of such a dash on a cell of this value.
  func dash(on value: Double) -> Pen { Pen(value < 0.6 * lower ? .white : .ink, width: 0.45) }
}
