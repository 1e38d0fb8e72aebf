// Numbers in blocks that share scales, as GGUF files keep the weights of language models, and their
// conversion to Float32.
//
// Goals, in order: the bits of the reference (package `gguf`), whose products are each rounded to
// Float32, in the same order; vectors of eight. A number of few bits becomes a float without a
// conversion: the bits of 2^23 + n are those of 2^23 with n in the lowest places.

/// A format of blocks, by the name that ggml gives it.
public enum BlockFormat: String, Sendable, CaseIterable {
  case q4 = "Q4_0"
  case q5 = "Q5_0"
  case q8 = "Q8_0"
  case q4K = "Q4_K"
  case q5K = "Q5_K"
  case q6K = "Q6_K"

  /// Numbers of a block.
  public var numbers: Int {
    switch self {
    case .q4, .q5, .q8: 32
    case .q4K, .q5K, .q6K: 256
    }
  }

  /// Bytes of a block.
  public var bytes: Int {
    switch self {
    case .q4: 18
    case .q5: 22
    case .q8: 34
    case .q4K: 144
    case .q5K: 176
    case .q6K: 210
    }
  }

  /// Where a block has its scales of 16 bits.
  var scales: [Int] {
    switch self {
    case .q4, .q5, .q8: [0]
    case .q4K, .q5K: [0, 2]
    case .q6K: [208]
    }
  }

  /// Writes a stretch of a row as Float32.
  ///
  /// - Parameter columns: in the row's numbers; where they begin or end inside a block, it is converted
  ///   whole beside the target
  func widen(
    _ row: UnsafeRawPointer, _ columns: Range<Int>, to target: UnsafeMutablePointer<Float>
  ) {
    let (numbers, bytes) = (numbers, bytes)
    if columns.lowerBound % numbers == 0, columns.count % numbers == 0 {
      widen(
        row + columns.lowerBound / numbers * bytes, blocks: columns.count / numbers, to: target)
      return
    }
    withUnsafeTemporaryAllocation(of: Float.self, capacity: numbers) { whole in
      let block = whole.baseAddress!
      var column = columns.lowerBound
      while column < columns.upperBound {
        let index = column / numbers
        let end = min((index + 1) * numbers, columns.upperBound)
        widen(row + index * bytes, blocks: 1, to: block)
        (target + column - columns.lowerBound)
          .update(from: block + column - index * numbers, count: end - column)
        column = end
      }
    }
  }

  private func widen(
    _ source: UnsafeRawPointer, blocks: Int, to target: UnsafeMutablePointer<Float>
  ) {
    switch self {
    case .q4: for i in 0..<blocks { widenQ4(source + 18 * i, target + 32 * i) }
    case .q5: for i in 0..<blocks { widenQ5(source + 22 * i, target + 32 * i) }
    case .q8: for i in 0..<blocks { widenQ8(source + 34 * i, target + 32 * i) }
    case .q4K: for i in 0..<blocks { widenQ4K(source + 144 * i, target + 256 * i) }
    case .q5K: for i in 0..<blocks { widenQ5K(source + 176 * i, target + 256 * i) }
    case .q6K: for i in 0..<blocks { widenQ6K(source + 210 * i, target + 256 * i) }
    }
  }
}

private typealias Lanes = SIMD8<UInt32>

/// d (n - 8): d, then 16 bytes that hold number i in their low half and number 16 + i in their high one.
@inline(__always)
private func widenQ4(_ block: UnsafeRawPointer, _ target: UnsafeMutablePointer<Float>) {
  let d = Vector(repeating: float16(block))
  for part in 0..<2 {
    let bytes = eightBytes(block + 2 + 8 * part)
    store(d * number(bytes & 15, less: 8), target, 8 * part, 8)
    store(d * number(bytes &>> 4, less: 8), target, 16 + 8 * part, 8)
  }
}

/// d (n - 16): as Q4_0, with a fifth bit of number i in bit i of the 32 bits behind d.
@inline(__always)
private func widenQ5(_ block: UnsafeRawPointer, _ target: UnsafeMutablePointer<Float>) {
  let d = Vector(repeating: float16(block))
  let high = block.loadUnaligned(fromByteOffset: 2, as: UInt32.self)
  for part in 0..<2 {
    let bytes = eightBytes(block + 6 + 8 * part)
    let first = Lanes(repeating: high &>> UInt32(8 * part))
    let second = Lanes(repeating: high &>> UInt32(16 + 8 * part))
    let place = Lanes(0, 1, 2, 3, 4, 5, 6, 7)
    store(d * number(bytes & 15 | fifth(first, place), less: 16), target, 8 * part, 8)
    store(d * number(bytes &>> 4 | fifth(second, place), less: 16), target, 16 + 8 * part, 8)
  }
}

/// d n: d, then 32 bytes with sign.
@inline(__always)
private func widenQ8(_ block: UnsafeRawPointer, _ target: UnsafeMutablePointer<Float>) {
  let d = Vector(repeating: float16(block))
  for part in 0..<4 {
    let bytes = eightBytes(block + 2 + 8 * part) ^ 128
    store(d * number(bytes, less: 128), target, 8 * part, 8)
  }
}

