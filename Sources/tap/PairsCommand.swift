// `tap pairs`: a reader's own recordings as pairs.

import ArgumentParser
import Foundation
import Interventions
import JSON
import Notebook
import Speech
import Tensor

struct Pairs: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Makes a list of pairs from a table, and says what is wrong with its rows.",
    discussion: """
      The table is separated by commas, semicolons or tabs, its first line names the columns: \
      audio_clean, audio_corrupt, prompt, answer, foil and, where wanted, textgrid_clean, \
      textgrid_corrupt (Praat, long or short), group (the unit of resampling, such as sentence by \
      speaker), split and id; others are kept as notes. The answer belongs to the clean recording, the \
      foil to the corrupt one. Intervals of a TextGrid may neither overlap nor end behind the sound.

        printf '%s\\n' audio_clean,audio_corrupt,prompt,answer,foil \\
          'artifacts/evaluation/kal/a-pat.flac,artifacts/evaluation/kal/a-bat.flac,which thing:,pat,bat' \\
          > build/pairs.csv
        tap pairs --table build/pairs.csv --out build/pairs.json
      """)

  @Option(help: "The table.") var table: String
  @Option(help: "The list to write.") var out: String
  @Option(
    help: "The tier of the TextGrids that holds the boundaries; phones or words where not given.")
  var tier: String?
  @Option(
    help: "A recogniser's folder: says where answers do not begin as the model itself would write.")
  var model: String?
  @Flag(help: "Leave out rows that cannot be used, and list them; else they are an error.")
  var skip = false
  @Flag(help: "Print JSON.") var json = false

  func run() throws {
    try checkOutputs([("--out", out)], apartFrom: [self.table], model: model)
    let table = try PairTable(contentsOf: self.table, tier: tier)
    if !table.noted.isEmpty {
      warn(
        "\(self.table): the columns \(table.noted.map { quoted($0) }.joined(separator: ", ")) are not "
          + "known and are kept as notes")
    }
    for (line, reason) in table.rejected {
      warn("\(self.table): line \(line): \(reason)")
    }
    guard table.rejected.isEmpty || skip else {
      warn("nothing was written; mend the rows, or leave them out with --skip")
      throw ExitCode(1)
    }
    guard !table.pairs.isEmpty else {
      warn("\(self.table): no row is a pair; nothing was written")
      throw ExitCode(1)
    }
    try checkOutputs([("--out", out)], apartFrom: table.pairs.flatMap { [$0.clean, $0.corrupt] })
    let unlike = table.pairs.filter(\.labelsAreUnlike)
    if let first = unlike.first {
      warn(
        "\(self.table): in \(unlike.count) of \(table.pairs.count) pairs, \(shortened(first.id)) first, most "
          + "intervals of the two TextGrids have other labels, so that nearly all of the recording counts as "
          + "changed; align both members with one aligner and one set of labels")
    }
    let recogniser = try model.map { try Recogniser(folder: $0) }
    let beginnings = try recogniser?.beginnings(of: table.pairs) ?? []
    for (pair, beginning) in zip(table.pairs, beginnings) {
      if let note = beginning.note(on: pair.id) { warn("\(self.table): \(note)") }
    }
    let list: JSON = [
      "pairs": .array(table.pairs.map(\.json)),
      "excluded": .array(
        table.rejected.map { ["line": .integer($0.line), "reason": .string($0.reason)] }),
      "table": .string(self.table),
      "table_sha256": .string(try Digest(ofFile: self.table).description),
    ]
    try write(list, to: out, printing: json)
    if !json {
      let known = table.pairs.count { $0.segments != nil }
      let groups = Set(table.pairs.map(\.group)).count
      print(
        "\(table.pairs.count) pairs in \(groups) groups, \(known) with boundaries, "
          + "\(table.rejected.count) rows left out; wrote \(out)")
      if known < table.pairs.count {
        print(
          "pairs without boundaries that differ in length are joined by dynamic time warping, and "
            + "time windows are in milliseconds of the base recording")
      }
    }
  }
}
