// `reproduce join`: the projector of qwen2-audio-published, trained between its two published halves.

import ArgumentParser
import Foundation
import Notebook
import Speech
import Tensor

struct Join: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Trains the projector between the published encoder and language model.",
    discussion: """
      Reads the halves from build/models (make published), training speech from build/training and the \
      recorded digits that `reproduce data` finds. An interrupted run goes on from its last tenth step; \
      --fresh starts over.
      """)

  @Option(help: "Steps of training.") var steps = Joining().steps
  @Option(help: "Utterances of a step, a multiple of \(JoinedTraining.shard).")
  var batch = Joining().batch
  @Option(help: "The highest rate of the optimiser.") var rate = Joining().rate
  @Option(help: "People whose recorded digits are left out, as lucas,theo.") var leaveOut = ""
  @Flag(help: "Begins with the shipped projector.") var goesOn = false
  @Flag(help: "Trains two layers beside the projector's linear one.") var layersBeside = false
  @Option(help: "Rank of adapters beside the language model's queries and values; 0 for none.")
  var rank = Joining().rank
  @Option(help: "Seconds of silence behind every recording.") var silence = Joining().silence
  @Option(help: "The folder to write; one that differs from the shipped one needs its own.")
  var out: String?
  @Flag(help: "Ignores the state of an interrupted run.") var fresh = false

  func validate() throws {
    guard batch > 0, batch % JoinedTraining.shard == 0, steps > 0, rate > 0 else {
      throw ValidationError(
        "--batch takes a multiple of \(JoinedTraining.shard), --steps and --rate numbers above 0")
    }
    for name in absent where !DigitManifest.speakers.contains(name) {
      throw ValidationError(
        "--leave-out: nobody is called \(name); there are \(DigitManifest.speakers.joined(separator: ", "))"
      )
    }
    guard 0...64 ~= rank, 0...5 ~= silence else {
      throw ValidationError("--rank takes 0 to 64, --silence 0 to 5 seconds")
    }
    if out == nil, goesOn || layersBeside || rank > 0 || silence > 0 {
      throw ValidationError(
        "--goes-on, --layers-beside, --rank and --silence make another model than artifacts/\(JoinedFolder.name); name a "
          + "folder with --out, such as build/trained/two-layers")
    }
  }

  private var absent: [String] { leaveOut.split(separator: ",").map(String.init) }

  func run() throws {
    let repository = try Repository()
    let joining = Joining(
      steps: steps, batch: batch, rate: rate, absent: absent, goesOn: goesOn,
      layersBeside: layersBeside, rank: rank,
      silence: silence)
    let folder = out.map { URL(fileURLWithPath: $0) } ?? JoinedFolder(repository: repository).folder
    try joining.train(into: folder, repository, fresh: fresh)
  }
}
