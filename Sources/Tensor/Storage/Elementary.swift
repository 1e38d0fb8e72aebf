// Elementary functions of this package's own.
//
// glibc chooses between variants of exp, log and sin by processor, and they differ in the last
// bit. Goals, in order: the same bits everywhere; an error of a few units in the last place;
// vectors of eight. Every multiply-add is written out, and the compiler does not fuse others.

typealias Vector = SIMD8<Float>

/// Calls `body(offset, n)` for consecutive pieces of at most eight numbers.
@inline(__always)
func forEachVector(_ count: Int, _ body: (Int, Int) -> Void) {
  var i = 0
  while i + 8 <= count {
    body(i, 8)
    i += 8
  }
  if i < count { body(i, count - i) }
}

/// Calls `body(offset)` for consecutive pieces of eight numbers, of which there are no others.
@inline(__always)
func forEachWholeVector(_ count: Int, _ body: (Int) -> Void) {
  var i = 0
  while i < count {
    body(i)
    i += 8
  }
}

@inline(__always)
func load(_ p: UnsafePointer<Float>, _ i: Int, _ n: Int) -> Vector {
  if n == 8 { return UnsafeRawPointer(p + i).loadUnaligned(as: Vector.self) }
  var v = Vector(repeating: 0)
  for k in 0..<n { v[k] = p[i + k] }
  return v
}

@inline(__always)
func load(_ p: UnsafeMutablePointer<Float>, _ i: Int, _ n: Int) -> Vector {
  load(UnsafePointer(p), i, n)
}

@inline(__always)
func store(_ v: Vector, _ p: UnsafeMutablePointer<Float>, _ i: Int, _ n: Int) {
  if n == 8 {
    UnsafeMutableRawPointer(p + i).storeBytes(of: v, as: Vector.self)
  } else {
    for k in 0..<n { p[i + k] = v[k] }
  }
}

/// The sum of eight lanes, always in the same order.
@inline(__always)
func laneSum(_ v: Vector) -> Float {
  let a = v.lowHalf + v.highHalf
  let b = a.lowHalf + a.highHalf
  return b[0] + b[1]
}

/// `clamped` of the standard library is a call; this is two instructions.
@inline(__always)
func limited(_ x: Vector, _ low: Float, _ high: Float) -> Vector {
  let (low, high) = (Vector(repeating: low), Vector(repeating: high))
  let above = x.replacing(with: low, where: x .< low)
  return above.replacing(with: high, where: above .> high)
}

/// e^x to 2 units in the last place; 0 below -87.3, and exactly 0 for minus infinity.
@inline(__always)
func exponential(_ x: Vector) -> Vector {
  let clamped = limited(x, -87.33, 88.37)
  let n = (clamped * Vector(repeating: 1.442_695_04)).rounded(.toNearestOrEven)
  // ln 2 in two parts, the first short enough that n times it is exact.
  var r = clamped.addingProduct(n, Vector(repeating: -0.693_359_375))
  r = r.addingProduct(n, Vector(repeating: 2.121_944_4e-4))
  var p = Vector(repeating: 1.0 / 5040)
  p = Vector(repeating: 1.0 / 720).addingProduct(p, r)
  p = Vector(repeating: 1.0 / 120).addingProduct(p, r)
  p = Vector(repeating: 1.0 / 24).addingProduct(p, r)
  p = Vector(repeating: 1.0 / 6).addingProduct(p, r)
  p = Vector(repeating: 0.5).addingProduct(p, r)
  p = Vector(repeating: 1).addingProduct(p, r)
  p = Vector(repeating: 1).addingProduct(p, r)
  let exponent = (SIMD8<Int32>(truncatingIfNeeded: n) &+ 127) &<< 23
  let value = p * unsafeBitCast(exponent, to: Vector.self)
  return value.replacing(with: 0, where: x .< Vector(repeating: -87.33))
}

