// Oracles of what verifies a finding: autoencoders and scrubbing.

import Interventions
import JSON
import Speech
import Tensor

/// Oracles 13 and 15.
func verificationOracles(_ subject: OracleSubject) throws -> [Oracle] {
  [unexplainedByTheMean(), try scrubbedEnds(subject)]
}

/// 13. What says the mean of every activation explains nothing.
private func unexplainedByTheMean() -> Oracle {
  // Far from zero, where a measure about zero would call the mean an explanation.
  var x = DoubleMatrix(rows: 200, columns: 24, normal: Random(seed: 13))
  x.numbers = x.numbers.map { $0 + 5 }
  let mean = x.columnMeans
  var constant = DoubleMatrix(rows: x.rows, columns: x.columns)
  for row in 0..<x.rows { for c in 0..<x.columns { constant[row, c] = mean[c] } }
  let (unexplained, exact) = (
    unexplainedVariance(of: x, by: constant), unexplainedVariance(of: x, by: x)
  )
  let aboutZero = 1 - (x - constant).squaredNorm / x.squaredNorm
  return Oracle(
    13, "the mean explains no variance", passes: abs(unexplained - 1) < 1e-12 && exact == 0,
    seen: aboutZero,
    "unexplained \(unexplained), of a perfect copy \(exact); about zero the mean would explain "
      + decimal(aboutZero, 3))
}

/// 15. Scrubbing with everything exact is the model, to the bit; with everything drawn from any run
/// it is what those runs say, and recovers nothing.
private func scrubbedEnds(_ subject: OracleSubject) throws -> Oracle {
  let site = subject.planted.cell.site
  let items = try subject.planted.pairs("scrubbing", voices: 12).map { pair in
    ScrubItem(
      id: pair.id, group: pair.group, stratum: "all",
      features: ["content": "\(pair.clean.answer)"], trace: try subject.model.trace(pair.clean),
      changed: nil)
  }
  func scrubbed(_ others: String) throws -> [ScrubbedItem] {
    let hypothesis = try Hypothesis([
      "name": .string(others), "site": .string("\(site)"), "others": .string(others),
    ])
    return try Scrubbing(subject.model, items, hypothesis, draws: 20).run(Random(seed: 15))
  }
  let (exact, any) = (try scrubbed("exact"), try scrubbed("any"))
  let changed = exact.reduce(0) { sum, item in sum + item.scrubbed.count { $0 != item.model } }
  let foreign = any.reduce(0) { sum, item in
    sum + item.scrubbed.count { !item.random.contains($0) }
  }
  let nothing = ScrubSummary(any, bootstrap: 2_000, Random(seed: 16)).recovered
  let all = ScrubSummary(exact, bootstrap: 200, Random(seed: 16)).recovered
  return Oracle(
    15, "scrubbing everything exactly is the model, everything at random is chance",
    passes: changed == 0 && all.value == 1 && foreign == 0 && nothing.low <= 0 && nothing.high >= 0,
    seen: exact.map(\.model).min() ?? 0,
    "\(items.count) items of 20 draws at \(site): exact recovers \(all.value), \(changed) draws "
      + "differ; at random \(decimal(nothing.value, 3)) [\(decimal(nothing.low, 3)), "
      + "\(decimal(nothing.high, 3))], \(foreign) draws that no run gives")
}
