// Eigenvalues, singular values and bases, against their definitions.

import Tensor
import Testing

@Suite struct EigenTests {
  private func symmetric(_ n: Int, rank: Int, seed: UInt64) -> DoubleMatrix {
    let x = DoubleMatrix(rows: n, columns: rank, normal: Random(seed: seed))
    return x.timesTransposed(x)
  }

  @Test(arguments: [(1, 1), (2, 2), (3, 1), (12, 12), (40, 40), (40, 7), (97, 97)])
  func eigenvectorsDiagonalise(_ n: Int, _ rank: Int) {
    let a = symmetric(n, rank: rank, seed: UInt64(n))
    let (values, vectors) = a.symmetricEigen()
    let scale = values[0]
    #expect((a * vectors - vectors.scalingColumns(values)).largest < 1e-12 * scale * Double(n))
    var one = DoubleMatrix(rows: n, columns: n)
    for i in 0..<n { one[i, i] = 1 }
    #expect((vectors.transposed * vectors - one).largest < 1e-12 * Double(n))
    #expect(zip(values, values.dropFirst()).allSatisfy(>=))
    #expect(values.filter { $0 > 1e-10 * scale }.count == rank)
    let trace = (0..<n).reduce(0) { $0 + a[$1, $1] }
    #expect(abs(values.reduce(0, +) - trace) < 1e-11 * trace)
  }

  @Test func knownValues() {
    let a = DoubleMatrix(rows: 3, columns: 3, [2, -1, 0, -1, 2, -1, 0, -1, 2])
    let root = 2.0.squareRoot()
    for (found, known) in zip(a.symmetricEigen().values, [2 + root, 2, 2 - root]) {
      #expect(abs(found - known) < 1e-14)
    }
    // Equal eigenvalues and a matrix that is diagonal already.
    let diagonal = DoubleMatrix(rows: 3, columns: 3, [5, 0, 0, 0, 7, 0, 0, 0, 5])
    #expect(diagonal.symmetricEigen().values == [7, 5, 5])
    #expect(DoubleMatrix(rows: 4, columns: 4).symmetricEigen().values == [0, 0, 0, 0])
  }

  @Test(arguments: [(9, 4), (4, 9), (30, 30)])
  func singularVectorsRebuild(_ rows: Int, _ columns: Int) {
    let a = DoubleMatrix(rows: rows, columns: columns, normal: Random(seed: 3))
    let (left, values, right) = a.singular()
    #expect(values.count == min(rows, columns))
    let rebuilt = left.scalingColumns(values).timesTransposed(right)
    #expect((a - rebuilt).largest < 1e-10)
    #expect(abs(values.reduce(0) { $0 + $1 * $1 } - a.squaredNorm) < 1e-10 * a.squaredNorm)
  }

  @Test func basesAreOrthonormalAndSpanTheColumns() {
    var a = DoubleMatrix(rows: 20, columns: 6, normal: Random(seed: 4))
    // A column that is the sum of two others adds nothing; one that nearly is still does.
    for r in 0..<20 {
      a[r, 3] = a[r, 0] + a[r, 1]
      a[r, 4] = a[r, 0] + 1e-6 * a[r, 4]
    }
    let q = a.orthonormalised()
    #expect(q.columns == 5)
    var one = DoubleMatrix(rows: 5, columns: 5)
    for i in 0..<5 { one[i, i] = 1 }
    #expect((q.transposed * q - one).largest < 1e-14)
    #expect((a - q * (q.transposed * a)).largest < 1e-12)
  }

  /// Haar's measure has no preferred direction: the mean of q q^T is the identity over n.
  @Test func gaussianBasesAreUniform() {
    var sum = DoubleMatrix(rows: 3, columns: 3)
    for draw in 0..<3000 {
      let q = DoubleMatrix(rows: 3, columns: 1, normal: Random(seed: 9).split(draw))
        .orthonormalised()
      sum = sum + q.timesTransposed(q)
    }
    for r in 0..<3 {
      for c in 0..<3 { #expect(abs(sum[r, c] / 3000 - (r == c ? 1.0 / 3 : 0)) < 0.02) }
    }
  }
}