extension SIMD8<Int32> {
  /// The whole numbers of a vector whose lanes are whole and small.
  @inline(__always)
  fileprivate init(truncatingIfNeeded v: Vector) {
    // Adding 1.5 * 2^23 leaves the whole number in the low bits of the sum.
    let shifted = v + Vector(repeating: 12_582_912)
    self = unsafeBitCast(shifted, to: SIMD8<Int32>.self) &- 0x4B40_0000
  }
}

/// The error function to 5e-7: an odd rational function of degree 11 over 10, fitted by weighted
/// least squares on [0, 4]; beyond 4 it is 1 in Float32.
@inline(__always)
func errorFunction(_ x: Vector) -> Vector {
  let c = limited(x, -4, 4)
  let t = c * c
  var p = Vector(repeating: 1.986_647_2e-6)
  p = Vector(repeating: 2.845_558_6e-4).addingProduct(p, t)
  p = Vector(repeating: 3.883_354_1e-3).addingProduct(p, t)
  p = Vector(repeating: 5.310_179_7e-2).addingProduct(p, t)
  p = Vector(repeating: 0.193_546_77).addingProduct(p, t)
  p = Vector(repeating: 1.128_379_1).addingProduct(p, t)
  var q = Vector(repeating: 3.741_822e-5)
  q = Vector(repeating: 1.185_553_1e-3).addingProduct(q, t)
  q = Vector(repeating: 1.520_73e-2).addingProduct(q, t)
  q = Vector(repeating: 0.115_350_545).addingProduct(q, t)
  q = Vector(repeating: 0.504_858_9).addingProduct(q, t)
  q = Vector(repeating: 1).addingProduct(q, t)
  return c * p / q
}

/// Functions of Double for tables, random numbers and statistics, to about 1e-15 relative.
public enum Elementary {
  private static let ln2 = 0.693_147_180_559_945_3

  /// Terms of the series of e^r for |r| up to ln 2 / 2; the next is below a quarter of the last place.
  private static let terms = 13

  public static func exp(_ x: Double) -> Double {
    if x.isNaN { return x }
    if x < -745 { return 0 }
    if x > 709.7 { return .infinity }
    let n = (x / ln2).rounded(.toNearestOrEven)
    let r = (x - n * 0.693_147_180_369_123_8) - n * 1.908_214_929_270_587_7e-10
    var term = 1.0
    var sum = 1.0
    for k in 1...terms {
      term *= r / Double(k)
      sum += term
    }
    return scalbn(sum, Int(n))
  }

  /// The same of eight numbers, to the bit.
  public static func exp(_ x: SIMD8<Double>) -> SIMD8<Double> {
    guard all(x .> -700), all(x .< 700) else {
      return SIMD8(x.indices.map { exp(x[$0]) })
    }
    let n = (x / ln2).rounded(.toNearestOrEven)
    let r = (x - n * 0.693_147_180_369_123_8) - n * 1.908_214_929_270_587_7e-10
    var term = SIMD8<Double>(repeating: 1)
    var sum = term
    for k in 1...terms {
      term *= r / Double(k)
      sum += term
    }
    // Adding 1.5 * 2^52 leaves the whole number in the low bits of the sum.
    let bits = unsafeBitCast(n + 0x1.8p52, to: SIMD8<UInt64>.self)
    return sum * unsafeBitCast((bits &+ 1023) &<< 52, to: SIMD8<Double>.self)
  }

  private static func scalbn(_ x: Double, _ n: Int) -> Double {
    n < -1000
      ? Double(sign: .plus, exponent: n + 100, significand: x) * 0x1p-100
      : Double(sign: .plus, exponent: n, significand: x)
  }

