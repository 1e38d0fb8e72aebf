// Which sentences are spoken for training, by whom and how.

import Foundation

enum TrainingPlan {
  /// The rows of every voice, without what came out. No text is an evaluation sentence or held out.
  static func rows(excluding evaluation: Set<String>) -> [(voice: Voice, rows: [Row])] {
    // The slowest voices come first, so that two processes end together.
    [Voice.rms, .slt, .awb, .kal, .ked, .espeak].map { voice in
      let count = voice == .espeak ? 2000 : 1400
      return (voice, (0..<count).map { row(voice, $0, excluding: evaluation) })
    }
  }

  private static func row(_ voice: Voice, _ index: Int, excluding evaluation: Set<String>) -> Row {
    var draws = Draws("training/\(voice)/\(index)")
    let mode =
      voice == .espeak
      ? Espeak.variants[index % Espeak.variants.count] : index % 2 == 0 ? "jitter" : "free"
    let rate = hundredths(draws.uniform(0.8, 1.15))
    let pitch = hundredths(draws.uniform(0.8, 1.25))
    let frame = frame(draws.unit())
    while true {
      let sentence = Sentence(frame, partnerRate: 0.2, draws: &draws)
      if !sentence.isHeldOut, !evaluation.contains(sentence.text) {
        return Row(mode: mode, text: sentence.text, rate: rate, pitch: pitch)
      }
    }
  }

  /// One in ten has frame A, of which there are few sentences.
  private static func frame(_ unit: Double) -> Frame {
    switch unit {
    case ..<0.1: .a
    case ..<0.45: .b
    case ..<0.65: .c
    default: .d
    }
  }

  private static func hundredths(_ value: Double) -> Double { (value * 100).rounded() / 100 }
}
