// `tap lens`: what each layer would say, were it the last.

import ArgumentParser
import Foundation
import Interventions
import JSON
import Notebook
import Speech
import Tensor

struct LensVerb: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lens",
    abstract: "Reads the residual stream behind each layer as if it were the last.",
    discussion: """
      The last norm and the unembedding are put on the residual stream of the position that says the next \
      token. A lens shows what can be read, not what is used: `tap patch` says that. With --other, the \
      control, the same token is looked for in another recording's stream, which knows nothing of this one.

        tap lens --model artifacts/qwen2-audio-small --audio artifacts/evaluation/kal/a-pat.flac \\
          --other artifacts/evaluation/kal/a-bat.flac --prompt "which thing:" --answer pat --foil bat
      """)

  @OptionGroup var options: ModelOptions
  @Option(help: "The recording.") var audio: String
  @Option(help: "Control: a recording that says something else.") var other: String?
  @Option(help: "The text of the prompt.") var prompt: String?
  @Option(help: "The prompt's tokens, as in 5,7,audio,62.") var promptIds: String?
  @Option(
    help:
      "An answer, whose logit over the foil's is printed; what the model says first where not given."
  )
  var answer: String?
  @Option(help: "The answer that it is compared with; what the model says second where not given.")
  var foil: String?
  @Flag(help: "Print JSON.") var json = false

  func validate() throws {
    if (prompt == nil) == (promptIds == nil) {
      throw ValidationError("give --prompt or --prompt-ids, one of them")
    }
    if let other, place(of: other) == place(of: audio) {
      throw ValidationError("--other is the recording itself, which is no control; name another")
    }
    if (answer == nil) != (foil == nil) {
      throw ValidationError("give --answer and --foil, or neither")
    }
    try options.checkTemplate(unusedBy: promptIds)
  }

  func run() throws {
    let opened = try OpenedModel(options, needsText: promptIds == nil)
    let model = opened.model
    let tokens =
      try promptIds.map { try parsedTokens($0, placeholder: model.placeholder) }
      ?? opened.tokens(ofPrompt: prompt!)
    let answers = try self.answers(opened, tokens)
    let (found, time) = try Cost.timed { () -> (own: [LensedLayer], blind: [LensedLayer]?) in
      func traced(_ path: String) throws -> Trace {
        try model.trace(
          opened.question(path, prompt: tokens, answers: answers), keeping: model.lensSites)
      }
      let run = try traced(audio)
      let own = try model.lensed(run)
      // What is said in the end has rank 1 there, so that the last layer names it.
      return (own, try other.map { try model.lensed(traced($0), said: own[own.count - 1].token) })
    }
    var cost = time
    cost.forwards = Double(other == nil ? 1 : 2)
    if let note = opened.note(on: answers) { warn(note) }
    let layers = found.own.dropFirst()
    let said = found.own[found.own.count - 1].token
    let settled = settledLayer(layers.map { $0.token == said })
    if json {
      print(
        JSON.object(
          opened.prompting.merging([
            "model": .string(opened.folder),
            "model_sha256": .string(try opened.digest().description),
            "unexpected_tensors": opened.unexpectedTensors, "audio": try fileEntry(audio),
            "other": try fileEntry(other), "said": entry(said, opened),
            "settled_layer": .integer(settled), "layers": .integer(layers.count),
            "lens": .array(found.own.indices.map { stated(found, $0, opened) }), "cost": cost.json,
          ]) { $1 }
        ).text)
      return
    }
    print(
      "behind                strongest                p    p(said)    rank  answer - foil"
        + (found.blind == nil ? "" : "   rank in the other"))
    for (i, layer) in found.own.enumerated() {
      let name = opened.text([layer.token]).map(\.debugDescription) ?? "\(layer.token)"
      print(
        "\(layer.site)".padding(toLength: 22, withPad: " ", startingAt: 0)
          + name.padding(toLength: 17, withPad: " ", startingAt: 0)
          + String(
            format: "%9.4f  %9.4f %7d %14.4f", layer.probability, layer.final, layer.rank,
            layer.logitDifference)
          + (found.blind.map { String(format: "%20d", $0[i].rank) } ?? ""))
    }
    let text = opened.text([said]).map(\.debugDescription) ?? "token \(said)"
    print("\n\(text) is said from layer \(settled) of \(layers.count) on; \(cost.text)")
  }

  /// The answers that are compared; where none are named, what the model says first and second.
  private func answers(_ opened: OpenedModel, _ prompt: [Int]) throws -> Answers {
    if let answer, let foil {
      func tokens(_ text: String) throws -> [Int] {
        promptIds == nil
          ? try opened.tokens(ofAnswer: text)
          : try parsedTokens(text, placeholder: nil, option: "an answer")
      }
      return try Answers(answer: tokens(answer), foil: tokens(foil))
    }
    // Any two tokens serve to ask what is said.
    let asked = try opened.question(audio, prompt: prompt, answers: Answers(0, 1))
    let row = try opened.model.trace(asked).logits.numbers
    let order = row.indices.sorted { (row[$1], $0) < (row[$0], $1) }
    return Answers(order[0], order[1])
  }

  private func stated(
    _ found: (own: [LensedLayer], blind: [LensedLayer]?), _ i: Int, _ opened: OpenedModel
  ) -> JSON {
    let layer = found.own[i]
    return [
      "site": .string("\(layer.site)"), "strongest": entry(layer.token, opened),
      "probability": .number(layer.probability), "said_probability": .number(layer.final),
      "said_rank": .integer(layer.rank), "logit_difference": .number(layer.logitDifference),
      "said_rank_in_other": found.blind.map { .integer($0[i].rank) } ?? .null,
    ]
  }

  private func entry(_ token: Int, _ opened: OpenedModel) -> JSON {
    ["token": .integer(token), "text": opened.text([token]).map { .string($0) } ?? .null]
  }
}
