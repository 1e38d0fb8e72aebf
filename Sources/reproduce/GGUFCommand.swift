// `reproduce gguf DIR`: what a language model's GGUF file holds and how fast it runs, for
// Tests/Peers/compare_gguf.py, which computes the same without this package's code.

import ArgumentParser
import Foundation
import JSON
import Notebook
import Speech
import Tensor

struct GGUFCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gguf",
    abstract: "Values, tokens and speed of a language model in a GGUF file, as JSON.")

  @Argument(help: "The folder of the file.") var folder: String
  @Option(help: "A JSON list of texts, whose tokens are wanted.") var texts: String?
  @Flag(help: "The SHA-256 of every tensor's numbers as Float32.") var values = false
  @Option(help: "Time a step forward, and one forward and back, on so many positions.")
  var positions: Int?
  @Option(help: "Where to write.") var out: String

  func run() throws {
    var members: [String: JSON] = [:]
    if values {
      let names = try FileManager.default.contentsOfDirectory(atPath: folder)
      guard let name = names.first(where: { $0.hasSuffix(".gguf") }) else {
        throw CheckpointError("\(folder): has no GGUF file; fetch one")
      }
      let file = try GGUF(path: "\(folder)/\(name)")
      let sorted = file.entries.keys.sorted()
      let digests = try mapInParallel(sorted.count) { i in
        try file.tensor(sorted[i]).withNumbers { numbers in
          Digest(of: UnsafeRawBufferPointer(numbers)).description
        }
      }
      members["values"] = .object(
        Dictionary(uniqueKeysWithValues: zip(sorted, digests.map { .string($0) })))
    }
    if let texts {
      let tokenizer = try Tokenizer(folder: folder)
      members["tokens"] = .array(
        try (readJSON(texts).elements ?? []).map { text in
          let tokens = try tokenizer.encode(text.string ?? "", addingSpecialTokens: false)
          return .array(tokens.map { .integer($0) })
        })
    }
    if let positions { members["seconds"] = try seconds(positions) }
    try writeAtomically(JSON.object(members).text + "\n", to: out)
  }

  /// The best of five steps that read the last position, and all of them.
  private func seconds(_ positions: Int) throws -> JSON {
    let model = try TextModel(folder: folder)
    let tokens = (0..<positions).map { 1000 + 37 * $0 }
    func best(_ body: () throws -> Void) rethrows -> JSON {
      let times = try (0..<5).map { _ in
        let start = DispatchTime.now().uptimeNanoseconds
        try body()
        return Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
      }
      return .number(times.min()!)
    }
    var result: [String: JSON] = [:]
    for (name, rows) in [("last", [positions - 1]), ("all", Array(0..<positions))] {
      result["forward_\(name)"] = try best { _ = try model.logits(of: tokens, rows: rows) }
      result["back_\(name)"] = try best {
        let x = try model.embedded(tokens).variable
        let logits = model.logits(ofEmbedded: x, rows: rows)
        _ = logits.gradients(
          of: [x], weights: Tensor(logits.shape, repeating: 1 / Float(logits.count)))
      }
    }
    return .object(result)
  }
}
