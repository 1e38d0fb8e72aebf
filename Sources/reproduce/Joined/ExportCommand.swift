// `reproduce export DIR`: a checkpoint as one plain folder that transformers opens.

import ArgumentParser
import Foundation
import JSON
import Notebook
import Speech

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes a checkpoint of the Qwen2-Audio architecture as a plain Hugging Face folder.",
    discussion: """
      Float32, whatever the parts are kept in; 2.5 GB for qwen2-audio-published. transformers opens the \
      folder with Qwen2AudioForConditionalGeneration.from_pretrained.
      """)

  @Argument(help: "The folder to write; made where it is not there.") var directory: String
  @Option(help: "The checkpoint folder.") var model = "artifacts/\(JoinedFolder.name)"

  func run() throws {
    guard let config = try openConfig(folder: model) as? Qwen2AudioConfig else {
      throw CheckpointError("\(model): is no Qwen2-Audio; only that architecture is exported")
    }
    guard !config.hasLayersBeside else {
      throw CheckpointError(
        "\(model): has two layers beside its projector's linear one, which transformers' Qwen2-Audio lacks; "
          + "only this package opens it")
    }
    let checkpoint = try Checkpoint(folder: model)
    let shapes = config.parameterShapes.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    let needed = shapes.reduce(0) { $0 + 4 * $1.1.reduce(1, *) }
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true)
    let room = try FileManager.default.attributesOfFileSystem(forPath: directory)[.systemFreeSize]
    if let room = room as? NSNumber, room.intValue < needed {
      throw CheckpointError(
        "\(directory): \(needed >> 20) MiB are needed, \(room.intValue >> 20) MiB are free; name a folder "
          + "on another disk")
    }
    var description = try Checkpoint(folder: model).config.members ?? [:]
    description["torch_dtype"] = "float32"
    var outputs = [
      Output("\(directory)/config.json", text: JSON.object(description).text),
      Output("\(directory)/model.safetensors") { path in
        try writeSafetensors(shapes, to: path) { name, shape in
          let names = config.aliases(of: name)
          if !checkpoint.contains(names), let table = config.substitute(for: name) { return table }
          return try checkpoint.tensor(names, shape: shape)
        }
      },
    ]
    for name in ["preprocessor_config.json", "generation_config.json"]
    where FileManager.default.fileExists(atPath: "\(model)/\(name)") {
      let text = try String(contentsOfFile: "\(model)/\(name)", encoding: .utf8)
      outputs.append(Output("\(directory)/\(name)", text: text))
    }
    outputs.append(
      Output("\(directory)/tokenizer.json", text: try Tokenizer.json(folder: model).text))
    try publish(outputs)
    print("\(directory): \(shapes.count) tensors, \(needed >> 20) MiB")
  }
}
