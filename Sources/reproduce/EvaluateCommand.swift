// `reproduce evaluate`: what the stored checkpoint answers on every evaluation utterance.

import ArgumentParser
import Foundation
import Interventions
import JSON
import Speech
import Tensor

struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Transcribes the evaluation suite and answers its pairs.",
    discussion: """
      Prints exact transcription, short answers and the choice between the members of each pair, by \
      voice. --out writes every greedy answer and the logits behind it, for an independent program \
      to repeat (Tests/Peers).
      """)

  @Option(help: "The checkpoint.") var model = Recipe.all[0].folder
  @Option(help: "A JSON file for the answers and logits.") var out: String?

  struct Outcome: Sendable {
    let utterance: Utterance
    let prompts: [(prompt: String, answer: String, said: [Int], logits: [Float])]
    let samples: Int
  }

  func run() throws {
    Runtime.pin()
    let repository = try Repository()
    let speech = try SpeechModel(folder: model)
    let suite = try PairSuite(manifest: repository.url("data-manifests/evaluation.json").path)
    let outcomes = try mapInParallel(suite.utterances.count) { i -> Outcome in
      let utterance = suite.utterances[i]
      let wave = try Waveform(contentsOf: repository.url(utterance.file).path)
      let clip = try speech.clip(wave)
      let prompts = try utterance.questions.map { question in
        let tokens = try speech.tokens(for: question.prompt, clip: clip)
        let batch = try Batch(speech.config.sound, clips: [clip], prompts: [Prompt(tokens)])
        let logits = speech.model.logits(
          after: .encoder(0), speech.model.embedded(batch), in: batch, rows: [tokens.count - 1])
        return (
          question.prompt, question.answer, try speech.greedy(clip, prompt: question.prompt),
          logits.numbers
        )
      }
      return Outcome(utterance: utterance, prompts: prompts, samples: wave.samples.count)
    }
    let choices = try mapInParallel(suite.pairs.count) { i -> Int in
      let questions = try speech.questions(for: suite.pairs[i], root: repository.root.path)
      let clean = try speech.model.trace(questions.clean).logitDifference
      let corrupt = try speech.model.trace(questions.corrupt).logitDifference
      return (clean > 0 ? 1 : 0) + (corrupt < 0 ? 1 : 0)
    }
    let voices = Set(suite.utterances.map(\.voice)).sorted()
    for voice in voices + ["all"] {
      let own = outcomes.filter { voice == "all" || $0.utterance.voice == voice }
      func share(_ isCounted: (String) -> Bool) -> String {
        let asked = own.flatMap { $0.prompts.filter { isCounted($0.prompt) } }
        let right = asked.count { speech.tokenizer.decode($0.said) == $0.answer }
        return "\(right)/\(asked.count) (\(percent(right, asked.count)))"
      }
      let pairs = suite.pairs.indices.filter { voice == "all" || suite.pairs[$0].voice == voice }
      let right = pairs.reduce(0) { $0 + choices[$1] }
      print(
        voice.padding(toLength: 5, withPad: " ", startingAt: 0),
        "transcription", share { $0 == "transcribe:" }, " short answers",
        share { $0 != "transcribe:" }, " choice", "\(right)/\(2 * pairs.count)",
        "(\(percent(right, 2 * pairs.count)))")
    }
    guard let out else { return }
    let rows = outcomes.map { outcome -> JSON in
      .object([
        "file": .string(outcome.utterance.file),
        "answers": .array(
          outcome.prompts.map {
            [
              "prompt": .string($0.prompt), "expected": .string($0.answer),
              "tokens": .array($0.said.map { .integer($0) }),
              "logits": .array($0.logits.map { .number(Double($0)) }),
            ]
          }),
      ])
    }
    let url = URL(fileURLWithPath: out)
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(JSON.array(rows).compactText.utf8).write(to: url, options: .atomic)
  }
}

private func percent(_ a: Int, _ b: Int) -> String {
  String(format: "%.2f%%", 100 * Double(a) / Double(max(b, 1)))
}