  public static func log(_ x: Double) -> Double {
    guard x > 0, x.isFinite else { return x == 0 ? -.infinity : (x > 0 ? x : .nan) }
    var exponent = Double(x.exponent)
    var m = x.significand
    if m > 1.414_213_562_373_095 {
      m /= 2
      exponent += 1
    }
    let z = (m - 1) / (m + 1)
    let square = z * z
    var sum = 0.0
    for k in stride(from: 25, through: 1, by: -2) { sum = sum * square + 1 / Double(k) }
    return exponent * ln2 + 2 * z * sum
  }

  /// The same of eight numbers, to the bit.
  public static func log(_ x: SIMD8<Double>) -> SIMD8<Double> {
    guard all(x .>= .leastNormalMagnitude), all(x .<= .greatestFiniteMagnitude) else {
      return SIMD8(x.indices.map { log(x[$0]) })
    }
    let bits = unsafeBitCast(x, to: SIMD8<UInt64>.self)
    // A whole number in the low bits of 2^52 is added to it.
    let raised = (bits &>> 52) | UInt64(0x1p52.bitPattern)
    var exponent = unsafeBitCast(raised, to: SIMD8<Double>.self) - (0x1p52 + 1023)
    let ofOne = (bits & 0x000F_FFFF_FFFF_FFFF) | UInt64((1.0).bitPattern)
    var m = unsafeBitCast(ofOne, to: SIMD8<Double>.self)
    let isAbove = m .> 1.414_213_562_373_095
    m.replace(with: m / 2, where: isAbove)
    exponent.replace(with: exponent + 1, where: isAbove)
    let z = (m - 1) / (m + 1)
    let square = z * z
    var sum = SIMD8<Double>(repeating: 0)
    for k in stride(from: 25, through: 1, by: -2) { sum = sum * square + 1 / Double(k) }
    return exponent * ln2 + 2 * z * sum
  }

  private static let ln10 = 2.302_585_092_994_045_7

  public static func log10(_ x: Double) -> Double { log(x) / ln10 }

  /// The same of eight numbers, to the bit.
  public static func log10(_ x: SIMD8<Double>) -> SIMD8<Double> { log(x) / ln10 }

  public static func sin(_ x: Double) -> Double { quadrant(x, shift: 0) }

  public static func cos(_ x: Double) -> Double { quadrant(x, shift: 1) }

  /// sin(x + shift * pi / 2) for |x| up to about 1e6.
  private static func quadrant(_ x: Double, shift: Int) -> Double {
    let n = (x * 0.636_619_772_367_581_4).rounded(.toNearestOrEven)
    // pi / 2 in three parts of 33 bits, so that n times the first two is exact.
    let r =
      ((x - n * 1.570_796_326_734_125_6) - n * 6.077_100_506_303_965_8e-11)
      - n * 2.022_266_248_795_950_6e-21
    let square = r * r
    var sine = 0.0
    for k in stride(from: 19, through: 1, by: -2) {
      sine = 1 - square * sine / (Double(k + 1) * Double(k + 2))
    }
    var cosine = 0.0
    for k in stride(from: 20, through: 0, by: -2) {
      cosine = 1 - square * cosine / (Double(k + 1) * Double(k + 2))
    }
    switch (Int(n) + shift) & 3 {
    case 0: return r * sine
    case 1: return cosine
    case 2: return -r * sine
    default: return -cosine
    }
  }

  /// The error function, by a series of positive terms below 3 and the continued fraction above.
  public static func erf(_ x: Double) -> Double {
    let a = abs(x)
    if a < 3 {
      var term = a
      var sum = a
      for k in 1...60 {
        term *= 2 * a * a / Double(2 * k + 1)
        sum += term
      }
      return (x < 0 ? -1 : 1) * sum * exp(-a * a) * 1.128_379_167_095_512_6
    }
    var tail = a
    for k in stride(from: 60, through: 1, by: -1) { tail = a + Double(k) / 2 / tail }
    let complement = a > 27 ? 0 : exp(-a * a) / (tail * 1.772_453_850_905_516)
    return x < 0 ? complement - 1 : 1 - complement
  }
}
