// From data to the page, and the numbers beside the axes.

/// A place on an axis and what is written there.
public struct Tick: Equatable, Sendable {
  public var value: Double
  public var label: String

  public init(_ value: Double, _ label: String) {
    self.value = value
    self.label = label
  }
}

/// The straight map from data in `lower ... upper` to millimetres in `start ... end`.
public struct Scale: Equatable, Sendable {
  public let lower: Double
  public let upper: Double
  public let start: Double
  public let end: Double

  public init(from lower: Double, to upper: Double, start: Double, end: Double) {
    precondition(lower < upper, "a scale from \(lower) to \(upper) has no length")
    self.lower = lower
    self.upper = upper
    self.start = start
    self.end = end
  }

  /// The place of a value on the page, in millimetres; values beyond the ends are extrapolated.
  public func callAsFunction(_ value: Double) -> Double {
    start + (value - lower) / (upper - lower) * (end - start)
  }
}

/// Steps of 1, 2 or 5 times a power of ten.
struct Step: Equatable {
  let mantissa: Int
  let exponent: Int

  /// The step that cuts `span` into about `count` parts.
  init(span: Double, count: Int) {
    precondition(span > 0 && span.isFinite && count > 0, "no ticks over a span of \(span)")
    let raw = span / Double(count)
    var exponent = 0
    var power = 1.0
    while raw >= power * 10 { (power, exponent) = (power * 10, exponent + 1) }
    while raw < power { (power, exponent) = (power / 10, exponent - 1) }
    // The borders between 1, 2, 5 and 10 are their geometric means.
    switch raw / power {
    case ..<2.0.squareRoot(): mantissa = 1
    case ..<10.0.squareRoot(): mantissa = 2
    case ..<50.0.squareRoot(): mantissa = 5
    default:
      mantissa = 1
      exponent += 1
    }
    self.exponent = exponent
  }

  /// `k` steps from 0, as exactly as a Double can say it.
  func value(_ k: Int) -> Double {
    let units = Double(k * mantissa)
    return exponent < 0 ? units / tenTo(-exponent) : units * tenTo(exponent)
  }

  /// The number of decimals that tells neighbouring multiples apart.
  var decimals: Int { max(0, -exponent) }
}

/// Ticks at round numbers within a range, about `count` steps of them.
public func ticks(in range: ClosedRange<Double>, about count: Int = 5) -> [Tick] {
  let step = Step(span: range.upperBound - range.lowerBound, count: count)
  let slack = 1e-9
  let first = Int((range.lowerBound / step.value(1) - slack).rounded(.up))
  let last = Int((range.upperBound / step.value(1) + slack).rounded(.down))
  return first > last
    ? []
    : (first...last).map { k in Tick(step.value(k), number(step.value(k), decimals: step.decimals))
    }
}

/// The smallest range between round numbers that contains all values.
public func roundRange(
  containing values: some Sequence<Double>, about count: Int = 5
) -> ClosedRange<Double> {
  let finite = values.filter(\.isFinite)
  guard var lower = finite.min(), var upper = finite.max() else { return 0...1 }
  if lower == upper { (lower, upper) = (lower - 0.5, upper + 0.5) }
  let step = Step(span: upper - lower, count: count)
  let slack = 1e-9
  return step.value(
    Int((lower / step.value(1) + slack).rounded(.down)))...step.value(
      Int((upper / step.value(1) - slack).rounded(.up)))
}

/// A number with so many decimals and a real minus sign: `−0.50`. Zero has no sign. From a million
/// on, and where the decimals would be more than five, powers of ten: `−2×10⁻⁷`.
public func number(_ value: Double, decimals: Int) -> String {
  guard value.isFinite else { return value.isNaN ? "NaN" : value < 0 ? "−∞" : "∞" }
  let size = abs(value)
  if size >= 1e6 || (decimals > 5 && size > 0) { return power(value) }
  let unit = tenTo(min(decimals, 5))
  let units = Int((size * unit).rounded())
  let sign = value < 0 && units > 0 ? "−" : ""
  let whole = units / Int(unit)
  if decimals <= 0 || unit == 1 { return "\(sign)\(whole)" }
  let fraction = String(units % Int(unit))
  let zeros = String(repeating: "0", count: min(decimals, 5) - fraction.count)
  return "\(sign)\(whole).\(zeros)\(fraction)"
}

/// The number as a mantissa of at most two decimals and a power of ten.
private func power(_ value: Double) -> String {
  var mantissa = abs(value)
  var exponent = 0
  while mantissa >= 9.995 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
  while mantissa < 0.9995 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
  var text = number(mantissa, decimals: 2)
  while text.last == "0" { text.removeLast() }
  if text.last == "." { text.removeLast() }
  let raised = Array("⁰¹²³⁴⁵⁶⁷⁸⁹")
  let digits = String(abs(exponent)).map { raised[$0.wholeNumberValue!] }
  return (value < 0 ? "−" : "") + text + "×10" + (exponent < 0 ? "⁻" : "") + String(digits)
}

/// Ten to a whole, non-negative power; exact up to 22.
private func tenTo(_ exponent: Int) -> Double {
  (0..<exponent).reduce(1.0) { power, _ in power * 10 }
}
