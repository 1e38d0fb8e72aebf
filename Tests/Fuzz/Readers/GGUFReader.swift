// GGUF files: every tensor and list is read, then the tokenizer and the language model that the file
// describes, and where there is one, it is run.

import Foundation
import Speech

func readGGUF(_ bytes: [UInt8]) throws {
  let folder = "\(scratch)/language-model"
  try! FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  write(bytes, to: "\(folder)/model.gguf")
  let file = try GGUF(path: "\(folder)/model.gguf")
  try readTensors(of: file, in: bytes.count)
  for (key, value) in file.metadata {
    guard let list = value.list else { continue }
    let strings = try? list.strings(key)
    let numbers = try? list.integers(key)
    precondition(
      (strings?.count ?? list.count, numbers?.count ?? list.count) == (list.count, list.count))
  }
  // What is wrong with one of them must not hide the other.
  let tokenizer = Result { try Tokenizer(gguf: file) }
  if case .success(let tokenizer) = tokenizer { try encode(sample, with: tokenizer) }
  let model = try TextModel(folder: folder)
  _ = (model.config.stages, model.sites.map { "\($0)" })
  let logits = try model.logits(of: [0, model.vocabulary - 1])
  precondition(logits.shape == [2, model.vocabulary])
  // A small vocabulary lacks words of the template.
  let prompt = try? PromptTemplate().tokens("a", for: model.config, tokenizer.get())
  var config = try GenerationConfig(folder: folder)
  config.limit = 4
  _ = try? model.generate(prompt ?? [0], config)
}
