// Weight matrices that stay in memory as their file keeps them, in 16 bits or in blocks of fewer, and
// are widened by block in front of each product.

/// A matrix [rows, width] of 16-bit numbers, or of blocks of numbers, in memory that somebody else owns.
public struct PackedMatrix: @unchecked Sendable {
  public enum Kind: Sendable, Equatable {
    case bfloat16, float16
    /// A row holds a whole number of blocks.
    case blocks(BlockFormat)
  }

  public let rows: Int
  public let width: Int
  public let kind: Kind
  /// Keeps the memory alive.
  private let owner: AnyObject
  private let start: UnsafeRawPointer

  /// Bytes of a row.
  private let rowBytes: Int

  /// - Parameter start: rows * width numbers, at any alignment
  public init(
    rows: Int, width: Int, kind: Kind, start: UnsafeRawPointer, owner: AnyObject
  ) {
    switch kind {
    case .bfloat16, .float16: rowBytes = 2 * width
    case .blocks(let format):
      precondition(
        width % format.numbers == 0, "rows of \(width) in blocks of \(format.numbers)")
      rowBytes = width / format.numbers * format.bytes
    }
    self.rows = rows
    self.width = width
    self.kind = kind
    self.start = start
    self.owner = owner
  }

  /// Some of the rows, without a copy.
  public func rows(_ range: Range<Int>) -> PackedMatrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows)
    return PackedMatrix(
      rows: range.count, width: width, kind: kind, start: start + range.lowerBound * rowBytes,
      owner: owner)
  }

  /// Writes a stretch of one row as Float32.
  @inline(__always)
  func widen(row: Int, _ columns: Range<Int>, to target: UnsafeMutablePointer<Float>) {
    let source = start + row * rowBytes
    switch kind {
    case .bfloat16: widenBFloat16(source + 2 * columns.lowerBound, columns.count, target)
    case .float16: widenFloat16(source + 2 * columns.lowerBound, columns.count, target)
    case .blocks(let format): format.widen(source, columns, to: target)
    }
  }

  /// All numbers as Float32.
  public var floats: Tensor {
    let out = Tensor(uninitialized: [rows, width])
    for r in 0..<rows { widen(row: r, 0..<width, to: out.row(r)) }
    return out
  }

  /// The first number that is infinite or NaN, by its place; nil where there is none.
  public var firstNotFinite: Int? {
    switch kind {
    case .bfloat16: firstNotFinite(exponent: 0x7F80)
    case .float16: firstNotFinite(exponent: 0x7C00)
    case .blocks(let format): firstNotFinite(in: format)
    }
  }

  /// The same of blocks, which are finite where their scales are: the largest product of a scale and
  /// whole numbers is far from overflow.
  private func firstNotFinite(in format: BlockFormat) -> Int? {
    let blocks = width / format.numbers
    let found = try! mapInParallel(rows) { row -> Int? in
      let first = start + row * rowBytes
      let block = (0..<blocks).first { block in
        format.scales.contains { !float16(first + block * format.bytes + $0).isFinite }
      }
      return block.map { row * width + $0 * format.numbers }
    }
    return found.compactMap { $0 }.first
  }

  /// The same of 16-bit numbers, by the bits of their exponent.
  private func firstNotFinite(exponent ones: UInt16) -> Int? {
    let chunk = 1 << 20
    let count = rows * width
    let chunks = (count + chunk - 1) / chunk
    let found = try! mapInParallel(chunks) { index -> Int? in
      let range = index * chunk..<min((index + 1) * chunk, count)
      var any = SIMD16<UInt16>(repeating: 0)
      let mask = SIMD16<UInt16>(repeating: ones)
      var i = range.lowerBound
      while i + 16 <= range.upperBound {
        let bits = start.loadUnaligned(fromByteOffset: 2 * i, as: SIMD16<UInt16>.self)
        any.replace(with: mask, where: (bits & mask) .== mask)
        i += 16
      }
      let rest = i..<range.upperBound
      func isBad(_ i: Int) -> Bool {
        start.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self) & ones == ones
      }
      if any == SIMD16(repeating: 0) { return rest.first(where: isBad) }
      return range.first(where: isBad)
    }
    return found.compactMap { $0 }.first
  }
}

