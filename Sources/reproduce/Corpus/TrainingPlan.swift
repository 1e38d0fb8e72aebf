// Which sentences are spoken for training, by whom and how.

import Foundation

enum TrainingPlan {
  /// The rows of every voice, without what came out. No text is an evaluation sentence or held out.
  static func rows(excluding evaluation: Set<String>) -> [(voice: Voice, rows: [Row])] {
    // The slowest voices come first, so that two processes end together.
    [Voice.rms, .slt, .awb, .kal, .ked, .espeak].map { voice in
      let count = voice == .espeak ? 3600 : 1600
      return (voice, (0..<count).map { row(voice, $0, excluding: evaluation) })
    }
  }

  private static func row(_ voice: Voice, _ index: Int, excluding evaluation: Set<String>) -> Row {
    var draws = Draws("training/\(voice)/\(index)")
    let mode =
      voice == .espeak
      ? Espeak.variants[index % Espeak.variants.count] : index % 3 == 0 ? "free" : "jitter"
    var delivery = Delivery(
      rate: hundredths(rate(&draws)), pitch: hundredths(draws.uniform(0.8, 1.25)))
    // An engine's own models say statements only.
    if mode != "free" { delivery.isAsking = draws.unit() < 0.35 }
    let frame = frame(draws.unit())
    while true {
      let sentence = Sentence(frame, partnerRate: 0.2, homophoneRate: 0.06, draws: &draws)
      if sentence.isHeldOut || evaluation.contains(sentence.text) { continue }
      if mode == "jitter", draws.unit() < 0.2 {
        delivery.emphasis = draws.pick(
          sentence.words.indices.filter { Lexicon.word(sentence.words[$0]).kind != .function })
      }
      return Row(mode: mode, text: sentence.text, delivery: delivery)
    }
  }

  /// A quarter is fast, a quarter slow, with a margin on either side of what lies between.
  static func rate(_ draws: inout Draws) -> Double {
    switch draws.unit() {
    case ..<0.25: draws.uniform(0.74, 0.86)
    case ..<0.5: draws.uniform(1.16, 1.3)
    default: draws.uniform(0.91, 1.1)
    }
  }

  /// Few have frame A, of which there are few sentences.
  private static func frame(_ unit: Double) -> Frame {
    switch unit {
    case ..<0.08: .a
    case ..<0.42: .b
    case ..<0.58: .c
    case ..<0.9: .d
    default: .e
    }
  }

  static func hundredths(_ value: Double) -> Double { (value * 100).rounded() / 100 }
}
