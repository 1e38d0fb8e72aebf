// The distributions that tests and intervals are read from: the normal one, Student's, and the beta
// distribution with the incomplete beta function under both it and exact binomial intervals.

import Tensor

/// The standard normal distribution function.
public func normalProbability(_ z: Double) -> Double {
  0.5 * (1 + Elementary.erf(z / 1.414_213_562_373_095_1))
}

/// Its inverse, by bisection, to the last digits.
public func normalQuantile(_ p: Double) -> Double {
  var (low, high) = (-9.0, 9.0)
  for _ in 0..<80 {
    let middle = (low + high) / 2
    if normalProbability(middle) < p { low = middle } else { high = middle }
  }
  return (low + high) / 2
}

/// The logarithm of the gamma function for x > 0, by Stirling's series.
public func logGamma(_ x: Double) -> Double {
  precondition(x > 0)
  // The series is good to 1e-17 from 15 on; below, gamma(x) = gamma(x + n) / (x (x + 1) ...).
  var (x, product) = (x, 1.0)
  while x < 15 {
    product *= x
    x += 1
  }
  let square = 1 / (x * x)
  var series = 0.0
  for coefficient in [
    -691.0 / 360_360, 1.0 / 1188, -1.0 / 1680, 1.0 / 1260, -1.0 / 360, 1.0 / 12,
  ] {
    series = series * square + coefficient
  }
  let halfLogTwoPi = 0.918_938_533_204_672_7
  return (x - 0.5) * Elementary.log(x) - x + halfLogTwoPi + series / x - Elementary.log(product)
}

/// The regularised incomplete beta function I_x(a, b), the probability that a beta-distributed
/// number is at most x, by its continued fraction.
///
/// - Parameters:
///   - x: in 0...1
///   - a: above 0, and `b` likewise
public func incompleteBeta(_ x: Double, _ a: Double, _ b: Double) -> Double {
  precondition((0...1).contains(x) && a > 0 && b > 0)
  if x == 0 || x == 1 { return x }
  // The fraction converges fast below the mean; above it the other tail is taken.
  if x > (a + 1) / (a + b + 2) { return 1 - incompleteBeta(1 - x, b, a) }
  let logFront =
    logGamma(a + b) - logGamma(a) - logGamma(b) + a * Elementary.log(x) + b * Elementary.log(1 - x)
  return Elementary.exp(logFront) / a / betaFraction(x, a, b)
}

/// 1 + d1 / (1 + d2 / (1 + ...)) from the front (Lentz, 1976).
private func betaFraction(_ x: Double, _ a: Double, _ b: Double) -> Double {
  let tiny = 1e-300
  var (value, c, d) = (1.0, 1.0, 0.0)
  for step in 1...10_000 {
    let m = Double(step / 2)
    let numerator =
      step % 2 == 0
      ? m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
      : -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 + numerator * d
    d = 1 / (abs(d) < tiny ? tiny : d)
    c = 1 + numerator / c
    if abs(c) < tiny { c = tiny }
    value *= c * d
    if abs(c * d - 1) < 1e-16 { break }
  }
  return value
}

/// The x at which I_x(a, b) is `p`, by bisection, to the last digits.
public func inverseIncompleteBeta(_ p: Double, _ a: Double, _ b: Double) -> Double {
  precondition((0...1).contains(p))
  var (low, high) = (0.0, 1.0)
  // Bisection to the last bit also near 0, where numbers lie closer together.
  for _ in 0..<1100 {
    let middle = (low + high) / 2
    if middle == low || middle == high { break }
    if incompleteBeta(middle, a, b) < p { low = middle } else { high = middle }
  }
  return (low + high) / 2
}

/// A quantile of Student's distribution, of a probability above one half.
public func studentQuantile(_ p: Double, freedom: Double) -> Double {
  precondition(p > 0.5 && p < 1 && freedom > 0)
  let x = inverseIncompleteBeta(2 * (1 - p), freedom / 2, 0.5)
  return (freedom * (1 - x) / x).squareRoot()
}
