// `reproduce outputs`: greedy answers and the logits behind them, for an independent program to repeat.

import ArgumentParser
import Corpus
import Foundation
import Interventions
import JSON
import Notebook
import Speech
import Tensor

struct Outputs: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes a checkpoint's answers and logits on the evaluation set (for Tests/Peers).")

  @Option(help: "The checkpoint.") var model = Recipe.all[0].folder
  @Option(help: "The JSON file to write.") var out: String
  @Option(help: "A file with the path of a recording on each line, in place of the set.")
  var recordings: String?
  @Option(help: "With --recordings: what is asked of each; nothing of a Whisper.") var prompt = ""
  @Option(help: "With --recordings: of how many, the first ones, logits are written too.")
  var logits = 0
  @Option(help: "With --recordings: the most tokens to say of each.") var limit = 64

  func run() throws {
    if let recordings {
      let list = try String(contentsOfFile: recordings, encoding: .utf8)
      let rows = try Outputs.said(
        model, of: list.split(separator: "\n").map(String.init), asking: prompt, logits: logits,
        limit: limit)
      return try write(rows)
    }
    let repository = try Repository()
    let speech = try SpeechModel(folder: model)
    let suite = try PairSuite(manifest: repository.url("data-manifests/evaluation.json").path)
    let rows = try mapInParallel(suite.utterances.count) { i -> JSON in
      let utterance = suite.utterances[i]
      let clip = try speech.clip(Waveform(contentsOf: repository.url(utterance.file).path))
      let answers = try utterance.questions.map { question -> JSON in
        let tokens = try PromptTemplate().tokens(
          question.prompt, for: speech.config, speech.tokenizer)
        let run = try speech.model.run(ModelInput(clip: clip, tokens: tokens), tap: nil)
        let logits = gatherRows(run.logits, [run.logits.rows - 1]).numbers
        return [
          "prompt": .string(question.prompt), "expected": .string(question.answer),
          "tokens": .array(
            try speech.greedy(clip, prompt: question.prompt).map { .integer($0) }),
          "logits": .array(logits.map { .number(Double($0)) }),
        ]
      }
      return ["file": .string(utterance.file), "answers": .array(answers)]
    }
    try write(.array(rows))
  }

  private func write(_ rows: JSON) throws {
    let url = URL(fileURLWithPath: out)
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try writeAtomically(rows.compactText, to: url.path)
  }
}
