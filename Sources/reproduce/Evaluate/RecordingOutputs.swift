// What a model says of recordings, and the logits behind its first token, for an independent program to
// repeat.

import Foundation
import JSON
import Speech
import Tensor

extension Outputs {
  /// A row for each recording of a list: its file, the prompt, the greedy tokens with the published
  /// suppression, and of the first ones the logits of the last position of the prompt.
  ///
  /// - Parameter text: what is asked; nothing of a Whisper
  static func said(
    _ folder: String, of recordings: [String], asking text: String, logits: Int, limit: Int
  ) throws -> JSON {
    let opened = try OpenedFolder(folder)
    let prompt = try PromptTemplate().tokens(
      text, for: opened.config, Tokenizer(folder: folder))
    var generation = try GenerationConfig(folder: folder)
    generation.limit = limit
    let model = opened.model
    return .array(
      try mapInParallel(recordings.count) { [generation] i -> JSON in
        let clip = try model.clip(Waveform(contentsOf: recordings[i]))
        let input = ModelInput(clip: clip, tokens: prompt)
        let said = try model.generate(input, generation) { _ in }
        var row: [String: JSON] = [
          "file": .string(recordings[i]), "prompt": .array(prompt.map { .integer($0) }),
          "tokens": .array(said.tokens.map { .integer($0) }), "ended": .bool(said.ended),
        ]
        if i < logits {
          let all = try model.run(input, tap: nil).logits
          row["logits"] = .array(
            gatherRows(all, [all.rows - 1]).numbers.map { .number(Double($0)) })
        }
        return .object(row)
      })
  }
}
