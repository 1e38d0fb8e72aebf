// A small dense matrix of Double, for what is estimated from activations: covariances, bases,
// projectors. Activations themselves stay Float32.

/// A row-major matrix of Double.
public struct DoubleMatrix: Codable, Sendable, Equatable {
  public let rows: Int
  public let columns: Int
  public var numbers: [Double]

  public init(rows: Int, columns: Int, _ numbers: [Double]) {
    precondition(numbers.count == rows * columns, "\(numbers.count) numbers for \(rows)x\(columns)")
    self.rows = rows
    self.columns = columns
    self.numbers = numbers
  }

  public init(rows: Int, columns: Int) {
    self.init(rows: rows, columns: columns, [Double](repeating: 0, count: rows * columns))
  }

  /// The numbers of a tensor, [rows, width].
  public init(_ tensor: Tensor) {
    self.init(
      rows: tensor.rows, columns: tensor.width, tensor.withNumbers { $0.map { Double($0) } })
  }

  /// Numbers of the standard normal distribution.
  public init(rows: Int, columns: Int, normal random: Random) {
    var random = random
    self.init(
      rows: rows, columns: columns, (0..<rows * columns).map { _ in random.normal() })
  }

  public subscript(row: Int, column: Int) -> Double {
    get { numbers[row * columns + column] }
    set { numbers[row * columns + column] = newValue }
  }

  public func row(_ index: Int) -> ArraySlice<Double> {
    numbers[index * columns..<(index + 1) * columns]
  }

  /// The rows of these indices, in their order.
  public func rows(_ indices: [Int]) -> DoubleMatrix {
    DoubleMatrix(rows: indices.count, columns: columns, indices.flatMap { row($0) })
  }

  /// The columns of a range.
  public func columns(_ range: Range<Int>) -> DoubleMatrix {
    DoubleMatrix(
      rows: rows, columns: range.count,
      (0..<rows).flatMap { r in
        numbers[r * columns + range.lowerBound..<r * columns + range.upperBound]
      })
  }

  public var transposed: DoubleMatrix {
    var out = DoubleMatrix(rows: columns, columns: rows)
    for r in 0..<rows {
      for c in 0..<columns { out.numbers[c * rows + r] = numbers[r * columns + c] }
    }
    return out
  }

  /// The numbers as Float32, [rows, columns].
  public var tensor: Tensor { Tensor([rows, columns], numbers.map { Float($0) }) }

  /// self * other^T.
  public func timesTransposed(_ other: DoubleMatrix) -> DoubleMatrix {
    precondition(
      columns == other.columns,
      "\(rows)x\(columns) by the transpose of \(other.rows)x\(other.columns)")
    if columns == 0 { return DoubleMatrix(rows: rows, columns: other.rows) }
    return DoubleMatrix(
      rows: rows, columns: other.rows,
      matrixProduct(numbers, other.numbers, rows: rows, columns: other.rows, inner: columns))
  }

  public static func * (a: DoubleMatrix, b: DoubleMatrix) -> DoubleMatrix {
    a.timesTransposed(b.transposed)
  }

  public static func - (a: DoubleMatrix, b: DoubleMatrix) -> DoubleMatrix {
    precondition(a.rows == b.rows && a.columns == b.columns)
    return DoubleMatrix(rows: a.rows, columns: a.columns, zip(a.numbers, b.numbers).map { $0 - $1 })
  }

  public static func + (a: DoubleMatrix, b: DoubleMatrix) -> DoubleMatrix {
    precondition(a.rows == b.rows && a.columns == b.columns)
    return DoubleMatrix(rows: a.rows, columns: a.columns, zip(a.numbers, b.numbers).map { $0 + $1 })
  }

  /// Each column times a number of its own.
  public func scalingColumns(_ factors: [Double]) -> DoubleMatrix {
    precondition(factors.count == columns)
    var out = self
    for r in 0..<rows { for c in 0..<columns { out.numbers[r * columns + c] *= factors[c] } }
    return out
  }

  /// The mean of all rows; zeros where there is none.
  public var columnMeans: [Double] {
    var sums = [Double](repeating: 0, count: columns)
    for r in 0..<rows { for c in 0..<columns { sums[c] += numbers[r * columns + c] } }
    return sums.map { $0 / Double(max(rows, 1)) }
  }

  /// Every row minus one vector.
  public func subtracting(_ vector: [Double]) -> DoubleMatrix {
    precondition(vector.count == columns)
    var out = self
    for r in 0..<rows { for c in 0..<columns { out.numbers[r * columns + c] -= vector[c] } }
    return out
  }

  /// The sum of the squares of all numbers.
  public var squaredNorm: Double { numbers.reduce(0) { $0 + $1 * $1 } }

  /// The largest absolute value.
  public var largest: Double { numbers.reduce(0) { max($0, abs($1)) } }

  /// An orthonormal basis of the span of the columns, by Gram and Schmidt's process carried out
  /// twice, which keeps it orthonormal to rounding. The diagonal of R is positive, so that of a
  /// Gaussian matrix the basis has Haar's distribution (Mezzadri, 2007).
  ///
  /// - Parameter tolerance: columns of which less than this share is new are left out
  public func orthonormalised(tolerance: Double = 1e-10) -> DoubleMatrix {
    var basis: [[Double]] = []
    for column in 0..<columns {
      var v = (0..<rows).map { numbers[$0 * columns + column] }
      let length = v.reduce(0) { $0 + $1 * $1 }.squareRoot()
      for _ in 0..<2 {
        for q in basis {
          var overlap = 0.0
          for i in 0..<rows { overlap += q[i] * v[i] }
          for i in 0..<rows { v[i] -= overlap * q[i] }
        }
      }
      let rest = v.reduce(0) { $0 + $1 * $1 }.squareRoot()
      guard rest > tolerance * length, basis.count < rows else { continue }
      basis.append(v.map { $0 / rest })
    }
    var out = DoubleMatrix(rows: rows, columns: basis.count)
    for (c, q) in basis.enumerated() { for r in 0..<rows { out[r, c] = q[r] } }
    return out
  }
}
