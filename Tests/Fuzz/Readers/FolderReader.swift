// Checkpoint folders: the files of JSON and text in them are the bytes, cut at zero bytes, and the
// weights are made to what config.json asks for, where that is little.

import Foundation
import JSON
import Speech
import Tensor

/// In the order of the bytes; what is absent there is absent in the folder.
private let files = [
  "config.json", "model.safetensors.index.json", "preprocessor_config.json",
  "generation_config.json", "vocab.json", "merges.txt", "tokenizer_config.json",
  "added_tokens.json",
]

/// The most numbers for which weights are made, and the most positions that are run.
private let (most, longest) = (1 << 15, 200)

func readFolder(_ bytes: [UInt8]) throws {
  let parts = bytes.split(
    separator: 0, maxSplits: files.count - 1, omittingEmptySubsequences: false)
  for (i, file) in files.enumerated() {
    unlink("\(scratch)/\(file)")
    if i < parts.count, !parts[i].isEmpty { write(parts[i], to: "\(scratch)/\(file)") }
  }
  for file in ["m.safetensors", "m.pt", "model.safetensors"] { unlink("\(scratch)/\(file)") }
  write(small, to: "\(scratch)/a.safetensors")

  let tokenizer = Result { try Tokenizer(folder: scratch) }
  if case .success(let tokenizer) = tokenizer { _ = try? tokenizer.encode("the words") }
  let config = try openConfig(folder: scratch)
  _ = (config.architecture, config.stages, config.cacheBytes)
  let count = config.parameterShapes.values.reduce(0) { $0 + $1.reduce(1, *) }
  if parts.count < 2 || parts[1].isEmpty, count <= most {
    let tensors = config.parameterShapes.mapValues { Tensor($0, repeating: 0.125) }
    write(safetensorsBytes(tensors), to: "\(scratch)/model.safetensors")
  }
  _ = try Checkpoint(folder: scratch).audit(config).description
  let model = try openModel(folder: scratch)
  _ = try (model.sites.map { "\($0)" }, GenerationConfig(folder: scratch))
  if config.stages.allSatisfy({ $0.positions ?? 0 <= longest }), count <= most {
    let sound = (0..<4000).map { Float($0 % 50) / 100 }
    let tokens = [model.placeholder ?? 0, 1]
    let input = ModelInput(clip: try model.clip(Waveform(samples: sound)), tokens: tokens)
    let run = try model.run(input, tap: nil)
    // A codec has no words.
    precondition(
      config is MimiConfig || run.logits.width == model.vocabulary, "\(run.logits.shape)")
  }
  // A model runs without words; what is said with them needs a tokenizer of its own format.
  _ = try? SpeechModel(folder: scratch)
}

/// The one shard that an index can name.
private let small = safetensorsBytes(["a": Tensor([2], [1, 2]), "b": Tensor([1], [3])])
