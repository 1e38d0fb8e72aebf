// `tap logits`: the distribution over the next token.

import ArgumentParser
import Foundation
import JSON
import Speech
import Tensor

struct Logits: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "The logits and probabilities of the next token.",
    discussion: """
      tap logits --model artifacts/qwen2-audio-small \\
        --audio artifacts/evaluation/ked/d-first-goat.flac --prompt "first thing:" --top 5
      """)

  @OptionGroup var question: QuestionOptions

  @Option(help: "How many tokens to print, the most probable first.") var top = 10

  @Flag(help: "With --json: all logits of the last position, in the vocabulary's order.")
  var all = false

  func validate() throws {
    if top < 1 { throw ValidationError("--top should be at least 1") }
  }

  func run() throws {
    let opened = try OpenedQuestion(question)
    let (logits, positions) = try opened.logits()
    let last = logits.numbers.map(Double.init)
    let highest = last.max() ?? 0
    let total = last.reduce(0.0) { $0 + Elementary.exp($1 - highest) }
    let order = last.indices.sorted { (last[$0], $1) > (last[$1], $0) }.prefix(top)
    func probability(_ token: Int) -> Double { Elementary.exp(last[token] - highest) / total }
    if question.json {
      var members = opened.members
      members["positions"] = .integer(positions)
      members["top"] = .array(
        order.map { token in
          var entry: [String: JSON] = [
            "token": .integer(token), "logit": .number(last[token]),
            "probability": .number(probability(token)),
          ]
          if let text = opened.text(token) { entry["text"] = .string(text) }
          return .object(entry)
        })
      if all { members["logits"] = .array(last.map { .number($0) }) }
      print(JSON.object(members).text)
    } else {
      print("   token      logit  probability")
      for token in order {
        let text = opened.text(token).map { "  \($0.debugDescription)" } ?? ""
        print(String(format: "%8d %10.4f  %11.6f", token, last[token], probability(token)) + text)
      }
    }
  }
}
