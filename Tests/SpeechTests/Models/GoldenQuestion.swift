// The recordings and prompts of the golden folders, as the tests of every architecture ask them.

import Interventions
import JSON
import Speech

/// What the golden run of a folder is asked: its prompt, with one placeholder where it has one, and its
/// metric's tokens as answers.
func goldenQuestion(_ folder: String, _ run: String, _ model: any SpeechLanguageModel) throws
  -> Question
{
  let inputs = try readJSON(stored("\(folder)/inputs.json"))
  func list(_ key: String) -> [Int]? {
    (inputs[key]?.elements ?? inputs[key]?["base"]?.elements)?.compactMap(\.int)
  }
  let tokens: [Int]
  if let before = list("prompt_ids_before"), let after = list("prompt_ids_after") {
    tokens = [1] + before + [spokenPlaceholder] + after
  } else if let whole = list("decoder_input_ids") ?? list("text_stream") {
    tokens = whole
  } else if let placeholder = model.placeholder {
    // One placeholder, as runs of other recordings have other numbers of tokens.
    let given = list("input_ids") ?? list("prompt_ids") ?? []
    let first = given.firstIndex(of: placeholder)!
    tokens = given[...first] + given[(first + 1)...].filter { $0 != placeholder }
  } else {
    tokens = []
  }
  // A codec has neither text nor answers: two numbers of its latents stand for them.
  let metric = inputs["metric"] ?? ["a": 5, "b": 9]
  let clip = try model.clip(try Waveform(contentsOf: stored("\(folder)/\(run).wav")))
  return Question(
    clip: clip, tokens: Array(tokens), answer: metric["a"]!.int!, foil: metric["b"]!.int!)
}
