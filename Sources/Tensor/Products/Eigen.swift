// Eigenvalues of symmetric matrices and, by them, singular values: Householder's reduction to three
// diagonals, then QL steps with implicit shifts. Plain loops in a fixed order, so that the bits do
// not depend on which LAPACK a machine has.

extension DoubleMatrix {
  /// Eigenvalues, the largest first, and the eigenvectors as columns in that order. Of each vector the
  /// number of largest magnitude is positive.
  ///
  /// - Precondition: the matrix is square and symmetric; its lower half is read
  public func symmetricEigen() -> (values: [Double], vectors: DoubleMatrix) {
    precondition(rows == columns, "eigenvalues of a \(rows)x\(columns) matrix")
    let n = rows
    if n == 0 { return ([], self) }
    var (diagonal, beside, vectors) = tridiagonalised()
    diagonalise(&diagonal, &beside, &vectors)
    let order = (0..<n).sorted { (diagonal[$0], $1) > (diagonal[$1], $0) }
    var sorted = DoubleMatrix(rows: n, columns: n)
    for (column, index) in order.enumerated() {
      let vector = vectors[index * n..<(index + 1) * n]
      let peak = vector.indices.reduce(vector.startIndex) {
        abs(vector[$1]) > abs(vector[$0]) ? $1 : $0
      }
      let sign = vector[peak] < 0 ? -1.0 : 1
      for r in 0..<n { sorted[r, column] = sign * vector[vector.startIndex + r] }
    }
    return (order.map { diagonal[$0] }, sorted)
  }

  /// The singular values that stand out of rounding, the largest first, with left and right vectors
  /// as columns.
  ///
  /// - Parameter tolerance: singular values below this share of the largest are left out; they come
  ///   from the squared matrix, so that shares below 1e-7 are rounding
  public func singular(tolerance: Double = 1e-7) -> (
    left: DoubleMatrix, values: [Double], right: DoubleMatrix
  ) {
    if rows < columns {
      let (left, values, right) = transposed.singular(tolerance: tolerance)
      return (right, values, left)
    }
    let (squares, vectors) = transposed.timesTransposed(transposed).symmetricEigen()
    let all = squares.map { max($0, 0).squareRoot() }
    let kept = all.prefix { $0 > tolerance * (all.first ?? 0) }.count
    let values = Array(all[..<kept])
    let right = vectors.columns(0..<kept)
    return ((self * right).scalingColumns(values.map { 1 / $0 }), values, right)
  }

  /// Diagonal, the numbers beside it, and Q^T, its rows the images of the unit vectors:
  /// A = Q T Q^T.
  private func tridiagonalised() -> ([Double], [Double], [Double]) {
    let n = rows
    var a = numbers
    for r in 0..<n { for c in 0..<r { a[c * n + r] = a[r * n + c] } }
    var reflectors: [(v: [Double], factor: Double)] = []
    var (v, p) = ([Double](repeating: 0, count: n), [Double](repeating: 0, count: n))
    for k in 0..<max(n - 2, 0) {
      var squares = 0.0
      for i in (k + 1)..<n {
        v[i] = a[k * n + i]
        squares += v[i] * v[i]
      }
      let length = squares.squareRoot()
      let target = v[k + 1] > 0 ? -length : length
      v[k + 1] -= target
      let norm = 2 * (squares - target * (v[k + 1] + target))
      // A row that is reduced already, to rounding.
      guard norm > 0 else {
        reflectors.append(([], 0))
        continue
      }
      let factor = 2 / norm
      var along = 0.0
      for i in (k + 1)..<n {
        var sum = 0.0
        for j in (k + 1)..<n { sum += a[i * n + j] * v[j] }
        p[i] = factor * sum
        along += p[i] * v[i]
      }
      for i in (k + 1)..<n { p[i] -= factor / 2 * along * v[i] }
      for i in (k + 1)..<n {
        let (vi, pi) = (v[i], p[i])
        for j in (k + 1)..<n { a[i * n + j] -= vi * p[j] + pi * v[j] }
      }
      a[k * n + k + 1] = target
      reflectors.append((Array(v[(k + 1)...]), factor))
    }
    let diagonal = (0..<n).map { a[$0 * n + $0] }
    var beside = (0..<n - 1).map { a[$0 * n + $0 + 1] }
    beside.append(0)
    // Q^T = H_last ... H_0, built from the last so that it grows from its lower corner.
    var q = [Double](repeating: 0, count: n * n)
    for i in 0..<n { q[i * n + i] = 1 }
    for (k, reflector) in reflectors.enumerated().reversed() where reflector.factor > 0 {
      let first = k + 1
      for r in first..<n {
        var sum = 0.0
        for j in first..<n { sum += q[r * n + j] * reflector.v[j - first] }
        sum *= reflector.factor
        for j in first..<n { q[r * n + j] -= sum * reflector.v[j - first] }
      }
    }
    return (diagonal, beside, q)
  }
}

/// QL steps with implicit shifts until what is beside the diagonal is gone; the rows of `vectors`
/// take part.
private func diagonalise(_ d: inout [Double], _ e: inout [Double], _ vectors: inout [Double]) {
  let n = d.count
  for first in 0..<n {
    // Each eigenvalue takes two or three steps; NaN would never end.
    for _ in 0..<200 {
      let split =
        (first..<n - 1).first { abs(e[$0]) <= Double.ulpOfOne * (abs(d[$0]) + abs(d[$0 + 1])) }
        ?? n - 1
      if split <= first { break }
      let half = (d[first + 1] - d[first]) / (2 * e[first])
      let root = (half * half + 1).squareRoot()
      var g = d[split] - d[first] + e[first] / (half + (half < 0 ? -root : root))
      var (s, c, shift) = (1.0, 1.0, 0.0)
      var done = true
      for i in (first..<split).reversed() {
        let (f, b) = (s * e[i], c * e[i])
        let r = (f * f + g * g).squareRoot()
        e[i + 1] = r
        if r == 0 {
          d[i + 1] -= shift
          e[split] = 0
          done = false
          break
        }
        (s, c) = (f / r, g / r)
        g = d[i + 1] - shift
        let t = (d[i] - g) * s + 2 * c * b
        shift = s * t
        d[i + 1] = g + shift
        g = c * t - b
        vectors.withUnsafeMutableBufferPointer { z in
          let (low, high) = (z.baseAddress! + i * n, z.baseAddress! + (i + 1) * n)
          for j in 0..<n {
            let upper = high[j]
            high[j] = s * low[j] + c * upper
            low[j] = c * low[j] - s * upper
          }
        }
      }
      if done {
        d[first] -= shift
        e[first] = g
        e[split] = 0
      }
    }
  }
}
