// Rotary positions as the reference has them, transformers 5.23 with PyTorch on CPU.

import Tensor
import Testing

@Suite struct RotaryTests {
  struct Angle: Sendable {
    let pair: Int
    let (cosine, sine): (Float, Float)
  }

  struct Table: Sendable {
    let (width, theta, original): (Int, Double, Float)
    let angles: [Angle]
  }

  /// At position 4000 a frequency that is off by its last bit turns its pair by up to 1.5e-4. Pairs 6
  /// and 9 were off where a number over a tensor was rounded once.
  @Test(arguments: [
    Table(
      width: 64, theta: 10_000, original: 100,
      angles: [
        Angle(pair: 5, cosine: 0.990_373_730_659_484_9, sine: 0.138_418_987_393_379_2),
        Angle(pair: 6, cosine: -0.865_365_266_799_926_8, sine: -0.501_141_607_761_383_1),
        Angle(pair: 9, cosine: -0.526_836_991_310_119_6, sine: -0.849_966_347_217_559_8),
        Angle(pair: 12, cosine: -0.994_656_324_386_596_7, sine: -0.103_241_413_831_710_82),
      ]),
    Table(
      width: 128, theta: 500_000, original: 64,
      angles: [
        Angle(pair: 8, cosine: -0.951_966_047_286_987_3, sine: -0.306_203_633_546_829_2),
        Angle(pair: 9, cosine: -0.923_760_056_495_666_5, sine: 0.382_971_823_215_484_6),
        Angle(pair: 10, cosine: -0.497_714_847_326_278_7, sine: -0.867_340_743_541_717_5),
        Angle(pair: 30, cosine: 0.484_014_481_306_076, sine: 0.875_059_962_272_644),
      ]),
  ])
  func scaledFrequenciesAreRoundedAsTheReference(_ table: Table) {
    let (width, half) = (table.width, table.width / 2)
    let rotation = RotaryTable(
      positions: 5000, headWidth: width, theta: table.theta,
      scaling: .llama3(
        factor: 8, lowFactor: 1, highFactor: 4, originalPositions: table.original))
    let first = Tensor([1, width], (0..<width).map { $0 < half ? 1 : 0 })
    let turned = rotary(first, positions: [4000], table: rotation.covering([4000]))
    for angle in table.angles {
      let cosine = abs(turned[0, angle.pair] - angle.cosine)
      let sine = abs(turned[0, half + angle.pair] - angle.sine)
      #expect(max(cosine, sine) < 1e-6, "pair \(angle.pair): \(cosine), \(sine)")
    }
  }
}
