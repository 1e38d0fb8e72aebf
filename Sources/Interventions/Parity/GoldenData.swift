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
  /// The row of the last step that is read; the last where nil.
  var subStep: Int?

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
    for (name, output) in [
      ("metric", "logits"), ("unit_metric", "gen.logits"), ("audio_metric", "depth.logits"),
    ] {
      guard let entry = inputs[name] else { continue }
      metrics.append(
        GoldenMetric(
          name: name, output: output, a: try entry.int("a"), b: try entry.int("b"),
          subStep: entry["codebook"]?.int))
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
  var aliases: [(String, Site)] {
    [("keep", "ctc.keep"), ("audio_logits", "depth.logits")].map { ($0, Site($1)!) }
  }

  /// The front end on the recording, against the stored features.
  func frontEndRows(_ run: String) throws -> [ParityRow] {
    let clip = try model.clip(try Waveform(contentsOf: "\(folder)/\(run).wav"))
    if expected.entries["\(run)/wave24k"] != nil {
      let stored = try expected.tensor("\(run)/wave24k").count
      let silence = [Float](repeating: 0, count: max(0, stored - clip.samples.count))
      let wave = Tensor([stored], Array((clip.samples + silence).prefix(stored)))
      return [
        ParityRow(
          name: "\(run)/wave24k", difference: try difference(wave, "\(run)/wave24k"),
          tolerance: 2e-5)
      ]
    }
    if !clip.samples.isEmpty { return [] }
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
    let path = "\(folder)/\(run).wav"
    if model is Mimi || model is Moshi {
      let samples =
        try "\(run)/wave24k".ifStored(in: expected)?.numbers
        ?? model.clip(Waveform(contentsOf: path)).samples
      func stream(_ json: JSON) -> [Int] { json.elements?.compactMap(\.int) ?? [] }
      var input = ModelInput(
        clip: Clip(samples: samples), tokens: inputs["text_stream"].map(stream) ?? [])
      input.voice = inputs["moshi_stream"]?.elements?.map(stream)
      return input
    }
    let samples = inputs["num_samples"]?[run]?.int ?? 0
    let mel = transposed(try expected.tensor("\(run)/mel"))
    // A recording that is longer than the model takes is cut.
    let valid = min(
      inputs["valid_mel_frames"]?[run]?.int ?? (samples + LogMel.hop - 1) / LogMel.hop, mel.rows)
    // Not every run's filterbank is stored; the front end's own differs by rounding alone.
    let filterbank =
      try "\(run)/beats.fbank".ifStored(in: expected)
      ?? model.clip(Waveform(contentsOf: path)).filterbank
    let clip = Clip(mel: mel, validFrames: valid, filterbank: filterbank)
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
