// A certificate in words, as every map prints it.

extension Certificate: CustomStringConvertible {
  public var description: String {
    var lines = ["search against exact effects, \(cells) cells"]
    lines.append("  Pearson    \(text(pearson, intervals?.pearson))")
    lines.append("  Spearman   \(text(spearman, intervals?.spearman))")
    lines.append("  Kendall    \(text(kendall, intervals?.kendall))")
    lines.append(
      "  sign       \(signAgreement.map(percent) ?? "undefined share") of the absolute effect has its "
        + "score's sign")
    lines.append(
      "  scale      slope of effects on scores \(slope.map { decimals($0) } ?? "undefined"), "
        + "largest difference \(decimals(largestDifference))")
    if let threshold {
      lines.append("  hits       effects of at least \(decimals(threshold)) count as hits")
    }
    for agreement in agreements { lines.append("  \(agreement)") }
    for cost in recallCosts {
      lines.append(
        "  verified   strongest \(cost.k): \(decimals(cost.ratio, 2)) forward passes a cell "
          + "(random order \(decimals(cost.random, 2)), all \(decimals(cost.exhaustive, 2)))")
    }
    lines.append(
      "             mean over K, weighted by 1/K: \(decimals(meanCostRatio, 2)); the search itself "
        + "took \(decimals(searchCost, 0))")
    if let missed { lines.append("  missed     \(missed)") }
    return lines.joined(separator: "\n")
  }

  private func text(_ value: Double?, _ interval: Estimate?) -> String {
    (value.map { decimals($0) } ?? "undefined")
      + (interval.map { " [\(decimals($0.low)), \(decimals($0.high))] over groups" } ?? "")
  }
}

extension Agreement: CustomStringConvertible {
  public var description: String {
    let exact = precision.map { "; precision \(percent($0))" } ?? ""
    let found = recall.map { ", recall \(percent($0)) of the hits" } ?? ""
    let label = name == "\(k)" ? "\(k)" : "\(k) (\(name))"
    return "top \(label): overlap \(percent(overlap)), by chance \(percent(chance))" + exact + found
  }
}

extension MissedCells: CustomStringConvertible {
  public var description: String {
    "of \(unverified) cells that were not proposed \(sampled) were patched at random (seed \(seed)): "
      + "\(exceeding) reach \(decimals(threshold)), so with confidence \(percent(1 - alpha)) "
      + "at most \(bound) do"
  }
}

private func percent(_ share: Double) -> String { decimals(100 * share, 1) + "%" }

/// A number with so many digits behind the point, whatever the machine's locale.
func decimals(_ value: Double, _ digits: Int = 3) -> String {
  guard value.isFinite else { return value.isNaN ? "undefined" : value < 0 ? "-inf" : "inf" }
  var scale = 1.0
  for _ in 0..<digits { scale *= 10 }
  let scaled = (abs(value) * scale).rounded()
  guard scaled < 1e15 else { return "\(value)" }
  let whole = String(Int(scaled))
  let padded = String(repeating: "0", count: max(0, digits + 1 - whole.count)) + whole
  let sign = value < 0 && scaled > 0 ? "-" : ""
  return digits == 0
    ? sign + padded : sign + padded.dropLast(digits) + "." + padded.suffix(digits)
}
