// The standard normal distribution.

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
