// Colours, and the perceptual space in which they are mixed.
//
// Only additions, multiplications, divisions and square roots are used, which IEEE 754 rounds the
// same way on every machine; the powers of the sRGB curve and the cube roots of OKLab are found by
// Newton's method.

/// An sRGB colour; components and opacity run from 0 to 1.
public struct Color: Equatable, Sendable {
  public var red: Double
  public var green: Double
  public var blue: Double
  public var opacity: Double

  public init(red: Double, green: Double, blue: Double, opacity: Double = 1) {
    self.red = red
    self.green = green
    self.blue = blue
    self.opacity = opacity
  }

  /// A colour from its six hexadecimal digits: `Color(0x0072B2)`.
  public init(_ hex: UInt32) {
    self.init(
      red: Double(hex >> 16 & 255) / 255, green: Double(hex >> 8 & 255) / 255,
      blue: Double(hex & 255) / 255)
  }

  /// The same colour with another opacity.
  public func opacity(_ opacity: Double) -> Color {
    Color(red: red, green: green, blue: blue, opacity: opacity)
  }

  public static let white = Color(0xFFFFFF)
  public static let black = Color(0x000000)
  /// Text and axes: nearly black.
  public static let ink = Color(0x1A1A1A)
  /// Secondary text and reference lines.
  public static let muted = Color(0x767676)
  /// Separators and hatching.
  public static let faint = Color(0xBDBDBD)
}

/// A colour in OKLab (Ottosson 2020): `lightness` 0 to 1, `a` green to red, `b` blue to yellow.
public struct OKLab: Equatable, Sendable {
  public var lightness: Double
  public var a: Double
  public var b: Double

  public init(lightness: Double, a: Double, b: Double) {
    self.lightness = lightness
    self.a = a
    self.b = b
  }

  /// The perceptual coordinates of an sRGB colour; its opacity is ignored.
  public init(_ color: Color) {
    let (r, g, b) = (linear(color.red), linear(color.green), linear(color.blue))
    let l = root(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b, 3)
    let m = root(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b, 3)
    let s = root(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b, 3)
    self.init(
      lightness: 0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
      a: 1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
      b: 0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s)
  }

  /// The nearest displayable colour, rounded to 8 bits a component.
  public var color: Color {
    let l = cube(lightness + 0.3963377774 * a + 0.2158037573 * b)
    let m = cube(lightness - 0.1055613458 * a - 0.0638541728 * b)
    let s = cube(lightness - 0.0894841775 * a - 1.2914855480 * b)
    return Color(
      red: display(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
      green: display(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
      blue: display(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s))
  }
}

/// The linear light of an sRGB component.
private func linear(_ c: Double) -> Double {
  if c <= 0.04045 { return c / 12.92 }
  let fifth = root((c + 0.055) / 1.055, 5)
  let cubed = cube(fifth)
  return cubed * cubed * cubed * cubed  // x^2.4 = (x^(1/5))^12
}

/// The sRGB component of linear light, clamped and rounded to a multiple of 1/255.
private func display(_ light: Double) -> Double {
  let x = min(max(light, 0), 1)
  let c: Double
  if x <= 0.0031308 {
    c = 12.92 * x
  } else {
    let twelfth = root(x.squareRoot().squareRoot(), 3)
    c = 1.055 * twelfth * twelfth * twelfth * twelfth * twelfth - 0.055  // x^(1/2.4) = (x^(1/12))^5
  }
  return (c * 255).rounded() / 255
}

private func cube(_ x: Double) -> Double { x * x * x }

/// The `n`-th root of a number from 0 to 1.
private func root(_ x: Double, _ n: Int) -> Double {
  if x <= 0 { return 0 }
  var r = 1.0
  // From above, Newton's steps fall until rounding stops them.
  while true {
    var power = 1.0
    for _ in 1..<n { power *= r }
    let next = r - (r * power - x) / (Double(n) * power)
    if !(next < r) { return r }
    r = next
  }
}
