// Which sentences of free speech are spoken, by whom and how.

enum FreePlan {
  /// Sentences of each voice: those of training, and behind them those with a word never trained on.
  static let (training, test) = (400, 40)

  /// The rows of every voice, without what came out.
  static func rows() -> [(voice: Voice, rows: [Row])] {
    // The slowest voices come first, so that two processes end together.
    [Voice.rms, .slt, .awb, .kal, .ked, .espeak].map { voice in
      (voice, (0..<training + test).map { row(voice, $0) })
    }
  }

  private static func row(_ voice: Voice, _ index: Int) -> Row {
    var draws = Draws("free/\(voice)/\(index)")
    let delivery = Delivery(
      rate: TrainingPlan.hundredths(TrainingPlan.rate(&draws)),
      pitch: TrainingPlan.hundredths(draws.uniform(0.8, 1.25)))
    let mode = voice == .espeak ? Espeak.variants[index % Espeak.variants.count] : "text"
    let frame = draws.pick(FreeFrame.allCases)
    while true {
      let sentence = FreeSentence(frame, draws: &draws)
      if sentence.heldOut.isEmpty == (index < training) {
        return Row(mode: mode, text: sentence.text, delivery: delivery)
      }
    }
  }
}
