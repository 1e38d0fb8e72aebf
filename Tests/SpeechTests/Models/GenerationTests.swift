// Greedy generation: the same tokens as `generate()` of transformers, and as without a cache.

import Foundation
import JSON
import Speech
import Tensor
import Testing

@Suite struct GenerationTests {
  let model: any SpeechLanguageModel
  let inputs: JSON
  let expected: Safetensors

  init() throws {
    let folder = stored("qwen2-audio")
    model = try openModel(folder: folder)
    inputs = try readJSON("\(folder)/inputs.json")
    expected = try Safetensors(path: "\(folder)/expected.safetensors")
  }

  /// The stored features and tokens of one run.
  func input(_ run: String) throws -> ModelInput {
    let mel = try expected.tensor("\(run)/mel")
    var turned = [Float](repeating: 0, count: mel.count)
    for band in 0..<mel.rows {
      for frame in 0..<mel.width { turned[frame * mel.rows + band] = mel[band, frame] }
    }
    let clip = Clip(
      mel: Tensor([mel.width, mel.rows], turned),
      validFrames: try inputs.object("valid_mel_frames")[run]!.int!)
    return ModelInput(
      clip: clip, tokens: try inputs.object("prompt_ids")[run]!.elements!.compactMap(\.int))
  }

  @Test func saysWhatTransformersSays() throws {
    let cases = try readJSON(stored("qwen2-audio/generate.json")).array("cases")
    #expect(cases.count == 18)
    for entry in cases {
      var config = GenerationConfig()
      config.limit = 24
      config.repetitionPenalty = Float(try entry.double("repetition_penalty"))
      config.endTokens = Set([entry["eos_token_id"]?.int].compactMap { $0 })
      let said = try model.generate(try input(entry.string("run")), config) { _ in }
      let tokens = try entry.array("tokens").compactMap(\.int)
      let ends = tokens.last.map(config.endTokens.contains) ?? false
      #expect(said == Generated(tokens: ends ? Array(tokens.dropLast()) : tokens, ended: ends))
    }
  }

  /// Every step's choice is that of a full run over the same tokens.
  @Test func aCachedStepIsAFullRun() throws {
    var config = GenerationConfig()
    config.limit = 30
    var input = try input("source")
    let said = try model.generate(input, config) { _ in }
    #expect(said.tokens.count == 30)
    for token in said.tokens {
      let all = try model.run(input, tap: nil).logits
      let last = gatherRows(all, [all.rows - 1]).numbers
      #expect(last.firstIndex(of: last.max()!) == token)
      input.tokens.append(token)
    }
  }

  @Test func readsWhatTheFolderSays() throws {
    let folder = try Scratch()
    _ = try folder.file("config.json", Array(#"{"text_config": {"eos_token_id": 7}}"#.utf8))
    #expect(try GenerationConfig(folder: folder.path).endTokens == [7])
    _ = try folder.file(
      "generation_config.json", Array(#"{"eos_token_id": [3, 4], "repetition_penalty": 1.5}"#.utf8))
    let config = try GenerationConfig(folder: folder.path)
    #expect(config.endTokens == [3, 4] && config.repetitionPenalty == 1.5)
    for bad in [#"{"eos_token_id": ["a"]}"#, #"{"repetition_penalty": 0}"#] {
      _ = try folder.file("generation_config.json", Array(bad.utf8))
      #expect(throws: CheckpointError.self) { _ = try GenerationConfig(folder: folder.path) }
    }
  }
}
