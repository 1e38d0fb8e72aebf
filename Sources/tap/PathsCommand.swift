// `tap paths`: what one component does to the answer through each reader of the residual stream.

import ArgumentParser
import Foundation
import Interventions
import JSON
import Notebook
import Speech
import Tensor

struct PathsVerb: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "paths",
    abstract: "Patches one component's output into each of its readers alone, exactly.",
    discussion: """
      A sender is what a component writes: a head's attn.z[3], an attn.out, an mlp.out, connector.out, an \
      embed, with a window as in `tap patch`. It takes the source run's value; a receiver (queries, keys or \
      values of a layer or head, or an MLP by its mlp.post) sees the change along the residual stream alone, \
      while every attention and MLP between them writes what it wrote; what the receiver makes of it is put \
      into the base run, and everything behind follows. Without --receiver all that read behind the sender \
      are taken: together with the logits themselves they are all paths, so that their sum stands beside the \
      whole effect. Beside each effect stands that of a random direction of the same length.

        tap paths --model artifacts/qwen2-audio-small \\
          --base artifacts/evaluation/kal/a-bat.flac --source artifacts/evaluation/kal/a-pat.flac \\
          --prompt "which thing:" --answer pat --foil bat --sender connector.out@560ms..680ms
      """)

  @OptionGroup var pair: TwoRecordings
  @Option(
    help: "SITE[index][@WINDOW]: what takes the source run's value; several follow one another.")
  var sender: [String]
  @Option(help: "SITE[index][@WINDOW]: what reads it; all that do where not given.")
  var receiver: [String] = []
  @Option(help: "Control: a recording of another item, moved as far.") var wrongItem: String?
  @Option(help: "How many receivers to print, the strongest first; --json has all.") var top = 12
  @Flag(help: "Print JSON.") var json = false

  func validate() throws {
    if sender.isEmpty { throw ValidationError("give --sender, such as connector.out@560ms..680ms") }
    try checkControls([("--wrong-item", wrongItem)], of: pair)
    if top < 1 { throw ValidationError("--top should be at least 1") }
  }

  func run() throws {
    let senders = try sender.map(Cell.init)
    let opened = try pair.opened()
    let model = opened.model
    for cell in senders { try model.check(cell.site) }
    let named = try receiver.map { PathReceiver(try Cell($0)) }
    let answers = try pair.answers(opened)
    let prompt = try pair.promptTokens(opened)
    let receivers = named.isEmpty ? model.pathReceivers : named
    let (found, time) = try Cost.timed { () -> [FoundPaths] in
      let first = try model.trace(opened.question(pair.base, prompt: prompt, answers: answers))
      let sending = senders.map(\.site)
      func traced(_ path: String, _ sites: [Site]) throws -> Trace {
        let question = try opened.question(path, prompt: prompt, answers: answers)
        // Where the sound decides which frames become tokens, all keep those of the base.
        return try model.trace(question.keepingFrames(of: first), keeping: sites)
      }
      let base = try traced(pair.base, model.pathSites(receivers) + sending)
      let source = try traced(pair.source, sending)
      let joined = try pair.alignment.alignment(
        base: base.question.clip, source: source.question.clip, segments: pair.segments())
      let stranger = try wrongItem.map { path in
        let other = try model.trace(
          opened.question(path, prompt: prompt, answers: answers), keeping: sending)
        let along = try AlignmentChoice.automatic.alignment(
          base: base.question.clip, source: other.question.clip, segments: nil)
        return (trace: other, alignment: along)
      }
      return try senders.map { cell in
        try FoundPaths(
          cell, model, base: base, source: source, joined, stranger: stranger, receivers,
          isEvery: named.isEmpty)
      }
    }
    var cost = time
    cost.forwards = found.reduce(Double(wrongItem == nil ? 3 : 4)) { $0 + Double($1.runs) }
    if let note = opened.note(on: answers) { warn(note) }
    for paths in found where paths.isSmall {
      warn(
        "\(paths.cell): the source run's value changes the answer by less than a hundredth of what parts "
          + "the two runs, so that no share of it is given")
    }
    if json {
      print(
        JSON.object(
          try pair.stated(opened).merging([
            "wrong_item": fileEntry(wrongItem), "corruption": "the source recording",
            "senders": .array(found.map(\.json)), "cost": cost.json,
          ]) { $1 }
        ).text)
    } else {
      for paths in found { paths.printTable(top) }
      print(
        "model \(try opened.digest().short); corruption: the source recording; \(cost.text)")
    }
  }
}