/// (d s) n - (dmin m), with a scale s and a minimum m of six bits for each stretch of 32 numbers: d, dmin,
/// 12 bytes of these, 128 bytes of which each 32 hold two stretches, one in their low and one in their
/// high halves.
@inline(__always)
private func widenQ4K(_ block: UnsafeRawPointer, _ target: UnsafeMutablePointer<Float>) {
  for pair in 0..<4 {
    let (s0, m0) = scaleAndMinimum(block, 2 * pair)
    let (s1, m1) = scaleAndMinimum(block, 2 * pair + 1)
    let out = target + 64 * pair
    for part in 0..<4 {
      let bytes = eightBytes(block + 16 + 32 * pair + 8 * part)
      store(s0 * number(bytes & 15, less: 0) - m0, out, 8 * part, 8)
      store(s1 * number(bytes &>> 4, less: 0) - m1, out, 32 + 8 * part, 8)
    }
  }
}

/// As Q4_K, with a fifth bit: behind the scales 32 bytes, bit j of byte i for number i of stretch j.
@inline(__always)
private func widenQ5K(_ block: UnsafeRawPointer, _ target: UnsafeMutablePointer<Float>) {
  for pair in 0..<4 {
    let (s0, m0) = scaleAndMinimum(block, 2 * pair)
    let (s1, m1) = scaleAndMinimum(block, 2 * pair + 1)
    let out = target + 64 * pair
    let place = Lanes(repeating: UInt32(2 * pair))
    for part in 0..<4 {
      let bytes = eightBytes(block + 48 + 32 * pair + 8 * part)
      let high = eightBytes(block + 16 + 8 * part)
      store(s0 * number(bytes & 15 | fifth(high, place), less: 0) - m0, out, 8 * part, 8)
      store(
        s1 * number(bytes &>> 4 | fifth(high, place &+ 1), less: 0) - m1, out, 32 + 8 * part, 8)
    }
  }
}

/// (d s) (n - 32), with a scale s of eight bits for each 16 numbers: the low halves in 128 bytes, two
/// more bits of each number in 64, 16 bytes of scales, d. Each half of the block lies by itself: four
/// stretches of 32 numbers, two in the low and two in the high halves of 64 bytes.
@inline(__always)
private func widenQ6K(_ block: UnsafeRawPointer, _ target: UnsafeMutablePointer<Float>) {
  let d = float16(block + 208)
  for half in 0..<2 {
    let out = target + 128 * half
    for part in 0..<4 {
      @inline(__always) func write(_ n: Lanes, _ stretch: Int) {
        let place = 192 + 8 * half + 2 * stretch + part >> 1
        let s = block.loadUnaligned(fromByteOffset: place, as: Int8.self)
        store(
          Vector(repeating: d * Float(s)) * number(n, less: 32), out, 32 * stretch + 8 * part, 8)
      }
      let first = eightBytes(block + 64 * half + 8 * part)
      let second = eightBytes(block + 64 * half + 32 + 8 * part)
      let high = eightBytes(block + 128 + 32 * half + 8 * part)
      write(first & 15 | (high &<< 4) & 48, 0)
      write(second & 15 | (high &<< 2) & 48, 1)
      write(first &>> 4 | high & 48, 2)
      write(second &>> 4 | (high &>> 2) & 48, 3)
    }
  }
}

/// The bit at a place of each lane, as the fifth of a number.
@inline(__always)
private func fifth(_ bits: Lanes, _ place: Lanes) -> Lanes { ((bits &>> place) & 1) &<< 4 }

/// d s and dmin m of one of the eight stretches of Q4_K and Q5_K.
@inline(__always)
private func scaleAndMinimum(_ block: UnsafeRawPointer, _ stretch: Int) -> (Vector, Vector) {
  @inline(__always) func byte(_ i: Int) -> UInt8 {
    block.loadUnaligned(fromByteOffset: 4 + i, as: UInt8.self)
  }
  let (s, m): (UInt8, UInt8)
  if stretch < 4 {
    (s, m) = (byte(stretch) & 63, byte(stretch + 4) & 63)
  } else {
    let both = byte(stretch + 4)
    s = both & 15 | (byte(stretch - 4) >> 6) << 4
    m = both >> 4 | (byte(stretch) >> 6) << 4
  }
  return (
    Vector(repeating: float16(block) * Float(s)), Vector(repeating: float16(block + 2) * Float(m))
  )
}

@inline(__always)
private func eightBytes(_ source: UnsafeRawPointer) -> Lanes {
  Lanes(truncatingIfNeeded: source.loadUnaligned(as: SIMD8<UInt8>.self))
}

/// Whole numbers below 2^23, less another one.
@inline(__always)
private func number(_ n: Lanes, less offset: Float) -> Vector {
  unsafeBitCast(n | 0x4B00_0000, to: Vector.self) - Vector(repeating: 0x1p23 + offset)
}

/// A float16 at any address; the product with 2^112 is exact, subnormal numbers too.
@inline(__always)
func float16(_ source: UnsafeRawPointer) -> Float {
  let bits = UInt32(source.loadUnaligned(as: UInt16.self))
  let size = (bits & 0x7FFF) << 13
  let whole =
    size >= 0x0F80_0000
    ? size | 0x7F80_0000 : (Float(bitPattern: size) * 0x1p112).bitPattern
  return Float(bitPattern: whole | (bits & 0x8000) << 16)
}
