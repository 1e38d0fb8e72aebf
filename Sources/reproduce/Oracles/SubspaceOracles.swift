// Oracles of what verifies a finding: autoencoders and scrubbing.

import Interventions
import Speech
import Tensor

/// Oracles 13 and 15.
func subspaceOracles(_ subject: OracleSubject) throws -> [Oracle] {
  [unexplainedByTheMean(subject)]
}

/// 13. What says the mean of every activation explains nothing.
private func unexplainedByTheMean(_ subject: OracleSubject) -> Oracle {
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
