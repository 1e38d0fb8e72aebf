// Weights in blocks: stretches of rows, products and gradients are those of the same weights as Float32.

import Tensor
import Testing

@Suite struct BlockFormatTests {
  /// A matrix of random blocks whose numbers are at most a few thousand.
  private final class Blocks {
    let start: UnsafeMutableRawPointer
    let matrix: (PackedMatrix)

    init(_ format: BlockFormat, rows: Int, width: Int) {
      let count = rows * width / format.numbers * format.bytes
      let stream = Random(seed: 5).split(format.rawValue)
      let numbers = Tensor([count], normal: 100, stream).numbers
      let memory = Memory(count)
      start = memory.start
      for i in 0..<count {
        start.storeBytes(
          of: UInt8(truncatingIfNeeded: Int(numbers[i])), toByteOffset: i, as: UInt8.self)
      }
      let scales: [Int] =
        switch format {
        case .q4K, .q5K: [0, 2]
        case .q6K: [208]
        default: [0]
        }
      // Scales from 0.0078 to 0.0156: the exponent of float16 in the high byte.
      for block in 0..<count / format.bytes {
        for place in scales {
          start.storeBytes(of: 0x20, toByteOffset: block * format.bytes + place + 1, as: UInt8.self)
        }
      }
      matrix = PackedMatrix(
        rows: rows, width: width, kind: .blocks(format), start: start, owner: memory)
    }

    final class Memory {
      let start: UnsafeMutableRawPointer
      init(_ count: Int) { start = .allocate(byteCount: count, alignment: 1) }
      deinit { start.deallocate() }
    }
  }

  /// 640 is no multiple of the reverse pass's 256 columns: the last stretch is narrower, and with 1,100
  /// rows there are two stretches of rows.
  private func blocks(_ format: BlockFormat) -> PackedMatrix {
    Blocks(format, rows: 1100, width: format.numbers == 32 ? 672 : 768).matrix
  }

  /// Subnormal numbers, infinities and NaN among them.
  @Test func everyHalfIsWidened() {
    let memory = Blocks.Memory(2 << 16)
    for i in 0..<1 << 16 {
      memory.start.storeBytes(of: UInt16(i), toByteOffset: 2 * i, as: UInt16.self)
    }
    let floats = PackedMatrix(
      rows: 1 << 8, width: 1 << 8, kind: .float16, start: memory.start, owner: memory
    ).floats.numbers
    for (i, float) in floats.enumerated() {
      let expected = Float(Float16(bitPattern: UInt16(i)))
      #expect(
        expected.isNaN ? float.isNaN : float.bitPattern == expected.bitPattern, "pattern \(i)")
    }
  }

  @Test(arguments: BlockFormat.allCases) func rowsAreThoseOfTheWhole(_ format: BlockFormat) {
    let matrix = blocks(format)
    let all = matrix.floats
    #expect(Set(all.numbers.prefix(2000)).count > 100 && matrix.firstNotFinite == nil)
    let some = Matrix.packed(matrix).rows(7..<19)
    #expect(some.floats.isIdentical(to: gatherRows(all, Array(7..<19))))
    let gathered = gatherRows(Matrix.packed(matrix), [1099, -1, 3])
    #expect(gathered.isIdentical(to: gatherRows(all, [1099, -1, 3])))
  }

  @Test(arguments: BlockFormat.allCases) func productsAreThoseOfFloats(_ format: BlockFormat) {
    let matrix = blocks(format)
    let floats = matrix.floats
    let x = Tensor([24, matrix.width], normal: 1, Random(seed: 2).split("x")).variable
    let bias = Tensor([matrix.rows], normal: 1, Random(seed: 2).split("bias"))
    let weights = Tensor([24, matrix.rows], normal: 1, Random(seed: 2).split("weights"))
    let own = linear(x, .packed(matrix), bias: bias)
    let plain = linear(x, floats, bias: bias)
    let scale = plain.numbers.reduce(0) { max($0, abs($1)) }
    #expect(scale > 1 && own.largestDifference(to: plain) < 1e-5 * scale)
    let (a, b) = (
      own.gradients(of: [x], weights: weights)[0], plain.gradients(of: [x], weights: weights)[0]
    )
    let slope = b.numbers.reduce(0) { max($0, abs($1)) }
    #expect(slope > 1 && a.largestDifference(to: b) < 1e-5 * slope)
  }

  @Test(arguments: BlockFormat.allCases) func scalesThatAreNotFiniteAreFound(_ format: BlockFormat)
  {
    let blocks = Blocks(format, rows: 4, width: 512)
    #expect(blocks.matrix.firstNotFinite == nil)
    let place = (format == .q6K ? 208 : 0) + format.bytes
    blocks.start.storeBytes(of: 0x7C, toByteOffset: place + 1, as: UInt8.self)
    #expect(blocks.matrix.firstNotFinite == format.numbers)
  }
}