/// bfloat16 is the upper half of a Float32.
@inline(__always)
private func widenBFloat16(
  _ source: UnsafeRawPointer, _ count: Int, _ target: UnsafeMutablePointer<Float>
) {
  var i = 0
  while i + 8 <= count {
    let half = source.loadUnaligned(fromByteOffset: 2 * i, as: SIMD8<UInt16>.self)
    let whole = SIMD8<UInt32>(truncatingIfNeeded: half) &<< 16
    store(unsafeBitCast(whole, to: Vector.self), target, i, 8)
    i += 8
  }
  while i < count {
    let half = source.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self)
    target[i] = Float(bitPattern: UInt32(half) << 16)
    i += 1
  }
}

/// The exponent of float16 is 112 short of that of Float32; the product with 2^112 is exact and also
/// takes care of subnormal numbers.
@inline(__always)
private func widenFloat16(
  _ source: UnsafeRawPointer, _ count: Int, _ target: UnsafeMutablePointer<Float>
) {
  @inline(__always)
  func widened(_ half: SIMD8<Int16>) -> Vector {
    // The sign, spread over what is in front of the exponent.
    let bits = SIMD8<Int32>(truncatingIfNeeded: half) &<< 13
    let whole = unsafeBitCast(
      unsafeBitCast(bits & Int32(bitPattern: 0x8FFF_E000), to: Vector.self)
        * Vector(repeating: 0x1p112), to: SIMD8<Int32>.self)
    // All ones where the exponent is: a comparison of whole vectors is done lane by lane, in memory.
    let special = ((bits & 0x0FFF_E000) &+ 0x7080_0000) &>> 31
    return unsafeBitCast(whole | special & 0x7F80_0000, to: Vector.self)
  }
  var i = 0
  while i + 8 <= count {
    let half = source.loadUnaligned(fromByteOffset: 2 * i, as: SIMD8<Int16>.self)
    store(widened(half), target, i, 8)
    i += 8
  }
  while i < count {
    let half = source.loadUnaligned(fromByteOffset: 2 * i, as: Int16.self)
    target[i] = widened(SIMD8(repeating: half))[0]
    i += 1
  }
}

/// A weight matrix [rows, width]: Float32, which can be differentiated, or as its file keeps it in fewer
/// bits, which cannot.
public enum Matrix: Sendable {
  case float(Tensor)
  case packed(PackedMatrix)

  public var shape: [Int] {
    switch self {
    case .float(let tensor): tensor.shape
    case .packed(let matrix): [matrix.rows, matrix.width]
    }
  }

  public var rows: Int { shape.dropLast().reduce(1, *) }
  public var width: Int { shape.last ?? 1 }

  /// All numbers as Float32.
  public var floats: Tensor {
    switch self {
    case .float(let tensor): tensor
    case .packed(let matrix): matrix.floats
    }
  }

  /// Some of the rows.
  public func rows(_ range: Range<Int>) -> Matrix {
    switch self {
    case .float(let tensor): .float(gatherRows(tensor, Array(range)))
    case .packed(let matrix): .packed(matrix.rows(range))
    }
  }
}

/// Rows of a table by index; an index of -1 gives a row of zeros.
public func gatherRows(_ table: Matrix, _ indices: [Int]) -> Tensor {
  switch table {
  case .float(let tensor): return gatherRows(tensor, indices)
  case .packed(let matrix):
    let out = Tensor([indices.count, matrix.width])
    for (i, index) in indices.enumerated() where index >= 0 {
      precondition(index < matrix.rows, "row \(index) of \(matrix.rows)")
      matrix.widen(row: index, 0..<matrix.width, to: out.row(i))
    }
    return out
  }
}
