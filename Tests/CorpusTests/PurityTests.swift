// Acoustic purity: nothing where nothing differs, all of it where the change is, and moments of one
// member found in the other.

import Corpus
import Foundation
import Testing

@Suite struct PurityTests {
  /// Tones one after another, each of so many samples at 16 kHz.
  func tones(_ parts: [(step: Double, count: Int)]) -> [Float] {
    parts.flatMap { step, count in (0..<count).map { Float(0.2 * sin(step * Double($0))) } }
  }

  func purity(
    _ clean: [Float], _ corrupt: [Float], spans: [Range<Double>]?,
    _ boundaries: (clean: [Double], corrupt: [Double])? = nil
  ) -> Purity {
    Purity(
      clean: clean, corrupt: corrupt, spans: spans,
      boundaries: boundaries
        ?? ([Double(clean.count) / 16], [Double(corrupt.count) / 16]))
  }

  @Test func theChangeIsWhereItIs() {
    let clean = tones([(0.2, 8000), (0.5, 8000), (0.9, 8000)])
    let corrupt = tones([(0.2, 8000), (1.4, 8000), (0.9, 8000)])
    #expect(
      purity(clean, clean, spans: [500..<1000]) == purity(corrupt, corrupt, spans: [500..<1000]))
    #expect(purity(clean, clean, spans: nil).inside == 0)
    // Frames reach 12.5 ms beyond the changed span.
    let exact = purity(clean, corrupt, spans: [480..<1020])
    #expect(exact.inside > 20 && exact.outside == 0, "\(exact)")
    let beside = purity(clean, corrupt, spans: [0..<480, 1020..<1500])
    #expect(beside.inside == 0 && beside.outside == exact.inside, "\(beside)")
    #expect(purity(clean, corrupt, spans: nil).outside == nil)
  }

  @Test func segmentsAreFoundInTheOtherMember() {
    let clean = tones([(0.2, 8000), (0.9, 8000)])
    let corrupt = tones([(0.2, 4000), (0.9, 16_000)])
    let blind = purity(clean, corrupt, spans: nil)
    let told = purity(clean, corrupt, spans: nil, ([500, 1000], [250, 1250]))
    #expect(told.inside < blind.inside / 2, "\(told) \(blind)")
    // Behind the last boundary time goes on as before.
    let later = purity(clean, clean, spans: nil, ([500], [500]))
    #expect(later.inside == 0)
  }

  @Test func levelCountsInDecibels() {
    let clean = tones([(0.4, 16_000)])
    let louder = purity(clean, clean.map { 2 * $0 }, spans: nil)
    // 6 dB wherever there is sound; bands that hold none lie at the floor of both.
    #expect(louder.inside > 3 && louder.inside < 6.03, "\(louder)")
  }
}
