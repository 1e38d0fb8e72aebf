// Behaviour of a model on the suite: does it say what was said, and does it choose the right word?

import Tensor

extension SpeechModel {
  /// Whether greedy decoding of `prompt` gives exactly `answer` and then stops.
  ///
  /// One pass over prompt and answer decides it: greedy decoding follows the answer as long as
  /// every token of it is the most probable one.
  public func answers(_ clip: Clip, prompt: String, with answer: String) throws -> Bool {
    let start = try tokens(for: prompt, clip: clip)
    let said = try textTokens(answer)
    let batch = try Batch(config.sound, clips: [clip], prompts: [Prompt(start + said)])
    let rows = Array((start.count - 1)..<(start.count + said.count))
    let logits = model.logits(after: .encoder(0), model.embedded(batch), in: batch, rows: rows)
    return (said.map { [$0] } + [Array(endTokens)]).enumerated().allSatisfy { row, expected in
      expected.contains(
        (0..<logits.width).reduce(0) { logits[row, $1] > logits[row, $0] ? $1 : $0 })
    }
  }
}
