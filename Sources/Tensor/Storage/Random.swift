// Random numbers that are counted, not drawn: number i of a stream depends on the stream's name
// and on i alone, so that adding a draw in one place moves no other.

/// A stream of random numbers. Streams are split by name.
///
/// Bits are SplitMix64's output function (Steele, Lea and Flood, 2014) applied to a keyed counter.
public struct Random: RandomNumberGenerator, Sendable {
  private let key: UInt64
  private var counter: UInt64 = 0

  public init(seed: UInt64) { key = Random.mix(seed &+ 0x9E37_79B9_7F4A_7C15) }

  /// The stream of this name below this one; independent of how far this one has been read.
  public func split(_ name: String) -> Random {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return Random(seed: key ^ Random.mix(hash))
  }

  public func split(_ index: Int) -> Random { split("#\(index)") }

  private static func mix(_ x: UInt64) -> UInt64 {
    var z = x
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  public mutating func next() -> UInt64 {
    counter &+= 1
    return Random.mix(key &+ counter &* 0x9E37_79B9_7F4A_7C15)
  }

  /// A number in [0, 1) with 53 random bits.
  public mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  public mutating func uniform(_ range: ClosedRange<Double>) -> Double {
    range.lowerBound + (range.upperBound - range.lowerBound) * uniform()
  }

  /// A whole number in 0..<bound.
  public mutating func below(_ bound: Int) -> Int {
    precondition(bound > 0)
    return Int(next().multipliedFullWidth(by: UInt64(bound)).high)
  }

  /// A number of the standard normal distribution (Box and Muller, 1958).
  public mutating func normal() -> Double {
    let radius = (-2 * Elementary.log(1 - uniform())).squareRoot()
    return radius * Elementary.cos(6.283_185_307_179_586 * uniform())
  }

  /// The numbers 0..<count in random order.
  public mutating func permutation(_ count: Int) -> [Int] {
    var order = Array(0..<count)
    for i in stride(from: count - 1, to: 0, by: -1) { order.swapAt(i, below(i + 1)) }
    return order
  }
}

extension Tensor {
  /// Numbers of a normal distribution with mean 0.
  public init(_ shape: [Int], normal deviation: Double, _ random: Random) {
    self.init(uninitialized: shape)
    var random = random
    for i in 0..<count { start[i] = Float(deviation * random.normal()) }
  }
}
