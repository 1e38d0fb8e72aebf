// Random numbers that depend on a name and a counter only, so one more draw moves no other.

/// A stream of draws that its name determines, whatever was drawn elsewhere.
struct Draws {
  private let key: UInt64
  private var counter: UInt64 = 0

  /// - Parameter name: what is drawn, for example `training/kal/17/jitter`.
  init(_ name: String, seed: UInt64 = 1) { key = Draws.hash(name) ^ Draws.mix(seed) }

  mutating func next() -> UInt64 {
    counter += 1
    return Draws.mix(key &+ counter &* 0x9E37_79B9_7F4A_7C15)
  }

  /// Uniform in 0 ..< 1.
  mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

  mutating func uniform(_ low: Double, _ high: Double) -> Double { low + (high - low) * unit() }

  mutating func pick<T>(_ items: [T]) -> T { items[Int(next() % UInt64(items.count))] }

  /// FNV-1a of the text's UTF-8.
  static func hash(_ text: String) -> UInt64 {
    text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0100_0000_01B3 }
  }

  /// The finaliser of SplitMix64.
  private static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
