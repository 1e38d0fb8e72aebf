import Foundation
import Notebook
import Testing

/// A value that is resumed has the bits of the value that was computed.
struct StoredValueTests {
  struct Effect: Codable, Sendable {
    var map: [[Float]]
    var total: Double
    var peak: Float?
    var name: String
  }

  let checkout = Checkout()

  /// Bit patterns from all over: every exponent, both signs, zeros, subnormals, infinities.
  private func patterns(_ count: Int) -> [UInt64] {
    var state: UInt64 = 88_172_645_463_325_252
    let edges: [Double] = [
      0, -0.0, .infinity, -.infinity, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 0.1, 1 / 3,
    ]
    return edges.map(\.bitPattern)
      + (0..<count).map { _ in
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
      }
  }

  private var doubles: [Double] {
    patterns(2000).map { Double(bitPattern: $0) }.filter { !$0.isNaN }
  }

  private var floats: [Float] {
    [0, -0.0, .infinity, -.infinity, .leastNonzeroMagnitude, .greatestFiniteMagnitude]
      + patterns(2000).map { Float(bitPattern: UInt32(truncatingIfNeeded: $0)) }.filter {
        !$0.isNaN
      }
  }

  /// The value as a first run gives it, and as a second one finds it.
  private func storedAndResumed<Value: Codable & Sendable>(_ value: Value) -> [Value] {
    let first = checkout.notebook().cell("value") { value }
    let second = checkout.notebook().cell("value") { () -> Value in
      Issue.record("computed again")
      return value
    }
    return [first, second]
  }

  /// Of numbers with their bits, so that -0 is not 0; a failure does not print thousands of them.
  private func expectSame<Bits: Equatable>(
    _ resumed: [[Bits]], _ computed: [Bits], _ location: SourceLocation = #_sourceLocation
  ) {
    for values in resumed {
      let first = zip(values, computed).first { $0 != $1 }
      #expect(first == nil && values.count == computed.count, sourceLocation: location)
    }
  }

  @Test func arraysOfDoubles() {
    expectSame(storedAndResumed(doubles).map { $0.map(\.bitPattern) }, doubles.map(\.bitPattern))
  }

  @Test func arraysOfFloats() {
    expectSame(storedAndResumed(floats).map { $0.map(\.bitPattern) }, floats.map(\.bitPattern))
  }

  @Test func emptyArrays() { #expect(storedAndResumed([Float]()) == [[], []]) }

  @Test func structures() {
    let effects = zip(doubles, floats).map {
      Effect(map: [[$1], [], [$1, 1]], total: $0, peak: $1 < 0 ? nil : $1, name: "ʃ \"\n\t")
    }
    let resumed = storedAndResumed(effects)
    func expectSame<Bits: Equatable>(_ bits: (Effect) -> Bits) {
      self.expectSame(resumed.map { $0.map(bits) }, effects.map(bits))
    }
    expectSame(\.total.bitPattern)
    expectSame { $0.map.map { $0.map(\.bitPattern) } }
    expectSame(\.peak?.bitPattern)
    expectSame(\.name)
  }

  @Test func plainValues() {
    #expect(storedAndResumed(0.1 + 0.2) == [0.1 + 0.2, 0.1 + 0.2])
    #expect(storedAndResumed([[-0.0 as Float, 0]])[1][0].map(\.sign) == [.minus, .plus])
  }

  @Test func aValueOfAnotherTypeIsComputedAgain() {
    _ = checkout.notebook().cell("value") { "text" }
    #expect(checkout.notebook().cell("value") { 4 } == 4)
  }
}
