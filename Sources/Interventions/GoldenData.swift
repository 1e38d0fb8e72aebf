// The files of a folder of golden data, and how each architecture is run on them.

import JSON
import Speech
import Tensor

/// A difference of two outputs at the last position, whose gradients and patched values are stored.
struct GoldenMetric {
  let name: String
  /// Which activation it is read from.
  let output: String
  let a: Int
  let b: Int

  /// What the names of its gradients begin with, and the field of its value after a patch.
  var gradients: String {
    ["unit_metric": "grad_unit/", "audio_metric": "grad_audio/"][name] ?? "grad/"
  }
  var after: String { "\(name)_after" }
}

/// A folder of golden data of one architecture.
struct GoldenData {
  let folder: String
  let model: any SpeechLanguageModel
  let inputs: JSON
  let patches: JSON
  let expected: Safetensors
  let metrics: [GoldenMetric]

  init(folder: String) throws {
    self.folder = folder
    model = try openModel(folder: folder)
    inputs = try readJSON("\(folder)/inputs.json")
    patches = try readJSON("\(folder)/patches.json")
    expected = try Safetensors(path: "\(folder)/expected.safetensors")
    var metrics: [GoldenMetric] = []
    for (name, output) in [("metric", "logits"), ("unit_metric", "gen.logits")] {
      guard let entry = inputs[name] else { continue }
      metrics.append(
        GoldenMetric(name: name, output: output, a: try entry.int("a"), b: try entry.int("b")))
    }
    self.metrics = metrics
    guard let metric = metrics.first, metric.name == "metric" else {
      throw CheckpointError("\(folder)/inputs.json: has no \"metric\"")
    }
    guard [metric.a, metric.b].allSatisfy((0..<model.vocabulary).contains) else {
      throw CheckpointError("\(folder)/inputs.json: the metric's tokens are not in the vocabulary")
    }
  }

  /// Names of the golden data for sites that are called otherwise here.
  var aliases: [(String, Site)] { [("keep", Site(Site.Stage(rawValue: "ctc"), nil, .keep))] }

  /// The front end on the recording, against the stored features.
  func frontEndRows(_ run: String) throws -> [ParityRow] {
    let clip = try model.clip(try Waveform(contentsOf: "\(folder)/\(run).wav"))
    var rows = [
      ParityRow(
        name: "\(run)/mel", difference: try difference(transposed(clip.mel), "\(run)/mel"),
        tolerance: 5e-5)
    ]
    if let filterbank = clip.filterbank, expected.entries["\(run)/beats.fbank"] != nil {
      rows.append(
        ParityRow(
          name: "\(run)/beats.fbank", difference: try difference(filterbank, "\(run)/beats.fbank"),
          tolerance: 5e-5))
    }
    return rows
  }

  /// What the model is run on: the stored features, and the tokens of the run.
  func input(_ run: String) throws -> ModelInput {
    let samples = inputs["num_samples"]?[run]?.int ?? 0
    let valid = inputs["valid_mel_frames"]?[run]?.int ?? (samples + LogMel.hop - 1) / LogMel.hop
    // Not every run's filterbank is stored; the front end's own differs by rounding alone.
    let filterbank =
      try "\(run)/beats.fbank".ifStored(in: expected)
      ?? model.clip(Waveform(contentsOf: "\(folder)/\(run).wav")).filterbank
    let clip = Clip(
      mel: transposed(try expected.tensor("\(run)/mel")), validFrames: valid,
      filterbank: filterbank)
    var input = ModelInput(clip: clip, tokens: try tokens(run))
    input.response = inputs["response_ids"]?.elements?.count
    return input
  }

  /// The tokens of a run; each architecture's folders name them in their own way.
  private func tokens(_ run: String) throws -> [Int] {
    func list(_ json: JSON?) -> [Int]? {
      guard let elements = json?.elements else { return nil }
      let numbers = elements.compactMap(\.int)
      return numbers.count == elements.count ? numbers : nil
    }
    if let before = list(inputs["prompt_ids_before"]), let after = list(inputs["prompt_ids_after"]),
      let bos = inputs["bos"]?.int
    {
      return [bos] + before + [spokenPlaceholder] + after
    }
    let found =
      list(inputs["decoder_input_ids"]) ?? list(inputs["input_ids"])
      ?? list(inputs["prompt_ids"]) ?? list(inputs["prompt_ids"]?[run])
    guard let found else {
      throw CheckpointError("\(folder)/inputs.json: run \"\(run)\" has no tokens")
    }
    return found
  }
}

extension String {
  fileprivate func ifStored(in file: Safetensors) throws -> Tensor? {
    file.entries[self] == nil ? nil : try file.tensor(self)
  }
}
