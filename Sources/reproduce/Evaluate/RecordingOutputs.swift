// What a Whisper writes of recordings, and the logits behind its first token, for an independent program
// to repeat.

import Foundation
import JSON
import Speech
import Tensor

extension Outputs {
  /// A row for each recording of a list: its file, the prompt, the greedy tokens with the published
  /// suppression, and of the first ones the logits of the last position of the prompt.
  static func whisper(_ folder: String, recordings: [String], logits: Int, limit: Int) throws
    -> JSON
  {
    let opened = try OpenedFolder(folder)
    guard let config = opened.config as? WhisperConfig else {
      throw CorpusError("\(folder): is no Whisper; leave --recordings out")
    }
    let prompt = try PromptTemplate().tokens("", for: config, Tokenizer(folder: folder))
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
